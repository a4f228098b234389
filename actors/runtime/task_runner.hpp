#pragma once
// The loop of one task: takes records in order, runs them through the chain, cuts transactions and hands them to the committer.
// Knows no thread and no actor: turn() is called by whoever drives it.

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "actors/runtime/commit_slot.hpp"
#include "actors/runtime/input_ring.hpp"
#include "core/records/read_mark.hpp"
#include "actors/runtime/runner.hpp"
#include "actors/runtime/source_reader.hpp"
#include "actors/runtime/task_plan.hpp"
#include "actors/runtime/task_status.hpp"
#include "sources/merge.hpp"

namespace weir {

// Everything that belongs to one run of a task, from recovery to its end or failure. A restart makes a new one.
class TaskRunner final : public Runner {
 public:
  // All references outlive it.
  TaskRunner(const TaskPlan& plan, TopicLog& log, const Clock& clock, TaskStatus& status);
  ~TaskRunner();

  // Opens the store, recovers, restores the stages and opens the sources where the task stands.
  Result<void> open();

  // Takes about 512 records at most.
  Result<Turn> turn() override;
  // Wakes also when a commit is due.
  void wait(Duration limit) override;
  void stop() override {
    stopping_.store(true, std::memory_order_release);
    wake.notify();
  }

  // The committer's side: writes one handed-over transaction, or waits for one at most `wait`. An error of what was put off.
  Result<void> commit_step(Duration wait);

  void wake_committer() { slot_.committer.notify(); }

  std::size_t readers() const { return readers_.size(); }
  SourceReader& reader(std::size_t i) { return *readers_[i]; }
  const TaskPlan& plan() const { return plan_; }
  TaskStatus& status() { return status_; }

  WakeSignal wake;

 private:
  struct Input {
    const InputPlan* plan = nullptr;
    InputStatus* status = nullptr;
    std::unique_ptr<InputRing> ring;
    std::unique_ptr<InputQueue> queue;
    std::string saved_identity;
    std::int64_t saved_max = INT64_MIN;
    bool marked = false;            // Its topic is one that others have a hand in: the state says what was read of it.
    ReadMark read_mark, saved_mark;
    Offset last_offset{-1};         // Of this turn: the last record processed,
    std::string_view last_value;    // in its batch.
    std::uint64_t lost_before = 0;  // Offsets gone unread before this start,
    std::uint64_t lost_saved = 0;   // and of this one, those that the state tells.
    bool met = false;               // Its first record of this start has been parsed, or refused unparsed.
    bool attempted = false;         // The attempt at its next record is counted.
    bool poisoned = false;          // Its next record has killed the task: refuse it unprocessed.
    std::uint32_t passed_over = 0;  // Order by arrival: runs that others had since its last, while it had records.
    InputBatch* adopted = nullptr;  // The batch whose fetched entries the stages have.
    CommitSlot::Work::InputMark mark;
  };

  InputQueue* choose();
  InputQueue* choose_by_arrival();
  std::int64_t arrived_us(Input& input) const;
  void drain_rings();
  void return_batches();
  bool declare_idle();
  bool rests();
  bool goes_alone(const Input& input) const;
  Result<bool> meet_first_records();
  void mark_read();
  bool note_quiet();
  Result<void> process_one(InputQueue& queue);
  Result<CommitId> write(CommitSlot::Work& work);
  Result<void> collect_commit();
  bool commit_due(std::int64_t now) const;
  std::int64_t due_ns() const;  // When the open transaction is to be handed over.
  bool backlog() const;
  bool full() const;
  Result<void> hand_over(bool here);  // Here: written by this thread.
  Input& input_of(InputQueue& queue);
  PartitionId other_partition(const Input& input) const;  // Than the task's; kOwnPartition: it is the task's.
  std::string state_key(std::string_view what, const Input& input) const;
  Error malformed(std::string_view entry, std::string_view value) const;
  bool sources_ended();
  bool feedback_ended();
  void time_jobs(std::int64_t ns);

  const TaskPlan& plan_;
  TopicLog& log_;
  const Clock& clock_;
  TaskStatus& status_;
  std::unique_ptr<TaskStore> store_;
  std::unique_ptr<Task> task_;
  std::function<void(TaskStatus&)> publish_;
  std::function<void(TaskCounts&)> count_;
  std::function<std::uint64_t()> jobs_;
  std::uint64_t jobs_timed_ = 0;       // How many of them have been.
  TaskCounts counts_;                  // As of the last record.
  TaskCounts committed_counts_;
  std::uint64_t aborts_ = 0;           // Of this run's store.
  CommitSlot slot_;
  std::vector<Input> inputs_;
  std::unique_ptr<EventTimeMerge> merge_;
  std::vector<std::unique_ptr<SourceReader>> readers_;
  std::atomic<bool> stopping_{false};
  bool drained_ = false;               // Turn::kDrained has been told.
  std::int64_t last_commit_ns_ = 0;    // When the last transaction was handed over.
  std::size_t arrival_turn_ = 0;       // Order by arrival: whose turn it is,
  std::uint64_t arrival_left_ = 0;     // and for how many more records.
  std::size_t unmet_ = 0;              // Inputs whose first record of this start has not come.
  std::uint64_t careful_left_ = 0;     // Records to commit a few at a time, after a start that did not come far,
  bool one_by_one_ = false;            // and after two the first of each input one by one.
  std::uint64_t unsettled_left_ = 0;   // Records until this start has come far enough to count against none.
  std::uint32_t attempts_left_ = 0;    // Until then: what its commits leave to count.
};

}  // namespace weir
