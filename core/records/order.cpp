#include "core/records/order.hpp"

namespace weir {
namespace {
// In the place of an input: the entry after it is of partition count - 1.
constexpr std::uint64_t kOfPartition = 7;
static_assert(kInputCount <= kOfPartition);
constexpr std::uint64_t kPartitionsMax = 65536;
}  // namespace

std::string_view name_of(InputId input) {
  switch (input) {
    case InputId::kLogs: return "logs";
    case InputId::kOutcomes: return "outcomes";
    case InputId::kExamples: return "examples";
    case InputId::kModels: return "models";
    case InputId::kCandidates: return "candidates";
    case InputId::kCapacity: return "capacity";
    case InputId::kSums: return "sums";
  }
  return "unknown";
}

// One varint: count << 5 | input << 2 | kind, so that runs below four records take one byte.
void Order::flush() {
  if (!open_) return;
  if (last_.partition != kOwnPartition) bytes_.append_varint((std::uint64_t(last_.partition.value) + 1) << 5 | kOfPartition << 2);
  bytes_.append_varint(last_.count << 5 | std::uint64_t(last_.input) << 2 | std::uint64_t(last_.kind));
  open_ = false;
}

bool next_order_entry(ByteReader& reader, OrderEntry& out) {
  if (reader.done()) return false;
  std::uint64_t word = reader.varint();
  PartitionId partition = kOwnPartition;
  bool well_formed = true;
  if (((word >> 2) & 7) == kOfPartition) {
    well_formed = (word & 3) == 0 && word >> 5 != 0 && word >> 5 <= kPartitionsMax;
    partition = PartitionId(static_cast<std::int32_t>((word >> 5) - 1));
    word = reader.varint();
  }
  const auto input = (word >> 2) & 7;
  if (!reader.ok() || !well_formed || input >= kInputCount || word >> 5 == 0) {
    reader.bytes(reader.left() + 1);  // Malformed: make the reader fail.
    return false;
  }
  out = {static_cast<OrderKind>(word & 3), static_cast<InputId>(input), word >> 5, partition};
  return true;
}

}  // namespace weir
