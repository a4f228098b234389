#include "actors/runtime/supervisor.hpp"

#include <algorithm>
#include <utility>

#include "actors/runtime/errors.hpp"
#include "actors/runtime/messages.hpp"

namespace weir {
namespace {

using Self = caf::stateful_actor<SupervisorState>;
using Child = SupervisorState::Child;
using Role = SupervisorState::Role;

constexpr Duration kStandbyBackoff = std::chrono::seconds(1);
constexpr std::int64_t kFencingsEverNs = 60'000'000'000;  // Those before are forgotten.

// Errors that another start can mend; the others name something that stays wrong until somebody changes it.
bool worth_a_restart(const Error& error) { return error.code == ErrorCode::kUnavailable; }

class Supervisor {
 public:
  Supervisor(Self* self, const RuntimePlan& plan, TopicLog& log, const Clock& clock, StatusBoard& board, std::shared_ptr<RuntimeOutcome> outcome)
      : self_(self), plan_(plan), log_(log), clock_(clock), board_(board), outcome_(std::move(outcome)) {}

  // These are ours, no others: what we have already goes on undisturbed.
  template <class Owned>
  void assign(Owned&& owned) {
    auto& state = self_->state;
    state.rebalancing = state.lost = false;
    for (std::size_t i = 0; i < state.children.size() && !state.stopping; ++i) {
      const Child& child = state.children[i];
      give_role(i, owned(child.partition()) ? Role::kOwner : child.wanted == Role::kOwner ? Role::kNone : child.wanted);
    }
    board_.assigned.store(true, std::memory_order_release);
    finish_if_done();
  }

  // Of what is not ours, these.
  template <class Ours>
  void stand_by(Ours&& ours) {
    auto& state = self_->state;
    for (std::size_t i = 0; i < state.children.size() && !state.stopping; ++i) {
      const Child& child = state.children[i];
      if (child.task != nullptr && child.wanted != Role::kOwner) give_role(i, ours(child.partition()) ? Role::kStandby : Role::kNone);
    }
  }

  void rebalance(bool lost) {
    auto& state = self_->state;
    state.rebalancing = true;
    state.lost = state.lost || lost;
    if (!state.lost) return;
    for (Child& child : state.children)
      if (child.fenced) fail(child);
  }

  void drained(std::size_t index) {
    const Child& child = self_->state.children[index];
    if (!self_->state.stopping && child.driver && !child.leaving) tell_readers_of(child);
  }

  void restart(std::size_t index) {
    const auto& state = self_->state;
    const Child& child = state.children[index];
    if (state.stopping) return;
    if (child.backing_off) start(index);
    else if (child.fenced && !state.rebalancing) claim(index);
  }

  void fail(Error error) {
    outcome_->fail(std::move(error));
    stop();
  }

  void down(const caf::down_msg& message) {
    auto& state = self_->state;
    const auto found = state.child_of.find(message.source);
    if (found == state.child_of.end()) return;
    const std::size_t index = found->second;
    state.child_of.erase(found);
    Child& child = state.children[index];
    const bool failed = message.reason && message.reason != caf::exit_reason::normal;
    if (failed && !child.failure) child.failure = from_caf(message.reason);
    --child.running;
    if (child.opening) {
      child.opening = false;
      if (failed || state.stopping || child.leaving) return after_run(index);
      return drive(index);
    }
    // Without its reader or committer a task cannot go on; without its driver the others have no purpose.
    if (child.host != nullptr && (failed || message.source == child.driver)) {
      child.host->runner->stop();
      child.host->close();
      if (failed && message.source != child.driver) caf::anon_send_exit(child.driver, caf::exit_reason::user_shutdown);
    }
    if (child.running == 0) after_run(index);
  }

  void stop() {
    self_->state.stopping = true;
    for (Child& child : self_->state.children) end_run(child);
    finish_if_done();
  }

 private:
  void give_role(std::size_t index, Role role) {
    Child& child = self_->state.children[index];
    const Role before = std::exchange(child.wanted, role);
    if (role == before) {
      if (child.fenced) claim(index);
      return;
    }
    if (child.running > 0) {  // The next one begins where this one ends.
      child.leaving = true;
      return end_run(child);
    }
    take_role(index);
  }

  // A fenced task that is this process's by the group's word: a former owner had begun to start it and was late. Again and again
  // it is somebody whom the group does not know.
  void claim(std::size_t index) {
    Child& child = self_->state.children[index];
    const std::int64_t now_ns = clock_.monotonic_ns();
    if (now_ns - child.fenced_ns > kFencingsEverNs) child.fencings = 0;
    child.fenced_ns = now_ns;
    if (child.fencings == plan_.fencings_max) return fail(child);
    ++child.fencings;
    child.fenced = false;
    ++child.status->restarts;
    child.status->warn("task '" + child.label() + "' was fenced and, as it is still this process's, started again: " + child.failure->what);
    start(index);
  }

