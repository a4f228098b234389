#include "pipelines/repair.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "pipelines/recompute.hpp"
#include "pipelines/running_pipeline.hpp"
#include "pipelines/topology.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

// Reads all of a directory. A backup shares its table files with the log it was made of, so damage may be in both.
Result<void> read_whole(const PipelineConfig& config, const RuntimePlan& plan) {
  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/true));
  TRY(create_topics(config, *log));  // Checks them.
  for (const TaskPlan& task : plan.tasks) {
    TRY_ASSIGN(const auto store, log->open_task({task.name, task.partition}));
    TRY_ASSIGN(const Recovered recovered, store->recover());
    TRY(recovered.state->scan("", [](std::string_view, std::string_view) { return true; }));
    TRY(store->read_order([](CommitId, std::string_view) { return true; }));
  }
  for (const TopicDescription& topic : log->list())
    for (const PartitionDescription& partition : topic.partitions) {
      TRY_ASSIGN(const auto reader, log->open_reader(topic.spec.topic, partition.partition, partition.begin));
      for (;;) {
        TRY_ASSIGN(const auto batch, reader->poll(Duration(0)));
        if (batch == nullptr) break;
      }
    }
  return {};
}

// The files that the last restore_backup() put aside, as a directory that can be opened: `run/damaged`. Of what is damaged it leaves out
// as little as RocksDB can do without.
Result<std::unique_ptr<TopicLog>> open_damaged(const PipelineConfig& config, std::vector<std::string>& done) {
  std::error_code error;
  fs::path last;
  for (int k = 1; fs::exists(config.data_dir + "/db.damaged-" + std::to_string(k), error); ++k)
    last = config.data_dir + "/db.damaged-" + std::to_string(k);
  if (last.empty()) return Error{ErrorCode::kNotFound, "no files were put aside in '" + config.data_dir + "'"};
  const fs::path view = fs::path(config.data_dir) / "run" / "damaged";
  fs::create_directories(view, error);
  fs::remove_all(view / "db", error);
  fs::create_directory_symlink(fs::absolute(last), view / "db", error);
  if (error) return Error{ErrorCode::kIo, "link '" + (view / "db").string() + "': " + error.message()};
  PipelineConfig at = config;
  at.data_dir = view.string();
  auto log = open_log(at, /*read_only=*/true);
  if (log.ok() || log.error().code != ErrorCode::kCorruption) return log;
  TRY_ASSIGN(StorageOptions options, storage_options(at, /*read_only=*/true));
  options.embedded.past_damage = true;  // Whoever reads it knows how to deal with gaps.
  if (auto past = open_storage(options); past.ok() || past.error().code != ErrorCode::kCorruption) return past;
  // Some write-ahead logs are given up whole at their damage: zeros of the same length, which hold no entry, stand in for them.
  fs::remove(view / "db", error);
  fs::create_directory(view / "db", error);
  for (const auto& entry : fs::directory_iterator(last, error)) {
    const fs::path linked = view / "db" / entry.path().filename();
    if (entry.path().extension() != ".log") {
      fs::create_hard_link(entry.path(), linked, error);
    } else if (std::ofstream(linked).is_open()) {
      fs::resize_file(linked, entry.file_size(), error);
    }
    if (error) break;
  }
  if (error) return Error{ErrorCode::kIo, "link the files of '" + last.string() + "' into '" + (view / "db").string() + "': " + error.message()};
  done.push_back("the damaged write-ahead log cannot be read: what came last by `weir produce` or standard input has to be given again");
  return open_storage(options);
}

Result<Offset> end_of(const TopicLog& log, Topic topic, PartitionId partition) {
  TRY_ASSIGN(const TopicDescription description, log.describe(topic));
  for (const PartitionDescription& p : description.partitions)
    if (p.partition == partition) return p.end;
  return Offset{0};
}

// Appends what `from` has of the topic beyond `to`'s end; stops at the first damaged batch. Returns the number of records.
Result<std::uint64_t> salvage(Topic topic, PartitionId partition, TopicLog& from, TopicLog& to) {
  TRY_ASSIGN(Offset end, end_of(to, topic, partition));
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

// After so long without a record nothing more will come: with order: event_time the last ones may wait for what is not there yet.
constexpr std::int64_t kAtRestNs = 30'000'000'000;

struct Goal {
  InputId input;
  PartitionId partition;
  Offset end;  // How far the task had come in the damaged log; where that cannot be read, the end of the topic.
};

// What the task had consumed of an input by its last commit in this log.
std::optional<Offset> consumed(TopicLog& log, const TaskPlan& task, InputId input) {
  const auto store = log.open_task({task.name, task.partition});
  if (!store.ok()) return std::nullopt;
  const auto recovered = (*store)->recover();
  if (!recovered.ok()) return std::nullopt;
  for (const Position& position : recovered->positions)
    if (position.input == input) return position.next;
  return Offset(0);
}

// Runs the pipeline until its sources end, or, where they go on, until it has taken all that had been there.
Result<RunSummary> catch_up(const PipelineConfig& config, const RunOptions& options, const std::vector<Goal>& goals) {
  std::atomic<int> stop{0};
  RunningPipeline* running = nullptr;
  std::uint64_t records_before = 0;
  std::int64_t moved_ns = system_clock().monotonic_ns();
  RunOptions own = options;
  own.stop = &stop;
  own.on_started = [&](RunningPipeline& pipeline) { running = &pipeline; };
  own.on_progress = [&](const RunProgress& progress) {
    if (options.on_progress) options.on_progress(progress);
    if (options.stop != nullptr && options.stop->load() != 0) stop = options.stop->load();
    if (goals.empty()) return;
    bool reached = true;
    std::uint64_t records = 0;
    for (const auto& status : running->statuses()) {
      records += status->records;
      if (status->task != kInferenceTask) continue;
      for (const Goal& goal : goals) reached = reached && (goal.partition != status->partition || status->consumed(goal.input, goal.partition) >= goal.end);
    }
    // Inputs that are files, and a learner that runs free, must have come to rest as well.
    const std::int64_t now = system_clock().monotonic_ns();
    if (records != records_before) moved_ns = now;
    if ((reached && records == records_before) || now - moved_ns > kAtRestNs) stop = 1;
    records_before = records;
  };
  return run_pipeline(config, own);
}

}  // namespace

