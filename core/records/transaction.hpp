#pragma once
// What a task commits in one piece: output records, consumed positions, changed state, processing order. All or nothing.

#include <array>
#include <cstdint>
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

// Reused: clear() keeps all memory. Stages fill records and state, the task the rest. Not thread-safe; handed over whole.
struct Transaction {
  std::array<RecordBatch, kTopicCount> records;  // By Topic; written to the task's own partition of each.
  StateChanges state;
  Positions consumed;
  Order order;

  void append(Topic topic, const Record& record) { records[index_of(topic)].append(record); }
  void clear() {
    for (RecordBatch& batch : records) batch.clear();
    state.clear();
    consumed.clear();
    order.clear();
  }
  bool empty() const {
    for (const RecordBatch& batch : records)
      if (!batch.empty()) return false;
    return state.empty() && consumed.empty() && order.empty();
  }
  std::size_t record_bytes() const {
    std::size_t sum = 0;
    for (const RecordBatch& batch : records) sum += batch.bytes().size();
    return sum;
  }
};

// By input: how many starts have taken its record at the committed position and did not live to commit it.
using Attempts = std::array<std::uint32_t, kInputCount>;

// What recovery hands back to a task.
struct Recovered {
  CommitId last_commit;      // 0: this task has never committed.
  Positions positions;
  std::shared_ptr<const StateReader> state;
  Attempts attempts{};
};

}  // namespace weir
