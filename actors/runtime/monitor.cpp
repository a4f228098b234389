#include "actors/runtime/monitor.hpp"

#include "actors/runtime/memory_lock.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/thread_setup.hpp"

namespace weir {
namespace {
constexpr std::int64_t kLockEveryNs = 5'000'000'000;
}

caf::behavior monitor_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, const Clock* clock, StatusBoard* board) {
  self->state.name = "monitor";
  name_thread("monitor");
  self->delayed_send(self, plan->monitor_interval, tick_atom::value);
  auto locked_ns = std::make_shared<std::int64_t>(clock->monotonic_ns());
  return {
      [=](tick_atom) {
        const std::int64_t now = clock->monotonic_ns();
        const TaskStatuses statuses = board->all();
        for (const auto& status : statuses) {
          const std::int64_t progress = status->last_progress_ns.load(std::memory_order_relaxed);
          if (progress != 0 && status->waiting.load() > 0 && now - progress > plan->stall_after.count() * 1000)
            // One text however long it lasts: a warning that is known is not added again.
            status->warn("task '" + task_label(status->task, status->partition) + "' has made no progress for more than " +
                         std::to_string(plan->stall_after.count() / 1'000'000) + " s while records wait");
        }
        if (now - *locked_ns >= kLockEveryNs) {
          *locked_ns = now;
          if (std::string warning = lock_new_memory(); !warning.empty()) board->warnings.add(std::move(warning));
        }
        if (plan->maintain)
          if (const auto maintained = plan->maintain(statuses); !maintained.ok())
            board->warnings.add("maintenance: " + maintained.error().what);
        self->delayed_send(self, plan->monitor_interval, tick_atom::value);
      },
      [=](stop_atom) { self->quit(); },
  };
}

}  // namespace weir
