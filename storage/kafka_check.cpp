#include "storage/kafka_check.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <set>
#include <utility>

#include "storage/kafka_core.hpp"
#include "storage/kafka_errors.hpp"
#include "storage/kafka_transactions.hpp"

namespace weir {
namespace {

using Settings = std::map<std::string, KafkaAdmin::Setting>;

constexpr Duration kReachLimit = std::chrono::seconds(10);
constexpr int kTryLimitMs = 5000;
constexpr Duration kSkewMax = std::chrono::seconds(10);
constexpr std::int64_t kRecordBytesMax = 1'000'000;  // Our own: 900 KB and what is round it; and a batch of them.
constexpr std::string_view kTransactionLog = "__transaction_state";

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }
std::string topic_text(std::string_view name) { return "topic " + quoted(name); }

std::string joined(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string value_of(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() ? std::string() : found->second.value;
}
std::optional<std::int64_t> number_of(const Settings& settings, const std::string& name) {
  const std::string text = value_of(settings, name);
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::string age_text(std::int64_t ms) {
  if (ms < 0) return "for ever";
  if (ms % 86'400'000 == 0) return std::to_string(ms / 86'400'000) + " days";
  if (ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + " h";
  return std::to_string(ms) + " ms";
}

// As the coordinators choose among the partitions of their list: Java's String.hashCode.
std::int32_t transaction_partition(std::string_view id, std::int32_t partitions) {
  std::uint32_t hash = 0;
  for (const char c : id) hash = hash * 31 + static_cast<unsigned char>(c);
  const auto number = static_cast<std::int32_t>(hash);
  return number == INT32_MIN ? 0 : std::abs(number) % partitions;
}

bool is_denied(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}
bool says_denied(const Error& error) { return error.what.find("AUTHORIZATION_FAILED") != std::string::npos; }

class KafkaCheck {
 public:
  KafkaCheck(const KafkaLogOptions& options, const StorageUse& use) : options_(options), use_(use) { options_.reach_limit = kReachLimit; }

  std::vector<Finding> run() {
    if (!open()) return std::move(findings_);
    look_at_brokers();
    for (const TopicUse& topic : use_.topics) look_at_topic(topic);
    for (const std::string& task : use_.tasks) look_at_changelog(options_.pipeline + "." + task + ".changelog");
    compare_inputs();
    try_reading();
    try_writing();
    try_transactions();
    return std::move(findings_);
  }

 private:
  void ok(std::string what, std::string found) { findings_.push_back(Finding::ok(std::move(what), std::move(found))); }
  void warn(std::string what, std::string found, std::string advice) {
    findings_.push_back(Finding::warning(std::move(what), std::move(found), std::move(advice)));
  }
  void fail(ErrorCode code, std::string what, std::string found, std::string advice) {
    findings_.push_back(Finding::error(code, std::move(what), std::move(found), std::move(advice)));
  }
  void fail(std::string what, const Error& error, std::string advice = {}) { fail(error.code, std::move(what), error.what, std::move(advice)); }

  bool open() {
    auto opened = KafkaAdmin::open(options_, [this](std::string_view line) {
      ApiVersions versions;
      if (!read_api_versions(line, versions)) return;
      std::lock_guard lock(mutex_);
      versions_[versions.broker][versions.api] = {versions.low, versions.high};
    });
    if (!opened.ok()) {
      fail("brokers", opened.error(), opened.error().code == ErrorCode::kConfig ? "correct log.security" : "start the brokers, or correct log.brokers");
      return false;
    }
    admin_ = std::move(opened).value();
    return true;
  }

  void look_at_brokers() {
    const auto found = admin_->brokers();
    if (!found.ok()) return fail("brokers", found.error());
    brokers_ = *found;
    ok("cluster", quoted(admin_->cluster_id()) + ", " + std::to_string(brokers_.size()) + (brokers_.size() == 1 ? " broker" : " brokers") + "; client librdkafka " + rd_kafka_version_str());
    if (brokers_.size() == 1) warn("cluster", "one broker: nothing is replicated", "three brokers or more where data must outlive one of them");
    bool settings_seen = true;
    for (const KafkaAdmin::Broker& broker : brokers_) {
      const std::string what = "broker " + std::to_string(broker.id) + " at " + broker.address;
      const auto settings = admin_->broker_settings(broker.id);
      if (settings.ok()) look_at_transaction_timeout(what, *settings);
      else if (settings.error().code != ErrorCode::kUnavailable) settings_seen = false;
      else fail(what, settings.error(), "see whether it runs, and whether the address it advertises can be reached from here");
      if (settings.ok() || settings.error().code != ErrorCode::kUnavailable) look_at_versions(what, broker.address);
    }
    if (!settings_seen)
      warn("brokers", "their settings are not shown to this user: transaction.max.timeout.ms is not compared", "DESCRIBE_CONFIGS on the cluster, for this check only");
  }

  void look_at_transaction_timeout(const std::string& what, const Settings& settings) {
    const std::int64_t ours = milliseconds(options_.transaction_timeout);
    if (const auto most = number_of(settings, "transaction.max.timeout.ms"); most && *most < ours)
      fail(ErrorCode::kConfig, what, "transaction.max.timeout.ms=" + std::to_string(*most), "at least " + std::to_string(ours) + ", Weir's transaction timeout");
    if (value_of(settings, "unclean.leader.election.enable") == "true")
      warn(what, "unclean.leader.election.enable=true: a leader that lacks committed records may take over", "false");
  }

  void look_at_versions(const std::string& what, const std::string& address) {
    constexpr std::int16_t kJoinGroup = 11, kInitProducerId = 22;
    std::map<std::int16_t, std::pair<std::int16_t, std::int16_t>> known;
    {
      std::lock_guard lock(mutex_);
      known = versions_[address];
    }
    if (known.empty()) return warn(what, "answers, but the client does not tell which requests it knows", "version 2.5 or later, and not 4.0.0");
    const auto init = known.find(kInitProducerId);
    if (init == known.end() || init->second.second < 3)
      return fail(ErrorCode::kVersion, what, "a broker older than Apache Kafka 2.5 (InitProducerId up to version " + (init == known.end() ? std::string("none") : std::to_string(init->second.second)) + ")",
                  "brokers of version 2.5 or later");
    constexpr int kKnowsGroupsOf400 = 0x020b00ff;  // librdkafka 2.11
    if (const auto join = known.find(kJoinGroup); join != known.end() && join->second.first > 0 && rd_kafka_version() < kKnowsGroupsOf400)
      return warn(what, "Apache Kafka 4.0.0 (JoinGroup from version " + std::to_string(join->second.first) + "), whose groups librdkafka " + rd_kafka_version_str() + " was not made for",
                  "brokers of version 4.0.1 or later, or librdkafka 2.11 (librdkafka#4948: with Kerberos nothing is reached; without it processes share a pipeline)");
    ok(what, "reached; knows " + std::to_string(known.size()) + " kinds of requests");
  }

  // Settings where they are shown, else nothing but a warning.
  std::optional<Settings> settings_of(const std::string& name) {
    auto found = admin_->settings(name);
    if (found.ok()) return std::move(*found);
    if (says_denied(found.error())) warn(topic_text(name), "its settings are not shown to this user", "DESCRIBE_CONFIGS on it: Weir looks at them when it starts");
    else fail(topic_text(name), found.error());
    return std::nullopt;
  }

  // Whether it is there to be looked at further. `settings`: what it would be made with; `named_by`: nothing, or the key of the config
  // that names a topic which Weir does not make.
  bool look_at_existence(const std::string& name, std::int32_t partitions, const KafkaProperties& settings, KafkaAdmin::TopicLook& look, const std::string& named_by = {}) {
    const auto found = admin_->look(name);
    if (!found.ok()) return fail(topic_text(name), found.error()), false;
    look = *found;
    if (look.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      if (!named_by.empty())
        fail(ErrorCode::kNotFound, topic_text(name), "not there; " + named_by + " names it, and Weir makes only topics of its own", "create it, or correct the name");
      else if (const auto made = admin_->create(name, partitions, settings, /*try_only=*/true); !made.ok())
        fail(topic_text(name), made.error(), says_denied(made.error()) ? "CREATE on it or on the cluster; or make it beforehand" : "what the brokers ask for; or make it beforehand");
      else
        ok(topic_text(name), "not there yet: Weir makes it at the start, " + std::to_string(partitions) + (partitions == 1 ? " partition" : " partitions"));
      return false;
    }
    if (look.error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      fail(topic_text(name), kafka_error(look.error, "metadata of it"), is_denied(look.error) ? "DESCRIBE on it" : "");
      return false;
    }
    there_.insert(name);
    return true;
  }

  void look_at_replicas(const std::string& name, const KafkaAdmin::TopicLook& look, const Settings& settings) {
    const auto least = number_of(settings, "min.insync.replicas").value_or(1);
    if (look.without_leader > 0)
      fail(ErrorCode::kUnavailable, topic_text(name), std::to_string(look.without_leader) + " of its partitions have no leader", "see whether all brokers run");
    else if (look.in_sync_min < least)
      fail(ErrorCode::kUnavailable, topic_text(name), std::to_string(look.in_sync_min) + " in-sync replicas, min.insync.replicas=" + std::to_string(least) + ": nothing can be committed",
           "see whether all brokers run; or a smaller min.insync.replicas");
    if (brokers_.size() < 2) return;
    if (look.replicas_min == 1) warn(topic_text(name), "one replica on " + std::to_string(brokers_.size()) + " brokers: it is gone with the broker that has it", "three replicas, min.insync.replicas=2");
    else if (least >= look.replicas_min) warn(topic_text(name), std::to_string(look.replicas_min) + " replicas, min.insync.replicas=" + std::to_string(least) + ": the pipeline stands still while one broker is away", "fewer in-sync replicas than replicas");
    else if (least == 1) warn(topic_text(name), "min.insync.replicas=1: a commit may be on one broker only", "min.insync.replicas=2");
  }

  void look_at_topic(const TopicUse& use) {
    const TopicSpec& spec = use.spec;
    const std::string what = topic_text(spec.name);
    const std::size_t before = findings_.size();
    KafkaAdmin::TopicLook look;
    const bool own = spec.name == options_.pipeline + "." + std::string(short_name(spec.topic));
    const bool input = spec.topic == Topic::kLogs || spec.topic == Topic::kOutcomes;
    if (!look_at_existence(spec.name, spec.partitions, new_topic_settings(spec.retention), look, own ? "" : "topics." + std::string(short_name(spec.topic)))) return;
    partitions_[spec.topic] = look.partitions;
    const auto examples = partitions_.find(Topic::kExamples);
    const bool shared = spec.topic == Topic::kModels && look.partitions == 1 && examples != partitions_.end() && examples->second > 1;  // As it was.
    const bool grows = own && !input && look.partitions < spec.partitions && !shared;  // At the start.
    if (look.partitions != spec.partitions && !grows)
      fail(ErrorCode::kConfig, what, std::to_string(look.partitions) + " partitions, the config says " + std::to_string(spec.partitions),
           spec.topic == Topic::kModels ? "model.shared and log.partitions as they were (1 with the first, else as many as the second), or another name"
                                        : "log.partitions: " + std::to_string(look.partitions) + ", or another topic");
    const auto settings = settings_of(spec.name);
    if (!settings) return;
    look_at_replicas(spec.name, look, *settings);
    const std::string stamps = value_of(*settings, "message.timestamp.type"), policy = value_of(*settings, "cleanup.policy");
    const std::int64_t age_ms = number_of(*settings, "retention.ms").value_or(-1), bytes = number_of(*settings, "retention.bytes").value_or(-1);
    const bool deletes = policy.find("delete") != std::string::npos, compacts = policy.find("compact") != std::string::npos;
    if (own && stamps != "LogAppendTime")
      fail(ErrorCode::kConfig, what, "message.timestamp.type=" + stamps + ": retention would count event time", "message.timestamp.type=LogAppendTime, or delete the topic");
    else if (!own && stamps == "CreateTime" && deletes && age_ms >= 0)
      warn(what, "message.timestamp.type=CreateTime and retention.ms=" + std::to_string(age_ms) + " (" + age_text(age_ms) + "): records stamped further in the past are deleted before anybody reads them",
           "LogAppendTime, or retention.ms=-1");
    if (compacts && !spec.retention.compact && (!own || input))
      warn(what, "cleanup.policy=" + policy + ": of records with the same key all but the newest vanish, read or not", "cleanup.policy=delete");
    if (own) {  // As the config says; Weir changes it when it starts.
      for (const auto& [name, value] : new_topic_settings(spec.retention))
        if (const std::string now = value_of(*settings, name); now != value && (name == "retention.ms" || name == "retention.bytes" || name == "cleanup.policy"))
          warn(what, name + "=" + now + ", the config says " + value, "nothing, if the config is right: Weir changes it at the start; else retention." + std::string(short_name(spec.topic)));
    }
    const std::int64_t needed = input ? std::max<std::int64_t>(kRecordBytesMax, static_cast<std::int64_t>(use_.line_bytes_max)) : kRecordBytesMax;
    if (const auto most = number_of(*settings, "max.message.bytes"); most && *most < needed) {
      if (input)
        warn(what, "max.message.bytes=" + std::to_string(*most) + ", less than max_line (" + std::to_string(use_.line_bytes_max) + " bytes): longer lines never get in", "at least " + std::to_string(needed + (64 << 10)) + ", or a smaller max_line");
      else
        fail(ErrorCode::kConfig, what, "max.message.bytes=" + std::to_string(*most) + ": Weir's records have up to " + std::to_string(kRecordBytesMax) + " bytes", "4194304");
    }
    if (findings_.size() == before)
      ok(what, std::to_string(look.partitions) + (look.partitions == 1 ? " partition, " : " partitions, ") + std::to_string(look.replicas_min) + (look.replicas_min == 1 ? " replica, " : " replicas, ") + stamps + ", " +
                   (compacts ? "compacted" : "kept " + (age_ms < 0 && bytes < 0 ? std::string("for ever") : age_ms < 0 ? "up to " + std::to_string(bytes) + " bytes" : age_text(age_ms))));
  }

  void look_at_changelog(const std::string& name) {
    const std::size_t before = findings_.size();
    KafkaAdmin::TopicLook look;
    if (!look_at_existence(name, options_.partitions, changelog_settings(), look)) return;
    const auto settings = settings_of(name);
    if (!settings) return;
    look_at_replicas(name, look, *settings);
    const std::string policy = value_of(*settings, "cleanup.policy");
    if (policy != "compact")
      fail(ErrorCode::kConfig, topic_text(name), "cleanup.policy=" + policy + ": the state of the task would be lost with its oldest records", "cleanup.policy=compact");
    const KafkaProperties made_with = changelog_settings();
    const std::int64_t least = std::atoll(made_with.at("delete.retention.ms").c_str());
    if (const auto kept = number_of(*settings, "delete.retention.ms"); kept && *kept < least)
      fail(ErrorCode::kConfig, topic_text(name), "delete.retention.ms=" + std::to_string(*kept) + ": a local store that was away for longer would revive what was erased", "delete.retention.ms=" + std::to_string(least));
    if (const auto most = number_of(*settings, "max.message.bytes"); most && *most < kRecordBytesMax)
      fail(ErrorCode::kConfig, topic_text(name), "max.message.bytes=" + std::to_string(*most) + ": entries have up to " + std::to_string(kRecordBytesMax) + " bytes", made_with.at("max.message.bytes"));
    if (findings_.size() == before)
      ok(topic_text(name), std::to_string(look.partitions) + (look.partitions == 1 ? " partition, " : " partitions, ") + std::to_string(look.replicas_min) + (look.replicas_min == 1 ? " replica, compacted" : " replicas, compacted"));
  }

  void compare_inputs() {
    const auto logs = partitions_.find(Topic::kLogs), outcomes = partitions_.find(Topic::kOutcomes);
    if (logs != partitions_.end() && outcomes != partitions_.end() && logs->second != outcomes->second)
      fail(ErrorCode::kConfig, "topics of logs and outcomes", std::to_string(logs->second) + " and " + std::to_string(outcomes->second) + " partitions: an outcome would not meet its event",
           "the same number, and both partitioned by id");
  }

  // Reads at the end of each topic: nothing comes, but the brokers have looked at the right to it.
  void try_reading() {
    std::set<std::string> wanted, allowed;
    for (const TopicUse& use : use_.topics)
      if (use.read && there_.contains(use.spec.name)) wanted.insert(use.spec.name);
    for (const std::string& task : use_.tasks)
      if (const std::string name = options_.pipeline + "." + task + ".changelog"; there_.contains(name)) wanted.insert(name);
    if (wanted.empty()) return;
    auto handle = reader();
    if (!handle.ok()) return fail("reading", handle.error());
    const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(static_cast<int>(wanted.size())));
    for (const std::string& name : wanted) rd_kafka_topic_partition_list_add(list.get(), name.c_str(), 0)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_assign(handle->get(), list.get());
    std::set<std::string> waiting = wanted;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kTryLimitMs);
    while (!waiting.empty() && std::chrono::steady_clock::now() < until) {
      const KafkaPtr<rd_kafka_message_t> message(rd_kafka_consumer_poll(handle->get(), 100));
      if (!message || message->rkt == nullptr) continue;
      const std::string name = rd_kafka_topic_name(message->rkt);
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (waiting.erase(name) > 0) allowed.insert(name);
      } else if (is_denied(message->err) && waiting.erase(name) > 0) {
        fail(ErrorCode::kConfig, topic_text(name), "this user may not read it", "READ on it");
      }
    }
    for (const std::string& name : waiting) warn(topic_text(name), "reading it gave neither data nor an error within " + std::to_string(kTryLimitMs / 1000) + " s" + handle->said(), "see whether its leader runs");
    if (!allowed.empty()) ok("right to read", joined(allowed));
  }

  // Asks for acknowledgements in a way there is none of: the brokers look at the right to write first, and then refuse.
  void try_writing() {
    std::set<std::string> wanted, allowed;
    for (const TopicUse& use : use_.topics)
      if (use.written && there_.contains(use.spec.name)) wanted.insert(use.spec.name);
    for (const std::string& task : use_.tasks)
      if (const std::string name = options_.pipeline + "." + task + ".changelog"; there_.contains(name)) wanted.insert(name);
    if (wanted.empty()) return;
    auto handle = make_kafka_handle(options_, RD_KAFKA_PRODUCER,
                                    {{"request.required.acks", "1000"}, {"message.send.max.retries", "0"}, {"linger.ms", "0"}, {"message.timeout.ms", std::to_string(kTryLimitMs)}},
                                    [](rd_kafka_conf_t* conf) {
                                      rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
                                        *static_cast<rd_kafka_resp_err_t*>(message->_private) = message->err;
                                      });
                                    });
    if (!handle.ok()) return fail("writing", handle.error());
    std::map<std::string, rd_kafka_resp_err_t> answers;
    for (const std::string& name : wanted) {
      rd_kafka_resp_err_t& answer = answers[name] = RD_KAFKA_RESP_ERR__TIMED_OUT;
      rd_kafka_producev(handle->get(), RD_KAFKA_V_TOPIC(name.c_str()), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_OPAQUE(&answer), RD_KAFKA_V_END);
    }
    rd_kafka_flush(handle->get(), kTryLimitMs + 1000);
    handle->client.reset();  // Before the answers' places go.
    for (const auto& [name, answer] : answers) {
      if (answer == RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS) allowed.insert(name);
      else if (is_denied(answer)) fail(ErrorCode::kConfig, topic_text(name), "this user may not write it", "WRITE on it");
      else warn(topic_text(name), std::string("the right to write it cannot be seen: ") + rd_kafka_err2name(answer), "WRITE on it");
    }
    if (!allowed.empty()) ok("right to write", joined(allowed));
  }

  void try_transactions() {
    const std::string id = options_.pipeline + ".check";
    const std::string what = "transactions";
    const auto made = KafkaProducer::make(options_, id);
    if (!made.ok()) return fail(what, made.error());
    const std::int64_t before_us = options_.clock->wall_us();
    if (const auto failure = (*made)->fence())
      return fail(what, failure->error, failure->error.code == ErrorCode::kConfig ? "WRITE and DESCRIBE on transactional ids that begin with '" + options_.pipeline + ".'" : "");
    ok(what, "begun as " + quoted(id) + ", timeout " + std::to_string(milliseconds(options_.transaction_timeout)) + " ms");
    if (use_.commit_interval >= options_.transaction_timeout)
      warn("commit_interval", std::to_string(milliseconds(use_.commit_interval)) + " ms, not below the transaction timeout of " + std::to_string(milliseconds(options_.transaction_timeout)) + " ms",
           "seconds at most: all of it is written at once, and readers wait for it");
    compare_clocks(id, before_us);
  }

  // The coordinator has just noted the transactional id, with the time of its own clock.
  void compare_clocks(const std::string& id, std::int64_t before_us) {
    const std::string what = "clocks";
    const auto unseen = [&](const std::string& why) {
      ok(what, "the brokers' clock cannot be seen (" + why + "); compare `date` on the machines yourself");
    };
    const auto look = admin_->look(std::string(kTransactionLog));
    if (!look.ok()) return unseen("no metadata of " + std::string(kTransactionLog));
    if (look->partitions <= 0) return unseen("no right to read " + std::string(kTransactionLog));
    auto handle = reader("read_uncommitted");
    if (!handle.ok()) return fail(what, handle.error());
    const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), std::string(kTransactionLog).c_str(), transaction_partition(id, look->partitions))->offset = RD_KAFKA_OFFSET_TAIL(1);
    rd_kafka_assign(handle->get(), list.get());
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kTryLimitMs);
    while (std::chrono::steady_clock::now() < until) {
      const KafkaPtr<rd_kafka_message_t> message(rd_kafka_consumer_poll(handle->get(), 100));
      if (!message || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
      if (is_denied(message->err)) return unseen("no right to read " + std::string(kTransactionLog));
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
      const std::int64_t broker_us = rd_kafka_message_timestamp(message.get(), &type) * 1000;
      const std::int64_t after_us = options_.clock->wall_us();
      if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) break;
      // It was written between the two, if the clocks agree.
      const std::int64_t ahead_us = broker_us > after_us ? broker_us - after_us : broker_us < before_us - 1000 ? broker_us - before_us : 0;
      const std::string apart = std::to_string(std::abs(ahead_us) / 1'000'000) + " s " + (ahead_us > 0 ? "ahead of" : "behind") + " this machine's";
      if (std::abs(ahead_us) >= kSkewMax.count()) warn(what, "the brokers' clock is " + apart, "NTP on all machines: retention and append times go by the brokers' clock, latencies by both");
      else ok(what, "agree to " + std::to_string((after_us - before_us + std::abs(ahead_us)) / 1000 + 1) + " ms");
      return;
    }
    unseen("nothing came from " + std::string(kTransactionLog));
  }

  Result<KafkaHandle> reader(const char* isolation = "read_committed") const {
    auto handle = make_kafka_handle(options_, RD_KAFKA_CONSUMER,
                                    {{"group.id", "weir." + options_.pipeline + ".check"},  // Asked for; never joined.
                                     {"isolation.level", isolation},
                                     {"enable.auto.commit", "false"},
                                     {"enable.partition.eof", "true"},
                                     {"fetch.wait.max.ms", "20"}});
    if (handle.ok()) rd_kafka_poll_set_consumer(handle->get());
    return handle;
  }

  KafkaLogOptions options_;
  const StorageUse& use_;
  std::mutex mutex_;
  std::map<std::string, std::map<std::int16_t, std::pair<std::int16_t, std::int16_t>>> versions_;  // By broker and kind of request.
  std::unique_ptr<KafkaAdmin> admin_;
  std::vector<KafkaAdmin::Broker> brokers_;
  std::set<std::string> there_;  // Topics.
  std::map<Topic, std::int32_t> partitions_;
  std::vector<Finding> findings_;
};

}  // namespace

