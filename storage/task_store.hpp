#pragma once
// One task's durable side. The committer owns it; its StateReader may be used by other threads.

#include <functional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/records/transaction.hpp"

namespace weir {

struct TaskSpec {
  std::string name;        // "inference", "learning", "source.logs", …: unique per pipeline and partition.
  PartitionId partition;   // Of the task, and of every record it writes but those that its transactions route elsewhere.
  bool writes_inputs = false;  // What it writes twice would count twice: exactly once, whatever the log's delivery is.
};

class TaskStore {
 public:
  virtual ~TaskStore() = default;

  // Instead of recover(), for a standby: takes over what the task's owner commits into this process's copy, for `wait`, and
  // disturbs nobody. Returns how many offsets are left to take; a later owner here recovers from what it has. kNotFound: the
  // backend has no copies.
  virtual Result<std::uint64_t> follow(Duration) { return Error{ErrorCode::kNotFound, "this log keeps no copies of a task's state"}; }

  // Fences every other owner, and gives the task's last committed positions and state. Call once, before the first commit.
  virtual Result<Recovered> recover() = 0;

  // Counts an attempt at the input's next record: on return it survives kill -9 (a power cut as `sync` says). Call it before the
  // first record of that input is parsed or processed in a start: one that ends before has proved nothing against it.
  // REQUIRES: recovered, no commit in flight.
  virtual Result<void> count_attempt(InputId input) = 0;

  // Takes one count back: the attempt was survived. REQUIRES: counted, no commit in flight.
  virtual Result<void> take_back_attempt(InputId input) = 0;

  // A clean end: nothing counts against any record any more. REQUIRES: recovered, no commit in flight.
  virtual Result<void> clear_attempts() = 0;

  // Makes records, state, positions and order durable together: on return they survive kill -9 (a power cut as `sync`
  // says) and are visible to readers, in this order of commits. On an error nothing of it is visible. Calls order.bytes(),
  // nothing else of the transaction is changed. Sets the attempts at the inputs it has consumed from to what it says.
  // Where the store puts state and positions off (delivery: at_least_once), only the records survive and are visible; it returns
  // an older commit then, the last one of which everything survives.
  virtual Result<CommitId> commit(Transaction& transaction) = 0;

  // What commit() has met, for metrics. By the thread that commits.
  struct CommitFacts {
    std::uint64_t aborts = 0;   // Transactions that were aborted, and committed again, since the store was opened.
    std::int64_t acked_ns = 0;  // Of the last commit: when the log had its records, before readers saw them (monotonic); 0: at once.
  };
  virtual CommitFacts facts() const { return {}; }
  // Commits what was put off: `now`, or if it is time. The last commit of which everything survives. Any thread.
  virtual Result<CommitId> settle(bool now) {
    static_cast<void>(now);
    return CommitId(0);  // Nothing ever is.
  }

  // Every order entry still kept, oldest commit first: fn(commit, bytes) until it returns false. REQUIRES: recovered.
  virtual Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const = 0;
};

}  // namespace weir
