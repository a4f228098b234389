#pragma once
// The actors round a task. Each is detached: its loop sleeps in the operating system, never in CAF's scheduler.

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include "actors/runtime/source_appender.hpp"
#include "actors/runtime/task_host.hpp"
#include "storage/membership.hpp"

namespace weir {

struct NamedState {
  std::string name = "weir";
};

// Runs `open`, which may take seconds (fencing, catching up, loading), and ends; with the Error as reason if it failed.
caf::behavior opener_actor(caf::stateful_actor<NamedState>* self, std::function<Result<void>()> open, std::string name);
// Drives the task's loop on its own, pinned thread. Ends normally when the task has ended, else with the Error as reason. Tells the
// supervisor, with `index`, when the task is drained.
caf::behavior task_actor(caf::stateful_actor<NamedState>* self, TaskHostPtr host, caf::actor supervisor, std::uint64_t index);
// Writes the transactions that the task hands over.
caf::behavior committer_actor(caf::stateful_actor<NamedState>* self, TaskHostPtr host);
// Reads one of the task's inputs.
caf::behavior reader_actor(caf::stateful_actor<NamedState>* self, TaskHostPtr host, std::size_t reader);
// Keeps this process's copy of a task's state close behind its owner, until it is told to stop.
caf::behavior standby_actor(caf::stateful_actor<NamedState>* self, StandbyHostPtr host);
// Passes on to the supervisor which partitions are this process's.
caf::behavior membership_actor(caf::stateful_actor<NamedState>* self, Membership* membership, caf::actor supervisor);
// Drives a followed source.
caf::behavior appender_actor(caf::stateful_actor<NamedState>* self, std::shared_ptr<SourceAppender> appender, std::string name);

}  // namespace weir
