#pragma once
// Keeps the log in order on its own thread: retention and backups at their time, whether the topics are still as they were. It may
// wait for brokers, the monitor must not.

#include <caf/stateful_actor.hpp>

#include "actors/runtime/runtime.hpp"
#include "actors/runtime/supervisor.hpp"
#include "actors/runtime/task_actor.hpp"

namespace weir {

caf::behavior maintenance_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, StatusBoard* board, caf::actor supervisor,
                                std::shared_ptr<RuntimeOutcome> outcome);

}  // namespace weir
