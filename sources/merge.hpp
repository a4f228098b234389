#pragma once
// In which order a task takes its inputs (docs/architecture.md §4). Pure: the runtime feeds batches and says what is silent.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "core/base/clock.hpp"
#include "core/records/order.hpp"
#include "sources/input_batch.hpp"

namespace weir {

// The records of one input that have come and are not consumed. Parsed inputs are held against jumps in time: a record more
// than `jump_max` ahead of the running maximum waits for the next one; if that is within `jump_max` of it, both count, else
// (or at the end) it becomes a kTimeJump refusal. The decisions depend on the input's records alone.
class InputQueue {
 public:
  struct Settings {
    InputId input = InputId::kLogs;
    bool parsed = true;                        // Logs and outcomes; others carry records.
    Duration jump_max = std::chrono::hours(24);
  };
  InputQueue(const Settings& settings, std::unique_ptr<LineParser> parser);

  void push(std::unique_ptr<InputBatch> batch);
  // A batch whose records are all consumed, for reuse; nullptr if there is none.
  std::unique_ptr<InputBatch> take_used();

  // The next record that may be consumed; nullptr if none has come, or the one that came is held.
  ParsedRecord* peek();
  const Record* peek_record();       // For inputs that are not parsed.
  // Goes past it. `peek()` must have given it; its views stay valid until the next push, peek or take_used.
  void pop();
  // The next record is refused without being parsed, and may be consumed at once. REQUIRES: parsed inputs, waiting() > 0, and
  // nothing has looked at it.
  void refuse_next(const Refusal& refusal);

  bool has_next() { return settings_.parsed ? peek() != nullptr : peek_record() != nullptr; }
  bool ended();                       // Its source has ended and everything is consumed.
  Offset next_offset() const;         // Of the record peek gives. REQUIRES: has_next().
  std::int64_t taken_ns() const;      // When its batch was taken from its source.
  InputBatch* head_batch();           // The batch the next record is in; nullptr if none. For fetched entries.
  std::uint64_t waiting() const { return waiting_; }

  // Running maximum of event time over consumed and resolved records; INT64_MIN before the first.
  std::int64_t running_max() const { return running_max_; }
  void set_running_max(std::int64_t to) { running_max_ = to; }
  // What the running maximum will be once the next record is consumed; of an input that is not parsed, that record's own time.
  std::int64_t merge_time();

  const Settings& settings() const { return settings_; }

 private:
  ParsedRecord* at(std::size_t index);
  void parse(InputBatch& batch, ParsedRecord& record);
  void resolve();

  Settings settings_;
  std::unique_ptr<LineParser> parser_;
  std::deque<std::unique_ptr<InputBatch>> batches_;
  std::deque<std::unique_ptr<InputBatch>> used_;
  std::size_t head_ = 0;        // Index of the next record in batches_.front().
  std::uint64_t waiting_ = 0;   // Records not consumed.
  bool head_resolved_ = false;  // The head may be consumed: parsed, and no jump, or judged.
  bool ends_ = false;
  std::int64_t running_max_ = INT64_MIN;
};

// Event-time merge of the sources: the input whose running maximum after its next record would be smallest goes first; ties by
// InputId (logs before outcomes). Nothing is given while an input that is neither ended nor idle has no record.
class EventTimeMerge {
 public:
  explicit EventTimeMerge(std::vector<InputQueue*> queues) : queues_(std::move(queues)), idle_(queues_.size(), false) {}

  // The queue to take the next record from; nullptr: wait for records (or a decision that an input is idle).
  InputQueue* next();
  // The inputs that keep next() from giving anything.
  std::vector<InputId> waited_for();
  // Declared silent until it has a record again.
  void set_idle(InputId input);
  bool is_idle(InputId input) const;
  bool ended();  // All inputs have ended.

 private:
  std::vector<InputQueue*> queues_;
  std::vector<char> idle_;
};

}  // namespace weir
