#include "actors/runtime/monitor.hpp"

#include <algorithm>
#include <map>

#include "actors/runtime/memory_lock.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/thread_setup.hpp"

namespace weir {
namespace {
constexpr std::int64_t kLockEveryNs = 5'000'000'000;

// Since when a task has had records to deal with and dealt with none.
struct Standstill {
  std::uint64_t records = 0;
  std::int64_t since_ns = 0;

  std::int64_t ns(const TaskStatus& status, const Clock& clock, std::int64_t now) {
    const std::uint64_t done = status.records.load(std::memory_order_relaxed);
    const bool waiting = status.waiting.load(std::memory_order_relaxed) > 0 ||
                         std::ranges::any_of(status.inputs.all(), [&](const InputStatus* input) { return input->lag(clock.wall_us()).records > 0; });
    if (!waiting || done != records || since_ns == 0 || status.phase.load() != TaskPhase::kRunning) {
      records = done;
      since_ns = now;
    }
    return now - since_ns;
  }
};
}  // namespace

caf::behavior monitor_actor(caf::stateful_actor<NamedState>* self, const RuntimePlan* plan, const Clock* clock, StatusBoard* board) {
  self->state.name = "monitor";
  name_thread("monitor");
  self->delayed_send(self, plan->monitor_interval, tick_atom::value);
  auto locked_ns = std::make_shared<std::int64_t>(clock->monotonic_ns());
  auto standstills = std::make_shared<std::map<const TaskStatus*, Standstill>>();  // No status is ever removed.
  return {
      [=](tick_atom) {
        const std::int64_t now = clock->monotonic_ns();
        const TaskStatuses statuses = board->all();
        for (const auto& status : statuses) {
          const bool stalled = (*standstills)[status.get()].ns(*status, *clock, now) > plan->stall_after.count() * 1000;
          status->stalled.store(stalled, std::memory_order_relaxed);
          if (stalled)  // One text however long it lasts: a warning that is known is not added again.
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
