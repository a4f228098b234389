#pragma once
// The order in which a task took its inputs: with the inputs it is all that is needed to compute the task again.
//
// A sequence of entries, run-length encoded:
//   records(k, n)   n records of input k       idle(k)    input k was declared silent (order: event_time)
//   steps(n)        n training steps of an idle turn       poison(k)  one record of input k was refused unprocessed
// An input that a task reads in several partitions has the partition in its entries.

#include <cstdint>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// An input of a task, by its place in the topology. The numbers are stored.
enum class InputId : std::uint8_t {
  kLogs = 0,
  kOutcomes = 1,
  kExamples = 2,
  kModels = 3,
  kCandidates = 4,
  kCapacity = 5,
  kSums = 6,
};
inline constexpr std::size_t kInputCount = 7;
std::string_view name_of(InputId input);

enum class OrderKind : std::uint8_t { kRecords = 0, kIdle = 1, kSteps = 2, kPoison = 3 };

// The partition that the task itself has.
inline constexpr PartitionId kOwnPartition{-1};

struct OrderEntry {
  OrderKind kind = OrderKind::kRecords;
  InputId input = InputId::kLogs;  // Unused by kSteps.
  std::uint64_t count = 1;
  PartitionId partition = kOwnPartition;  // Of the input.
  bool operator==(const OrderEntry&) const = default;
};

class Order {
 public:
  void records(InputId input, std::uint64_t count = 1, PartitionId partition = kOwnPartition) {
    add({OrderKind::kRecords, input, count, partition});
  }
  void idle(InputId input) { add({OrderKind::kIdle, input, 1}); }
  void steps(std::uint64_t count) { add({OrderKind::kSteps, InputId::kLogs, count}); }
  void poison(InputId input) { add({OrderKind::kPoison, input, 1}); }
  void add(OrderEntry entry) {
    if (open_ && last_.kind == entry.kind && last_.input == entry.input && last_.partition == entry.partition) {
      last_.count += entry.count;
      return;
    }
    flush();
    last_ = entry;
    open_ = true;
  }
  void clear() {
    open_ = false;
    bytes_.clear();
  }
  bool empty() const { return !open_ && bytes_.empty(); }
  // The stored form. Closes the run in progress.
  std::string_view bytes() {
    flush();
    return bytes_.view();
  }

 private:
  void flush();

  ByteBuffer bytes_;
  OrderEntry last_;
  bool open_ = false;
};

// Reads entries back; false at the end or on malformed bytes (reader.ok() tells which).
bool next_order_entry(ByteReader& reader, OrderEntry& out);

}  // namespace weir
