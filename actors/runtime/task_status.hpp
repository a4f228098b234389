#pragma once
// What a running task tells others of itself. Written by the task's threads, read by any.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "actors/runtime/input_status.hpp"
#include "actors/runtime/task_counts.hpp"
#include "core/base/latency_histogram.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// "inference/2"; a task that reads and writes all partitions has number 0.
inline std::string task_label(const std::string& name, PartitionId partition) { return name + "/" + std::to_string(partition.value); }

// What a person should know of, each text once. Thread-safe.
class Warnings {
 public:
  void add(std::string text) {
    std::lock_guard lock(mutex_);
    for (const std::string& known : texts_)
      if (known == text) return;
    texts_.push_back(std::move(text));
  }
  std::vector<std::string> all() const {
    std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

enum class TaskPhase : std::uint8_t {
  kStarting,  // Fencing former owners, catching up, loading; also between a failure and the next start.
  kRunning,
  kEnded,     // Its sources have ended, or it failed for good.
  kGivenUp,   // Its partition is another process's.
  kStandby,   // The same, and this process keeps a copy of its state.
};
inline std::string_view name_of(TaskPhase phase) {
  switch (phase) {
    case TaskPhase::kStarting: return "starting";
    case TaskPhase::kRunning: return "running";
    case TaskPhase::kEnded: return "ended";
    case TaskPhase::kGivenUp: return "given up";
    case TaskPhase::kStandby: break;
  }
  return "standby";
}

struct TaskStatus {
  explicit TaskStatus(std::string name = "", PartitionId of = PartitionId(0)) : task(std::move(name)), partition(of) {}
  const std::string task;
  const PartitionId partition;
  std::atomic<TaskPhase> phase{TaskPhase::kStarting};
  InputStatuses inputs;                          // Of a task, once it has been opened.
  std::atomic<std::uint64_t> starts{0};          // In this process, restarts included.
  std::atomic<std::uint64_t> standby_lag{0};     // Changelog offsets that the copy does not hold yet.
  std::atomic<std::uint64_t> records{0};         // Input records processed since the process began.
  std::atomic<std::uint64_t> events{0};          // Of them log records.
  std::atomic<std::uint64_t> outcomes{0};        // And outcomes; what is left is fed back.
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> aborts{0};          // Transactions that were aborted, and committed again.
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<std::uint64_t> waiting{0};         // Records read and not processed.
  std::atomic<bool> rests{false};                // None of them may be taken before an input, which is silent, has its next one.
  std::atomic<std::uint64_t> bytes_read{0};      // Of direct sources, as stored.
  std::atomic<std::uint64_t> bytes_total{0};
  std::atomic<double> log_loss_sum{0.0};
  std::atomic<std::uint64_t> log_loss_count{0};
  std::atomic<std::uint64_t> steps_undone{0};    // Training steps that were not finite, since the first offset.
  std::atomic<std::int64_t> last_commit_us{0};   // Wall clock.
  SharedTaskCounts counts;
  std::atomic<std::uint64_t> waiting_rows{0};    // Predictions that wait for their outcome.
  std::atomic<std::uint64_t> waiting_labels{0};  // Outcomes that wait for their event.
  std::atomic<std::uint64_t> model_version{0};   // Served, or learnt.
  std::atomic<std::uint64_t> with_set{0};        // Examples whose prediction had a set, since the first offset,
  std::atomic<std::uint64_t> covered{0};         // and those that lay in it.
  // Of a task that learns by jobs.
  struct Jobs {
    std::atomic<bool> any{false};                // One has been done since the task was opened: what follows is of the last one.
    std::atomic<std::uint64_t> sweep{0}, layer{0}, neuron{0};
    std::atomic<double> accuracy{0.0};           // On what is learnt from, after it.
    std::atomic<std::uint64_t> gold{0};          // Neurons whose sum is in the gold zone.
    std::atomic<std::uint64_t> held_out{0};      // Examples that nobody learns from, since the first offset,
    std::atomic<std::uint64_t> held_out_right{0};  // and those that the challenger answered right.
    std::array<std::atomic<bool>, kHashtronAlerts.size()> alerts{};  // Which hold now.
  } jobs;
  std::atomic<bool> learns_by_jobs{false};
  std::atomic<bool> judges{false};               // Promotion is part of it.
  std::atomic<bool> has_sums{false};
  std::atomic<std::uint64_t> sums{0};            // Records in the cache.
  std::atomic<std::int64_t> commit_began_ns{0};   // Monotonic, of the one under way; 0: none is.
  LatencyHistogram tick;                         // Events: from the line taken from its ring to the prediction in the transaction.
  LatencyHistogram arrival;                      // Events from a topic: from when they were appended to their prediction.
  LatencyHistogram acked;                        // From the line taken from its source until the log has what came of it.
  LatencyHistogram committed;                    // From the line taken from its source to its commit's return.
  LatencyHistogram job;                          // Of several done at once their mean, each.
  LatencyHistogram commit;                       // The commits themselves.

  // How far an input is consumed, as committed; the beginning where nothing is known of it.
  Offset consumed(InputId input, PartitionId of) const {
    const InputStatus* status = inputs.find(input, of);
    return status == nullptr ? Offset(0) : status->next();
  }
  // Offsets of its inputs gone unread, since the first ones.
  std::uint64_t lost() const {
    std::uint64_t sum = 0;
    for (const InputStatus* input : inputs.all()) sum += input->lost();
    return sum;
  }

  void warn(std::string text) { warnings_.add(std::move(text)); }
  std::vector<std::string> warnings() const { return warnings_.all(); }

  // What it waits for too long now; nothing: it runs. Each is a warning, too.
  void set_stall(std::string text) {
    if (!text.empty()) warn("task '" + task_label(task, partition) + "' " + text);
    std::lock_guard lock(stall_mutex_);
    stall_ = std::move(text);
  }
  std::string stall() const {
    std::lock_guard lock(stall_mutex_);
    return stall_;
  }

 private:
  Warnings warnings_;
  mutable std::mutex stall_mutex_;
  std::string stall_;
};

// Of the tasks that run in this process or have run there, in the order of their first start; none is ever removed.
using TaskStatuses = std::vector<std::shared_ptr<TaskStatus>>;

// The process's: its tasks', and what concerns no single one. Thread-safe.
class StatusBoard {
 public:
  // Makes it at the first call.
  std::shared_ptr<TaskStatus> of(const std::string& task, PartitionId partition) {
    std::lock_guard lock(mutex_);
    for (const auto& known : statuses_)
      if (known->task == task && known->partition == partition) return known;
    return statuses_.emplace_back(std::make_shared<TaskStatus>(task, partition));
  }
  TaskStatuses all() const {
    std::lock_guard lock(mutex_);
    return statuses_;
  }
  Warnings warnings;
  std::atomic<bool> assigned{false};  // What runs here has been said, and has its statuses.

 private:
  mutable std::mutex mutex_;
  TaskStatuses statuses_;
};

}  // namespace weir
