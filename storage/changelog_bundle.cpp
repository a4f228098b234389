#include "storage/changelog_bundle.hpp"

namespace weir {
namespace {

constexpr unsigned char kEnds = 1, kAnew = 2;

}  // namespace

void append_piece_head(bool ends, std::optional<std::uint64_t> anew, ByteBuffer& out) {
  out.append(static_cast<char>((ends ? kEnds : 0) | (anew ? kAnew : 0)));
  if (anew) out.append_varint(*anew);
}

void append_change(std::string_view key, std::string_view value, bool erased, ByteBuffer& run) {
  run.append_varint(key.size());
  run.append(key);
  run.append_varint(erased ? 0 : value.size() + 1);
  if (!erased) run.append(value);
}

void cut_bundle(std::string_view run, const std::function<void(std::string_view, bool)>& fn) {
  while (run.size() > kBundleBytes) {
    fn(run.substr(0, kBundleBytes), false);
    run.remove_prefix(kBundleBytes);
  }
  fn(run, true);
}

namespace {

bool read_changes(std::string_view run, const std::function<void(std::string_view, std::string_view, bool)>& fn) {
  ByteReader reader(run);
  while (reader.ok() && !reader.finished()) {
    const std::string_view key = reader.varint_bytes();
    const std::uint64_t size = reader.varint();
    if (!reader.ok()) return false;
    if (size == 0) {
      fn(key, {}, true);
      continue;
    }
    const std::string_view value = reader.bytes(size - 1);
    if (!reader.ok()) return false;
    fn(key, value, false);
  }
  return reader.ok();
}

}  // namespace

bool BundleReader::take(std::string_view value, std::uint64_t known, const std::function<void(std::string_view, std::string_view, bool)>& fn) {
  if (value.empty()) return false;
  const auto head = static_cast<unsigned char>(value.front());
  if (head > (kEnds | kAnew)) return false;
  const bool ends = (head & kEnds) != 0;
  value.remove_prefix(1);
  unfinished_ = !ends;
  if ((head & kAnew) != 0) {
    ByteReader reader(value);
    const std::uint64_t kept = reader.varint();
    if (!reader.ok()) return false;
    if (kept <= known) return true;
    value = reader.rest();
  }
  if (ends && run_.empty()) return read_changes(value, fn);  // The usual case: one piece, read where it is.
  run_.append(value);
  if (!ends) return true;
  const bool whole = read_changes(run_.view(), fn);
  run_.clear();
  return whole;
}

}  // namespace weir
