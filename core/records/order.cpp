#include "core/records/order.hpp"

namespace weir {

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
  bytes_.append_varint(last_.count << 5 | std::uint64_t(last_.input) << 2 | std::uint64_t(last_.kind));
  open_ = false;
}

bool next_order_entry(ByteReader& reader, OrderEntry& out) {
  if (reader.done()) return false;
  const std::uint64_t word = reader.varint();
  const auto input = (word >> 2) & 7;
  if (!reader.ok() || input >= kInputCount || word >> 5 == 0) {
    reader.bytes(reader.left() + 1);  // Malformed: make the reader fail.
    return false;
  }
  out = {static_cast<OrderKind>(word & 3), static_cast<InputId>(input), word >> 5};
  return true;
}

}  // namespace weir