  // REQUIRES: nothing of the child runs.
  void take_role(std::size_t index) {
    Child& child = self_->state.children[index];
    child.fenced = child.ended = child.leaving = child.backing_off = false;
    child.restarts = 0;
    if (child.wanted != Role::kNone) return start(index);
    child.role = Role::kNone;
    child.status->phase = TaskPhase::kGivenUp;
  }

  void start(std::size_t index) {
    Child& child = self_->state.children[index];
    child.failure.reset();
    child.backing_off = false;
    child.role = child.wanted;
    if (child.status == nullptr) child.status = board_.of(child.name(), child.partition());
    if (child.role == Role::kStandby) {
      child.status->phase = TaskPhase::kStandby;
      child.standby = std::make_shared<StandbyHost>(*child.task, log_, *child.status);
      child.driver = monitored(index, self_->spawn<caf::detached>(standby_actor, child.standby));
      return;
    }
    child.status->phase = TaskPhase::kStarting;
    ++child.status->starts;
    child.commits_at_start = child.status->commits.load();
    child.opening = true;
    std::function<Result<void>()> open;
    if (child.task != nullptr) {
      child.host = std::make_shared<TaskHost>(*child.task, log_, clock_, *child.status);
      open = [host = child.host] { return host->runner->open(); };
    } else {
      child.source = std::make_shared<SourceAppender>(*child.appender, log_, clock_, *child.status);
      open = [source = child.source] { return source->open(); };
    }
    // On a thread of its own: the other tasks start, end and are heard meanwhile.
    monitored(index, self_->spawn<caf::detached>(opener_actor, std::move(open), child.label()));
  }

  // Opened: everything runs.
  void drive(std::size_t index) {
    Child& child = self_->state.children[index];
    child.status->phase = TaskPhase::kRunning;
    if (child.appender != nullptr) {
      child.driver = monitored(index, self_->spawn<caf::detached>(appender_actor, child.source, child.appender->name));
      return;
    }
    monitored(index, self_->spawn<caf::detached>(committer_actor, child.host));
    for (std::size_t i = 0; i < child.host->runner->readers(); ++i)
      monitored(index, self_->spawn<caf::detached>(reader_actor, child.host, i));
    child.driver = monitored(index, self_->spawn<caf::detached>(task_actor, child.host, caf::actor_cast<caf::actor>(self_), static_cast<std::uint64_t>(index)));
  }

  caf::actor monitored(std::size_t index, caf::actor actor) {
    self_->monitor(actor);
    self_->state.child_of[actor.address()] = index;
    ++self_->state.children[index].running;
    return actor;
  }

  // What it has taken it still commits.
  void end_run(Child& child) {
    if (child.running == 0) return;
    if (child.host != nullptr) child.host->runner->stop();
    if (child.driver) self_->send(child.driver, stop_atom::value);
  }

  void release(Child& child) {
    if (child.host != nullptr) child.host->release();
    if (child.source != nullptr) child.source->release();
    if (child.standby != nullptr) child.standby->release();
    child.host.reset();
    child.source.reset();
    child.standby.reset();
    child.driver = caf::actor();
    child.status->waiting = 0;
    child.status->standby_lag = 0;
  }

  void after_run(std::size_t index) {
    auto& state = self_->state;
    Child& child = state.children[index];
    release(child);
    if (child.leaving) {
      // That the new owner has fenced it is how it ends; anything else the new owner may meet, too.
      if (child.failure && child.failure->code != ErrorCode::kFenced)
        board_.warnings.add("task '" + child.label() + "' failed while it was given up: " + child.failure->what);
      if (!state.stopping) take_role(index);
      return finish_if_done();
    }
    if (child.role == Role::kStandby) {
      if (state.stopping) return finish_if_done();
      if (child.failure) child.status->warn("the standby of task '" + child.label() + "' failed and was started again: " + child.failure->what);
      child.backing_off = true;
      self_->delayed_send(self_, kStandbyBackoff, restart_atom::value, static_cast<std::uint64_t>(index));
      return;
    }
    if (!child.failure) {
      child.ended = true;
      child.status->phase = TaskPhase::kEnded;
      if (!state.stopping) tell_readers_of(child);
      return finish_if_done();
    }
    if (child.failure->code == ErrorCode::kFenced && plan_.membership != nullptr && !state.lost && !state.stopping) {
      child.fenced = true;  // The new owner was quicker than the word that there is one?
      child.status->phase = TaskPhase::kStarting;
      if (!state.rebalancing) self_->delayed_send(self_, plan_.group_tells_within, restart_atom::value, static_cast<std::uint64_t>(index));
      return;
    }
    if (child.status->commits.load() != child.commits_at_start) child.restarts = 0;
    if (!state.stopping && worth_a_restart(*child.failure) && child.restarts < plan_.restarts_max) {
      const auto backoff = plan_.restart_backoff * (1 << child.restarts);
      ++child.restarts;
      ++child.status->restarts;
      child.backing_off = true;
      child.status->phase = TaskPhase::kStarting;
      child.status->warn("task '" + child.label() + "' failed and was started again: " + child.failure->what);
      self_->delayed_send(self_, backoff, restart_atom::value, static_cast<std::uint64_t>(index));
      return;
    }
    fail(child);
  }

