#pragma once
// Looks after the tasks on its own thread, which waits for nothing and nobody: a task that makes no progress while records wait
// for it is reported, with what it waits for.

#include <caf/stateful_actor.hpp>

#include "actors/runtime/runtime.hpp"
#include "actors/runtime/task_actor.hpp"

namespace weir {

caf::behavior monitor_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, const Clock* clock, StatusBoard* board);

}  // namespace weir
