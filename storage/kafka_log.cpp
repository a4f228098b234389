#include "storage/kafka_log.hpp"

#include <algorithm>
#include <charconv>

#include "storage/kafka_at_least_once.hpp"
#include "storage/kafka_core.hpp"
#include "storage/kafka_errors.hpp"
#include "storage/kafka_group.hpp"
#include "storage/kafka_progress.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

constexpr std::string_view kForEver = "-1";
constexpr Duration kMembersLimit = std::chrono::seconds(3);  // Somebody looks at a status.
constexpr Duration kLookLimit = std::chrono::seconds(2);  // Of what the monitor asks: it has to report whoever waits longer.

std::string text_of(std::uint64_t value) { return std::to_string(value); }

// Retention in the brokers' words. They drop closed segments only: these must be shorter than what they are to drop.
KafkaProperties settings_of(const Retention& retention) {
  KafkaProperties out;
  out["cleanup.policy"] = retention.compact ? "compact" : "delete";
  const std::int64_t age_ms = retention.age ? std::max<std::int64_t>(1, retention.age->count() / 1000) : -1;
  if (retention.compact) {
    if (retention.age) out["delete.retention.ms"] = std::to_string(age_ms);
    out["retention.ms"] = kForEver;
  } else {
    out["retention.ms"] = retention.age ? std::to_string(age_ms) : std::string(kForEver);
  }
  out["retention.bytes"] = retention.bytes ? text_of(*retention.bytes) : std::string(kForEver);
  constexpr std::int64_t kWeekMs = 7 * 24 * 3'600'000;
  out["segment.ms"] = std::to_string(retention.age ? std::clamp<std::int64_t>(age_ms / 8, 1000, kWeekMs) : kWeekMs);
  out["segment.bytes"] = text_of(retention.bytes ? std::clamp<std::uint64_t>(*retention.bytes / 8, 1u << 20, 1u << 30) : 1u << 30);
  return out;
}

