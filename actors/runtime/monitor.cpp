#include "actors/runtime/monitor.hpp"

#include <algorithm>
#include <map>

#include "actors/runtime/memory_lock.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/thread_setup.hpp"

namespace weir {
namespace {
constexpr std::int64_t kLockEveryNs = 5'000'000'000;

// Since when a task has had records to deal with and dealt with none. Those that wait for a silent input, by the config's order, are
// none to deal with: that input has nothing, and it may stay so for ever.
struct Standstill {
  std::uint64_t records = 0;
  std::int64_t since_ns = 0;

  std::int64_t ns(const TaskStatus& status, const Clock& clock, std::int64_t now) {
    const std::uint64_t done = status.records.load(std::memory_order_relaxed);
    const bool waiting = status.waiting.load(std::memory_order_relaxed) > 0 ||
                         std::ranges::any_of(status.inputs.all(), [&](const InputStatus* input) { return input->lag(clock.wall_us()).records > 0; });
    const bool rests = status.rests.load(std::memory_order_relaxed);
    if (!waiting || rests || done != records || since_ns == 0 || status.phase.load() != TaskPhase::kRunning) {
      records = done;
      since_ns = now;
    }
    return now - since_ns;
  }
};

// No stall is silent: what a task waits for too long, or nothing.
std::string stall_of(const TaskStatus& status, std::int64_t standstill_ns, std::int64_t now, Duration after) {
  const auto too_long = [&](std::int64_t since_ns) { return since_ns != 0 && now - since_ns > after.count() * 1000; };
  const std::string so_long = " for more than " + std::to_string(after.count() / 1'000'000) + " s";
  if (too_long(status.commit_began_ns.load(std::memory_order_relaxed))) return "waits for the end of a commit" + so_long;
  for (const InputStatus* input : status.inputs.all()) {
    if (!too_long(input->poll_began_ns())) continue;
    const std::string part = input->partition == status.partition ? "" : ", partition " + std::to_string(input->partition.value) + ",";
    return "waits for an answer to its reading of " + std::string(name_of(input->input)) + part + so_long;
  }
  if (standstill_ns > after.count() * 1000) return "has made no progress while records wait" + so_long;
  return {};
}

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
        for (const auto& status : statuses)
          status->set_stall(stall_of(*status, (*standstills)[status.get()].ns(*status, *clock, now), now, plan->stall_after));
        if (now - *locked_ns >= kLockEveryNs) {
          *locked_ns = now;
          if (std::string warning = lock_new_memory(); !warning.empty()) board->warnings.add(std::move(warning));
        }
        self->delayed_send(self, plan->monitor_interval, tick_atom::value);
      },
      [=](stop_atom) { self->quit(); },
  };
}

}  // namespace weir
