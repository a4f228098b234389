#include "pipelines/topology.hpp"

#include <algorithm>
#include <iterator>

#include "actors/runtime/thread_setup.hpp"
#include "pipelines/stage_catalogue.hpp"
#include "sources/file_list.hpp"
#include "sources/follow.hpp"
#include "sources/standard_input.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

// A learning task of its own that hears of capacities, and whose candidates are judged elsewhere.
bool learns_in_parts(const PipelineConfig& config) { return config.learning == Learning::kFree && config.learns_by_jobs(); }

bool in_use(const PipelineConfig& config, Topic topic) {
  switch (topic) {
    case Topic::kSums: return config.learns_by_jobs();
    case Topic::kCapacity:
    case Topic::kCandidates: return learns_in_parts(config);
    case Topic::kMetrics: return false;  // Belongs to a stage that is planned.
    default: return true;
  }
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

std::string appender_of(Topic topic) { return "source." + std::string(short_name(topic)); }

std::string accept_loss_key(Topic source) { return "sources." + std::string(short_name(source)) + ".accept_loss"; }

// One of the two sources, as an input of the inference task.
void add_source(const PipelineConfig& config, Topic topic, TaskKind kind, TaskPlan& task) {
  const SourceConfig& source = config.source_of(topic);
  InputPlan input;
  input.input = topic == Topic::kLogs ? InputId::kLogs : InputId::kOutcomes;
  input.topic = topic;
  input.topic_name = config.topic_name(topic);
  input.partition = task.partition;
  input.role = role_of(topic);
  input.schema = config.schema_of(topic);
  input.schema.line_bytes_max = config.max_line;
  input.schema.label_binary = kind == TaskKind::kClassification;
  input.parse_ahead = config.placement.parse == ParseMode::kAhead;
  input.accept_loss = source.accept_loss;
  input.accept_loss_key = accept_loss_key(topic);
  if (source.ends()) {
    input.open_source = opener(source, input.schema);
    input.topic_name = std::string(short_name(topic));
  } else if (!source.from_topic()) {
    input.written_by = appender_of(topic);
    input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
  }
  task.inputs.push_back(std::move(input));
}

// Where a source's lines go through its topic first: what brings them there, into all partitions.
void add_appender(const PipelineConfig& config, Topic topic, RuntimePlan& plan) {
  const SourceConfig& source = config.source_of(topic);
  if (source.ends() || source.from_topic()) return;
  AppenderPlan appender;
  appender.name = appender_of(topic);
  appender.topic = topic;
  appender.schema = config.schema_of(topic);
  appender.schema.line_bytes_max = config.max_line;
  appender.role = role_of(topic);
  appender.partitions = static_cast<std::int32_t>(config.log.partitions);
  appender.open_source = opener(source, appender.schema);
  plan.appenders.push_back(std::move(appender));
}

InputPlan fed_back(const PipelineConfig& config, PartitionId partition, InputId id, Topic topic, std::string_view writer, bool waited) {
  InputPlan input;
  input.input = id;
  input.topic = topic;
  input.topic_name = config.topic_name(topic);
  input.partition = partition;
  input.parsed = false;
  input.waited = waited;
  input.written_by = std::string(writer);
  input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
  return input;
}

void place(const PipelineConfig& config, RuntimePlan& plan) {
  std::vector<int> cpus;
  if (config.placement.pin == PinMode::kCpus) cpus.assign(config.placement.cpus.begin(), config.placement.cpus.end());
  // Each inference task's thread keeps a core, from the last one on; readers, committers and RocksDB's threads share them.
  if (config.placement.pin == PinMode::kAuto)
    if (const auto allowed = allowed_cpus(); allowed.size() > 1)
      for (std::size_t i = 0; i < config.log.partitions; ++i) cpus.push_back(allowed[allowed.size() - 1 - i % allowed.size()]);
  for (std::size_t i = 0; i < plan.tasks.size() && i < cpus.size(); ++i) plan.tasks[i].cpu = cpus[i];
}

}  // namespace