template <class Number>
std::optional<Number> number_of(const std::map<std::string, KafkaAdmin::Setting>& settings, const std::string& name) {
  const auto found = settings.find(name);
  Number out{};
  if (found == settings.end()) return std::nullopt;
  const std::string& text = found->second.value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

Retention retention_of(const std::map<std::string, KafkaAdmin::Setting>& settings) {
  Retention out;
  const auto policy = settings.find("cleanup.policy");
  out.compact = policy != settings.end() && policy->second.value.find("compact") != std::string::npos;
  const std::string age = out.compact ? "delete.retention.ms" : "retention.ms";
  const auto own = settings.find(age);
  const auto age_ms = number_of<std::int64_t>(settings, age);
  if (age_ms && *age_ms >= 0 && (!out.compact || own->second.own)) out.age = std::chrono::milliseconds(*age_ms);
  if (const auto bytes = number_of<std::int64_t>(settings, "retention.bytes"); bytes && *bytes >= 0) out.bytes = static_cast<std::uint64_t>(*bytes);
  return out;
}

class KafkaLog final : public TopicLog {
 public:
  explicit KafkaLog(std::shared_ptr<KafkaCore> core) : core_(std::move(core)) {}

  Result<void> create(const TopicSpec& spec) override { return create_all({spec}); }

  // A look at all of them, one request for those that are missing, one for the settings of the others.
  Result<void> create_all(const std::vector<TopicSpec>& specs) override {
    std::vector<std::string> names;
    for (const TopicSpec& spec : specs) {
      TRY(check_spec(spec));
      names.push_back(spec.name);
      std::lock_guard lock(core_->mutex);
      if (spec.name != core_->name_of(spec.topic)) core_->options.topic_names[spec.topic] = spec.name;
    }
    TRY_ASSIGN(const auto found, core_->admin->partitions(names));
    std::vector<KafkaAdmin::NewTopic> missing;
    std::vector<std::string> own;  // Those that were there.
    std::vector<const TopicSpec*> growing;
    std::int32_t examples = 0;
    for (const TopicSpec& spec : specs)
      if (const auto at = found.find(spec.name); spec.topic == Topic::kExamples && at != found.end()) examples = at->second;
    for (const TopicSpec& spec : specs) {
      const auto at = found.find(spec.name);
      if (at == found.end()) {
        TRY_ASSIGN(KafkaAdmin::NewTopic made, new_topic(spec));
        missing.push_back(std::move(made));
        continue;
      }
      // What Weir writes grows with the config. Lines are where their ids are: more partitions send later ones elsewhere.
      const bool written = is_own(spec) && spec.topic != Topic::kLogs && spec.topic != Topic::kOutcomes;
      // The one partition of `models` beside several of `examples` is a shared model's. It grows before them, to tell that at any time.
      const bool models = spec.topic == Topic::kModels, shared = models && at->second == 1 && examples > 1;
      if (written && !shared && at->second < spec.partitions && !core_->options.read_only) growing.insert(models ? growing.begin() : growing.end(), &spec);
      else if (at->second != spec.partitions) return another_count(spec, at->second);
      if (is_own(spec)) own.push_back(spec.name);
    }
    for (const TopicSpec* spec : growing) TRY(core_->admin->add_partitions(spec->name, spec->partitions));
    TRY(core_->admin->create(missing));
    for (const TopicSpec& spec : specs) core_->know(spec);
    if (core_->options.read_only) return {};
    TRY_ASSIGN(const auto settings, core_->admin->settings(own));
    for (const TopicSpec& spec : specs)
      if (const auto at = settings.find(spec.name); at != settings.end()) TRY(check_settings(spec, at->second));
    return {};
  }

  Result<TopicDescription> describe(Topic topic) const override {
    TRY_ASSIGN(const KafkaTopic* found, core_->topic(topic));
    return describe(*found);
  }

  std::vector<TopicDescription> list() const override {
    std::vector<TopicDescription> out;
    for (const TopicTraits& traits : topic_table())
      if (auto description = describe(traits.topic); description.ok()) out.push_back(std::move(*description));
    return out;
  }

  Result<Offset> appended_end(Topic topic, PartitionId partition) const override {
    TRY_ASSIGN(const KafkaTopic* found, core_->topic(topic));
    return core_->admin->appended_end(found->spec.name, partition);
  }

  Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) override {
    TRY_ASSIGN(const KafkaTopic* found, core_->topic(topic));
    TRY(check_partition(found->spec, partition));
    return make_kafka_reader(*core_, found->spec.name, partition, from, &found->ends[static_cast<std::size_t>(partition.value)]);
  }

  Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) override {
    TRY(check_task(spec));
    {
      std::lock_guard lock(core_->mutex);
      if (!core_->open_tasks.emplace(spec.name, spec.partition.value).second) return task_in_use(spec);
    }
    auto store = make_kafka_task_store(core_, spec);
    if (!core_->options.at_least_once || spec.writes_inputs || core_->options.read_only) return store;
    return make_at_least_once_store(core_, spec, std::move(store));
  }

  Result<TaskProgress> progress(const TaskSpec& spec) const override {
    return read_kafka_progress(*core_, core_->options.pipeline + "." + spec.name + ".changelog", spec.partition);
  }

  // The brokers do it by themselves; order of inputs that are gone is the tasks' to forget.
  Result<void> apply_retention(const std::vector<Floor>&) override {
    std::array<std::vector<Offset>, kTopicCount> begins;
    for (const Topic input : {Topic::kLogs, Topic::kOutcomes, Topic::kExamples}) {
      const std::size_t i = index_of(input);
      const KafkaTopic* topic = nullptr;
      {
        std::lock_guard lock(core_->mutex);
        topic = core_->topics[i].get();
      }
      if (topic == nullptr) continue;
      for (std::int32_t p = 0; p < topic->spec.partitions; ++p) {
        TRY_ASSIGN(const auto marks, core_->admin->watermarks(topic->spec.name, PartitionId(p), kLookLimit));
        begins[i].push_back(marks.begin);
      }
    }
    std::lock_guard lock(core_->mutex);
    core_->begins = std::move(begins);
    ++core_->begins_version;
    return {};
  }

  Result<std::string> backup(std::size_t) override {
    return Error{ErrorCode::kNotFound, "the log on Kafka has no backups: the brokers keep what was written, and the changelogs the state"};
  }
  bool has_gaps() const override { return true; }

  Result<std::unique_ptr<Membership>> join(const MembershipOptions& options) override {
    TRY_ASSIGN(const KafkaTopic* topic, core_->topic(options.topic));
    return join_kafka_group(core_->options, group_of(options.topic, options.only), topic->spec.name, topic->spec.partitions, options);
  }
  Result<std::vector<Member>> members(Topic topic, const std::string& only) const override {
    TRY_ASSIGN(const KafkaTopic* found, core_->topic(topic));
    TRY_ASSIGN(auto out, kafka_group_members(core_->admin->handle(), group_of(topic, only), found->spec.name, kMembersLimit));
    for (Member& member : out) member.only = only;
    return out;
  }

  bool others_change_topics() const override { return true; }

  Result<void> check_topics() const override {
    std::map<std::string, TopicSpec> known;
    std::vector<std::string> names;
    {
      std::lock_guard lock(core_->mutex);
      for (const auto& topic : core_->topics)
        if (topic != nullptr) known[topic->spec.name] = topic->spec, names.push_back(topic->spec.name);
    }
    TRY_ASSIGN(const auto found, core_->admin->partitions(names, kLookLimit));
    for (const auto& [name, spec] : known) {
      const auto at = found.find(name);
      if (at == found.end()) return Error{ErrorCode::kNotFound, "topic '" + name + "' is not there any more: somebody has deleted it"};
      if (at->second != spec.partitions) return another_count(spec, at->second);
    }
    return {};
  }
  Result<void> sync() override { return {}; }

 private:
  std::string group_of(Topic topic, const std::string& only) const {
    return core_->options.pipeline + "." + std::string(short_name(topic)) + (only.empty() ? "" : "." + only);
  }

  Result<TopicDescription> describe(const KafkaTopic& topic) const {
    TopicDescription out{topic.spec, {}};
    TRY_ASSIGN(const auto settings, core_->admin->settings(topic.spec.name));
    out.spec.retention = retention_of(settings);
    for (std::int32_t p = 0; p < topic.spec.partitions; ++p) {
      TRY_ASSIGN(const auto marks, core_->admin->watermarks(topic.spec.name, PartitionId(p)));
      PartitionDescription partition;
      partition.partition = PartitionId(p);
      partition.begin = marks.begin;
      partition.end = std::max(marks.end, topic.ends[static_cast<std::size_t>(p)].get());
      out.partitions.push_back(partition);
    }
    return out;
  }

  bool is_own(const TopicSpec& spec) const { return spec.name == core_->options.pipeline + "." + std::string(short_name(spec.topic)); }
  static Error another_count(const TopicSpec& spec, std::int32_t found) {
    return {ErrorCode::kConfig, "topic '" + spec.name + "' has " + std::to_string(found) + " partitions, the config says " + std::to_string(spec.partitions) +
                                    ": expected the same number" +
                                    (spec.topic == Topic::kModels ? " (" + std::string(kModelsPartitions) + ")"
                                                                  : "; set log.partitions: " + std::to_string(found) +
                                                                        " (logs and outcomes must have as many, ids move when partitions are added), or use another topic")};
  }

  Result<KafkaAdmin::NewTopic> new_topic(const TopicSpec& spec) const {
    if (core_->options.read_only) return Error{ErrorCode::kNotFound, "topic '" + spec.name + "' is not there"};
    if (!is_own(spec))
      return Error{ErrorCode::kNotFound, "topic '" + spec.name + "', which topics." + std::string(short_name(spec.topic)) +
                                             " names, is not there: create it, or correct the name; Weir makes only topics of its own"};
    return KafkaAdmin::NewTopic{spec.name, spec.partitions, new_topic_settings(spec.retention)};
  }

  // A topic under the pipeline's own name follows the config; somebody else's is left as it is.
  Result<void> check_settings(const TopicSpec& spec, const KafkaAdmin::Settings& now) const {
    const auto stamps = now.find("message.timestamp.type");
    if (stamps != now.end() && stamps->second.value != "LogAppendTime")
      return Error{ErrorCode::kConfig, "topic '" + spec.name + "' has message.timestamp.type=" + stamps->second.value +
                                           "; expected LogAppendTime: retention would count event time. Change the topic's setting, or delete the topic"};
    KafkaProperties changes;
    for (const auto& [name, value] : settings_of(spec.retention)) {
      const auto found = now.find(name);
      if (found == now.end() || found->second.value != value) changes[name] = value;
    }
    KafkaAdmin::Settings then = now;
    if (KafkaAdmin::Setting& size = then[kRequestSetting]; !size.own) {  // Nobody has chosen it.
      size.value = std::to_string(kRequestBytesMax);
      KafkaProperties more = changes;
      more[kRequestSetting] = size.value;
      if (core_->admin->change_settings(spec.name, more).ok()) changes.clear();
      else then = now;  // It only saves requests: who may not change it goes on with what there is.
    }
    if (!changes.empty()) TRY(core_->admin->change_settings(spec.name, changes));
    core_->know_request_bytes(spec.name, then);
    return {};
  }

  std::shared_ptr<KafkaCore> core_;
};

}  // namespace

