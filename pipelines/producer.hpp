#pragma once
// Appends lines from outside to `logs` and `outcomes`: `weir produce`.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/records/partitioner.hpp"
#include "pipelines/pipeline_config.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// Lines of one file, or of one conversation, on their way into a topic.
class ProducedLines {
 public:
  // Into the partition of each line's id, or all into `partition`. REQUIRES: topic is `logs` or `outcomes`; `config` outlives it.
  ProducedLines(const PipelineConfig& config, Topic topic, std::optional<PartitionId> partition);

  // Whole lines. Where CSV names its columns itself, the first of all is the header: kInvalidInput if the others cannot be read with it.
  Result<void> add(std::string_view text);
  void clear() { lines_.clear(); }  // Keeps the header.

  Topic topic() const { return topic_; }
  std::optional<PartitionId> partition() const { return partition_; }
  const std::string& header() const { return header_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const PipelineConfig& config_;
  Topic topic_;
  std::optional<PartitionId> partition_;
  bool header_next_;
  std::string header_;
  std::vector<std::string> lines_;
};

// One at a time per log. Not thread-safe. `log` and `clock` outlive it.
class Producer {
 public:
  static Result<Producer> open(const PipelineConfig& config, TopicLog& log, const Clock& clock);

  // Durable on return. Returns the ends of the topic's partitions. kNotFound: there is no such partition.
  Result<std::vector<Offset>> append(const ProducedLines& lines);

 private:
  Producer(TopicLog& log, const Clock& clock, Partitioner logs, Partitioner outcomes)
      : log_(&log), clock_(&clock), partitioners_{std::move(logs), std::move(outcomes)} {}

  TopicLog* log_;
  const Clock* clock_;
  std::unique_ptr<TaskStore> store_;
  std::array<Partitioner, 2> partitioners_;  // Of logs, of outcomes.
  Transaction transaction_;
};

}  // namespace weir
