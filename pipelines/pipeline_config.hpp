#pragma once
// A pipeline's configuration: YAML -> plain structs, checked as a whole.
//
// Every key and its default is shown in configs/reference.yaml; a test keeps that file and these defaults equal. Loading never
// stops at the first mistake: each becomes a ConfigProblem with file, line, key, what was found and what was expected.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/features/feature_spec.hpp"
#include "core/learning/backward_pipeline.hpp"
#include "core/learning/hashtron_alerts.hpp"
#include "core/models/hashtron_network.hpp"
#include "core/records/event_schema.hpp"
#include "core/records/topics.hpp"
#include "pipelines/endpoint.hpp"
#include "pipelines/secret.hpp"
#include "pipelines/units.hpp"
#include "storage/open_storage.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// Where one input's lines come from. Neither files nor standard input: the input's topic, which never ends.
struct SourceConfig {
  std::vector<std::string> files;  // Paths and globs, in order; relative to the working directory. Plain, gzip, zstd.
  bool follow = false;             // Goes on reading as the one file grows, through rotation and truncation.
  // follow: goes on where the file read before is gone, perhaps with lines never read. Topic on Kafka: goes on where retention has
  // taken records that were not read, and counts them.
  bool accept_loss = false;
  bool standard_input = false;     // Key `stdin`.
  bool from_topic() const { return files.empty() && !standard_input; }
  bool ends() const { return !files.empty() && !follow; }  // A plain list of files: itself the input.
  bool operator==(const SourceConfig&) const = default;
};

enum class Learning : std::uint8_t { kCoupled, kFree };
enum class OrderMode : std::uint8_t { kAuto, kEventTime, kArrival };
inline constexpr Duration kNever{-1};  // A duration as it is written is not negative.
enum class Delivery : std::uint8_t { kExactlyOnce, kAtLeastOnce };
enum class SyncMode : std::uint8_t { kAlways, kInterval, kNever };
enum class GateKind : std::uint8_t { kConformal, kOff };
enum class GatePolicy : std::uint8_t { kFlag, kBaseRate, kDrop };
enum class ClipBy : std::uint8_t { kNorm, kValue };
enum class OptimizerKind : std::uint8_t { kSgd, kAdam, kAdamW, kAdaGrad, kFtrl };
enum class ScheduleKind : std::uint8_t { kConstant, kStep, kExponential, kCosine };
enum class PinMode : std::uint8_t { kAuto, kOff, kCpus };
enum class WaitMode : std::uint8_t { kFutex, kSpin };
enum class ParseMode : std::uint8_t { kAhead, kTask };  // On the source reader's thread, or on the task's own.

struct ModelConfig {
  std::string kind = "logistic";  // model_kinds(): logistic (classification), linear (regression), hashtron (classification).
  std::vector<HashtronLayer> layers;  // hashtron. Empty: default_hashtron_layers().
  double initial_bias = 0.0;      // Of the fresh model; a guess of the base rate's logit shortens the start.
  bool shared = false;            // learning: free. One model for all partitions, learnt from the examples of all of them.
  bool operator==(const ModelConfig&) const = default;
};

struct GateConfig {
  GateKind kind = GateKind::kConformal;
  double coverage = 0.9;          // Target share of outcomes inside their set.
  std::uint32_t window = 1000;    // Newest scores that the set is cut from.
  double gamma = 0.005;           // Step of the adaptive level.
  GatePolicy policy = GatePolicy::kFlag;  // What becomes of a prediction that is not certified.
  std::uint32_t warm_up = 200;    // Outcomes before anything is certified.
  bool operator==(const GateConfig&) const = default;
};

struct PredictionsConfig {
  bool count = false;             // Their JSON also shows `n`, how many records the moments of normalization hold.
  bool operator==(const PredictionsConfig&) const = default;
};