KafkaProperties new_topic_settings(const Retention& retention) {
  KafkaProperties out = settings_of(retention);
  out["message.timestamp.type"] = "LogAppendTime";
  out[kRequestSetting] = std::to_string(kRequestBytesMax);
  return out;
}

Result<KafkaTopic*> KafkaCore::topic(Topic topic) {
  std::string name;
  {
    std::lock_guard lock(mutex);
    if (KafkaTopic* known = topics[index_of(topic)].get(); known != nullptr) return known;
    name = name_of(topic);
  }
  TRY_ASSIGN(const auto found, admin->partitions({name}));
  if (found.empty()) return Error{ErrorCode::kNotFound, "topic '" + name + "' was never created"};
  return know({topic, name, found.begin()->second, {}});
}

KafkaTopic* KafkaCore::know(const TopicSpec& spec) {
  std::lock_guard lock(mutex);
  auto& known = topics[index_of(spec.topic)];
  if (!known) known = std::make_unique<KafkaTopic>(TopicSpec{spec.topic, spec.name, spec.partitions, {}});
  return known.get();
}

std::size_t KafkaCore::request_bytes_of(const std::string& topic) {
  {
    std::lock_guard lock(mutex);
    if (const auto known = request_bytes.find(topic); known != request_bytes.end()) return known->second;
  }
  const auto settings = admin->settings(topic);
  return know_request_bytes(topic, settings.ok() ? *settings : KafkaAdmin::Settings());  // Not everybody may ask.
}

std::size_t KafkaCore::know_request_bytes(const std::string& topic, const KafkaAdmin::Settings& settings) {
  std::size_t bytes = kRequestBytes;
  if (const auto found = settings.find(kRequestSetting); found != settings.end())
    std::from_chars(found->second.value.data(), found->second.value.data() + found->second.value.size(), bytes);
  std::lock_guard lock(mutex);
  return request_bytes[topic] = std::min(bytes, kRequestBytesMax);
}

Result<std::unique_ptr<TopicLog>> open_kafka_log(KafkaLogOptions options, std::unique_ptr<TopicLog> local) {
  auto core = std::make_shared<KafkaCore>();
  core->options = std::move(options);
  core->local = std::move(local);
  core->fetchers = std::make_unique<KafkaFetchers>(core->options);
  TRY(core->fetchers->open());
  TRY_ASSIGN(core->admin, KafkaAdmin::open(core->options));
  return std::unique_ptr<TopicLog>(std::make_unique<KafkaLog>(std::move(core)));
}

}  // namespace weir
