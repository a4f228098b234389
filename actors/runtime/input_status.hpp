#pragma once
// How far one input of a task has come, in one partition, and how far it lags behind its topic. Its reader and its task write, each
// its own part; any thread reads.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/strong_id.hpp"
#include "core/records/order.hpp"

namespace weir {

class InputStatus {
 public:
  // `topic`: its full name; empty for a direct source, whose end is not known in records.
  InputStatus(InputId of, PartitionId in, std::string topic_name) : input(of), partition(in), topic(std::move(topic_name)) {}

  const InputId input;
  const PartitionId partition;
  const std::string topic;

  // A run of the task begins: nothing is under way yet. No reader runs. `next`: the first record that is not committed; `lost`: offsets
  // gone unread, since the first one.
  void begin(std::int64_t now_us, Offset next, std::uint64_t lost) {
    read_ = done_ = 0;
    unread_ = 0;
    committed_append_us_ = 0;
    caught_up_us_ = now_us;
    next_ = next.value;
    lost_ = lost;
    poll_began_ns_ = 0;
  }

  // Reader: handed so many more records to the task; its position, and the topic's end as last heard of.
  void read(std::uint64_t records, Offset position, Offset end) {
    read_.store(read_.load(std::memory_order_relaxed) + records, std::memory_order_relaxed);
    unread_.store(std::max<std::int64_t>(0, end.value - position.value), std::memory_order_release);
  }
  // Reader: there is nothing more to read now.
  void at_end(std::int64_t now_us) {
    unread_.store(0, std::memory_order_relaxed);
    if (done_.load(std::memory_order_acquire) == read_.load(std::memory_order_relaxed)) caught_up_us_.store(now_us, std::memory_order_relaxed);
  }

  // Reader: so many more offsets were gone before it came to them.
  void lose(std::uint64_t offsets) { lost_.fetch_add(offsets, std::memory_order_relaxed); }
  // Reader: waits for the log's answer, since then (monotonic); 0: no more.
  void poll_began(std::int64_t at_ns) { poll_began_ns_.store(at_ns, std::memory_order_relaxed); }

  // Task: has committed so many records of this run, the last of them appended at `append_us` (wall clock; 0: unknown); `next` is the
  // first one that is not.
  void committed(std::uint64_t records, std::int64_t append_us, Offset next) {
    committed_append_us_.store(append_us, std::memory_order_relaxed);
    next_.store(next.value, std::memory_order_relaxed);
    done_.store(records, std::memory_order_release);
  }

  Offset next() const { return Offset(next_.load(std::memory_order_relaxed)); }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  std::int64_t poll_began_ns() const { return poll_began_ns_.load(std::memory_order_relaxed); }

  struct Lag {
    std::uint64_t records = 0;  // In the topic and not committed; may count control records of the part that was not read.
    double seconds = 0.0;       // Since the oldest of them was appended, at most; 0 if there are none.
  };
  Lag lag(std::int64_t now_us) const {
    const std::uint64_t done = done_.load(std::memory_order_acquire);
    const std::uint64_t read = std::max(done, read_.load(std::memory_order_relaxed));
    Lag out;
    out.records = read - done + static_cast<std::uint64_t>(unread_.load(std::memory_order_acquire));
    if (out.records == 0) return out;
    // The oldest one came after the last that was committed, and after the moment when there was none.
    const std::int64_t since = std::max(committed_append_us_.load(std::memory_order_relaxed), caught_up_us_.load(std::memory_order_relaxed));
    out.seconds = double(std::max<std::int64_t>(0, now_us - since)) * 1e-6;
    return out;
  }

 private:
  std::atomic<std::uint64_t> read_{0};              // Handed to the task, in this run.
  std::atomic<std::int64_t> unread_{0};             // Offsets between the reader's position and the end.
  std::atomic<std::uint64_t> done_{0};              // Committed, in this run.
  std::atomic<std::int64_t> committed_append_us_{0};
  std::atomic<std::int64_t> caught_up_us_{0};       // When nothing waited.
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::int64_t> poll_began_ns_{0};
};

// A task's. Each stays where it is as long as the task's status lives.
class InputStatuses {
 public:
  InputStatus& of(InputId input, PartitionId partition, const std::string& topic) {
    std::lock_guard lock(mutex_);
    for (InputStatus& status : all_)
      if (status.input == input && status.partition == partition) return status;
    return all_.emplace_back(input, partition, topic);
  }
  // nullptr: the task has never been opened, or does not read it.
  const InputStatus* find(InputId input, PartitionId partition) const {
    std::lock_guard lock(mutex_);
    for (const InputStatus& status : all_)
      if (status.input == input && status.partition == partition) return &status;
    return nullptr;
  }
  std::vector<const InputStatus*> all() const {
    std::lock_guard lock(mutex_);
    std::vector<const InputStatus*> out;
    for (const InputStatus& status : all_) out.push_back(&status);
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<InputStatus> all_;
};

}  // namespace weir
