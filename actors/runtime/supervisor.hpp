#pragma once
// Starts the tasks whose partitions are this process's, ends those that are no longer, hears of their ends, and starts a failed
// one again from its last commit.

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "actors/runtime/runtime.hpp"
#include "actors/runtime/task_actor.hpp"

namespace weir {

inline constexpr PartitionId kPartitionOfSingleTasks{0};

// Where nobody else shares the partitions.
bool runs_here(const RuntimePlan& plan, PartitionId partition);

// What the outside may ask of the supervisor.
struct RuntimeOutcome {
  std::mutex mutex;
  std::condition_variable ended_signal;
  bool ended = false;
  std::optional<Error> error;

  // The first one counts.
  void fail(Error with) {
    std::lock_guard lock(mutex);
    if (!error) error = std::move(with);
  }
};

struct SupervisorState {
  enum class Role : std::uint8_t { kNone, kStandby, kOwner };
  struct Child {
    const TaskPlan* task = nullptr;         // Exactly one of the two.
    const AppenderPlan* appender = nullptr;
    std::shared_ptr<TaskStatus> status;     // From its first start on.
    Role wanted = Role::kNone;
    Role role = Role::kNone;                // Of this run.
    TaskHostPtr host;                       // Of this run, or
    std::shared_ptr<SourceAppender> source;
    StandbyHostPtr standby;
    caf::actor driver;
    std::size_t running = 0;                // Actors of this run that have not ended.
    bool opening = false;
    bool leaving = false;                   // This run was told to end, as another role is wanted.
    bool backing_off = false;               // Will be started again.
    std::optional<Error> failure;
    bool fenced = false;                    // Has ended; the group tells whether rightly.
    int fencings = 0;                       // After which it was started again, lately;
    std::int64_t fenced_ns = 0;             // the last time.
    bool ended = false;
    int restarts = 0;                       // Since the last commit.
    std::uint64_t commits_at_start = 0;
    PartitionId partition() const { return task != nullptr ? task->partition : kPartitionOfSingleTasks; }
    const std::string& name() const { return task != nullptr ? task->name : appender->name; }
    std::string label() const { return task != nullptr ? task->label() : appender->name; }
  };
  std::vector<Child> children;
  std::map<caf::actor_addr, std::size_t> child_of;
  bool stopping = false;
  bool rebalancing = false;  // Partitions may be others' already; the next assignment tells.
  bool lost = false;         // And this process was taken for dead.
  const char* name = "supervisor";
};

caf::behavior supervisor_actor(caf::stateful_actor<SupervisorState>* self, const RuntimePlan* plan, TopicLog* log,
                               const Clock* clock, StatusBoard* board, std::shared_ptr<RuntimeOutcome> outcome);

}  // namespace weir
