#pragma once
// Where one partition's committed data ends, and the readers that wait for more. In-process only.

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "core/base/clock.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// A reader's own flag: set by wake(), taken by the wait that it ends.
using WakeFlag = std::atomic<bool>;

class PartitionSignal {
 public:
  Offset end() const { return Offset(end_.load(std::memory_order_acquire)); }

  // Everything below `end` is committed and readable. Costs a lock only if somebody waits.
  void publish(Offset end) {
    end_.store(end.value, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) > 0) notify();
  }
  void wake(WakeFlag& flag) {
    flag.store(true, std::memory_order_seq_cst);
    notify();
  }
  // Waits until data beyond `position` is committed: true; false after `wait` or a wake(), whose flag is then cleared.
  bool wait_beyond(Offset position, Duration wait, WakeFlag& flag) {
    if (end() > position) return true;
    if (flag.exchange(false) || wait <= Duration::zero()) return end() > position;
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, wait, [&] { return end_.load() > position.value || flag.load(); });
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (end() > position) return true;
    flag.store(false);
    return false;
  }

 private:
  void notify() {
    { std::lock_guard lock(mutex_); }  // A waiter is either before its check or asleep, never between.
    changed_.notify_all();
  }
  std::atomic<std::int64_t> end_{0};
  std::atomic<int> waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace weir
