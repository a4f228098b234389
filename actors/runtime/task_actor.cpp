#include "actors/runtime/task_actor.hpp"

#include "actors/runtime/errors.hpp"
#include "actors/runtime/memory_lock.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/thread_setup.hpp"

namespace weir {
namespace {

using Self = caf::stateful_actor<NamedState>;

// A slice of a loop before its actor looks into its mailbox; control messages wait no longer than this.
constexpr int kTurnsPerSlice = 64;
constexpr Duration kLongestSleep = std::chrono::milliseconds(50);
constexpr int kStandbyNice = 5;  // What is served here comes first.
// Of a reader whose topic has been silent: each sleep ends with a question to the log where the topic ends now.
constexpr Duration kQuietSleep = std::chrono::seconds(1);

void start(Self* self, std::string name) {
  self->state.name = std::move(name);
  // A bug in a stage ends the actor; the supervisor hears which and starts the task again from its last commit.
  self->set_exception_handler([](std::exception_ptr& thrown) -> caf::error {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      return to_caf({ErrorCode::kUnavailable, std::string("a stage threw: ") + e.what()});
    }
  });
  self->send(self, run_atom::value);
}

// Drives turns until the end of the slice; true: the loop is over and the actor has quit.
template <class Drained>
bool drive(Self* self, Runner& runner, Drained&& drained) {
  for (int i = 0; i < kTurnsPerSlice; ++i) {
    const Result<Turn> turn = runner.turn();
    if (!turn.ok()) return self->quit(to_caf(turn.error())), true;
    if (*turn == Turn::kEnded) return self->quit(), true;
    if (*turn == Turn::kDrained) drained();
    if (*turn == Turn::kWait) {
      runner.wait(kLongestSleep);
      break;
    }
  }
  self->send(self, run_atom::value);
  return false;
}

}  // namespace

caf::behavior opener_actor(Self* self, std::function<Result<void>()> open, std::string name) {
  name_thread("open." + name);
  start(self, "open." + name);
  return {
      [=](run_atom) {
        if (const Result<void> opened = open(); !opened.ok()) return self->quit(to_caf(opened.error()));
        self->quit();
      },
  };
}

caf::behavior task_actor(Self* self, TaskHostPtr host, caf::actor supervisor, std::uint64_t index) {
  name_thread(host->plan.label());
  const TaskPlan& plan = host->plan;
  if (plan.cpu >= 0)
    if (std::string warning = pin_thread(plan.cpu); !warning.empty()) host->status.warn(std::move(warning));
  if (plan.lock_memory)
    if (std::string warning = lock_memory(); !warning.empty()) host->status.warn(std::move(warning));
  if (std::string warning = set_thread_nice(plan.nice); !warning.empty()) host->status.warn(std::move(warning));
  start(self, plan.label());
  return {
      [=](run_atom) { drive(self, *host->runner, [&] { self->send(supervisor, drained_atom::value, index); }); },
      [=](stop_atom) { host->runner->stop(); },
  };
}

caf::behavior committer_actor(Self* self, TaskHostPtr host) {
  name_thread("commit." + host->plan.label());
  start(self, "commit." + host->plan.label());
  return {
      [=](run_atom) {
        if (host->closing.load(std::memory_order_acquire)) return self->quit();
        if (const auto step = host->runner->commit_step(kLongestSleep); !step.ok()) return self->quit(to_caf(step.error()));
        self->send(self, run_atom::value);
      },
  };
}

caf::behavior reader_actor(Self* self, TaskHostPtr host, std::size_t reader) {
  const std::string name = "read." + task_label(std::string(name_of(host->plan.inputs[reader].input)), host->plan.partition);
  name_thread(name);
  start(self, name);
  return {
      [=](run_atom) {
        for (int i = 0; i < kTurnsPerSlice; ++i) {
          if (host->closing.load(std::memory_order_acquire)) return self->quit();
          SourceReader& input = host->runner->reader(reader);
          const Result<bool> more = input.step(input.quiet() ? kQuietSleep : kLongestSleep);
          if (!more.ok()) return self->quit(to_caf(more.error()));
          if (!*more) return self->quit();
        }
        self->send(self, run_atom::value);
      },
  };
}

caf::behavior standby_actor(Self* self, StandbyHostPtr host) {
  name_thread("standby." + host->plan.label());
  set_thread_nice(host->plan.nice + kStandbyNice);
  start(self, "standby." + host->plan.label());
  return {
      [=](run_atom) {
        if (const Result<void> stepped = host->step(kLongestSleep); !stepped.ok()) return self->quit(to_caf(stepped.error()));
        self->send(self, run_atom::value);
      },
      [=](stop_atom) { self->quit(); },
  };
}

caf::behavior membership_actor(Self* self, Membership* membership, caf::actor supervisor) {
  name_thread("membership");
  start(self, "membership");
  const auto tell = [=](const MembershipChange& change) {
    std::vector<std::int32_t> partitions;
    for (const PartitionId partition : change.partitions) partitions.push_back(partition.value);
    switch (change.kind) {
      case MembershipChange::Kind::kRebalancing: return self->send(supervisor, rebalance_atom::value, false);
      case MembershipChange::Kind::kLost: return self->send(supervisor, rebalance_atom::value, true);
      case MembershipChange::Kind::kAssigned: return self->send(supervisor, assign_atom::value, std::move(partitions));
      case MembershipChange::Kind::kStandby: return self->send(supervisor, standby_atom::value, std::move(partitions));
    }
  };
  return {
      [=](run_atom) {
        if (const Result<void> polled = membership->poll(kLongestSleep, tell); !polled.ok()) {
          caf::anon_send(supervisor, failed_atom::value, to_caf(polled.error()));
          return self->quit();
        }
        self->send(self, run_atom::value);
      },
  };
}

caf::behavior appender_actor(Self* self, std::shared_ptr<SourceAppender> appender, std::string name) {
  name_thread(name);
  start(self, name);
  return {
      [=](run_atom) { drive(self, *appender, [] {}); },  // It has no feedback.
      [=](stop_atom) { appender->stop(); },
  };
}

}  // namespace weir
