#pragma once
// Looks after the process on its own thread: retention and backups at their time, whether the topics are still as they were; and
// a task that makes no progress while records wait for it is reported, with what it waits for.

#include <caf/stateful_actor.hpp>

#include "actors/runtime/runtime.hpp"
#include "actors/runtime/supervisor.hpp"
#include "actors/runtime/task_actor.hpp"

namespace weir {

caf::behavior monitor_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, const Clock* clock, StatusBoard* board,
                            caf::actor supervisor, std::shared_ptr<RuntimeOutcome> outcome);

}  // namespace weir
