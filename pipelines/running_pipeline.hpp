#pragma once
// A pipeline that runs in this process: its log, its runtime, and what others may ask of it.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/runtime/runtime.hpp"
#include "core/base/result.hpp"
#include "pipelines/lag.hpp"
#include "pipelines/launcher.hpp"
#include "pipelines/pipeline_config.hpp"
#include "pipelines/producer.hpp"
#include "storage/topic_log.hpp"

namespace weir {

class RunningPipeline {
 public:
  // Opens the log, makes the topics, starts the tasks. `clock` outlives it.
  static Result<std::unique_ptr<RunningPipeline>> start(const PipelineConfig& config, const Clock& clock);
  ~RunningPipeline();

  bool wait(Duration limit);   // True: all tasks have ended.
  void stop();                 // Any thread: commit what was taken and end.
  Result<void> result() const;

  bool ready() const;          // Its tasks are known, and every one has recovered: none is starting.
  RunProgress progress() const;
  RunSummary summary() const;  // `ended` is the caller's.
  std::vector<std::string> warnings() const;  // So far.
  const PipelineConfig& config() const { return config_; }
  TopicLog& log() { return *log_; }
  // The processes that share the partitions, and the tasks of all of them. Asks the brokers: kUnavailable within seconds.
  struct Overview {
    std::vector<Member> members;
    std::vector<TaskOverview> tasks;
  };
  Result<Overview> overview();
  TaskStatuses statuses() const { return runtime_->statuses(); }

  // Appends lines to `logs` or `outcomes`, for `weir produce`. Any thread; otherwise as Producer::append().
  Result<std::vector<Offset>> produce(const ProducedLines& lines);

 private:
  RunningPipeline(const PipelineConfig& config, const Clock& clock) : config_(config), clock_(clock) {}
  // On the maintenance thread, which outlives runtime_'s pointer: it gets the statuses handed.
  Result<void> maintain(const TaskStatuses& statuses);
  Result<void> check();

  PipelineConfig config_;
  const Clock& clock_;
  std::unique_ptr<TopicLog> log_;
  std::optional<Producer> producer_;     // Opened by the first produce().
  std::mutex producer_mutex_;
  std::int64_t started_ns_ = 0;
  std::int64_t last_retention_ns_ = 0;
  std::int64_t last_backup_ns_ = 0;
  std::int64_t last_check_ns_ = 0;
  std::unique_ptr<Runtime> runtime_;     // Ends first.
};

// What the oldest kept backup would have to read again when `weir repair` goes on from it.
Result<void> add_backup_floors(const PipelineConfig& config, std::vector<TopicLog::Floor>& floors);

}  // namespace weir
