#pragma once
// One run of a task and what its actors share: the driver, the committer, the readers.

#include <atomic>
#include <memory>

#include "actors/runtime/task_runner.hpp"

namespace weir {

struct TaskHost {
  TaskHost(const TaskPlan& plan, TopicLog& log, const Clock& clock, TaskStatus& status)
      : runner(std::make_unique<TaskRunner>(plan, log, clock, status)), plan(plan), status(status) {}
  std::unique_ptr<TaskRunner> runner;
  const TaskPlan& plan;
  TaskStatus& status;
  std::atomic<bool> closing{false};  // The driver has ended or failed: the others leave.

  void close() {
    closing.store(true, std::memory_order_release);
    for (std::size_t i = 0; i < runner->readers(); ++i) runner->reader(i).wake();
    runner->wake_committer();
  }
  // All its actors have ended, though CAF may not have let go of what they shared: another run may open the task.
  void release() { runner.reset(); }
};
using TaskHostPtr = std::shared_ptr<TaskHost>;

// One run of a standby: the task's store, and nothing that runs the task.
struct StandbyHost {
  StandbyHost(const TaskPlan& plan, TopicLog& log, TaskStatus& status) : plan(plan), log(log), status(status) {}
  Result<void> step(Duration wait) {
    if (store == nullptr) {
      TRY_ASSIGN(store, log.open_task({plan.name, plan.partition}));
    }
    TRY_ASSIGN(const std::uint64_t left, store->follow(wait));
    status.standby_lag.store(left, std::memory_order_relaxed);
    return {};
  }
  void release() { store.reset(); }

  const TaskPlan& plan;
  TopicLog& log;
  TaskStatus& status;
  std::unique_ptr<TaskStore> store;
};
using StandbyHostPtr = std::shared_ptr<StandbyHost>;

}  // namespace weir
