#include "pipelines/launcher.hpp"

#include <filesystem>

#include "pipelines/recompute.hpp"
#include "pipelines/running_pipeline.hpp"
#include "pipelines/topology.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

constexpr Duration kProgressEvery = std::chrono::milliseconds(100);
constexpr Duration kStopPollEvery = std::chrono::milliseconds(10);

bool stopped(const std::atomic<int>* stop) { return stop != nullptr && stop->load() != 0; }

}  // namespace

Result<RunSummary> run_pipeline(const PipelineConfig& config, const RunOptions& options) {
  TRY_ASSIGN(auto pipeline, RunningPipeline::start(config, system_clock()));
  if (options.on_started) options.on_started(*pipeline);
  bool told_to_stop = false;
  std::int64_t last_report = 0;
  while (!pipeline->wait(kStopPollEvery)) {
    if (!told_to_stop && stopped(options.stop)) {
      told_to_stop = true;
      pipeline->stop();
    }
    const std::int64_t now = system_clock().monotonic_ns();
    if (options.on_progress && now - last_report >= kProgressEvery.count() * 1000) {
      last_report = now;
      options.on_progress(pipeline->progress());
    }
  }
  TRY(pipeline->result());
  if (options.on_progress) options.on_progress(pipeline->progress());
  RunSummary summary = pipeline->summary();
  summary.ended = !told_to_stop;
  if (options.on_ending) options.on_ending(*pipeline);
  return summary;
}

}  // namespace weir
