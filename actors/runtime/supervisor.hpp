#pragma once
// Starts the tasks of a process, hears of their ends, and starts a failed one again from its last commit.

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "actors/runtime/runtime.hpp"
#include "actors/runtime/task_actor.hpp"

namespace weir {

// What the outside may ask of the supervisor.
struct RuntimeOutcome {
  std::mutex mutex;
  std::condition_variable ended_signal;
  bool ended = false;
  std::optional<Error> error;
};

struct SupervisorState {
  struct Child {
    const TaskPlan* task = nullptr;         // Exactly one of the two.
    const AppenderPlan* appender = nullptr;
    TaskStatus* status = nullptr;
    TaskHostPtr host;
    caf::actor driver;
    std::size_t running = 0;                // Actors of this run that have not ended.
    std::optional<Error> failure;
    bool ended = false;
    int restarts = 0;                       // Since the last commit.
    std::uint64_t commits_at_start = 0;
  };
  std::vector<Child> children;
  std::map<caf::actor_addr, std::size_t> child_of;
  bool stopping = false;
  const char* name = "supervisor";
};

caf::behavior supervisor_actor(caf::stateful_actor<SupervisorState>* self, const RuntimePlan* plan, TopicLog* log,
                               const Clock* clock, const std::vector<std::unique_ptr<TaskStatus>>* statuses,
                               std::shared_ptr<RuntimeOutcome> outcome);

}  // namespace weir
