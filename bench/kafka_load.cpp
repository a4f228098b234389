#include "bench/kafka_load.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace weir::bench {
namespace {

constexpr int kAdminMs = 30'000;
constexpr int kNoBroker = 77;  // scripts/kafka.sh: there can be none on this machine.

using Setting = std::pair<const char*, std::string>;

RdKafka make_client(rd_kafka_type_t type, const std::string& brokers, std::vector<Setting> settings,
                    void (*delivered)(rd_kafka_t*, const rd_kafka_message_t*, void*) = nullptr, void* opaque = nullptr) {
  settings.insert(settings.begin(), {{"bootstrap.servers", brokers}, {"socket.nagle.disable", "true"}, {"log_level", "3"}});
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> text;
  for (const auto& [name, value] : settings)
    if (rd_kafka_conf_set(conf, name, value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK) give_up(text.data());
  if (delivered != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_conf_set_opaque(conf, opaque);
  RdKafka client(rd_kafka_new(type, conf, text.data(), text.size()));
  if (!client) give_up(text.data());
  return client;
}

// Sends one request of the admin interface, waits, and gives up on a refusal.
template <class Send>
void ask(rd_kafka_t* client, rd_kafka_admin_op_t operation, const std::string& what, Send&& send) {
  rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(client, operation);
  std::array<char, 256> text;
  rd_kafka_AdminOptions_set_operation_timeout(options, kAdminMs, text.data(), text.size());
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  send(options, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 2 * kAdminMs);
  if (event == nullptr) give_up(what + ": no answer");
  std::string problem = rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_event_error_string(event) : "";
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = nullptr;
  if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS)
    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  else
    results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
  for (std::size_t i = 0; i < count; ++i)
    if (const auto code = rd_kafka_topic_result_error(results[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR)
      problem = std::string(rd_kafka_topic_result_name(results[i])) + ": " + rd_kafka_err2str(code);
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_AdminOptions_destroy(options);
  if (!problem.empty()) give_up(what + ": " + problem);
}

void note_delivery(rd_kafka_t* client, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++*static_cast<std::atomic<std::int64_t>*>(rd_kafka_opaque(client));
}

bool is_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

int free_port() {
  constexpr int kControllerAbove = 100;  // scripts/kafka.sh
  for (int tries = 0, port = 20000 + ::getpid() % 9000; tries < 1000; ++tries, port = 20000 + (port + 7) % 9000)
    if (is_free(port) && is_free(port + kControllerAbove)) return port;
  give_up("no free port for a Kafka broker");
}

std::int64_t integer_after(std::string_view json, std::string_view name) {
  const std::size_t at = json.find(name);
  std::int64_t value = -1;
  if (at != std::string_view::npos) std::from_chars(json.data() + at + name.size(), json.data() + json.size(), value);
  return value;
}

}  // namespace

KafkaBroker::KafkaBroker() {
  end_.emplace([this] {
    if (directory_.empty()) return;
    script({"kill"}, false);
    remove(directory_);
  });
  if (const char* given = std::getenv("WEIR_KAFKA"); given != nullptr) {
    address_ = given;
    return;
  }
  const char* port = std::getenv("KAFKA_PORT");
  port_ = port != nullptr ? port : std::to_string(free_port());
  directory_ = scratch("kafka");
  script({"start", "--fresh", "--brokers", "1"}, true);
  std::ifstream log(directory_ + ".log");
  for (std::string line; std::getline(log, line);)
    if (!line.empty()) address_ = line;  // The last one.
}

void KafkaBroker::script(const std::vector<std::string>& arguments, bool must_work) {
  std::vector<std::string> command = {"/usr/bin/env", "KAFKA_DIR=" + directory_, "KAFKA_PORT=" + port_, source_path("scripts/kafka.sh")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const std::string log = directory_ + ".log";
  const int code = Child::start(command, log).wait().exit_code;
  if (code == 0 || !must_work) return;
  std::ifstream in(log);
  std::stringstream text;
  text << in.rdbuf();
  if (code == kNoBroker) give_up("there can be no Kafka broker on this machine: " + text.str(), kNoBroker);
  give_up("scripts/kafka.sh " + arguments[0] + ": " + text.str());
}

void create_topics(const JobTopics& topics) {
  const RdKafka client = make_client(RD_KAFKA_PRODUCER, topics.brokers, {});
  std::vector<rd_kafka_NewTopic_t*> wanted;
  std::array<char, 256> text;
  for (const std::string& name : {topics.logs(), topics.outcomes(), topics.predictions()}) {
    wanted.push_back(rd_kafka_NewTopic_new(name.c_str(), topics.partitions, 1, text.data(), text.size()));
    if (wanted.back() == nullptr) give_up(text.data());
    if (name == topics.predictions()) rd_kafka_NewTopic_set_config(wanted.back(), "message.timestamp.type", "LogAppendTime");
  }
  ask(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, "making topics", [&](const auto* options, auto* queue) {
    rd_kafka_CreateTopics(client.get(), wanted.data(), wanted.size(), options, queue);
  });
  rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
}

void delete_topics(const JobTopics& topics) {
  const RdKafka client = make_client(RD_KAFKA_PRODUCER, topics.brokers, {});
  const rd_kafka_metadata_t* found = nullptr;
  if (const auto code = rd_kafka_metadata(client.get(), 1, nullptr, &found, kAdminMs); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    give_up(std::string("topics of the broker: ") + rd_kafka_err2str(code));
  std::vector<rd_kafka_DeleteTopic_t*> wanted;
  for (int i = 0; i < found->topic_cnt; ++i)
    if (std::string_view(found->topics[i].topic).starts_with(topics.name)) wanted.push_back(rd_kafka_DeleteTopic_new(found->topics[i].topic));
  rd_kafka_metadata_destroy(found);
  if (wanted.empty()) return;
  ask(client.get(), RD_KAFKA_ADMIN_OP_DELETETOPICS, "deleting topics", [&](const auto* options, auto* queue) {
    rd_kafka_DeleteTopics(client.get(), wanted.data(), wanted.size(), options, queue);
  });
  rd_kafka_DeleteTopic_destroy_array(wanted.data(), wanted.size());
}

EndOfTopic::EndOfTopic(const std::string& brokers, std::string topic)
    : client_(make_client(RD_KAFKA_CONSUMER, brokers, {{"group.id", "bench"}, {"isolation.level", "read_uncommitted"}})), topic_(std::move(topic)) {}

std::int64_t EndOfTopic::get(int partition) const {
  std::int64_t begin = 0, end = 0;
  const auto code = rd_kafka_query_watermark_offsets(client_.get(), topic_.c_str(), partition, &begin, &end, kAdminMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("the end of " + topic_ + ": " + rd_kafka_err2str(code));
  return end;
}

Sender::Sender(const std::string& brokers, int linger_ms)
    : client_(make_client(RD_KAFKA_PRODUCER, brokers,
                          {{"linger.ms", std::to_string(linger_ms)},
                           // As producers are by default: who has five requests on the way sends what comes meanwhile together.
                           // Without that bound a broker that takes 0.5 ms for each, one after the other, falls behind for good.
                           {"max.in.flight.requests.per.connection", "5"},
                           {"queue.buffering.max.messages", "2000000"},
                           {"queue.buffering.max.kbytes", "1000000"}},
                          note_delivery, &refused_)) {}

void Sender::send(const std::string& topic, int partition, std::string_view key, std::string_view value, std::int64_t time_us) {
  while (rd_kafka_producev(client_.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                           RD_KAFKA_V_KEY(const_cast<char*>(key.data()), key.size()), RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                           RD_KAFKA_V_TIMESTAMP(time_us / 1000), RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
    rd_kafka_poll(client_.get(), 5);
}

void Sender::poll() { rd_kafka_poll(client_.get(), 0); }

void Sender::flush() {
  const double until = now_seconds() + 60.0;
  while (rd_kafka_outq_len(client_.get()) > 0 && now_seconds() < until) rd_kafka_poll(client_.get(), 10);
  if (rd_kafka_outq_len(client_.get()) > 0 || refused_ > 0)
    give_up("sending: " + std::to_string(rd_kafka_outq_len(client_.get())) + " records wait, " + std::to_string(refused_) + " were refused");
}

SeenPrediction parse_prediction(std::string_view json) {
  SeenPrediction out;
  out.id = integer_after(json, "\"id\":");
  out.partition = integer_after(json, "\"partition\":");
  out.offset = integer_after(json, "\"offset\":");
  out.n = integer_after(json, "\"n\":");
  out.steps = integer_after(json, "\"steps\":");
  if (out.steps >= 0) return out;
  const std::size_t version = json.find("\"model_version\":\"");  // "partition/steps"
  if (version != std::string_view::npos) out.steps = integer_after(json.substr(version), "/");
  return out;
}

Reader::Reader(const std::string& brokers, const std::string& topic, const std::vector<std::int64_t>& from, bool committed)
    : client_(make_client(RD_KAFKA_CONSUMER, brokers,
                          {{"group.id", "bench"},
                           {"enable.auto.commit", "false"},
                           {"isolation.level", committed ? "read_committed" : "read_uncommitted"},
                           {"auto.offset.reset", "earliest"},
                           {"fetch.wait.max.ms", "5"},
                           {"fetch.error.backoff.ms", "5"}})) {
  rd_kafka_poll_set_consumer(client_.get());
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(static_cast<int>(from.size()));
  for (std::size_t p = 0; p < from.size(); ++p) rd_kafka_topic_partition_list_add(list, topic.c_str(), static_cast<int>(p))->offset = from[p];
  const auto code = rd_kafka_assign(client_.get(), list);
  rd_kafka_topic_partition_list_destroy(list);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("reading " + topic + ": " + rd_kafka_err2str(code));
}

Reader::Message Reader::next(int wait_ms) {
  Message message(rd_kafka_consumer_poll(client_.get(), wait_ms));
  if (message != nullptr && message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {  // The client goes on by itself.
    note(std::string("reading: ") + rd_kafka_message_errstr(message.get()));
    message.reset();
  }
  return message;
}

Arrivals::Arrivals(const JobTopics& topics, std::int64_t ids, bool committed) : at_(static_cast<std::size_t>(ids)) {
  thread_ = std::thread([this, topics, committed] {
    Reader reader(topics.brokers, topics.predictions(), std::vector<std::int64_t>(static_cast<std::size_t>(topics.partitions), Reader::kBegin), committed);
    while (!stop_) {
      const Reader::Message message = reader.next(20);
      if (message == nullptr) continue;
      const double now = now_seconds();
      const std::int64_t id = integer_after({static_cast<const char*>(message->payload), message->len}, "\"id\":");
      if (id < 0 || static_cast<std::size_t>(id) >= at_.size()) continue;  // Of later, when nobody asks any more.
      double never = 0.0;
      if (!at_[static_cast<std::size_t>(id)].compare_exchange_strong(never, now)) continue;
      if (count_.fetch_add(1) == 0) first_ = id;
    }
  });
}

Arrivals::~Arrivals() {
  stop_ = true;
  thread_.join();
}

void sleep_until_seconds(double when) {
  const auto ns = static_cast<std::int64_t>(when * 1e9);
  const timespec at{ns / 1'000'000'000, ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {}
}

}  // namespace weir::bench
