#pragma once
// One run of a task and what its actors share: the driver, the committer, the readers.

#include <atomic>
#include <memory>

#include "actors/runtime/task_runner.hpp"

namespace weir {

struct TaskHost {
  TaskHost(const TaskPlan& plan, TopicLog& log, const Clock& clock, TaskStatus& status)
      : runner(plan, log, clock, status), plan(plan), status(status) {}
  TaskRunner runner;
  const TaskPlan& plan;
  TaskStatus& status;
  std::atomic<bool> closing{false};  // The driver has ended or failed: the others leave.

  void close() {
    closing.store(true, std::memory_order_release);
    for (std::size_t i = 0; i < runner.readers(); ++i) runner.reader(i).wake();
    runner.wake_committer();
  }
};
using TaskHostPtr = std::shared_ptr<TaskHost>;

}  // namespace weir