bool read_api_versions(std::string_view line, ApiVersions& out) {
  // "[thrd:…]: sasl_ssl://host:9092/1:   ApiKey JoinGroup (11) Versions 0..9"
  const std::size_t api = line.find(":   ApiKey ");
  if (api == std::string_view::npos) return false;
  std::string_view broker = line.substr(0, api);
  if (const std::size_t thread = broker.rfind("]: "); thread != std::string_view::npos) broker.remove_prefix(thread + 3);
  if (const std::size_t scheme = broker.find("://"); scheme != std::string_view::npos) broker.remove_prefix(scheme + 3);
  out.broker = broker.substr(0, broker.find('/'));
  const std::string_view rest = line.substr(api);
  const std::size_t open = rest.rfind(" ("), versions = rest.find(") Versions ", open);
  if (open == std::string_view::npos || versions == std::string_view::npos) return false;
  const auto number = [&](std::size_t at, std::int16_t& to) {
    const auto [end, error] = std::from_chars(rest.data() + at, rest.data() + rest.size(), to);
    return error == std::errc{} ? static_cast<std::size_t>(end - rest.data()) : std::string_view::npos;
  };
  if (number(open + 2, out.api) != versions) return false;
  const std::size_t low_end = number(versions + std::string_view(") Versions ").size(), out.low);
  return low_end != std::string_view::npos && rest.substr(low_end).starts_with("..") && number(low_end + 2, out.high) != std::string_view::npos;
}

std::vector<Finding> check_kafka(const KafkaLogOptions& options, const StorageUse& use) { return KafkaCheck(options, use).run(); }

}  // namespace weir
