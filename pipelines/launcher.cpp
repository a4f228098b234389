#include "pipelines/launcher.hpp"

#include <array>
#include <filesystem>
#include <limits>

#include "pipelines/recompute.hpp"
#include "pipelines/running_pipeline.hpp"
#include "pipelines/topology.hpp"
#include "pipelines/verify.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

constexpr Duration kProgressEvery = std::chrono::milliseconds(100);
constexpr Duration kStopPollEvery = std::chrono::milliseconds(10);

constexpr std::size_t kViolationTextsMax = 100;
constexpr std::array kComparedTopics = {Topic::kPredictions, Topic::kAbstained,   Topic::kExamples,
                                        Topic::kUnjoined,    Topic::kDeadLetters, Topic::kModels};

bool stopped(const std::atomic<int>* stop) { return stop != nullptr && stop->load() != 0; }

// The files that the last restore_backup() put aside.
Result<std::unique_ptr<TopicLog>> open_damaged(const PipelineConfig& config) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(config.data_dir, error))
    if (entry.path().filename().string().starts_with("db.damaged-") &&
        (newest.empty() || fs::last_write_time(entry.path()) > fs::last_write_time(newest)))
      newest = entry.path();
  if (newest.empty()) return Error{ErrorCode::kNotFound, "no files were put aside in '" + config.data_dir + "'"};
  const fs::path view = fs::path(config.data_dir) / "run" / "damaged";
  fs::create_directories(view, error);
  fs::remove(view / "db", error);
  fs::create_directory_symlink(fs::absolute(newest), view / "db", error);
  if (error) return Error{ErrorCode::kIo, "link '" + (view / "db").string() + "': " + error.message()};
  PipelineConfig at = config;
  at.data_dir = view.string();
  return open_log(at, /*read_only=*/true);
}

// Appends what `from` has of the topic beyond `to`'s end; stops at the first damaged batch. Returns the number of records.
Result<std::uint64_t> salvage(Topic topic, PartitionId partition, TopicLog& from, TopicLog& to) {
  TRY_ASSIGN(const TopicDescription description, to.describe(topic));
  Offset end{0};
  for (const PartitionDescription& p : description.partitions)
    if (p.partition == partition) end = p.end;
  TRY_ASSIGN(const auto store, to.open_task({"salvage." + std::string(short_name(topic)), partition}));
  TRY_ASSIGN([[maybe_unused]] const Recovered recovered, store->recover());
  auto reader = from.open_reader(topic, partition, end);
  if (!reader.ok()) return std::uint64_t(0);
  std::uint64_t count = 0;
  for (;;) {
    const auto batch = (*reader)->poll(Duration(0));
    if (!batch.ok() || *batch == nullptr || (*batch)->base() > end) return count;
    Transaction transaction;
    (*batch)->for_each([&](Offset offset, const Record& record) {
      if (offset < end) return;
      transaction.append(topic, record);
      end = offset.next();
      ++count;
    });
    if (!transaction.empty()) TRY(store->commit(transaction));
  }
}

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
  if (options.on_ending) options.on_ending();
  TRY(pipeline->result());
  if (options.on_progress) options.on_progress(pipeline->progress());
  RunSummary summary = pipeline->summary();
  summary.ended = !told_to_stop;
  return summary;
}

Result<VerifyReport> verify_pipeline(const PipelineConfig& config, const VerifyOptions& options) {
  VerifyReport report;
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config));
  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/true));
  for (const TaskPlan& task : plan.tasks) {
    if (task.name != kInferenceTask) continue;
    TRY_ASSIGN(const auto store, log->open_task({task.name, task.partition}));
    TRY_ASSIGN(const Recovered recovered, store->recover());
    TRY_ASSIGN(Chain chain, task.make_chain());
    Task restored(task.name, task.partition, std::move(chain.stages));
    TRY(restored.restore(recovered));
    Consumed consumed;
    consumed.partition = task.partition;
    for (const InputPlan& input : task.inputs) {
      if (input.input == InputId::kLogs) consumed.logs_topic = input.topic_name;
      if (input.input == InputId::kOutcomes) consumed.outcomes_topic = input.topic_name;
    }
    consumed.logs = restored.position(InputId::kLogs);
    consumed.outcomes = restored.position(InputId::kOutcomes);
    consumed.waiting_labels = chain.waiting_labels();
    consumed.version = chain.version();
    consumed.free_learning = config.learning == Learning::kFree;
    TRY(verify_topics(*log, consumed, report));
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
  for (const Topic topic : kComparedTopics) {
    TRY_ASSIGN(const std::uint64_t differences,
               compare_topic(topic, PartitionId(0), *log, *copy, kViolationTextsMax, report.violations));
    report.violation_count += differences;
  }
  return report;
}

Result<std::vector<std::string>> repair_pipeline(const PipelineConfig& config, const RunOptions& options) {
  std::vector<std::string> done;
  const auto backups = list_backups(config.data_dir);
  if (backups.empty())
    return Error{ErrorCode::kNotFound, "data directory '" + config.data_dir +
                                           "': no whole backup to go on from; delete the directory and run again from the inputs"};
  const std::string backup = backups.back();
  TRY(restore_backup(config.data_dir, backup));
  done.push_back("restored backup " + backup + "; the damaged files are kept beside it (db.damaged-*)");
  const auto damaged = open_damaged(config);
  if (!damaged.ok()) done.push_back("the damaged files cannot be read at all: " + damaged.error().what);

  // Inputs that live in topics: what was appended after the backup is taken from the damaged log, as far as it reads.
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config));
  {
    TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/false));
    TRY(create_topics(config, *log));
    if (damaged.ok())
      for (const TaskPlan& task : plan.tasks)
        for (const InputPlan& input : task.inputs)
          if (input.parsed && !input.open_source) {
            TRY_ASSIGN(const std::uint64_t salvaged, salvage(input.topic, input.partition, **damaged, *log));
            done.push_back("took " + std::to_string(salvaged) + " records of " + input.topic_name + " from the damaged files");
          }
  }
  TRY_ASSIGN(const RunSummary summary, run_pipeline(config, options));
  done.push_back("computed " + std::to_string(summary.total.events) + " events again");
  if (!damaged.ok()) return done;

  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/true));
  for (const Topic topic : kComparedTopics) {
    std::vector<std::string> texts;
    const auto differences = compare_topic(topic, PartitionId(0), **damaged, *log, 3, texts);
    if (!differences.ok()) {
      done.push_back(std::string(short_name(topic)) + ": compared up to the damage (" + differences.error().what + ")");
    } else {
      done.push_back(std::string(short_name(topic)) + ": " + std::to_string(*differences) + " records differ from what had been published");
    }
    for (std::string& text : texts) done.push_back("  " + std::move(text));
  }
  return done;
}

}  // namespace weir