namespace {

constexpr Duration kBatchedInterval = std::chrono::milliseconds(40);

// With the secrets in it.
Result<KafkaSecurity> security_of(const SecurityConfig& config) {
  KafkaSecurity out;
  out.protocol = config.protocol;
  out.mechanism = config.mechanism;
  out.username = config.username;
  out.ca = config.ca;
  out.certificate = config.certificate;
  out.key = config.key;
  out.verify_host = config.verify_host;
  out.token_endpoint = config.token_endpoint;
  out.client_id = config.client_id;
  out.scope = config.scope;
  const auto read = [](const SecretRef& ref, const char* key, std::string& to) -> Result<void> {
    if (!ref.given()) return {};
    TRY_ASSIGN(to, read_secret(ref, key));
    return {};
  };
  TRY(read(config.password, "log.security.password", out.password));
  TRY(read(config.key_password, "log.security.key_password", out.key_password));
  TRY(read(config.client_secret, "log.security.client_secret", out.client_secret));
  if (config.token.given()) {
    out.token = [ref = config.token] { return read_secret(ref, "log.security.token"); };
    TRY_ASSIGN(const std::string token, out.token());  // The client would ask in vain until its time is up.
    if (const auto claims = claims_of(token); !claims.ok())
      return Error{ErrorCode::kConfig, "log.security.token: " + config.token.text() + ": " + claims.error().what};
  }
  return out;
}

std::vector<TopicSpec> topic_specs(const PipelineConfig& config) {
  std::vector<TopicSpec> out;
  for (const TopicTraits& traits : topic_table()) {
    if (!in_use(config, traits.topic)) continue;
    TopicSpec spec;
    spec.topic = traits.topic;
    spec.name = config.topic_name(traits.topic);
    const bool one = traits.topic == Topic::kModels && config.model.shared;
    spec.partitions = one ? 1 : static_cast<std::int32_t>(config.log.partitions);
    spec.retention = config.retention_of(traits.topic);
    out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace

Result<StorageOptions> storage_options(const PipelineConfig& config, bool read_only) {
  StorageOptions options;
  options.kind = config.log.kind;
  options.embedded.path = config.data_dir;
  options.embedded.pipeline = config.name;
  options.embedded.sync = sync_policy(config.sync);
  options.embedded.sync_interval = config.sync_interval;
  options.embedded.read_only = read_only;
  options.embedded.create_if_missing = !read_only;
  options.kafka.brokers = config.log.brokers;
  options.kafka.topic_names = config.topics;
  options.kafka.at_least_once = config.delivery == Delivery::kAtLeastOnce;
  // Where a record waits tens of milliseconds for its commit, it may wait a small part of that with the broker: half the CPU.
  if (const Duration interval = config.resolved_commit_interval(); interval >= kBatchedInterval) options.kafka.fetch_wait = interval / 12;
  options.kafka.partitions = static_cast<std::int32_t>(config.log.partitions);
  options.kafka.properties = config.log.properties;
  if (config.log.kind == LogKind::kKafka) {
    TRY_ASSIGN(options.kafka.security, security_of(config.log.security));
  }
  return options;
}

Result<std::unique_ptr<TopicLog>> open_log(const PipelineConfig& config, bool read_only) {
  TRY_ASSIGN(const StorageOptions options, storage_options(config, read_only));
  return open_storage(options);
}

StorageUse storage_use(const PipelineConfig& config) {
  StorageUse out;
  out.commit_interval = config.resolved_commit_interval();
  out.line_bytes_max = config.max_line;
  out.tasks.emplace_back(kInferenceTask);
  if (config.learning == Learning::kFree) out.tasks.emplace_back(kLearningTask);
  if (learns_in_parts(config)) out.tasks.insert(out.tasks.end(), {std::string(kCapacityTask), std::string(kPromotionTask)});
  for (const TopicSpec& spec : topic_specs(config)) {
    TopicUse use{spec, false, true};
    const SourceConfig* source = spec.topic == Topic::kLogs ? &config.logs : spec.topic == Topic::kOutcomes && config.has_outcomes() ? &config.outcomes : nullptr;
    if (spec.topic == Topic::kLogs || spec.topic == Topic::kOutcomes) {
      use.read = source != nullptr && !source->ends();
      use.written = use.read && !source->from_topic();  // Else by others, or by nobody.
    }
    if (learns_in_parts(config))
      use.read = use.read || spec.topic == Topic::kSums || spec.topic == Topic::kCapacity || spec.topic == Topic::kCandidates;
    if (config.learning == Learning::kFree) use.read = use.read || spec.topic == Topic::kExamples || spec.topic == Topic::kModels;
    out.topics.push_back(std::move(use));
  }
  return out;
}

Result<void> create_topics(const PipelineConfig& config, TopicLog& log) {
  return log.create_all(topic_specs(config));
}

std::vector<int> reserved_cpus(const PipelineConfig& config, const RuntimePlan& plan) {
  std::vector<int> out;
  for (const TaskPlan& task : plan.tasks)
    if (task.cpu >= 0 && config.resolved_order() == OrderMode::kArrival) out.push_back(task.cpu);
  return out;
}

std::int32_t partitions_of(const TopicLog& log) {
  std::int32_t count = 1;
  for (const TopicDescription& topic : log.list()) count = std::max(count, topic.spec.partitions);
  return count;
}

namespace {

Result<TaskPlan> inference_task(const PipelineConfig& config, PartitionId partition) {
  TaskPlan task;
  task.name = std::string(kInferenceTask);
  task.partition = partition;
  task.make_chain = [config, partition] { return make_inference_chain(config, partition); };
  task.order = config.resolved_order() == OrderMode::kArrival ? OrderPolicy::kArrival : OrderPolicy::kEventTime;
  task.idle_timeout = config.resolved_idle_timeout().value_or(kNever);
  task.jump_max = config.max_jump;
  task.commit_interval = config.resolved_commit_interval();
  task.wait = config.placement.wait == WaitMode::kSpin ? WaitPolicy::kSpin : WaitPolicy::kFutex;
  task.lock_memory = config.placement.lock_memory;
  if (config.learning == Learning::kCoupled) task.idle_steps = config.trainer.idle_steps;
  TRY_ASSIGN(const TaskKind kind, task_kind(config));
  add_source(config, Topic::kLogs, kind, task);
  if (config.has_outcomes()) add_source(config, Topic::kOutcomes, kind, task);
  if (config.learning == Learning::kFree)
    task.inputs.push_back(fed_back(config, config.model_of(partition), InputId::kModels, Topic::kModels,
                                  learns_in_parts(config) ? kPromotionTask : kLearningTask, false));
  return task;
}

// A task that learns, or helps to learn, the model of `partition`.
TaskPlan beside_serving(const PipelineConfig& config, PartitionId partition, std::string_view name,
                        Result<Chain> (*make)(const PipelineConfig&, PartitionId)) {
  TaskPlan task;
  task.name = std::string(name);
  task.partition = partition;
  task.make_chain = [config, partition, make] { return make(config, partition); };
  task.order = OrderPolicy::kArrival;
  task.commit_interval = std::max<Duration>(config.resolved_commit_interval(), std::chrono::milliseconds(20));
  task.nice = 5;  // Serving comes first where they share a core.
  return task;
}

// The examples of all partitions that the task's is the model of.
void add_examples(const PipelineConfig& config, TaskPlan& task) {
  const PartitionId partition = task.partition;
  const Topic labels = config.has_outcomes() ? Topic::kOutcomes : Topic::kLogs;  // An example settles a label.
  for (std::int32_t p = 0; p < static_cast<std::int32_t>(config.log.partitions); ++p) {
    if (config.model_of(PartitionId(p)) != partition) continue;
    InputPlan& examples = task.inputs.emplace_back(fed_back(config, PartitionId(p), InputId::kExamples, Topic::kExamples, kInferenceTask, true));
    examples.accept_loss = (labels == Topic::kOutcomes ? config.outcomes : config.logs).accept_loss;
    examples.accept_loss_key = accept_loss_key(labels);
  }
}

// What learns the model of `partition`.
void add_learning_tasks(const PipelineConfig& config, PartitionId partition, RuntimePlan& plan) {
  TaskPlan learning = beside_serving(config, partition, kLearningTask, make_learning_chain);
  learning.idle_steps = config.trainer.idle_steps;
  add_examples(config, learning);
  if (learns_in_parts(config)) learning.inputs.push_back(fed_back(config, partition, InputId::kCapacity, Topic::kCapacity, kCapacityTask, false));
  plan.tasks.push_back(std::move(learning));
  if (!learns_in_parts(config)) return;
  TaskPlan capacity = beside_serving(config, partition, kCapacityTask, make_capacity_chain);
  capacity.inputs.push_back(fed_back(config, partition, InputId::kSums, Topic::kSums, kLearningTask, true));
  plan.tasks.push_back(std::move(capacity));
  TaskPlan promotion = beside_serving(config, partition, kPromotionTask, make_promotion_chain);
  // Files may be through before the trainer has made its first candidate: where they end, each is judged from its moment on. Elsewhere
  // it waits for nobody, since nobody knows when the next candidate comes.
  const bool replays = config.runs_all() && config.logs.ends() && (!config.has_outcomes() || config.outcomes.ends());
  if (replays) {
    promotion.order = OrderPolicy::kEventTime;
    promotion.idle_timeout = kNever;
  }
  add_examples(config, promotion);
  promotion.inputs.push_back(fed_back(config, partition, InputId::kCandidates, Topic::kCandidates, kLearningTask, replays));
  plan.tasks.push_back(std::move(promotion));
}

}  // namespace

Result<RuntimePlan> make_runtime_plan(const PipelineConfig& config) {
  TRY(check_stages(config));
  RuntimePlan plan;
  add_appender(config, Topic::kLogs, plan);
  if (config.has_outcomes()) add_appender(config, Topic::kOutcomes, plan);
  const auto partitions = static_cast<std::int32_t>(config.log.partitions);
  for (std::int32_t p = 0; p < partitions; ++p) {
    TRY_ASSIGN(TaskPlan task, inference_task(config, PartitionId(p)));
    plan.tasks.push_back(std::move(task));
  }
  if (config.learning == Learning::kFree)
    for (std::int32_t p = 0; p < partitions; ++p)
      if (config.model_of(PartitionId(p)) == PartitionId(p)) add_learning_tasks(config, PartitionId(p), plan);
  const auto careful = std::make_shared<std::mutex>();
  for (TaskPlan& task : plan.tasks) task.careful = careful;
  place(config, plan);
  return plan;
}

std::string tasks_here(const PipelineConfig& config) {
  std::string out;
  if (config.runs_all()) return out;
  for (const std::string& task : config.placement.run) out += (out.empty() ? "" : "+") + task;
  return out;
}

// The one that runs all of the others first, then those that run one, two, … of them: as they are likely.
std::vector<std::string> tasks_elsewhere(const PipelineConfig& config) {
  std::vector<std::string> out;
  for (const std::string_view task : config.task_names()) {
    if (config.runs(task)) continue;
    const std::size_t before = out.size();
    for (std::size_t i = 0; i < before; ++i) out.push_back(out[i] + "+" + std::string(task));
    out.emplace_back(task);
  }
  std::ranges::stable_sort(out, {}, [](const std::string& word) { return std::ranges::count(word, '+'); });
  if (!out.empty()) std::ranges::rotate(out, std::prev(out.end()));
  return out;
}

bool names_task(std::string_view word, std::string_view task) {
  for (std::size_t end = 0; !word.empty(); word.remove_prefix(std::min(word.size(), end + 1))) {
    end = std::min(word.size(), word.find('+'));
    if (word.substr(0, end) == task) return true;
  }
  return false;
}

RuntimePlan placed_here(const PipelineConfig& config, RuntimePlan plan) {
  if (!config.runs(kInferenceTask)) plan.appenders.clear();  // What they append is for the inference tasks.
  std::erase_if(plan.tasks, [&](const TaskPlan& task) { return !config.runs(task.name); });
  for (TaskPlan& task : plan.tasks)  // Nobody here hears of the end of what others write.
    for (InputPlan& input : task.inputs)
      if (!input.waited && !config.runs(input.written_by)) input.ends_at = nullptr;
  return plan;
}

}  // namespace weir
