#pragma once
// From a checked config to what runs: topics, tasks, their inputs and their chains.

#include <memory>

#include "actors/runtime/runtime.hpp"
#include "core/base/result.hpp"
#include "pipelines/pipeline_config.hpp"
#include "storage/open_storage.hpp"
#include "storage/storage_use.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// How the config's log is opened, the secrets read: kConfig, kNotFound, kIo where one is not there.
Result<StorageOptions> storage_options(const PipelineConfig& config, bool read_only);
// What the pipeline wants of it.
StorageUse storage_use(const PipelineConfig& config);

// The data directory's log. `read_only`: for commands on a directory that no process has open.
Result<std::unique_ptr<TopicLog>> open_log(const PipelineConfig& config, bool read_only);

// Creates the pipeline's topics, or checks them: kConfig where the directory was made with another number of partitions.
Result<void> create_topics(const PipelineConfig& config, TopicLog& log);

// What a line of `logs` or `outcomes` is.
inline LineRole role_of(Topic topic) { return topic == Topic::kLogs ? LineRole::kEvent : LineRole::kOutcome; }

// All tasks and appenders of the pipeline, in whatever process they run. `maintain` is the caller's.
Result<RuntimePlan> make_runtime_plan(const PipelineConfig& config);

// Of these, what `placement.run` has this process run.
RuntimePlan placed_here(const PipelineConfig& config, RuntimePlan plan);
// Which tasks these are, in one word: MembershipOptions::only. Empty: all.
std::string tasks_here(const PipelineConfig& config);
// Of the processes that run the others: each that there may be.
std::vector<std::string> tasks_elsewhere(const PipelineConfig& config);
bool names_task(std::string_view word, std::string_view task);  // Such a word, that task.

// Cores that inference tasks have to themselves: in arrival order somebody waits for each record, and the process's other threads
// keep off them. A replay is faster where they may use them.
std::vector<int> reserved_cpus(const PipelineConfig& config, const RuntimePlan& plan);

// How many partitions the pipeline of this log has.
std::int32_t partitions_of(const TopicLog& log);

}  // namespace weir
