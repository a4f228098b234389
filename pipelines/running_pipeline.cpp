#include "pipelines/running_pipeline.hpp"

#include <algorithm>
#include <limits>

#include "actors/runtime/thread_setup.hpp"
#include "pipelines/topology.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

constexpr std::size_t kBackupsKept = 2;
constexpr int kProduceAgainMax = 10;

LatencySummary summary_of(const LatencyHistogram& histogram) {
  LatencySummary out;
  out.count = histogram.count();
  const auto us = [&](double fraction) { return double(histogram.percentile_ns(fraction)) / 1000.0; };
  out.p50 = us(0.5);
  out.p90 = us(0.9);
  out.p99 = us(0.99);
  out.p999 = us(0.999);
  out.max = double(histogram.max_ns()) / 1000.0;
  return out;
}

}  // namespace

Result<std::unique_ptr<RunningPipeline>> RunningPipeline::start(const PipelineConfig& config, const Clock& clock) {
  std::unique_ptr<RunningPipeline> out(new RunningPipeline(config, clock));
  TRY_ASSIGN(RuntimePlan whole, make_runtime_plan(config));
  RuntimePlan plan = placed_here(config, std::move(whole));
  const KeepOffCpus keep_off(reserved_cpus(config, plan));
  TRY_ASSIGN(out->log_, open_log(config, /*read_only=*/false));
  TRY(create_topics(config, *out->log_));
  plan.process = config.resolved_process();
  if (config.placement.partitions) {
    plan.partitions.emplace();
    for (const std::uint32_t partition : *config.placement.partitions) plan.partitions->emplace_back(static_cast<std::int32_t>(partition));
  } else {
    TRY_ASSIGN(plan.membership, out->log_->join({.only = tasks_here(config), .process = plan.process, .standbys = config.standby}));
  }
  out->started_ns_ = clock.monotonic_ns();
  out->last_retention_ns_ = out->started_ns_;
  out->last_backup_ns_ = out->started_ns_;
  out->last_check_ns_ = out->started_ns_;
  plan.monitor_interval = std::min({Duration(std::chrono::seconds(1)), config.log.maintenance_interval,
                                    config.backup_interval.count() > 0 ? config.backup_interval : Duration::max()});
  plan.maintain = [pipeline = out.get()](const auto& statuses) { return pipeline->maintain(statuses); };
  plan.check = [pipeline = out.get()] { return pipeline->check(); };
  plan.stall_after = config.log.stall_after;
  out->runtime_ = std::make_unique<Runtime>(std::move(plan), *out->log_, clock);
  return out;
}

RunningPipeline::~RunningPipeline() {
  runtime_.reset();
  producer_.reset();
}

bool RunningPipeline::wait(Duration limit) { return runtime_->wait(limit); }
void RunningPipeline::stop() { runtime_->stop(); }
Result<void> RunningPipeline::result() const { return runtime_->result(); }

bool RunningPipeline::ready() const {
  if (!runtime_->assigned()) return false;
  return std::ranges::none_of(runtime_->statuses(), [](const auto& status) { return status->phase.load() == TaskPhase::kStarting; });
}

