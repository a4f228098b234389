#include "actors/runtime/runtime.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include "actors/runtime/maintenance.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/monitor.hpp"
#include "actors/runtime/supervisor.hpp"

namespace weir {
namespace {

struct SystemConfig : caf::actor_system_config {
  SystemConfig() {
    // Given as a string, the policy is refused with a printed type error and stealing stays (spec: sharing has the shorter
    // tail and no idle cost here).
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t(1));
    set("logger.verbosity", caf::atom("quiet"));
  }
};

}  // namespace

struct Runtime::Impl {
  Impl(RuntimePlan p, TopicLog& l, const Clock& c) : plan(std::move(p)), log(l), clock(c), system(config) {}
  RuntimePlan plan;
  TopicLog& log;
  const Clock& clock;
  StatusBoard board;
  std::shared_ptr<RuntimeOutcome> outcome = std::make_shared<RuntimeOutcome>();
  SystemConfig config;
  caf::actor_system system;  // After everything its actors refer to: its destructor waits for them.
  caf::actor supervisor;
  caf::actor monitor;
  caf::actor maintenance;
  caf::actor membership;
};

Runtime::Runtime(RuntimePlan plan, TopicLog& log, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(plan), log, clock)) {
  Impl& i = *impl_;
  if (!i.plan.membership) {  // What will run is known.
    for (const AppenderPlan& appender : i.plan.appenders)
      if (runs_here(i.plan, kPartitionOfSingleTasks)) i.board.of(appender.name, kPartitionOfSingleTasks);
    for (const TaskPlan& task : i.plan.tasks)
      if (runs_here(i.plan, task.partition)) i.board.of(task.name, task.partition);
  }
  i.supervisor = i.system.spawn<caf::detached>(supervisor_actor, &i.plan, &i.log, &i.clock, &i.board, i.outcome);
  i.monitor = i.system.spawn<caf::detached>(monitor_actor, &i.plan, &i.clock, &i.board);
  if (i.plan.maintain) i.maintenance = i.system.spawn<caf::detached>(maintenance_actor, &i.plan, &i.board, i.supervisor, i.outcome);
  if (i.plan.membership) i.membership = i.system.spawn<caf::detached>(membership_actor, i.plan.membership.get(), i.supervisor);
}

Runtime::~Runtime() {
  stop();
  wait(std::chrono::hours(24));
  caf::anon_send_exit(impl_->monitor, caf::exit_reason::user_shutdown);
  if (impl_->membership) caf::anon_send_exit(impl_->membership, caf::exit_reason::user_shutdown);
  if (impl_->maintenance) caf::anon_send_exit(impl_->maintenance, caf::exit_reason::user_shutdown);
  impl_->membership = caf::actor();
  impl_->maintenance = caf::actor();
  impl_->monitor = caf::actor();
  impl_->supervisor = caf::actor();
}

bool Runtime::wait(Duration limit) {
  std::unique_lock lock(impl_->outcome->mutex);
  return impl_->outcome->ended_signal.wait_for(lock, limit, [&] { return impl_->outcome->ended; });
}

void Runtime::stop() { caf::anon_send(impl_->supervisor, stop_atom::value); }

Result<void> Runtime::result() const {
  std::lock_guard lock(impl_->outcome->mutex);
  if (impl_->outcome->error) return *impl_->outcome->error;
  return {};
}

bool Runtime::assigned() const { return impl_->board.assigned.load(std::memory_order_acquire); }

TaskStatuses Runtime::statuses() const { return impl_->board.all(); }

std::vector<std::string> Runtime::warnings() const {
  std::vector<std::string> out = impl_->board.warnings.all();
  for (const auto& status : impl_->board.all())
    for (std::string& text : status->warnings()) out.push_back(std::move(text));
  return out;
}

}  // namespace weir
