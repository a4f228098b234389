#pragma once
// Runs a pipeline in this process until its sources end or it is told to stop.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "pipelines/pipeline_config.hpp"

namespace weir {

class RunningPipeline;

struct RunProgress {
  std::uint64_t events = 0;        // Lines of `logs` dealt with in this run.
  std::uint64_t outcomes = 0;
  std::uint64_t examples = 0;      // Taken by learning tasks.
  std::uint64_t other_records = 0;  // Of any kind, taken by tasks that are not inference.
  std::uint64_t bytes_read = 0;    // Of the stored (compressed) files; total 0: unknown or endless.
  std::uint64_t bytes_total = 0;
  double seconds = 0.0;            // Since the first record of this run.
  double log_loss = 0.0;           // So far, all labelled examples of this run; NaN before the first one.
};

struct LatencySummary {            // Microseconds; count 0: not measured.
  std::uint64_t count = 0;
  double p50 = 0.0, p90 = 0.0, p99 = 0.0, p999 = 0.0, max = 0.0;
};

struct RunSummary {
  bool ended = false;              // All sources ended; false: left because `stop` was set.
  RunProgress total;
  LatencySummary tick;             // Line taken on the task's thread -> prediction in the transaction.
  LatencySummary arrival;          // Appended to topic logs -> the same; files: not measured.
  LatencySummary committed;        // … -> commit returned (readers see it).
  std::uint64_t steps_undone = 0;  // Training steps that were not finite, since the first offset.
  std::vector<std::string> warnings;  // What the system refused: pinning, locked memory …
};

struct RunOptions {
  const std::atomic<int>* stop = nullptr;  // Becomes non-zero: commit and leave (a signal handler sets it). Polled.
  std::function<void(const RunProgress&)> on_progress;  // From a thread of the pipeline, about 10 times a second.
  std::function<void(const std::string&)> on_warning;   // Each one once, about when it comes.
  // Once the tasks run, and once they have ended (also after a failure), before the log is closed: what answers others
  // (control_socket) lives between the two.
  std::function<void(RunningPipeline&)> on_started;
  std::function<void()> on_ending;
};

// Errors: docs/operations.md says of each code what to do.
Result<RunSummary> run_pipeline(const PipelineConfig& config, const RunOptions& options);

struct VerifyOptions {
  bool recompute = false;          // Also computes everything again from inputs and order alone, in an empty directory.
  const std::atomic<int>* stop = nullptr;
  std::function<void(const RunProgress&)> on_progress;
};

struct VerifyReport {
  // Looked at. Events and outcomes: consumed records; waiting: outcomes of these that wait for their event.
  std::uint64_t events = 0, outcomes = 0, waiting = 0, predictions = 0, abstained = 0, dead_letters = 0, examples = 0, unjoined = 0, models = 0;
  std::uint64_t doubled = 0;  // Outputs of an input that has another one: delivery: at_least_once allows it.
  bool recomputed = false;
  std::vector<std::string> violations;  // Each names topic, partition, offset, what was found and expected. At most 100.
  std::uint64_t violation_count = 0;
};

// Checks what must hold (docs/architecture.md §3): embedded, over a data directory that no process holds; on Kafka, over the
// brokers alone, also while processes run.
Result<VerifyReport> verify_pipeline(const PipelineConfig& config, const VerifyOptions& options);

}  // namespace weir
