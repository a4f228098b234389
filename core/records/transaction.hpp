#pragma once
// What a task commits in one piece: output records, consumed positions, changed state, processing order. All or nothing.

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/records/order.hpp"
#include "core/records/record.hpp"
#include "core/records/state.hpp"
#include "core/records/topics.hpp"

namespace weir {

// How far an input partition has been consumed. `cursor` is a hint for the source (a byte position), never for decisions.
struct Position {
  InputId input = InputId::kLogs;
  PartitionId partition;
  Offset next;                // The first offset not consumed.
  std::uint64_t cursor = 0;
  bool operator==(const Position&) const = default;
};
using Positions = std::vector<Position>;

// Records of one partition that need not be the task's own.
struct RoutedBatch {
  Topic topic = Topic::kLogs;
  PartitionId partition;
  RecordBatch records;
};

// Reused: clear() keeps all memory. Stages fill records and state, the task the rest. Not thread-safe; handed over whole.
struct Transaction {
  std::array<RecordBatch, kTopicCount> records;  // By Topic; written to the task's own partition of each.
  std::vector<RoutedBatch> routed;               // Ascending by topic and partition; for what spreads lines over partitions.
  StateChanges state;
  Positions consumed;
  Order order;
  std::uint32_t attempts = 0;  // What is left to count against the next records of `consumed`: see Attempts.

  // To the task's own partition.
  void append(Topic topic, const Record& record) { records[index_of(topic)].append(record); }
  // To any partition. REQUIRES: nothing was given to append() for the same topic and partition.
  void append_to(Topic topic, PartitionId partition, const Record& record) {
    const auto place = std::pair(topic, partition);
    auto at = std::lower_bound(routed.begin(), routed.end(), place,
                               [](const RoutedBatch& batch, const auto& p) { return std::pair(batch.topic, batch.partition) < p; });
    if (at == routed.end() || at->topic != topic || at->partition != partition) at = routed.insert(at, {topic, partition, {}});
    at->records.append(record);
  }
  void clear() {
    for (RecordBatch& batch : records) batch.clear();
    for (RoutedBatch& batch : routed) batch.records.clear();
    state.clear();
    consumed.clear();
    order.clear();
    attempts = 0;
  }
  bool empty() const {
    for (const RecordBatch& batch : records)
      if (!batch.empty()) return false;
    for (const RoutedBatch& batch : routed)
      if (!batch.records.empty()) return false;
    return state.empty() && consumed.empty() && order.empty();
  }
  std::size_t record_bytes() const {
    std::size_t sum = 0;
    for (const RecordBatch& batch : records) sum += batch.bytes().size();
    for (const RoutedBatch& batch : routed) sum += batch.records.bytes().size();
    return sum;
  }
};

// By input: how many starts in a row have taken records of it and did not come far, or to a clean end. Those that have committed
// something leave the number that the task gives with its commits; each start counts itself against the record at the committed
// position.
using Attempts = std::array<std::uint32_t, kInputCount>;

// What recovery hands back to a task.
struct Recovered {
  CommitId last_commit;      // 0: this task has never committed.
  Positions positions;
  std::shared_ptr<const StateReader> state;
  Attempts attempts{};
};

}  // namespace weir
