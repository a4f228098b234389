#include "storage/kafka_changelog.hpp"

#include "core/base/crc32c.hpp"
#include "core/base/printable.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

std::string numbered_key(std::string_view letter, std::uint64_t number) {
  std::string out(letter);
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
  return out;
}

}  // namespace

std::string changelog_bundle_key(std::uint64_t number) { return numbered_key(kChangelogBundle, number); }

std::string changelog_order_key(CommitId commit) { return numbered_key(kChangelogOrder, commit.value); }

CommitId changelog_order_commit(std::string_view key) {
  std::uint64_t value = 0;
  for (const char c : key.substr(1)) value = value << 8 | static_cast<unsigned char>(c);
  return CommitId(value);
}

void append_sealed(std::string_view key, std::string_view body, ByteBuffer& out) {
  const std::size_t at = out.size();
  out.append_fixed(std::uint32_t{0});
  out.append(static_cast<char>(kChangelogValueVersion));
  out.append(body);
  out.set_fixed(at, crc32c(out.view(at + 4, body.size() + 1), crc32c(key)));
}

Result<std::string_view> unseal_changelog(std::string_view key, std::string_view value, std::string_view where) {
  const auto entry = [&] { return std::string(where) + ", key '" + printable(key.substr(0, 64)) + "': "; };
  ByteReader reader(value);
  const auto crc = reader.fixed<std::uint32_t>();
  const std::string_view sealed = reader.rest();
  if (!reader.ok() || sealed.empty()) return Error{ErrorCode::kCorruption, entry() + std::to_string(value.size()) + " bytes; expected a sealed value"};
  if (crc32c(sealed, crc32c(key)) != crc) return Error{ErrorCode::kCorruption, entry() + "its CRC32C does not fit"};
  const auto version = static_cast<std::uint8_t>(sealed.front());
  if (version != kChangelogValueVersion)
    return Error{ErrorCode::kVersion, entry() + "value version " + std::to_string(version) + ", this program knows " +
                                          std::to_string(kChangelogValueVersion)};
  return sealed.substr(1);
}

void encode(const ChangelogTaskEntry& entry, ByteBuffer& out) {
  out.append_fixed(entry.owner);
  out.append_varint(entry.last_commit.value);
  append_attempts(entry.attempts, out);
  for (const std::uint64_t value : {entry.bundles.oldest, entry.bundles.next, entry.bundles.bytes, entry.bundles.live_bytes}) out.append_varint(value);
  append_positions(entry.positions, out);
  const ChangelogRewrite& rewrite = entry.bundles.rewrite;
  if (!rewrite.running) return;
  out.append(rewrite.whole ? '\1' : '\0');
  for (const std::uint64_t value : {rewrite.until, rewrite.live_bytes, rewrite.bytes_since}) out.append_varint(value);
  out.append_varint_bytes(rewrite.from);
}

bool decode(std::string_view body, ChangelogTaskEntry& entry) {
  ByteReader reader(body);
  entry.owner = reader.fixed<std::uint64_t>();
  entry.last_commit = CommitId(reader.varint());
  if (!read_attempts(reader, entry.attempts)) return false;
  for (std::uint64_t* value : {&entry.bundles.oldest, &entry.bundles.next, &entry.bundles.bytes, &entry.bundles.live_bytes}) *value = reader.varint();
  if (!read_positions(reader, entry.positions)) return false;
  ChangelogRewrite& rewrite = entry.bundles.rewrite;
  rewrite = {};
  if (reader.finished()) return true;
  rewrite.running = true;
  const auto whole = reader.fixed<std::uint8_t>();
  rewrite.whole = whole == 1;
  for (std::uint64_t* value : {&rewrite.until, &rewrite.live_bytes, &rewrite.bytes_since}) *value = reader.varint();
  rewrite.from = std::string(reader.varint_bytes());
  return whole <= 1 && reader.finished();
}

void encode(const LocalStamp& stamp, ByteBuffer& out) {
  out.append_varint_bytes(stamp.cluster);
  out.append_varint(static_cast<std::uint64_t>(stamp.next.value));
  out.append_fixed(stamp.time_us);
  out.append_varint(stamp.bundles);
}

bool decode(std::string_view body, LocalStamp& stamp) {
  ByteReader reader(body);
  stamp.cluster = std::string(reader.varint_bytes());
  stamp.next = Offset(static_cast<std::int64_t>(reader.varint()));
  stamp.time_us = reader.fixed<std::int64_t>();
  stamp.bundles = reader.finished() ? 0 : reader.varint();  // Older ones end before it.
  return reader.finished();
}

}  // namespace weir
