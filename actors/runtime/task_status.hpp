#pragma once
// What a running task tells others of itself. Written by the task's threads, read by any.

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/latency_histogram.hpp"
#include "core/base/strong_id.hpp"
#include "core/records/order.hpp"

namespace weir {

// "inference/2"; a task that reads and writes all partitions has number 0.
inline std::string task_label(const std::string& name, PartitionId partition) { return name + "/" + std::to_string(partition.value); }

struct TaskStatus {
  std::string task;
  PartitionId partition;
  std::atomic<std::uint64_t> records{0};         // Input records processed since the process began.
  std::atomic<std::uint64_t> events{0};          // Of them log records.
  std::atomic<std::uint64_t> outcomes{0};        // And outcomes; what is left is fed back.
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<std::uint64_t> waiting{0};         // Records read and not processed.
  std::atomic<std::uint64_t> bytes_read{0};      // Of direct sources, as stored.
  std::atomic<std::uint64_t> bytes_total{0};
  std::atomic<double> log_loss_sum{0.0};
  std::atomic<std::uint64_t> log_loss_count{0};
  std::atomic<std::uint64_t> steps_undone{0};    // Training steps that were not finite, since the first offset.
  std::atomic<std::int64_t> last_commit_us{0};   // Wall clock.
  std::atomic<std::int64_t> last_progress_ns{0};  // Monotonic: the last record processed or wait for an empty input.
  std::array<std::atomic<std::int64_t>, kInputCount> consumed{};  // By InputId: the next offset, as committed.
  LatencyHistogram tick;                         // Events: from the line taken from its ring to the prediction in the transaction.
  LatencyHistogram arrival;                      // Events from a topic: from when they were appended to their prediction.
  LatencyHistogram committed;                    // From the line taken from its source to its commit's return.

  void warn(std::string text) {
    std::lock_guard lock(mutex_);
    for (const std::string& known : warnings_)
      if (known == text) return;
    warnings_.push_back(std::move(text));
  }
  std::vector<std::string> warnings() const {
    std::lock_guard lock(mutex_);
    return warnings_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> warnings_;
};

}  // namespace weir
