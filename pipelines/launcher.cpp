#include "pipelines/launcher.hpp"

#include <limits>
#include <set>

#include "pipelines/recompute.hpp"
#include "pipelines/running_pipeline.hpp"
#include "pipelines/topology.hpp"
#include "pipelines/verify.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

constexpr Duration kProgressEvery = std::chrono::milliseconds(100);
constexpr Duration kWarningsEvery = std::chrono::seconds(1);
constexpr Duration kStopPollEvery = std::chrono::milliseconds(50);

constexpr std::size_t kViolationTextsMax = 100;
bool stopped(const std::atomic<int>* stop) { return stop != nullptr && stop->load() != 0; }

// What one inference task has consumed.
Result<Consumed> consumed_by(const TaskPlan& task, TaskStore& store, const PipelineConfig& config) {
  TRY_ASSIGN(const Recovered recovered, store.recover());
  TRY_ASSIGN(Chain chain, task.make_chain());
  Task restored(task.name, task.partition, std::move(chain.stages));
  TRY(restored.restore(recovered));
  Consumed consumed;
  consumed.partition = task.partition;
  for (const InputPlan& input : task.inputs) {
    const bool from_topic = input.open_source == nullptr;
    if (input.input == InputId::kLogs) {
      consumed.logs_topic = input.topic_name;
      consumed.logs_from_topic = from_topic;
    } else if (input.input == InputId::kOutcomes) {
      consumed.outcomes_topic = input.topic_name;
      consumed.outcomes_from_topic = from_topic;
    }
  }
  consumed.logs = restored.position(InputId::kLogs, task.partition).next;
  consumed.outcomes = restored.position(InputId::kOutcomes, task.partition).next;
  TRY_ASSIGN(consumed.waiting_labels, chain.waiting_labels());
  consumed.model = config.model_of(task.partition);
  consumed.version = chain.version();
  consumed.free_learning = config.learning == Learning::kFree;
  consumed.doubles = config.log.kind == LogKind::kKafka && config.delivery == Delivery::kAtLeastOnce;
  return consumed;
}

// How many commits each task has made.
Result<std::vector<CommitId>> commits_of(const RuntimePlan& plan, TopicLog& log) {
  std::vector<CommitId> out;
  for (const TaskPlan& task : plan.tasks) {
    TRY_ASSIGN(const TaskProgress progress, progress_at_rest(log, {task.name, task.partition}));
    out.push_back(progress.last_commit);
  }
  return out;
}

}  // namespace

Result<RunSummary> run_pipeline(const PipelineConfig& config, const RunOptions& options) {
  TRY_ASSIGN(auto pipeline, RunningPipeline::start(config, system_clock()));
  if (options.on_started) options.on_started(*pipeline);
  bool told_to_stop = false;
  std::int64_t last_report = 0, last_look = 0;
  std::set<std::string> warned;
  const auto warn_of_new = [&] {
    for (const std::string& warning : pipeline->warnings())
      if (warned.insert(warning).second) options.on_warning(warning);
  };
  while (!pipeline->wait(kStopPollEvery)) {
    if (!told_to_stop && stopped(options.stop)) {
      told_to_stop = true;
      pipeline->stop();
    }
    const std::int64_t now = system_clock().monotonic_ns();
    if (options.on_warning && now - last_look >= kWarningsEvery.count() * 1000) {
      last_look = now;
      warn_of_new();
    }
    if (options.on_progress && now - last_report >= kProgressEvery.count() * 1000) {
      last_report = now;
      options.on_progress(pipeline->progress());
    }
  }
  if (options.on_ending) options.on_ending();
  if (options.on_warning) warn_of_new();
  TRY(pipeline->result());
  if (options.on_progress) options.on_progress(pipeline->progress());
  RunSummary summary = pipeline->summary();
  summary.ended = !told_to_stop;
  return summary;
}

Result<VerifyReport> verify_pipeline(const PipelineConfig& config, const VerifyOptions& options) {
  VerifyReport report;
  if (options.recompute && config.delivery == Delivery::kAtLeastOnce && config.log.kind == LogKind::kKafka)
    return Error{ErrorCode::kConfig, "delivery: found at_least_once; expected exactly_once for --recompute: what is published twice after a crash may differ. Verify without it"};
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config));
  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/true));
  TRY(create_topics(config, *log));  // Checks them.
  for (const TaskPlan& task : plan.tasks) {
    if (task.name != kInferenceTask) continue;
    TRY_ASSIGN(const auto store, log->open_task({task.name, task.partition}));
    const auto now = [&] { return consumed_by(task, *store, config); };
    TRY_ASSIGN(const Consumed before, now());
    // An embedded log has one process at a time: this one.
    TRY(verify_topics(*log, before, config.log.kind == LogKind::kKafka ? ConsumedNow(now) : ConsumedNow(), report));
  }
  if (!options.recompute) return report;

  StorageOptions in_memory;
  in_memory.kind = LogKind::kMemory;
  in_memory.embedded.pipeline = config.name;
  TRY_ASSIGN(const auto copy, open_storage(in_memory));
  PipelineConfig unbounded = config;  // What retention or compaction may have taken here is computed whole.
  for (const TopicTraits& traits : topic_table()) unbounded.retention[traits.topic] = Retention();
  TRY(create_topics(unbounded, *copy));
  const std::int64_t started = system_clock().monotonic_ns();
  TRY_ASSIGN(const auto commits, commits_of(plan, *log));
  const auto compute_and_compare = [&]() -> Result<void> {
    TRY(recompute(plan.tasks, *log, *copy, system_clock(), [&](const RecomputeProgress& progress) {
      if (options.on_progress) {
        RunProgress out;
        out.events = progress.records;
        out.seconds = double(system_clock().monotonic_ns() - started) * 1e-9;
        out.log_loss = std::numeric_limits<double>::quiet_NaN();
        options.on_progress(out);
      }
      return !stopped(options.stop);
    }));
    report.recomputed = true;
    for (const Topic topic : compared_topics(*log)) {
      TRY_ASSIGN(const TopicDescription description, log->describe(topic));
      for (const PartitionDescription& p : description.partitions) {
        TRY_ASSIGN(const std::uint64_t differences,
                   compare_topic(topic, p.partition, *log, *copy, CompareTo::kEnd, kViolationTextsMax, report.violations));
        report.violation_count += differences;
      }
    }
    return {};
  };
  const Result<void> compared = compute_and_compare();
  TRY_ASSIGN(const auto commits_now, commits_of(plan, *log));
  if (commits_now != commits)  // Its orders are of different moments then, and what was published has more than what was computed.
    return Error{ErrorCode::kInUse, "pipeline '" + config.name + "' went on while it was computed again: stop its processes, or verify without --recompute"};
  TRY(compared);
  return report;
}

}  // namespace weir
