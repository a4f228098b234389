#pragma once
// The actors round a task. Each is detached: its loop sleeps in the operating system, never in CAF's scheduler.

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include "actors/runtime/source_appender.hpp"
#include "actors/runtime/task_host.hpp"

namespace weir {

struct NamedState {
  std::string name = "weir";
};

// Drives the task's loop on its own, pinned thread. Ends normally when the task has ended, else with the Error as reason.
caf::behavior task_actor(caf::stateful_actor<NamedState>* self, TaskHostPtr host);
// Writes the transactions that the task hands over.
caf::behavior committer_actor(caf::stateful_actor<NamedState>* self, TaskHostPtr host);
// Reads one of the task's inputs.
caf::behavior reader_actor(caf::stateful_actor<NamedState>* self, TaskHostPtr host, std::size_t reader);
// Drives a followed source.
caf::behavior appender_actor(caf::stateful_actor<NamedState>* self, std::shared_ptr<SourceAppender> appender, std::string name);

}  // namespace weir