enum class ReplayKeep : std::uint8_t { kUniform, kNewest };
struct ReplayConfig {
  std::uint32_t capacity = 1000;  // Examples kept; 0: no replay.
  ReplayKeep keep = ReplayKeep::kUniform;  // A uniform sample of all, or the newest.
  std::uint32_t every = 0;        // A replay batch after so many outcomes; 0: never.
  std::uint32_t batch = 32;
  bool operator==(const ReplayConfig&) const = default;
};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::kConstant;
  double factor = 0.5;            // step, exponential: the rate is multiplied by it every `steps` updates (exponential: smoothly).
  std::uint64_t steps = 100000;   // cosine: length of one cycle.
  std::uint64_t warm_up = 0;      // Updates over which the rate rises linearly from 0.
  bool operator==(const ScheduleConfig&) const = default;
};

// Other settings of the optimiser for one block of the model's parameters.
struct TrainerGroupConfig {
  std::string block;              // dense, bias, sparse.
  double rate_factor = 1.0;
  double l2 = 0.0;
  bool operator==(const TrainerGroupConfig&) const = default;
};

// trainer.hashtron: how networks of hashtrons learn.
struct HashtronLearningConfig {
  std::uint32_t every = 16;        // Examples between two turns,
  std::uint32_t jobs = 1;          // and the jobs of one.
  std::uint32_t samples_min = 64;  // No job before the replay buffer holds so many.
  std::uint32_t hold_out = 5;      // One input in so many is never learnt from, and judged by. 0: none, all judge.
  BackwardSettings backward;       // Seed and number of sweeps are not the config's.
  HashtronAlertSettings alerts;
  bool operator==(const HashtronLearningConfig& other) const;
};

struct TrainerConfig {
  OptimizerKind optimizer = OptimizerKind::kAdaGrad;
  double learning_rate = 0.05;
  double l1 = 0.0;                // ftrl only.
  double l2 = 0.0;                // adamw: the decoupled decay.
  double momentum = 0.0;          // sgd.
  bool nesterov = false;          // sgd.
  double beta1 = 0.9;             // adam, adamw.
  double beta2 = 0.999;           // adam, adamw.
  double epsilon = 1e-8;          // adam, adamw, adagrad.
  double initial_sum = 0.0;       // adagrad: the sum of squares before the first step; damps the first steps.
  double ftrl_beta = 1.0;         // ftrl; its alpha is learning_rate.
  double clip = 5.0;              // Largest Euclidean norm of a gradient, or largest coordinate; 0: not clipped.
  ClipBy clip_by = ClipBy::kNorm;
  std::vector<TrainerGroupConfig> groups;
  std::uint32_t local_steps = 1;  // On each outcome.
  std::uint32_t idle_steps = 0;   // Replay steps in a turn without input.
  ReplayConfig replay;
  ScheduleConfig schedule;
  HashtronLearningConfig hashtron;
  bool operator==(const TrainerConfig&) const = default;
};

// learning: free. When the learner's parameters become what is served.
struct PromotionConfig {
  std::uint64_t every = 1000;     // Updates between two candidates.
  bool operator==(const PromotionConfig&) const = default;
};

struct JoinConfig {
  Duration wait = std::chrono::hours(24);  // In event time.
  std::uint64_t rows_max = 1'000'000;      // Waiting rows and labels.
  bool operator==(const JoinConfig&) const = default;
};

// log.security: how the brokers and this client know each other. See storage/kafka_security.hpp.
struct SecurityConfig {
  KafkaProtocol protocol = KafkaProtocol::kPlaintext;
  KafkaMechanism mechanism = KafkaMechanism::kNone;
  std::string username;            // plain, scram
  SecretRef password;
  std::string ca;                  // PEM files. Empty: the system's authorities.
  std::string certificate;
  std::string key;
  SecretRef key_password;
  bool verify_host = true;
  SecretRef token;                 // oauthbearer: a JWT, read again whenever a fresh one is needed; or the four below.
  std::string token_endpoint;
  std::string client_id;
  SecretRef client_secret;
  std::string scope;
  bool operator==(const SecurityConfig&) const = default;
};

