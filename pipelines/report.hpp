#pragma once
// What a pipeline has done and how well it predicted, computed from its topics alone: `weir report`.
//
// Quality is prequential: every figure uses the probability that was published before the outcome was known.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "pipelines/launcher.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// Over labelled predictions. NaN: does not apply, or nothing to compute it from; null in JSON.
struct Quality {
  std::uint64_t labelled = 0;
  double log_loss, auc, accuracy, f1, brier, calibration_error, base_rate, majority_accuracy, coverage, mae, rmse;
  double base_rate_log_loss;                       // Of always saying the base rate.
  double last_outcome_accuracy;                    // Where the route had an outcome before.
  double mean_rmse;                                // Of always saying the mean.
  std::array<std::uint64_t, 3> set_sizes{};        // Classification: labelled predictions whose set has 0, 1, 2 labels.
  double set_width;                                // Regression: mean of high - low.
  Quality();
};

struct Report {
  bool regression = false;
  std::uint64_t events = 0, predicted = 0, abstained = 0, labelled = 0, waiting = 0, unjoined = 0, dead_letters = 0;
  std::map<std::string, std::uint64_t> unjoined_by_reason, dead_letters_by_reason;
  Quality quality, last_half;
  std::vector<std::string> model_versions;         // By partition: of its newest prediction; empty: none yet.
  double seconds = 0.0, events_per_second = 0.0;   // Of the last run.
  std::uint64_t steps_undone = 0;                  // Training steps that were not finite; as of the last run.
  std::uint64_t lost = 0;                          // Offsets of the sources' topics gone before they were read (accept_loss).
  LatencySummary tick, committed;                  // Of the last run; count 0: unknown.
  bool running = false;
};

struct ReportInputs {
  std::optional<std::uint64_t> outcomes_consumed;  // Of the inference tasks together; unset: asked of the log, as is `lost` then.
  std::uint64_t lost = 0;
  std::optional<RunSummary> run;                   // Unset: that of `run/last_run` under `data_dir`, if there is one.
  std::string data_dir;
};

// Over all partitions, in their order; "last half" is that of each partition's own events.
Result<Report> make_report(TopicLog& log, const ReportInputs& inputs);
// The keys of docs/operations.md: what does not apply is null. `model_version`: a text, or with several partitions a list of them.
std::string report_json(const Report& report);
// For a person.
std::string report_text(const Report& report, const std::string& data_dir);

// `run/last_run` under the data directory: time and latencies of the last run that took an event.
Result<void> remember_run(const std::string& data_dir, const RunSummary& summary);
std::optional<RunSummary> remembered_run(const std::string& data_dir);

}  // namespace weir
