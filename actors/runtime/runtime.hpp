#pragma once
// The actor system of one process: tasks, their committers and readers, appenders, the supervisor, the monitor and maintenance.
// Nothing of CAF is visible here.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/runtime/source_appender.hpp"
#include "actors/runtime/task_plan.hpp"
#include "actors/runtime/task_status.hpp"
#include "storage/membership.hpp"

namespace weir {

struct RuntimePlan {
  std::vector<TaskPlan> tasks;          // Of all partitions.
  std::vector<AppenderPlan> appenders;  // Each exists once; they run where partition 0 does.
  // Where processes share the partitions: tells which are this one's. Else these, or all.
  std::unique_ptr<Membership> membership;
  std::optional<std::vector<PartitionId>> partitions;
  std::string process;                  // Its name in the membership, for errors.
  int restarts_max = 5;                                   // Of one task, without a commit between them.
  Duration restart_backoff = std::chrono::milliseconds(50);  // Doubled at each restart.
  // A member that its group has given up, or whose name another one has taken, hears it with its next heartbeat.
  Duration group_tells_within = std::chrono::seconds(1);
  int fencings_max = 3;  // Of one task, within a minute of each other, that do not end the process where the group gives it the task.
  // Called every `monitor_interval` on a thread of its own, where it may wait: retention, backups. Errors are warnings.
  std::function<Result<void>(const TaskStatuses&)> maintain;
  // Called after it (both are set, or none): whether what the tasks stand on is still as it was. kUnavailable is a warning, any
  // other error ends them all.
  std::function<Result<void>()> check;
  Duration monitor_interval = std::chrono::seconds(1);
  Duration stall_after = std::chrono::seconds(30);        // No progress while records wait: reported.
};

class Runtime {
 public:
  // Starts everything. `log` and `clock` outlive it.
  Runtime(RuntimePlan plan, TopicLog& log, const Clock& clock);
  // Stops everything at once; what is not committed is dropped.
  ~Runtime();

  // Waits at most `limit` for the end of all of this process's tasks (never, while it has none of the shared partitions); true: they have ended (result() tells how).
  bool wait(Duration limit);
  // Any thread: sources are left, what was taken is committed, then the end.
  void stop();
  // After the end: the first error a task gave up with.
  Result<void> result() const;

  // What this process is to run has been said; before that it has no statuses, or not all.
  bool assigned() const;
  TaskStatuses statuses() const;
  std::vector<std::string> warnings() const;  // Those of tasks included.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
