#pragma once
// The way of batches from a reader thread to its task, and of used batches back. Bounded: the reader's credit is the number
// of batches that exist. One reader, one task; no locks.

#include <boost/lockfree/spsc_queue.hpp>

#include <atomic>
#include <memory>

#include "actors/runtime/wake_signal.hpp"
#include "core/base/check.hpp"
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
  // Reader: since when (monotonic ns) the end of the source is reached, or 0: there is more.
  void set_quiet_since(std::int64_t ns) { quiet_since_ns_.store(ns, std::memory_order_release); }

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
  std::int64_t quiet_since_ns() const { return quiet_since_ns_.load(std::memory_order_acquire); }

  WakeSignal reader;  // The reader waits on it for credit.

 private:
  WakeSignal& task_;
  std::unique_ptr<InputBatch> spare_;
  boost::lockfree::spsc_queue<InputBatch*, boost::lockfree::capacity<kBatches>> full_;
  boost::lockfree::spsc_queue<InputBatch*, boost::lockfree::capacity<kBatches>> used_;
  std::atomic<std::int64_t> quiet_since_ns_{0};
  std::atomic<bool> may_parse_ahead_{false};
};

}  // namespace weir
