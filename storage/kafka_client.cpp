#include "storage/kafka_client.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <limits>
#include <thread>

#include "storage/kafka_errors.hpp"

namespace weir {
namespace {

constexpr Duration kAskAgainAfter = std::chrono::milliseconds(20);
constexpr Duration kNewsTravelFor = std::chrono::seconds(3);
constexpr int kCallLimitMs = 5000;  // One call; calls are repeated until reach_limit.
constexpr int kFirstCallMs = 1000;
constexpr Duration kCloseLimit = std::chrono::seconds(10);
constexpr Duration kNextCloseLimit = std::chrono::seconds(1);  // Once one has not ended: a process may have many.
constexpr Duration kRefusedMax = std::chrono::seconds(3);  // A broker that has just started may not know its users yet.

int call_limit_ms(const KafkaLogOptions& options) { return std::clamp(milliseconds(options.reach_limit), 1, kCallLimitMs); }

std::atomic<int> left_behind{0};  // Clients.

constexpr int kLogWarning = 4;
constexpr int kLogInfo = 6;

// So the client says that the two do not accept each other. It has codes for some of these, but tells them to those only who
// poll, and for the last one there is none.
bool is_refusal(std::string_view text) {
  for (const std::string_view words : {"SASL authentication error", "SASL mechanism", "mechanism handshake failed", "SSL handshake failed", "SSL alert",
                                       "incorrect security.protocol configuration", "Failed to acquire SASL OAUTHBEARER token"})
    if (text.find(words) != std::string_view::npos) return true;
  return false;
}

void keep_last_words(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  auto* words = static_cast<KafkaLastWords*>(rd_kafka_opaque(client));
  if (words != nullptr && words->left) return;
  if (words != nullptr && words->lines) words->lines(text);
  if (words == nullptr || (level > kLogWarning && !is_refusal(text))) return;
  if (std::string_view(facility) == "CONFWARN") return;  // A property for producers given to a consumer: the config has one list for all.
  // "ERROR" repeats in general terms what "FAIL" has said in particular ones.
  if (std::string_view(facility) == "ERROR" && !words->get().empty()) return;
  words->set(std::string(facility) + ": " + text);
}

std::string refusal_advice(const KafkaSecurity& security, std::string_view said) {
  const bool scram = security.mechanism == KafkaMechanism::kScramSha256 || security.mechanism == KafkaMechanism::kScramSha512;
  // Its second message repeats the nonce; brokers from 4.0 on insist on the right one.
  constexpr int kFirstScramOfBrokers4 = 0x020601ff;
  if (scram && said.find("SASL") != std::string_view::npos && rd_kafka_version() < kFirstScramOfBrokers4)
    return std::string("; correct log.security, or, if the brokers are of version 4.0 or later: with them librdkafka ") + rd_kafka_version_str() +
           " cannot do SCRAM (2.6.1 and later can): use another mechanism, or certificates";
  return "; correct log.security";
}

// Gives the client a token, or says why there is none. Called from a thread of the client's.
void refresh_token(rd_kafka_t* client, const char*, void* opaque) {
  const auto fresh = [&]() -> Result<void> {
    auto* words = static_cast<KafkaLastWords*>(opaque);
    if (words->left) return Error{ErrorCode::kUnavailable, "its user has gone"};
    TRY_ASSIGN(const std::string token, words->token());
    TRY_ASSIGN(const TokenClaims claims, claims_of(token));
    std::array<char, 256> text;
    if (rd_kafka_oauthbearer_set_token(client, token.c_str(), claims.expires_s * 1000, claims.subject.c_str(), nullptr, 0, text.data(),
                                       text.size()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return Error{ErrorCode::kConfig, text.data()};
    return {};
  }();
  if (!fresh.ok()) rd_kafka_oauthbearer_set_token_failure(client, fresh.error().what.c_str());
}

bool brokers_answer(const KafkaHandle& handle) {
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(handle.get(), 0, nullptr, &found, kFirstCallMs);
  if (found != nullptr) rd_kafka_metadata_destroy(found);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

// Repeats `call` (rd_kafka_resp_err_t()) while the table says that it may work later. A topic that is not there may only be news
// that has not reached this client; not for long, though.
template <class Call>
Result<void> until_it_works(Duration limit, const std::string& what, const KafkaHandle& handle, Call&& call) {
  auto began = std::chrono::steady_clock::now();
  const auto until = began + limit;
  for (;;) {
    const rd_kafka_resp_err_t code = call();
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    // What the client says of itself holds only while brokers answer: it forgets their topics when they are away for long.
    const bool its_own = code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    const bool silent = its_own && !brokers_answer(handle);
    KafkaFailure failure = classify(silent ? RD_KAFKA_RESP_ERR__TRANSPORT : code, {}, what);
    const auto now = std::chrono::steady_clock::now();
    if (silent) began = now;
    if (failure.action == KafkaAction::kStop || now >= until || (failure.error.code == ErrorCode::kNotFound && now >= began + kNewsTravelFor)) {
      failure.error.what += handle.said();
      return std::move(failure.error);
    }
    std::this_thread::sleep_for(kAskAgainAfter);  // The call itself waited, unless it was refused at once.
  }
}

Result<void> error_of_topics(const rd_kafka_topic_result_t* const* results, std::size_t count, std::string_view what,
                             rd_kafka_resp_err_t fine) {
  for (std::size_t i = 0; i < count; ++i)
    if (const auto code = rd_kafka_topic_result_error(results[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR && code != fine) {
      const char* text = rd_kafka_topic_result_error_string(results[i]);
      return kafka_error(code, std::string(what) + " topic '" + rd_kafka_topic_result_name(results[i]) + "'", text != nullptr ? text : "");
    }
  return {};
}

}  // namespace

bool close_within(std::function<void()> close, Duration limit) {
  if (left_behind > 0) limit = std::min(limit, kNextCloseLimit);
  auto ended = std::make_shared<std::promise<void>>();
  const std::future<void> end = ended->get_future();
  std::thread([close = std::move(close), ended] {
    close();
    ended->set_value();
  }).detach();
  if (end.wait_for(limit) == std::future_status::ready) return true;
  if (left_behind.fetch_add(1) > 0) return false;
  ::on_exit(
      [](int status, void*) {
        std::fprintf(stderr, "weir: %d of the process's Kafka clients did not end in time; they are left behind\n", left_behind.load());
        std::fflush(nullptr);
        ::_exit(status);
      },
      nullptr);
  return false;
}

void KafkaLastWords::set(std::string text) {
  std::lock_guard lock(mutex_);
  if (!is_refusal(text)) refused_since_.reset();
  else if (!refused_since_) refused_since_ = std::chrono::steady_clock::now();
  text_ = std::move(text);
}
Duration KafkaLastWords::refused_for() const {
  std::lock_guard lock(mutex_);
  return refused_since_ ? std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - *refused_since_) : Duration(0);
}
std::string KafkaLastWords::get() const {
  std::lock_guard lock(mutex_);
  return text_;
}
std::string KafkaHandle::said() const {
  const std::string text = words->get();
  return text.empty() ? text : "; the client said: " + text;
}

int milliseconds(Duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, std::numeric_limits<int>::max()));
}

Result<KafkaHandle> make_kafka_handle(const KafkaLogOptions& options, rd_kafka_type_t type, const KafkaProperties& own,
                                      void (*prepare)(rd_kafka_conf_t*), std::function<void(std::string_view)> lines) {
  KafkaProperties all = {
      {"bootstrap.servers", options.brokers},
      {"client.id", "weir-" + options.pipeline},
      {"socket.nagle.disable", "true"},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
      {"topic.metadata.refresh.interval.ms", "60000"},
      {"log_level", std::to_string(kLogInfo)},
  };
  for (const auto& [name, value] : properties_of(options.security)) all[name] = value;
  for (const auto& [name, value] : own) all[name] = value;
  for (const auto& [name, value] : options.properties)
    if (!all.emplace(name, value).second)
      return Error{ErrorCode::kConfig, "log.properties: '" + name + "': Weir sets it itself; leave it out"};
  KafkaPtr<rd_kafka_conf_t> conf(rd_kafka_conf_new());
  std::array<char, 512> text;
  for (const auto& [name, value] : all)
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK) {
      // The client's text may hold the value, and the value may be a secret.
      const bool shown = own.contains(name);
      return Error{ErrorCode::kConfig, "Kafka client property '" + name + "': refused" + (shown ? std::string(": ") + text.data() : "")};
    }
  KafkaHandle handle;
  handle.words->token = options.security.token;
  handle.words->lines = std::move(lines);
  if (handle.words->token) {
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf.get(), refresh_token);
    rd_kafka_conf_enable_sasl_queue(conf.get(), 1);
  }
  rd_kafka_conf_set_opaque(conf.get(), handle.words.get());
  rd_kafka_conf_set_log_cb(conf.get(), keep_last_words);
  if (prepare != nullptr) prepare(conf.get());
  handle.client.reset(rd_kafka_new(type, conf.get(), text.data(), text.size()), [words = handle.words](rd_kafka_t* client) {
    if (client == nullptr) return;
    // Consumers here are in no group: there is nothing to leave, and a close can block for ever (librdkafka < 2.1).
    const auto destroy = [client, words] { rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); };
    words->left = !close_within(destroy, kCloseLimit);
  });
  if (!handle.client) return Error{ErrorCode::kConfig, std::string("Kafka client: ") + text.data()};
  conf.release();  // Now the client's.
  // On a thread of the client's own: not every handle is polled, and none of them all the time.
  if (handle.words->token)
    if (rd_kafka_error_t* error = rd_kafka_sasl_background_callbacks_enable(handle.get()); error != nullptr)
      return classify(handle.get(), error, "asking for tokens").error;
  return handle;
}

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::open(const KafkaLogOptions& options, std::function<void(std::string_view)> lines) {
  std::unique_ptr<KafkaAdmin> out(new KafkaAdmin(options));
  // A consumer, so that it asks for ends as a reader of committed data.
  KafkaProperties own = {{"isolation.level", "read_committed"},
                         {"enable.auto.commit", "false"},
                         // Asking for ends keeps to no other limit where a broker stands still.
                         {"socket.timeout.ms", std::to_string(kCallLimitMs)}};
  if (lines) own["debug"] = "feature";
  TRY_ASSIGN(out->handle_, make_kafka_handle(options, RD_KAFKA_CONSUMER, own, nullptr, std::move(lines)));
  const std::string what = "looking for brokers at '" + options.brokers + "'";
  bool refused = false;
  TRY(until_it_works(options.reach_limit, what, out->handle_, [&] {
    const rd_kafka_metadata_t* found = nullptr;
    const auto code = rd_kafka_metadata(out->handle_.get(), 0, nullptr, &found, std::min(call_limit_ms(options), kFirstCallMs));
    if (found != nullptr) rd_kafka_metadata_destroy(found);
    refused = code != RD_KAFKA_RESP_ERR_NO_ERROR && out->handle_.words->refused_for() >= kRefusedMax;
    return refused ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
  }));
  if (refused) return Error{ErrorCode::kConfig, "Kafka, " + what + ": turned away" + out->handle_.said() + refusal_advice(options.security, out->handle_.said())};
  // Never without: a local store of another cluster is emptied.
  TRY(until_it_works(options.reach_limit, "asking '" + options.brokers + "' for the id of the cluster", out->handle_, [&] {
    char* id = rd_kafka_clusterid(out->handle_.get(), call_limit_ms(options));
    if (id == nullptr) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    out->cluster_id_ = id;
    rd_kafka_mem_free(out->handle_.get(), id);
    return out->cluster_id_.empty() ? RD_KAFKA_RESP_ERR__TIMED_OUT : RD_KAFKA_RESP_ERR_NO_ERROR;
  }));
  return out;
}