  void fail(Child& child) {
    child.fenced = false;
    child.ended = true;
    child.status->phase = TaskPhase::kEnded;
    std::string what = "task '" + child.label() + "': " + child.failure->what;
    if (child.failure->code == ErrorCode::kFenced && plan_.membership != nullptr)
      what += "; this process did not answer for long, or another one runs under its name '" + plan_.process + "' (process), or with another placement.run";
    fail(Error{child.failure->code, std::move(what)});
  }

  // What a task whose sources have ended wrote is all there is: whoever reads it ends there.
  void tell_readers_of(const Child& ended) {
    for (Child& child : self_->state.children) {
      if (child.task == nullptr) continue;
      for (std::size_t i = 0; i < child.task->inputs.size(); ++i) {
        const InputPlan& input = child.task->inputs[i];
        if (input.written_by != ended.name() || input.ends_at == nullptr) continue;
        if (ended.task != nullptr && ended.task->partition != input.partition) continue;
        const auto described = log_.describe(input.topic);
        if (!described.ok()) continue;
        for (const PartitionDescription& partition : described->partitions)
          if (partition.partition == input.partition) input.ends_at->store(partition.end.value);
        if (child.host != nullptr && !child.opening) child.host->runner->reader(i).wake();
      }
    }
  }

  void finish_if_done() {
    auto& state = self_->state;
    if (!state.stopping) {
      bool any = false;
      for (const Child& child : state.children) {
        any = any || child.wanted == Role::kOwner;
        if ((child.wanted == Role::kOwner && !child.ended) || (child.role == Role::kOwner && child.running > 0)) return;
      }
      if (!any) return;  // Nothing is ours at the moment.
      state.stopping = true;
      if (plan_.membership != nullptr) plan_.membership->will_not_return();  // Its work is done.
      for (Child& child : state.children) end_run(child);  // Standbys.
    }
    for (const Child& child : state.children)
      if (child.running > 0) return;
    {
      std::lock_guard lock(outcome_->mutex);
      outcome_->ended = true;
    }
    outcome_->ended_signal.notify_all();
    self_->quit();
  }

  Self* self_;
  const RuntimePlan& plan_;
  TopicLog& log_;
  const Clock& clock_;
  StatusBoard& board_;
  std::shared_ptr<RuntimeOutcome> outcome_;
};

}  // namespace

bool runs_here(const RuntimePlan& plan, PartitionId partition) {
  return !plan.partitions || std::ranges::find(*plan.partitions, partition) != plan.partitions->end();
}

caf::behavior supervisor_actor(Self* self, const RuntimePlan* plan, TopicLog* log, const Clock* clock, StatusBoard* board,
                               std::shared_ptr<RuntimeOutcome> outcome) {
  auto supervisor = std::make_shared<Supervisor>(self, *plan, *log, *clock, *board, std::move(outcome));
  for (const AppenderPlan& appender : plan->appenders) self->state.children.emplace_back().appender = &appender;
  for (const TaskPlan& task : plan->tasks) self->state.children.emplace_back().task = &task;
  self->set_down_handler([supervisor](const caf::down_msg& message) { supervisor->down(message); });
  if (plan->membership == nullptr) supervisor->assign([&](PartitionId partition) { return runs_here(*plan, partition); });
  return {
      [=](assign_atom, const std::vector<std::int32_t>& partitions) {
        supervisor->assign([&](PartitionId partition) { return std::ranges::find(partitions, partition.value) != partitions.end(); });
      },
      [=](standby_atom, const std::vector<std::int32_t>& partitions) {
        supervisor->stand_by([&](PartitionId partition) { return std::ranges::find(partitions, partition.value) != partitions.end(); });
      },
      [=](rebalance_atom, bool lost) { supervisor->rebalance(lost); },
      [=](failed_atom, const caf::error& error) { supervisor->fail(from_caf(error)); },
      [=](drained_atom, std::uint64_t index) { supervisor->drained(static_cast<std::size_t>(index)); },
      [=](restart_atom, std::uint64_t index) { supervisor->restart(static_cast<std::size_t>(index)); },
      [=](stop_atom) { supervisor->stop(); },
  };
}

}  // namespace weir
