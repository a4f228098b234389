#pragma once
// What a task's state says of a topic that it reads and that others have a hand in: enough to see at the next start whether the
// topic is still the one that was read, and whether retention has taken records that the task has not read.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"
#include "core/records/order.hpp"
#include "core/records/state.hpp"

namespace weir {

struct ReadMark {
  Offset last{-1};        // The last record consumed; -1: none is noted.
  std::uint32_t crc = 0;  // mark_crc() of its value.
  Offset through{0};      // Below this and from the position on there was no record: control records, or the end.
  bool operator==(const ReadMark&) const = default;
};

// CRC32C of the value's beginning: of a line that is too long the task keeps no more.
std::uint32_t mark_crc(std::string_view value);

// Under which key a task's state says something of an input; `partition`: kOwnPartition, or another one than the task's.
std::string input_key(std::string_view what, InputId input, PartitionId partition = kOwnPartition);
// How many of its offsets were gone before the task read them, as the state says under "lost".
Result<std::uint64_t> lost_of(const StateReader& state, InputId input, PartitionId partition = kOwnPartition);

void encode(const ReadMark& mark, ByteBuffer& out);
bool decode(std::string_view bytes, ReadMark& mark);

}  // namespace weir