RunProgress RunningPipeline::progress() const {
  RunProgress out;
  double log_loss_sum = 0.0;
  std::uint64_t log_loss_count = 0;
  for (const auto& status : statuses()) {
    out.bytes_read += status->bytes_read;
    out.bytes_total += status->bytes_total;
    if (status->task == kLearningTask) out.examples += status->counts.records[static_cast<std::size_t>(InputId::kExamples)];
    if (status->task != kInferenceTask) {
      for (const auto& records : status->counts.records) out.other_records += records;
      continue;
    }
    out.events += status->events;
    out.outcomes += status->outcomes;
    log_loss_sum += status->log_loss_sum;
    log_loss_count += status->log_loss_count;
  }
  out.seconds = double(clock_.monotonic_ns() - started_ns_) * 1e-9;
  out.log_loss = log_loss_count > 0 ? log_loss_sum / double(log_loss_count) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

std::vector<std::string> RunningPipeline::warnings() const { return runtime_->warnings(); }

RunSummary RunningPipeline::summary() const {
  RunSummary out;
  out.total = progress();
  LatencyHistogram tick, arrival, committed;
  for (const auto& status : statuses()) {
    out.steps_undone += status->steps_undone;
    if (status->task != kInferenceTask) continue;
    tick.merge(status->tick);
    arrival.merge(status->arrival);
    committed.merge(status->committed);
  }
  out.warnings = warnings();
  out.tick = summary_of(tick);
  out.arrival = summary_of(arrival);
  out.committed = summary_of(committed);
  return out;
}

Result<void> RunningPipeline::maintain(const TaskStatuses& statuses) {
  const std::int64_t now = clock_.monotonic_ns();
  if (now - last_retention_ns_ >= config_.log.maintenance_interval.count() * 1000) {
    last_retention_ns_ = now;
    // What a task has not consumed stays, and what the oldest kept backup would have to read again.
    std::vector<TopicLog::Floor> floors;
    TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config_));
    for (const TaskPlan& task : plan.tasks)
      for (const InputPlan& input : task.inputs) {
        if (input.open_source) continue;
        std::int64_t floor = 0;
        for (const auto& status : statuses)
          if (status->task == task.name && status->partition == task.partition) floor = status->consumed(input.input, input.partition).value;
        floors.push_back({input.topic, input.partition, Offset(floor)});
      }
    TRY(add_backup_floors(config_, floors));
    TRY(log_->apply_retention(floors));
  }
  if (config_.log.kind == LogKind::kEmbedded && config_.backup_interval.count() > 0 && now - last_backup_ns_ >= config_.backup_interval.count() * 1000) {
    last_backup_ns_ = now;
    TRY_ASSIGN([[maybe_unused]] const std::string path, log_->backup(kBackupsKept));
  }
  return {};
}

Result<void> RunningPipeline::check() {
  const std::int64_t now = clock_.monotonic_ns();
  if (!log_->others_change_topics() || now - last_check_ns_ < config_.log.maintenance_interval.count() * 1000) return {};
  last_check_ns_ = now;
  return log_->check_topics();
}

Result<RunningPipeline::Overview> RunningPipeline::overview() {
  Overview out;
  TRY_ASSIGN(out.members, log_->members(Topic::kLogs, tasks_here(config_)));
  for (const std::string& tasks : tasks_elsewhere(config_)) {
    const auto known = [&](std::string_view task) {  // Processes that run different tasks have none in common.
      return names_task(tasks, task) && std::ranges::any_of(out.members, [&](const Member& member) { return names_task(member.only, task); });
    };
    if (std::ranges::any_of(config_.task_names(), known)) continue;
    TRY_ASSIGN(const auto others, log_->members(Topic::kLogs, tasks));
    out.members.insert(out.members.end(), others.begin(), others.end());
  }
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config_));
  TRY_ASSIGN(out.tasks, overview_of(plan.tasks, *log_, clock_, config_.resolved_process(), statuses(), out.members));
  return out;
}

Result<std::vector<Offset>> RunningPipeline::produce(const ProducedLines& lines) {
  std::lock_guard lock(producer_mutex_);
  if (!producer_) {
    TRY_ASSIGN(producer_, Producer::open(config_, *log_, clock_));
  }
  auto ends = producer_->append(lines);
  for (int again = 0; again < kProduceAgainMax && !ends.ok() && ends.error().code == ErrorCode::kFenced; ++again) {
    // Another process has produced meanwhile. Nothing of ours was appended, and nothing is remembered between two calls.
    producer_.reset();
    TRY_ASSIGN(producer_, Producer::open(config_, *log_, clock_));
    ends = producer_->append(lines);
  }
  return ends;
}

Result<void> add_backup_floors(const PipelineConfig& config, std::vector<TopicLog::Floor>& floors) {
  const auto backups = list_backups(config.data_dir);
  if (config.log.kind != LogKind::kEmbedded || backups.empty()) return {};
  PipelineConfig oldest = config;
  oldest.data_dir = backups.front();
  TRY_ASSIGN(const auto log, open_log(oldest, /*read_only=*/true));
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config));
  for (const TaskPlan& task : plan.tasks) {
    TRY_ASSIGN(const auto store, log->open_task({task.name, task.partition}));
    TRY_ASSIGN(const Recovered recovered, store->recover());
    for (const InputPlan& input : task.inputs) {
      if (input.open_source) continue;
      Offset next{0};
      for (const Position& position : recovered.positions)
        if (position.input == input.input && position.partition == input.partition) next = position.next;
      floors.push_back({input.topic, input.partition, next});
    }
  }
  return {};
}

}  // namespace weir
