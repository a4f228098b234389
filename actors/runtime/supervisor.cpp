#include "actors/runtime/supervisor.hpp"

#include "actors/runtime/errors.hpp"
#include "actors/runtime/messages.hpp"

namespace weir {
namespace {

using Self = caf::stateful_actor<SupervisorState>;
using Child = SupervisorState::Child;

// Errors that another start can mend; the others name something that stays wrong until somebody changes it.
bool worth_a_restart(const Error& error) { return error.code == ErrorCode::kUnavailable; }

class Supervisor {
 public:
  Supervisor(Self* self, const RuntimePlan& plan, TopicLog& log, const Clock& clock, std::shared_ptr<RuntimeOutcome> outcome)
      : self_(self), plan_(plan), log_(log), clock_(clock), outcome_(std::move(outcome)) {}

  void start(std::size_t index) {
    Child& child = self_->state.children[index];
    child.failure.reset();
    child.commits_at_start = child.status->commits.load();
    Result<void> opened;
    if (child.task != nullptr) {
      child.host = std::make_shared<TaskHost>(*child.task, log_, clock_, *child.status);
      opened = child.host->runner.open();
    } else {
      appender_ = std::make_shared<SourceAppender>(*child.appender, log_, clock_, *child.status);
      opened = appender_->open();
    }
    if (!opened.ok()) {
      child.failure = opened.error();
      return after_run(index);
    }
    if (child.appender != nullptr) {
      child.driver = monitored(index, self_->spawn<caf::detached>(appender_actor, appender_, child.appender->name));
      appender_.reset();
      return;
    }
    monitored(index, self_->spawn<caf::detached>(committer_actor, child.host));
    for (std::size_t i = 0; i < child.host->runner.readers(); ++i)
      monitored(index, self_->spawn<caf::detached>(reader_actor, child.host, i));
    child.driver = monitored(index, self_->spawn<caf::detached>(task_actor, child.host));
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
    // Without its reader or committer a task cannot go on; without its driver the others have no purpose.
    if (child.host != nullptr && (failed || message.source == child.driver)) {
      child.host->runner.stop();
      child.host->close();
      if (failed && message.source != child.driver) caf::anon_send_exit(child.driver, caf::exit_reason::user_shutdown);
    }
    if (--child.running == 0) after_run(index);
  }

  void stop() {
    self_->state.stopping = true;
    for (Child& child : self_->state.children)
      if (child.running > 0) {
        if (child.host != nullptr) child.host->runner.stop();
        self_->send(child.driver, stop_atom::value);
      }
    finish_if_done();
  }

 private:
  caf::actor monitored(std::size_t index, caf::actor actor) {
    self_->monitor(actor);
    self_->state.child_of[actor.address()] = index;
    ++self_->state.children[index].running;
    return actor;
  }

  void after_run(std::size_t index) {
    Child& child = self_->state.children[index];
    child.host.reset();
    child.driver = caf::actor();
    if (!child.failure) {
      child.ended = true;
      tell_readers_of(child);
      return finish_if_done();
    }
    if (child.status->commits.load() != child.commits_at_start) child.restarts = 0;
    const std::string name = child.task != nullptr ? child.task->label() : child.appender->name;
    if (!self_->state.stopping && worth_a_restart(*child.failure) && child.restarts < plan_.restarts_max) {
      const auto backoff = plan_.restart_backoff * (1 << child.restarts);
      ++child.restarts;
      ++child.status->restarts;
      child.status->warn("task '" + name + "' failed and was started again: " + child.failure->what);
      self_->delayed_send(self_, backoff, restart_atom::value, static_cast<std::uint64_t>(index));
      return;
    }
    {
      std::lock_guard lock(outcome_->mutex);
      if (!outcome_->error)
        outcome_->error = Error{child.failure->code, "task '" + name + "': " + child.failure->what};
    }
    child.ended = true;
    stop();
  }

  // What the ended task wrote is all there is: whoever reads it ends there.
  void tell_readers_of(const Child& ended) {
    const std::string& writer = ended.task != nullptr ? ended.task->name : ended.appender->name;
    for (Child& child : self_->state.children) {
      if (child.task == nullptr) continue;
      for (std::size_t i = 0; i < child.task->inputs.size(); ++i) {
        const InputPlan& input = child.task->inputs[i];
        if (input.written_by != writer || input.ends_at == nullptr) continue;
        if (ended.task != nullptr && ended.task->partition != input.partition) continue;
        const auto described = log_.describe(input.topic);
        if (!described.ok()) continue;
        for (const PartitionDescription& partition : described->partitions)
          if (partition.partition == input.partition) input.ends_at->store(partition.end.value);
        if (child.host != nullptr) child.host->runner.reader(i).wake();
      }
    }
  }

  void finish_if_done() {
    for (const Child& child : self_->state.children)
      if (child.running > 0 || (!child.ended && !self_->state.stopping)) return;
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
  std::shared_ptr<RuntimeOutcome> outcome_;
  std::shared_ptr<SourceAppender> appender_;
};

}  // namespace

caf::behavior supervisor_actor(Self* self, const RuntimePlan* plan, TopicLog* log, const Clock* clock,
                               const std::vector<std::unique_ptr<TaskStatus>>* statuses,
                               std::shared_ptr<RuntimeOutcome> outcome) {
  auto supervisor = std::make_shared<Supervisor>(self, *plan, *log, *clock, std::move(outcome));
  std::size_t status = 0;
  for (const AppenderPlan& appender : plan->appenders) {
    Child child;
    child.appender = &appender;
    child.status = (*statuses)[status++].get();
    self->state.children.push_back(std::move(child));
  }
  for (const TaskPlan& task : plan->tasks) {
    Child child;
    child.task = &task;
    child.status = (*statuses)[status++].get();
    self->state.children.push_back(std::move(child));
  }
  self->set_down_handler([supervisor](const caf::down_msg& message) { supervisor->down(message); });
  for (std::size_t i = 0; i < self->state.children.size(); ++i)
    self->send(self, restart_atom::value, static_cast<std::uint64_t>(i));
  return {
      [=](restart_atom, std::uint64_t index) {
        if (!self->state.stopping) supervisor->start(static_cast<std::size_t>(index));
      },
      [=](stop_atom) { supervisor->stop(); },
  };
}

}  // namespace weir
