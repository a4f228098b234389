#pragma once
// The two transactions of a task, and which of them the committer has. One task thread, one committer thread.
//
// The task fills one while the committer writes the other: at most one commit is in flight, and commits go out in order.

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "actors/runtime/task_counts.hpp"
#include "actors/runtime/wake_signal.hpp"
#include "core/base/result.hpp"
#include "core/records/transaction.hpp"

namespace weir {

class CommitSlot {
 public:
  explicit CommitSlot(WakeSignal& task) : task_(task) {}

  struct Work {
    Transaction transaction;
    std::vector<std::int64_t> taken_ns;  // When each of its records was taken from its source.
    CommitId id;                         // What the commit will be.
    TaskCounts counts;                   // The chain's at its end.
    struct InputMark {
      std::uint64_t records = 0;         // Processed in this run of the task, up to its end.
      std::int64_t append_us = 0;        // When the last of them was appended to its topic.
      Offset next;                       // After it.
    };
    std::vector<InputMark> inputs;
    bool at_once = false;                // Nothing of it is to be put off.
    std::int64_t acked_ns = 0;           // By the committer: when the log had all of it (monotonic).
  };

  // Task: the one being filled.
  Work& open() { return works_[open_]; }
  const Work& open() const { return works_[open_]; }
  bool in_flight() const { return state_.load(std::memory_order_acquire) != State::kFree; }

  // Task: closed, to the committer. REQUIRES: !in_flight().
  void hand_over() {
    CHECK(!in_flight());
    open_ ^= 1;
    state_.store(State::kHanded, std::memory_order_release);
    committer.notify();
  }
  // Task: closed, and written by `commit` on this thread: no wait for another one's turn. REQUIRES: !in_flight().
  template <typename Commit>
  void commit_here(Commit&& commit) {
    CHECK(!in_flight());
    open_ ^= 1;
    result_ = commit(works_[open_ ^ 1]);
    state_.store(State::kDone, std::memory_order_release);
  }
  // Task: the commit has ended: its work (cleared by the caller), or nullptr: still running, or nothing was handed over.
  Work* take_done() {
    if (state_.load(std::memory_order_acquire) != State::kDone) return nullptr;
    return &works_[open_ ^ 1];
  }
  const Result<CommitId>& result() const { return result_; }
  void release() { state_.store(State::kFree, std::memory_order_release); }

  // Committer: the transaction to write, or nullptr.
  Work* take_handed() {
    return state_.load(std::memory_order_acquire) == State::kHanded ? &works_[open_ ^ 1] : nullptr;
  }
  void done(Result<CommitId> result) {
    result_ = std::move(result);
    state_.store(State::kDone, std::memory_order_release);
    task_.notify();
  }

  WakeSignal committer;

 private:
  enum class State : std::uint8_t { kFree, kHanded, kDone };
  std::array<Work, 2> works_;
  std::size_t open_ = 0;  // Changed by the task only while the committer has nothing; read by the committer after kHanded.
  std::atomic<State> state_{State::kFree};
  Result<CommitId> result_{CommitId(0)};
  WakeSignal& task_;
};

}  // namespace weir