Result<std::vector<std::string>> repair_pipeline(const PipelineConfig& config, const RunOptions& options) {
  std::vector<std::string> done;
  const auto of_partition = [&](PartitionId p) { return config.log.partitions == 1 ? std::string() : ", partition " + std::to_string(p.value); };
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config));
  if (const auto log = open_log(config, /*read_only=*/true); !log.ok() && log.error().code == ErrorCode::kInUse) return log.error();
  auto backups = list_backups(config.data_dir);
  if (backups.empty())
    return Error{ErrorCode::kNotFound, "data directory '" + config.data_dir + "': no backup to go on from; delete the directory and run again from the inputs"};
  for (;;) {
    PipelineConfig at = config;
    at.data_dir = backups.back();
    const Result<void> whole = read_whole(at, plan);
    if (whole.ok()) break;
    if (whole.error().code == ErrorCode::kConfig) return whole.error();
    done.push_back("backup " + backups.back() + " is damaged, too: " + whole.error().what);
    backups.pop_back();
    if (backups.empty())
      return Error{ErrorCode::kCorruption, done.back() + "; no backup is whole: delete the directory and run again from the inputs"};
  }
  TRY(restore_backup(config.data_dir, backups.back()));
  done.push_back("restored backup " + backups.back() + "; the damaged files are kept in db.damaged-* beside it");
  const auto damaged = open_damaged(config, done);
  if (!damaged.ok()) done.push_back("the damaged files cannot be read at all; give lines again that came by `weir produce` or standard input after the backup: " + damaged.error().what);

  // Lines that were given by `weir produce` or standard input are nowhere else: they are taken from the damaged log as far as
  // it reads. A followed file is read again from where it was at the backup.
  std::vector<Goal> goals;
  {
    TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/false));
    TRY(create_topics(config, *log));
    for (const TaskPlan& task : plan.tasks)
      for (const InputPlan& input : task.inputs) {
        if (!input.parsed || input.open_source) continue;
        const SourceConfig& source = input.input == InputId::kLogs ? config.logs : config.outcomes;
        if (damaged.ok() && !source.follow) {
          TRY_ASSIGN(const std::uint64_t salvaged, salvage(input.topic, input.partition, **damaged, *log));
          done.push_back("took " + std::to_string(salvaged) + " records of " + input.topic_name + of_partition(input.partition) + " from the damaged files");
        }
        TRY_ASSIGN(Offset end, end_of(*log, input.topic, input.partition));
        if (damaged.ok() && source.follow)
          if (const auto was = end_of(**damaged, input.topic, input.partition); was.ok()) end = std::max(end, *was);
        if (damaged.ok())
          if (const auto was = consumed(**damaged, task, input.input)) end = std::min(end, *was);
        goals.push_back({input.input, input.partition, end});
      }
  }
  TRY_ASSIGN(const RunSummary summary, catch_up(config, options, goals));
  done.push_back("computed " + std::to_string(summary.total.events) + " events and " + std::to_string(summary.total.outcomes) + " outcomes again");
  if (!damaged.ok()) return done;

  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/true));
  for (const Topic topic : compared_topics(*log)) {
    TRY_ASSIGN(const TopicDescription description, log->describe(topic));
    for (const PartitionDescription& p : description.partitions) {
      std::vector<std::string> texts;
      const auto differences = compare_topic(topic, p.partition, **damaged, *log, CompareTo::kPublished, 3, texts);
      const std::string name = std::string(short_name(topic)) + of_partition(p.partition);
      if (!differences.ok()) done.push_back(name + ": compared up to the damage (" + differences.error().what + ")");
      else if (*differences == 0) done.push_back(name + ": the same as what had been published");
      else done.push_back(name + ": " + std::to_string(*differences) + " records differ from what had been published");
      for (std::string& text : texts) done.push_back("  " + std::move(text));
    }
  }
  std::error_code error;
  fs::remove_all(fs::path(config.data_dir) / "run" / "damaged", error);
  return done;
}

}  // namespace weir
