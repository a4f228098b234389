#include "core/records/read_mark.hpp"

#include "core/base/crc32c.hpp"
#include "core/records/line_parser.hpp"

namespace weir {

std::uint32_t mark_crc(std::string_view value) { return crc32c(value.substr(0, kTooLongHeadBytes)); }

std::string input_key(std::string_view what, InputId input, PartitionId partition) {
  std::string out = std::string(what) + "/" + std::string(name_of(input));
  if (partition != kOwnPartition) out += "/" + std::to_string(partition.value);
  return out;
}

Result<std::uint64_t> lost_of(const StateReader& state, InputId input, PartitionId partition) {
  std::string value;
  const std::string key = std::string(kRuntimePrefix) + input_key("lost", input, partition);
  TRY_ASSIGN(const bool known, state.get(key, value));
  if (!known) return std::uint64_t(0);
  ByteReader reader(value);
  const auto lost = reader.fixed<std::uint64_t>();
  if (!reader.finished())
    return Error{ErrorCode::kCorruption, "state entry '" + key + "': " + std::to_string(value.size()) + " bytes, expected 8; run 'weir repair'"};
  return lost;
}

void encode(const ReadMark& mark, ByteBuffer& out) {
  out.append_fixed(mark.last.value);
  out.append_fixed(mark.crc);
  out.append_fixed(mark.through.value);
}

bool decode(std::string_view bytes, ReadMark& mark) {
  ByteReader reader(bytes);
  mark.last = Offset(reader.fixed<std::int64_t>());
  mark.crc = reader.fixed<std::uint32_t>();
  mark.through = Offset(reader.fixed<std::int64_t>());
  return reader.finished();
}

}  // namespace weir
