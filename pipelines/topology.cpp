#include "pipelines/topology.hpp"

#include "actors/runtime/thread_setup.hpp"
#include "pipelines/stage_catalogue.hpp"
#include "sources/file_list.hpp"
#include "sources/follow.hpp"
#include "sources/standard_input.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

constexpr PartitionId kPartition{0};

// The others belong to stages that are planned.
bool in_use(Topic topic) {
  return topic != Topic::kSums && topic != Topic::kCapacity && topic != Topic::kCandidates && topic != Topic::kMetrics;
}

SyncPolicy sync_policy(SyncMode mode) {
  switch (mode) {
    case SyncMode::kAlways: return SyncPolicy::kAlways;
    case SyncMode::kInterval: return SyncPolicy::kInterval;
    case SyncMode::kNever: break;
  }
  return SyncPolicy::kNever;
}

std::function<Result<std::unique_ptr<InputSource>>()> opener(const SourceConfig& source, const EventSchema& schema) {
  FileListOptions files;
  files.paths = source.files;
  files.line_bytes_max = schema.line_bytes_max;
  files.header = schema.format == LineFormat::kCsv && schema.columns.empty();
  if (source.standard_input)
    return [=]() -> Result<std::unique_ptr<InputSource>> { return open_standard_input(files.line_bytes_max, files.header); };
  if (source.follow) {
    FollowOptions follow;
    follow.path = files.paths.back();
    follow.line_bytes_max = files.line_bytes_max;
    follow.header = files.header;
    follow.accept_loss = source.accept_loss;
    return [=] { return open_follow(follow); };
  }
  return [=] { return open_file_list(files); };
}

// One of the two sources: its input of the inference task and, where its lines go through a topic first, its appender.
void add_source(const PipelineConfig& config, Topic topic, TaskKind kind, RuntimePlan& plan, TaskPlan& task) {
  const bool logs = topic == Topic::kLogs;
  const SourceConfig& source = logs ? config.logs : config.outcomes;
  InputPlan input;
  input.input = logs ? InputId::kLogs : InputId::kOutcomes;
  input.topic = topic;
  input.topic_name = config.topic_name(topic);
  input.partition = kPartition;
  input.role = logs ? LineRole::kEvent : LineRole::kOutcome;
  input.schema = logs ? config.logs_schema : config.outcomes_schema;
  input.schema.line_bytes_max = config.max_line;
  input.schema.label_binary = kind == TaskKind::kClassification;
  input.parse_ahead = config.placement.parse == ParseMode::kAhead ||
                      (input.schema.format == LineFormat::kCsv && input.schema.columns.empty());
  if (source.ends()) {
    input.open_source = opener(source, input.schema);
    input.topic_name = std::string(short_name(topic));
  } else if (!source.from_topic()) {
    AppenderPlan appender;
    appender.name = "source." + std::string(short_name(topic));
    appender.topic = topic;
    appender.partition = kPartition;
    appender.open_source = opener(source, input.schema);
    appender.schema = input.schema;
    appender.role = input.role;
    input.written_by = appender.name;
    input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
    plan.appenders.push_back(std::move(appender));
  }
  task.inputs.push_back(std::move(input));
}

InputPlan fed_back(const PipelineConfig& config, InputId id, Topic topic, std::string_view writer, bool waited) {
  InputPlan input;
  input.input = id;
  input.topic = topic;
  input.topic_name = config.topic_name(topic);
  input.partition = kPartition;
  input.parsed = false;
  input.waited = waited;
  input.written_by = std::string(writer);
  input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
  return input;
}

void place(const PipelineConfig& config, RuntimePlan& plan) {
  std::vector<int> cpus;
  if (config.placement.pin == PinMode::kCpus) cpus.assign(config.placement.cpus.begin(), config.placement.cpus.end());
  // One task's thread keeps the last core; readers, committer and RocksDB's threads share the others with it.
  if (config.placement.pin == PinMode::kAuto)
    if (const auto allowed = allowed_cpus(); allowed.size() > 1) cpus = {allowed.back()};
  for (std::size_t i = 0; i < plan.tasks.size() && i < cpus.size(); ++i) plan.tasks[i].cpu = cpus[i];
}

}  // namespace

Result<std::unique_ptr<TopicLog>> open_log(const PipelineConfig& config, bool read_only) {
  StorageOptions options;
  options.kind = config.log.kind;
  options.embedded.path = config.data_dir;
  options.embedded.pipeline = config.name;
  options.embedded.sync = sync_policy(config.sync);
  options.embedded.sync_interval = config.sync_interval;
  options.embedded.read_only = read_only;
  options.embedded.create_if_missing = !read_only;
  return open_storage(options);
}

Result<void> create_topics(const PipelineConfig& config, TopicLog& log) {
  for (const TopicTraits& traits : topic_table()) {
    if (!in_use(traits.topic)) continue;
    TopicSpec spec;
    spec.topic = traits.topic;
    spec.name = config.topic_name(traits.topic);
    spec.retention = config.retention_of(traits.topic);
    TRY(log.create(spec));
  }
  return {};
}

Result<RuntimePlan> make_runtime_plan(const PipelineConfig& config) {
  TRY(check_stages(config));
  RuntimePlan plan;
  TaskPlan inference;
  inference.name = std::string(kInferenceTask);
  inference.partition = kPartition;
  inference.make_chain = [config] { return make_inference_chain(config, kPartition); };
  inference.order = config.resolved_order() == OrderMode::kArrival ? OrderPolicy::kArrival : OrderPolicy::kEventTime;
  const auto idle_timeout = config.resolved_idle_timeout();
  inference.idle_timeout = idle_timeout ? *idle_timeout : Duration(-1);
  inference.jump_max = config.max_jump;
  inference.commit_interval = config.resolved_commit_interval();
  inference.wait = config.placement.wait == WaitMode::kSpin ? WaitPolicy::kSpin : WaitPolicy::kFutex;
  inference.lock_memory = config.placement.lock_memory;
  if (config.learning == Learning::kCoupled) inference.idle_steps = config.trainer.idle_steps;
  TRY_ASSIGN(const TaskKind kind, task_kind(config));
  add_source(config, Topic::kLogs, kind, plan, inference);
  if (config.has_outcomes()) add_source(config, Topic::kOutcomes, kind, plan, inference);

  if (config.learning == Learning::kFree) {
    inference.inputs.push_back(fed_back(config, InputId::kModels, Topic::kModels, kLearningTask, false));
    TaskPlan learning;
    learning.name = std::string(kLearningTask);
    learning.partition = kPartition;
    learning.make_chain = [config] { return make_learning_chain(config, kPartition); };
    learning.order = OrderPolicy::kArrival;
    learning.commit_interval = std::max<Duration>(inference.commit_interval, std::chrono::milliseconds(20));
    learning.idle_steps = config.trainer.idle_steps;
    learning.nice = 5;  // Serving comes first where they share a core.
    learning.inputs.push_back(fed_back(config, InputId::kExamples, Topic::kExamples, kInferenceTask, true));
    plan.tasks.push_back(std::move(inference));
    plan.tasks.push_back(std::move(learning));
  } else {
    plan.tasks.push_back(std::move(inference));
  }
  place(config, plan);
  return plan;
}

}  // namespace weir