struct LogConfig {
  LogKind kind = LogKind::kEmbedded;
  std::string brokers;             // kKafka: "host:port,…".
  SecurityConfig security;         // kKafka
  KafkaProperties properties;      // kKafka: others of the client's, as they are.
  std::uint32_t partitions = 1;    // Of every topic; each has its own tasks, state and model.
  Duration maintenance_interval = std::chrono::seconds(10);  // Between two looks at retention and, on Kafka, at the topics.
  Duration stall_after = std::chrono::seconds(30);  // A task that waits so long for the log, or makes no progress while records wait, is reported.
  bool operator==(const LogConfig&) const = default;
};

// The names of tasks, as `placement.run` and `status` have them.
inline constexpr std::string_view kInferenceTask = "inference";
inline constexpr std::string_view kLearningTask = "learning";
// learning: free of networks of hashtrons has these besides: what turns sums into capacities, and what judges candidates.
inline constexpr std::string_view kCapacityTask = "capacity";
inline constexpr std::string_view kPromotionTask = "promotion";
inline constexpr std::array kTaskNames = {kInferenceTask, kLearningTask, kCapacityTask, kPromotionTask};

struct PlacementConfig {
  // The tasks that this process runs, in the order of kTaskNames; other processes run the rest. Empty (auto): all there are.
  std::vector<std::string> run;
  PinMode pin = PinMode::kAuto;
  std::vector<std::uint32_t> cpus;  // With kCpus: the inference tasks by partition, then the learning tasks.
  bool lock_memory = true;
  WaitMode wait = WaitMode::kFutex;
  ParseMode parse = ParseMode::kAhead;
  std::optional<std::vector<std::uint32_t>> partitions;  // Only these here, always. Empty (auto): all, or shared with other processes.
  bool operator==(const PlacementConfig&) const = default;
};

struct HttpConfig {
  std::optional<Endpoint> listen = Endpoint();  // Nothing: `off`.
  SecretRef token;                 // What clients must bring; needed where others than this machine can connect.
  bool operator==(const HttpConfig&) const = default;
};

struct PipelineConfig {
  std::uint32_t version = 1;
  std::string name;
  std::uint64_t seed = 1;
  std::string data_dir;            // Default: weir-data/NAME, relative to the working directory.

  SourceConfig logs;               // sources.logs
  SourceConfig outcomes;           // sources.outcomes
  EventSchema logs_schema;         // schema.logs; line_bytes_max is max_line
  EventSchema outcomes_schema;     // schema.outcomes; label_required is set

  FeatureSpec features;            // features, normalization (its scaler and sizes), report.last_outcome_by
  ModelConfig model;
  Learning learning = Learning::kCoupled;
  GateConfig gate;
  PredictionsConfig predictions;
  TrainerConfig trainer;
  PromotionConfig promotion;
  JoinConfig join;
  std::uint64_t crc_every = 1000;        // Updates between two {version, CRC} records on `models`.
  std::uint64_t snapshot_every = 10000;  // Updates between two whole versions on `models`.

  OrderMode order = OrderMode::kAuto;
  std::optional<Duration> idle_timeout;  // Empty (auto): see below. Or kNever.
  Duration max_jump = std::chrono::hours(24);
  std::optional<Duration> commit_interval;  // Empty (auto): 1 ms for the embedded log.
  SyncMode sync = SyncMode::kInterval;
  Duration sync_interval = std::chrono::milliseconds(100);
  Duration backup_interval = std::chrono::minutes(10);  // 0: no backups.
  Delivery delivery = Delivery::kExactlyOnce;  // Of the log on Kafka; the others know exactly once only.
  std::uint64_t memory_budget = std::uint64_t(64) << 20;
  std::uint64_t max_line = std::uint64_t(1) << 20;

