#include "actors/runtime/maintenance.hpp"

#include "actors/runtime/messages.hpp"
#include "actors/runtime/thread_setup.hpp"

namespace weir {

caf::behavior maintenance_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, StatusBoard* board, caf::actor supervisor,
                                std::shared_ptr<RuntimeOutcome> outcome) {
  self->state.name = "maintenance";
  name_thread("maintenance");
  self->delayed_send(self, plan->monitor_interval, tick_atom::value);
  return {
      [=](tick_atom) {
        if (const auto maintained = plan->maintain(board->all()); !maintained.ok())
          board->warnings.add("maintenance: " + maintained.error().what);
        if (const auto checked = plan->check(); !checked.ok()) {
          if (checked.error().code == ErrorCode::kUnavailable) {
            board->warnings.add("maintenance: " + checked.error().what);
          } else {
            outcome->fail(checked.error());
            self->send(supervisor, stop_atom::value);
          }
        }
        self->delayed_send(self, plan->monitor_interval, tick_atom::value);
      },
      [=](stop_atom) { self->quit(); },
  };
}

}  // namespace weir
