#include "core/base/snapshot_frame.hpp"

#include "core/base/crc32c.hpp"

namespace weir {

ByteBuffer SnapshotFrame::begin() const {
  ByteBuffer out;
  out.append(magic);
  out.append_fixed(version);
  return out;
}

std::string SnapshotFrame::end(ByteBuffer out) {
  out.append_fixed(crc32c(out.view()));
  return std::string(out.view());
}

Error SnapshotFrame::corrupt(std::string_view snapshot, std::string_view what) const {
  return {ErrorCode::kCorruption,
          std::string(name) + " of " + std::to_string(snapshot.size()) + " bytes: " + std::string(what)};
}

Result<ByteReader> SnapshotFrame::open(std::string_view snapshot) const {
  if (snapshot.size() < magic.size() + 8 || !snapshot.starts_with(magic))
    return corrupt(snapshot, "it does not begin like one");
  const std::string_view sealed = snapshot.substr(0, snapshot.size() - 4);
  ByteReader in(sealed.substr(magic.size()));
  const auto found = in.fixed<std::uint32_t>();
  if (found > version)
    return Error{ErrorCode::kVersion, std::string(name) + ": found version " + std::to_string(found) + ", expected at most " +
                                          std::to_string(version)};
  if (crc32c(sealed) != ByteReader(snapshot.substr(sealed.size())).fixed<std::uint32_t>())
    return corrupt(snapshot, "its checksum is wrong");
  if (found != version) return corrupt(snapshot, "found version " + std::to_string(found) + ", which there never was");
  return in;
}

}  // namespace weir
