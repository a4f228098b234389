#pragma once
// How far the tasks of a pipeline are behind their inputs.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/runtime/task_plan.hpp"
#include "actors/runtime/task_status.hpp"
#include "core/base/clock.hpp"
#include "storage/topic_log.hpp"

namespace weir {

struct InputLag {
  InputId input = InputId::kLogs;
  PartitionId partition;      // Of its topic.
  Offset next;                // The first one that is not committed as consumed.
  std::uint64_t records = 0;  // From there to the end; of tasks that run elsewhere Kafka's control records count, too.
  double seconds = 0.0;       // Since the oldest of them was appended, at most.
};

// A task of the pipeline, wherever it runs.
struct TaskOverview {
  std::string task;
  PartitionId partition;
  std::string process;               // Who runs it; empty: nobody that is known here.
  std::shared_ptr<TaskStatus> here;  // If it runs or has run in this process, or this one stands by for it.
  std::uint64_t commits = 0;         // Since the pipeline's beginning; of tasks that run here, in this process.
  std::int64_t last_commit_us = 0;   // Wall clock; 0: none that is known.
  std::vector<InputLag> inputs;      // Those that are topics; none if it has never committed.
};

// `process`: this one's name, whose tasks have `statuses`.
Result<std::vector<TaskOverview>> overview_of(const std::vector<TaskPlan>& tasks, TopicLog& log, const Clock& clock, const std::string& process,
                                              const TaskStatuses& statuses, const std::vector<Member>& members);

}  // namespace weir