Result<std::map<std::string, std::int32_t>> KafkaAdmin::partitions(const std::vector<std::string>& topics, std::optional<Duration> limit) const {
  std::map<std::string, std::int32_t> out;
  const std::string what = "metadata of " + (topics.size() == 1 ? "topic '" + topics[0] + "'" : "the pipeline's topics");
  std::vector<KafkaPtr<rd_kafka_topic_t>> handles;  // One request asks for all topics that the client has a handle of.
  for (const std::string& topic : topics) {
    handles.emplace_back(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
    if (!handles.back()) return kafka_error(rd_kafka_last_error(), "topic '" + topic + "'");
  }
  std::map<std::string, rd_kafka_resp_err_t> failed;
  TRY(until_it_works(limit.value_or(options_.reach_limit), what, handle_, [&] {
    out.clear();
    failed.clear();
    const rd_kafka_metadata_t* raw = nullptr;
    const auto code = rd_kafka_metadata(handle_.get(), 0, nullptr, &raw, std::min(call_limit_ms(options_), milliseconds(limit.value_or(options_.reach_limit))));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    const KafkaPtr<const rd_kafka_metadata_t> found(raw);
    for (int i = 0; i < found->topic_cnt; ++i) {
      const rd_kafka_metadata_topic_t& topic = found->topics[i];
      if (std::find(topics.begin(), topics.end(), topic.topic) == topics.end()) continue;
      if (topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) return topic.err;
      if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR) failed[topic.topic] = topic.err;
      else if (topic.partition_cnt > 0) out[topic.topic] = topic.partition_cnt;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }));
  for (const auto& [topic, code] : failed)
    if (code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && code != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
      return kafka_error(code, "metadata of topic '" + topic + "'");
  return out;
}

template <class Send>
Result<KafkaPtr<rd_kafka_event_t>> KafkaAdmin::ask(rd_kafka_admin_op_t op, std::string_view what, Send&& send, bool try_only) const {
  KafkaPtr<rd_kafka_event_t> answer;
  TRY(until_it_works(options_.reach_limit, std::string(what), handle_, [&] {
    const KafkaPtr<rd_kafka_queue_t> queue(rd_kafka_queue_new(handle_.get()));
    const KafkaPtr<rd_kafka_AdminOptions_t> options(rd_kafka_AdminOptions_new(handle_.get(), op));
    std::array<char, 256> text;
    rd_kafka_AdminOptions_set_request_timeout(options.get(), 2 * kCallLimitMs, text.data(), text.size());
    if (try_only) rd_kafka_AdminOptions_set_validate_only(options.get(), 1, text.data(), text.size());
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS)
      rd_kafka_AdminOptions_set_operation_timeout(options.get(), 2 * kCallLimitMs, text.data(), text.size());
    send(options.get(), queue.get());
    answer.reset(rd_kafka_queue_poll(queue.get(), 3 * kCallLimitMs));
    return answer ? rd_kafka_event_error(answer.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
  }));
  return answer;
}

Result<std::vector<KafkaAdmin::Broker>> KafkaAdmin::brokers() const {
  std::vector<Broker> out;
  TRY(until_it_works(options_.reach_limit, "list of brokers", handle_, [&] {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto code = rd_kafka_metadata(handle_.get(), 0, nullptr, &raw, call_limit_ms(options_));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    const KafkaPtr<const rd_kafka_metadata_t> found(raw);
    out.clear();
    for (int i = 0; i < found->broker_cnt; ++i)
      out.push_back({found->brokers[i].id, std::string(found->brokers[i].host) + ":" + std::to_string(found->brokers[i].port)});
    return code;
  }));
  std::ranges::sort(out, {}, &Broker::id);
  return out;
}

Result<KafkaAdmin::TopicLook> KafkaAdmin::look(const std::string& topic) const {
  const KafkaPtr<rd_kafka_topic_t> handle(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
  if (!handle) return kafka_error(rd_kafka_last_error(), "topic '" + topic + "'");
  TopicLook out;
  TRY(until_it_works(options_.reach_limit, "metadata of topic '" + topic + "'", handle_, [&] {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto code = rd_kafka_metadata(handle_.get(), 0, handle.get(), &raw, call_limit_ms(options_));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    const KafkaPtr<const rd_kafka_metadata_t> found(raw);
    out = {};
    out.error = found->topic_cnt == 1 ? found->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (out.error != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    const rd_kafka_metadata_topic_t& it = found->topics[0];
    out.partitions = it.partition_cnt;
    for (int i = 0; i < it.partition_cnt; ++i) {
      if (it.partitions[i].leader < 0) ++out.without_leader;
      out.replicas_min = i == 0 ? it.partitions[i].replica_cnt : std::min(out.replicas_min, it.partitions[i].replica_cnt);
      out.in_sync_min = i == 0 ? it.partitions[i].isr_cnt : std::min(out.in_sync_min, it.partitions[i].isr_cnt);
    }
    return code;
  }));
  if (out.error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) out.error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  return out;
}

Result<void> KafkaAdmin::create(const std::vector<NewTopic>& topics, bool try_only) const {
  std::array<char, 256> text;
  std::vector<KafkaPtr<rd_kafka_NewTopic_t>> made;
  std::vector<rd_kafka_NewTopic_t*> list;
  std::map<std::string, std::int32_t> partitions;
  std::string what = "creating";
  for (const NewTopic& topic : topics) {
    what += (made.empty() ? " topic '" : ", '") + topic.name + "'";
    made.emplace_back(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, /*the brokers' default*/ -1, text.data(), text.size()));
    if (!made.back()) return Error{ErrorCode::kConfig, "Kafka, creating topic '" + topic.name + "': " + text.data()};
    for (const auto& [name, value] : topic.settings) rd_kafka_NewTopic_set_config(made.back().get(), name.c_str(), value.c_str());
    list.push_back(made.back().get());
    partitions[topic.name] = topic.partitions;
  }
  if (list.empty()) return {};
  TRY_ASSIGN(const auto answer, ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, what, [&](auto* options, auto* queue) {
               rd_kafka_CreateTopics(handle_.get(), list.data(), list.size(), options, queue);
             }, try_only));
  std::size_t count = 0;
  const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  TRY(error_of_topics(results, count, "creating", RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS));
  if (try_only) return {};
  return wait_for_leaders(partitions);
}

Result<void> KafkaAdmin::add_partitions(const std::string& topic, std::int32_t to) const {
  std::array<char, 256> text;
  const std::string what = "adding partitions to topic '" + topic + "'";
  const KafkaPtr<rd_kafka_NewPartitions_t> more(
      rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(to), text.data(), text.size()));
  if (!more) return Error{ErrorCode::kConfig, "Kafka, " + what + ": " + text.data()};
  rd_kafka_NewPartitions_t* list[] = {more.get()};
  TRY_ASSIGN(const auto answer, ask(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, what, [&](auto* options, auto* queue) {
               rd_kafka_CreatePartitions(handle_.get(), list, 1, options, queue);
             }));
  std::size_t count = 0;
  const auto* results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(answer.get()), &count);
  TRY(error_of_topics(results, count, "adding partitions to", RD_KAFKA_RESP_ERR_INVALID_PARTITIONS));  // Another process was quicker.
  return wait_for_leaders({{topic, to}});
}

