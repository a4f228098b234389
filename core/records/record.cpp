#include "core/records/record.hpp"

namespace weir {
namespace {
constexpr unsigned char kHasKey = 1;
constexpr unsigned char kHasSource = 2;
constexpr unsigned char kErases = 4;
constexpr unsigned char kKnownFlags = kHasKey | kHasSource | kErases;
}  // namespace

void encode_record(const Record& record, ByteBuffer& out) {
  const bool has_source = !record.source.topic.empty();
  out.append(static_cast<char>((record.has_key ? kHasKey : 0) | (has_source ? kHasSource : 0) |
                               (record.erases ? kErases : 0)));
  out.append_fixed(record.event_time.value);
  if (record.has_key) out.append_varint_bytes(record.key);
  if (has_source) {
    out.append_varint_bytes(record.source.topic);
    out.append_varint(static_cast<std::uint32_t>(record.source.partition.value));
    out.append_varint(static_cast<std::uint64_t>(record.source.offset.value));
  }
  out.append_varint_bytes(record.value);
}

bool decode_record(ByteReader& reader, Record& out) {
  if (reader.done()) return false;
  out = Record();
  const auto flags = reader.fixed<unsigned char>();
  if ((flags & ~kKnownFlags) != 0) {
    reader.bytes(reader.left() + 1);  // Unknown flag: malformed; make the reader fail.
    return false;
  }
  out.event_time = EventTime(reader.fixed<std::int64_t>());
  out.has_key = (flags & kHasKey) != 0;
  out.erases = (flags & kErases) != 0;
  if (out.has_key) out.key = reader.varint_bytes();
  if ((flags & kHasSource) != 0) {
    out.source.topic = reader.varint_bytes();
    out.source.partition = PartitionId(static_cast<std::int32_t>(reader.varint()));
    out.source.offset = Offset(static_cast<std::int64_t>(reader.varint()));
  }
  out.value = reader.varint_bytes();
  return reader.ok();
}

}  // namespace weir
