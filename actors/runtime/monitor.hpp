#pragma once
// Looks after the process on its own thread: retention and backups at their time, and a task that makes no progress while
// records wait for it is reported.

#include <caf/stateful_actor.hpp>

#include "actors/runtime/runtime.hpp"
#include "actors/runtime/task_actor.hpp"

namespace weir {

caf::behavior monitor_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, const Clock* clock, StatusBoard* board);

}  // namespace weir