Result<void> KafkaAdmin::wait_for_leaders(const std::map<std::string, std::int32_t>& partitions) const {
  std::vector<KafkaPtr<rd_kafka_topic_t>> handles;
  for (const auto& [topic, count] : partitions) {
    handles.emplace_back(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
    if (!handles.back()) return kafka_error(rd_kafka_last_error(), "topic '" + topic + "'");
  }
  return until_it_works(options_.reach_limit, "leaders of topic '" + partitions.begin()->first + "'" + (partitions.size() > 1 ? " and others" : ""), handle_, [&] {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto code = rd_kafka_metadata(handle_.get(), 0, nullptr, &raw, call_limit_ms(options_));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
    const KafkaPtr<const rd_kafka_metadata_t> found(raw);
    std::size_t whole = 0;
    for (int i = 0; i < found->topic_cnt; ++i) {
      const rd_kafka_metadata_topic_t& topic = found->topics[i];
      const auto wanted = partitions.find(topic.topic);
      if (wanted == partitions.end() || topic.err != RD_KAFKA_RESP_ERR_NO_ERROR || topic.partition_cnt < wanted->second) continue;
      if (std::all_of(topic.partitions, topic.partitions + topic.partition_cnt, [](const auto& partition) { return partition.leader >= 0; })) ++whole;
    }
    return whole == partitions.size() ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
  });
}

Result<std::map<std::string, KafkaAdmin::Settings>> KafkaAdmin::settings(const std::vector<std::string>& topics) const {
  return settings(RD_KAFKA_RESOURCE_TOPIC, "topic", topics);
}

Result<KafkaAdmin::Settings> KafkaAdmin::broker_settings(std::int32_t id) const {
  const std::string name = std::to_string(id);
  TRY_ASSIGN(auto found, settings(RD_KAFKA_RESOURCE_BROKER, "broker", {name}));
  return std::move(found[name]);
}

Result<std::map<std::string, KafkaAdmin::Settings>> KafkaAdmin::settings(rd_kafka_ResourceType_t type, const std::string& kind,
                                                                         const std::vector<std::string>& names) const {
  std::map<std::string, Settings> out;
  if (names.empty()) return out;
  const std::string what = "settings of " + kind + " '" + names[0] + "'" + (names.size() > 1 ? " and others" : "");
  std::vector<KafkaPtr<rd_kafka_ConfigResource_t>> resources;
  std::vector<rd_kafka_ConfigResource_t*> list;
  for (const std::string& name : names) {
    resources.emplace_back(rd_kafka_ConfigResource_new(type, name.c_str()));
    list.push_back(resources.back().get());
  }
  TRY_ASSIGN(const auto answer, ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, what, [&](auto* options, auto* queue) {
               rd_kafka_DescribeConfigs(handle_.get(), list.data(), list.size(), options, queue);
             }));
  std::size_t count = 0;
  const auto* found = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = rd_kafka_ConfigResource_name(found[i]);
    if (const auto code = rd_kafka_ConfigResource_error(found[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* text = rd_kafka_ConfigResource_error_string(found[i]);
      return kafka_error(code, "settings of " + kind + " '" + name + "'", text != nullptr ? text : "");
    }
    std::size_t entries = 0;
    const auto* entry = rd_kafka_ConfigResource_configs(found[i], &entries);
    for (std::size_t j = 0; j < entries; ++j) {
      const char* value = rd_kafka_ConfigEntry_value(entry[j]);
      out[name][rd_kafka_ConfigEntry_name(entry[j])] = {value != nullptr ? value : "",
                                                        rd_kafka_ConfigEntry_source(entry[j]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG};
    }
  }
  return out;
}

Result<void> KafkaAdmin::change_settings(const std::string& topic, const KafkaProperties& changes) const {
  // AlterConfigs puts all of a topic's own settings in place of the old ones: those that stay are given again.
  TRY_ASSIGN(const auto now, settings(topic));
  KafkaProperties all;
  for (const auto& [name, setting] : now)
    if (setting.own) all[name] = setting.value;
  for (const auto& [name, value] : changes) all[name] = value;
  const std::string what = "changing settings of topic '" + topic + "'";
  const KafkaPtr<rd_kafka_ConfigResource_t> resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  for (const auto& [name, value] : all) rd_kafka_ConfigResource_set_config(resource.get(), name.c_str(), value.c_str());
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  TRY_ASSIGN(const auto answer, ask(RD_KAFKA_ADMIN_OP_ALTERCONFIGS, what, [&](auto* options, auto* queue) {
               rd_kafka_AlterConfigs(handle_.get(), list, 1, options, queue);
             }));
  std::size_t count = 0;
  const auto* results = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i)
    if (const auto code = rd_kafka_ConfigResource_error(results[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* text = rd_kafka_ConfigResource_error_string(results[i]);
      return kafka_error(code, what, text != nullptr ? text : "");
    }
  return {};
}

Result<KafkaAdmin::Watermarks> KafkaAdmin::watermarks(const std::string& topic, PartitionId partition, std::optional<Duration> limit) const {
  return query_watermarks(handle_, topic, partition, limit.value_or(options_.reach_limit));
}

Result<Offset> KafkaAdmin::appended_end(const std::string& topic, PartitionId partition) const {
  std::lock_guard lock(mutex_);
  if (!uncommitted_.client) {
    TRY_ASSIGN(uncommitted_, make_kafka_handle(options_, RD_KAFKA_CONSUMER,
                                               {{"isolation.level", "read_uncommitted"},
                                                {"enable.auto.commit", "false"},
                                                {"socket.timeout.ms", std::to_string(kCallLimitMs)}}));
  }
  TRY_ASSIGN(const Watermarks marks, query_watermarks(uncommitted_, topic, partition, options_.reach_limit));
  return marks.end;
}

Result<KafkaAdmin::Watermarks> query_watermarks(const KafkaHandle& handle, const std::string& topic, PartitionId partition, Duration limit) {
  std::int64_t low = 0, high = 0;
  TRY(until_it_works(limit, "ends of topic '" + topic + "' partition " + std::to_string(partition.value), handle, [&] {
    return rd_kafka_query_watermark_offsets(handle.get(), topic.c_str(), partition.value, &low, &high, std::clamp(milliseconds(limit), 1, kCallLimitMs));
  }));
  return KafkaAdmin::Watermarks{Offset(low), Offset(high)};
}

}  // namespace weir
