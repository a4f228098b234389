#pragma once
// The way of batches from a reader thread to its task, and of used batches back. Bounded: the reader's credit is the number
// of batches that exist. One reader, one task; no locks.

#include <boost/lockfree/spsc_queue.hpp>

#include <algorithm>
#include <atomic>
#include <memory>

#include "actors/runtime/wake_signal.hpp"
#include "core/base/check.hpp"
#include "core/base/strong_id.hpp"
#include "sources/input_batch.hpp"

namespace weir {

class InputRing {
 public:
  static constexpr std::size_t kBatches = 6;

  // `task`: notified when a batch is there. Lives longer than the ring.
  explicit InputRing(WakeSignal& task) : task_(task) {
    for (std::size_t i = 0; i < kBatches; ++i) CHECK(used_.push(new InputBatch()));
  }
  ~InputRing() {
    InputBatch* batch = nullptr;
    while (full_.pop(batch)) delete batch;
    while (used_.pop(batch)) delete batch;
  }
  InputRing(const InputRing&) = delete;
  InputRing& operator=(const InputRing&) = delete;

  // Reader: an empty batch, or nullptr: no credit.
  std::unique_ptr<InputBatch> take_empty() {
    if (spare_ != nullptr) return std::move(spare_);
    InputBatch* batch = nullptr;
    if (!used_.pop(batch)) return nullptr;
    batch->clear();
    return std::unique_ptr<InputBatch>(batch);
  }
  // Reader: for the next take_empty(). REQUIRES: cleared.
  void keep(std::unique_ptr<InputBatch> batch) { spare_ = std::move(batch); }
  void push(std::unique_ptr<InputBatch> batch) {
    CHECK(full_.push(batch.release()));
    task_.notify();
  }
  // Reader: whether it may parse ahead of the task. Not before the task has taken a first record of this start: a line that
  // kills the parser would leave no trace of whose it was.
  bool may_parse_ahead() const { return may_parse_ahead_.load(std::memory_order_acquire); }
  // Reader: at `now_ns` (monotonic) the end of the source was reached, and everything before `through` has been pushed.
  void set_quiet(std::int64_t now_ns, Offset through) {
    quiet_through_.store(through.value, std::memory_order_relaxed);
    quiet_confirmed_ns_.store(now_ns, std::memory_order_relaxed);
    if (quiet_since_ns_.load(std::memory_order_relaxed) == 0) quiet_since_ns_.store(now_ns, std::memory_order_release);
  }
  // Reader: there is more.
  void set_busy() { quiet_since_ns_.store(0, std::memory_order_release); }

  // Task:
  std::unique_ptr<InputBatch> pop() {
    InputBatch* batch = nullptr;
    return std::unique_ptr<InputBatch>(full_.pop(batch) ? batch : nullptr);
  }
  bool has_batch() { return full_.read_available() != 0; }
  void recycle(std::unique_ptr<InputBatch> batch) {
    CHECK(used_.push(batch.release()));
    reader.notify();
  }
  void let_parse_ahead() { may_parse_ahead_.store(true, std::memory_order_release); }
  // How long the source was silent when that was looked at last; -1: there is more. An end that nobody confirms is not silence.
  std::int64_t quiet_ns() const {
    const std::int64_t since = quiet_since_ns_.load(std::memory_order_acquire);
    return since == 0 ? -1 : std::max<std::int64_t>(0, quiet_confirmed_ns_.load(std::memory_order_relaxed) - since);
  }
  Offset quiet_through() const { return Offset(quiet_through_.load(std::memory_order_relaxed)); }

  WakeSignal reader;  // The reader waits on it for credit.

 private:
  WakeSignal& task_;
  std::unique_ptr<InputBatch> spare_;
  boost::lockfree::spsc_queue<InputBatch*, boost::lockfree::capacity<kBatches>> full_;
  boost::lockfree::spsc_queue<InputBatch*, boost::lockfree::capacity<kBatches>> used_;
  std::atomic<std::int64_t> quiet_since_ns_{0};
  std::atomic<std::int64_t> quiet_confirmed_ns_{0};
  std::atomic<std::int64_t> quiet_through_{0};
  std::atomic<bool> may_parse_ahead_{false};
};

}  // namespace weir