  LogConfig log;
  PlacementConfig placement;
  std::string process;             // Its name among those that share the partitions. Empty (auto): see resolved_process().
  std::uint32_t standby = 0;       // So many other processes keep a copy of each partition's state.
  HttpConfig http;
  std::map<Topic, Retention> retention;  // Only what the config names; retention_of() adds the defaults.
  std::map<Topic, std::string> topics;   // Full names of `logs` and `outcomes` where they are yours; see topic_name().
  ValueFormats formats;                  // topics.format, topics.TOPIC.format: of what is for you.

  // False where the log lines carry their labels themselves and nothing comes later.
  bool has_outcomes() const { return !outcomes_schema.label.empty(); }
  // Of `logs` or `outcomes`: where the lines come from, and how they are read.
  const SourceConfig& source_of(Topic topic) const { return topic == Topic::kLogs ? logs : outcomes; }
  const EventSchema& schema_of(Topic topic) const { return topic == Topic::kLogs ? logs_schema : outcomes_schema; }
  // What `auto` comes to. Event time for inputs that end (files without follow), arrival for live traffic; inputs that end
  // are always waited for, others 10 s. nullopt: no idle timeout.
  OrderMode resolved_order() const;
  std::optional<Duration> resolved_idle_timeout() const;
  Duration resolved_commit_interval() const;
  std::string resolved_process() const;          // See pipelines/process_name.hpp.
  // Those that the config names, with their keys.
  std::vector<std::pair<std::string, SecretRef>> secrets() const;
  std::vector<std::string_view> task_names() const;  // That `placement.run` may name, in the order of kTaskNames.
  bool runs(std::string_view task) const;            // Here; see placement.run.
  bool runs_all() const;
  bool learns_by_jobs() const;                   // The model is no matter of gradients: networks of hashtrons.
  // Whose model a partition's predictions are made with: its versions are in that partition of `models`, and are named by it.
  PartitionId model_of(PartitionId partition) const { return model.shared ? PartitionId(0) : partition; }
  std::string topic_name(Topic topic) const;     // "<name>.<topic>" unless `topics` says otherwise.
  Retention retention_of(Topic topic) const;
};

struct ConfigProblem {
  bool warning = false;
  std::string where;     // "flights.yaml:12" or "--set gate.coverage=2"
  std::uint32_t origin = 0;  // 0: the file; then one each --set.
  std::uint32_t line = 0;    // From 1; 0: none.
  std::string key;       // "gate.coverage"
  std::string found;
  std::string expected;
  std::string suggestion;  // "coverage", for a misspelt key or word; or empty.
  std::string text() const;  // One line for a person.
};

struct ConfigCheck {
  PipelineConfig config;                // Whole only if ok().
  std::vector<ConfigProblem> problems;  // In the order of the file; warnings too.
  bool ok() const;
  std::string text() const;             // All problems, a line each.
  // The config, or one kConfig error with every mistake in it.
  Result<PipelineConfig> result() const;
};

// `sets`: "PATH=VALUE", the value in YAML, applied in turn before anything is checked.
// `file_name`: shown in problems.
ConfigCheck parse_config(std::string_view yaml, std::string_view file_name, const std::vector<std::string>& sets = {});
// The same from a file. kNotFound, kIo.
Result<ConfigCheck> check_config_file(const std::string& path, const std::vector<std::string>& sets = {});
// The usual way: one error with all mistakes, warnings to `warnings` if given.
Result<PipelineConfig> load_config(const std::string& path, const std::vector<std::string>& sets = {},
                                   std::vector<std::string>* warnings = nullptr);

// A pipeline or topic name: letters, digits, dot, underscore and dash, at most 200.
bool valid_name(std::string_view name);

// Every key with its value, in the order of configs/reference.yaml; parsed, it gives the same config again.
std::string to_yaml(const PipelineConfig& config);

}  // namespace weir
