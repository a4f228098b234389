#include "tests/support/kafka_broker.hpp"

#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "tests/support/run_process.hpp"

namespace weir {
namespace {

constexpr int kSkipped = 77;  // What ctest is told to take as "skipped".
constexpr int kControllerAbove = 100;
int broker_count = 1;
constexpr int kListenerAbove = 200;
std::vector<std::string> start_arguments;
std::string start_version;

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
  const auto fits = [](int port) {
    for (int i = 0; i < broker_count; ++i)
      if (!is_free(port + i) || !is_free(port + kControllerAbove + i) || !is_free(port + kListenerAbove + i) ||
          !is_free(port + kListenerAbove + 100 + i))
        return false;
    return true;
  };
  for (int tries = 0, port = 20000 + ::getpid() % 9000; tries < 1000; ++tries, port = 20000 + (port + 7) % 9000)
    if (fits(port)) return port;
  throw std::runtime_error("no free port for a Kafka broker");
}

class Broker {
 public:
  Broker() {
    if (const char* given = std::getenv("WEIR_KAFKA"); given != nullptr) {
      brokers_ = given;
      return;
    }
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
    env_ = {{"KAFKA_DIR", std::string(WEIR_BINARY_DIR) + "/kafka/" + self.filename().string()}, {"KAFKA_PORT", std::to_string(free_port())}};
    if (!start_version.empty()) env_.emplace_back("KAFKA_VERSION", start_version);
    std::vector<std::string> arguments = {"start", "--fresh", "--brokers", std::to_string(broker_count)};
    arguments.insert(arguments.end(), start_arguments.begin(), start_arguments.end());
    const ProcessResult started = script(std::move(arguments));
    if (started.exit_code == kSkipped) {
      std::fprintf(stderr, "\n*** SKIPPED: %s: no Kafka broker can be had on this machine\n%s\n", self.filename().c_str(), started.err.c_str());
      std::printf("*** SKIPPED: %s\n", self.filename().c_str());
      std::fflush(stdout);
      ::_exit(kSkipped);
    }
    if (started.exit_code != 0) throw std::runtime_error("scripts/kafka.sh start: " + started.err + started.out);
    std::string_view out = started.out;
    while (out.ends_with('\n')) out.remove_suffix(1);
    brokers_ = out.substr(out.rfind('\n') + 1);
  }
  ~Broker() {
    if (env_.empty()) return;
    script({"kill"});
    std::error_code ignored;
    std::filesystem::remove_all(env_[0].second, ignored);
  }
  const std::string& brokers() const { return brokers_; }
  ProcessResult script(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), (project_directory() / "scripts/kafka.sh").string());
    ProcessOptions options;
    options.env = env_;
    return run_process(std::move(arguments), options);
  }

 private:
  std::string brokers_;
  std::vector<std::pair<std::string, std::string>> env_;
};

Broker& broker() {
  static Broker only;
  return only;
}

std::vector<std::string> topics_with(rd_kafka_t* client, const std::string& prefix) {
  const rd_kafka_metadata_t* found = nullptr;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!wait_until([&] { return (code = rd_kafka_metadata(client, 1, nullptr, &found, 10'000)) == RD_KAFKA_RESP_ERR_NO_ERROR; }))
    throw std::runtime_error(std::string("topics of the broker: ") + rd_kafka_err2str(code));
  std::vector<std::string> out;
  for (int i = 0; i < found->topic_cnt; ++i)
    if (std::string name = found->topics[i].topic; name.starts_with(prefix)) out.push_back(std::move(name));
  rd_kafka_metadata_destroy(found);
  return out;
}

bool has_topic(rd_kafka_t* client, const std::string& topic) {
  const auto found = topics_with(client, topic);
  return std::find(found.begin(), found.end(), topic) != found.end();
}

rd_kafka_t* make_client(rd_kafka_type_t type = RD_KAFKA_PRODUCER, const std::map<std::string, std::string>& settings = {},
                        void (*delivered)(rd_kafka_t*, const rd_kafka_message_t*, void*) = nullptr) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  if (delivered != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});  // Brokers die here.
  char text[256];
  rd_kafka_conf_set(conf, "bootstrap.servers", kafka_brokers().c_str(), text, sizeof text);
  for (const auto& [name, value] : settings) rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text);
  rd_kafka_t* client = rd_kafka_new(type, conf, text, sizeof text);
  if (client == nullptr) throw std::runtime_error(text);
  return client;
}

// Sends an admin request and waits for its answer. Returns what is wrong; "" if nothing. `fault`: the same of the answer's
// parts.
std::string ask(rd_kafka_t* client, const std::function<void(rd_kafka_queue_t*)>& send,
                const std::function<std::string(rd_kafka_event_t*)>& fault = nullptr) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  send(queue);
  rd_kafka_event_t* done = rd_kafka_queue_poll(queue, 10'000);
  std::string error = done == nullptr ? "no answer" : rd_kafka_event_error(done) != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_event_error_string(done) : "";
  if (error.empty() && fault) error = fault(done);
  if (done != nullptr) rd_kafka_event_destroy(done);
  rd_kafka_queue_destroy(queue);
  return error;
}

// The same by a client of its own. Throws what is wrong, of `doing`.
void administer(const std::string& doing, const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& send,
                const std::function<std::string(rd_kafka_event_t*)>& fault = nullptr) {
  rd_kafka_t* client = make_client();
  const std::string error = ask(client, [&](rd_kafka_queue_t* queue) { send(client, queue); }, fault);
  rd_kafka_destroy(client);
  if (!error.empty()) throw std::runtime_error(doing + ": " + error);
}

}  // namespace

void set_kafka_start(std::vector<std::string> arguments, std::string version) {
  start_arguments = std::move(arguments);
  start_version = std::move(version);
}

const std::string& kafka_brokers() { return broker().brokers(); }

std::string kafka_listener() {
  const std::string& plain = kafka_brokers();
  const std::size_t colon = plain.rfind(':');
  return plain.substr(0, colon + 1) + std::to_string(std::stoi(plain.substr(colon + 1)) + kListenerAbove);
}

void set_kafka_broker_count(int count) { broker_count = count; }

void kafka_command(const std::string& command, int node) {
  std::vector<std::string> arguments = {command};
  if (node > 0) arguments.insert(arguments.end(), {"--node", std::to_string(node)});
  const ProcessResult done = broker().script(std::move(arguments));
  if (done.exit_code != 0) throw std::runtime_error("scripts/kafka.sh " + command + ": " + done.err);
}

void make_kafka_anew() {
  std::vector<std::string> arguments = {"start", "--fresh", "--brokers", std::to_string(broker_count)};
  arguments.insert(arguments.end(), start_arguments.begin(), start_arguments.end());
  const ProcessResult done = broker().script(std::move(arguments));
  if (done.exit_code != 0) throw std::runtime_error("scripts/kafka.sh start --fresh: " + done.err);
}

void delete_kafka_topics(const std::string& prefix) {
  rd_kafka_t* client = make_client();
  for (std::vector<std::string> topics; !(topics = topics_with(client, prefix)).empty(); pause_between_polls()) {
    std::vector<rd_kafka_DeleteTopic_t*> list;
    for (const std::string& topic : topics) list.push_back(rd_kafka_DeleteTopic_new(topic.c_str()));
    ask(client, [&](rd_kafka_queue_t* queue) { rd_kafka_DeleteTopics(client, list.data(), list.size(), nullptr, queue); });
    rd_kafka_DeleteTopic_destroy_array(list.data(), list.size());
  }
  rd_kafka_destroy(client);
}

void create_kafka_topic(const std::string& topic, int partitions, const std::map<std::string, std::string>& settings) {
  rd_kafka_t* client = make_client();
  const std::string error = ask(
      client,
      [&](rd_kafka_queue_t* queue) {
        char text[256] = "";
        rd_kafka_NewTopic_t* made = rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, text, sizeof text);
        for (const auto& [name, value] : settings) rd_kafka_NewTopic_set_config(made, name.c_str(), value.c_str());
        rd_kafka_CreateTopics(client, &made, 1, nullptr, queue);
        rd_kafka_NewTopic_destroy(made);
      },
      [](rd_kafka_event_t* done) {
        std::string out;
        std::size_t count = 0;
        const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(done), &count);
        for (std::size_t i = 0; i < count; ++i)
          if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) out = rd_kafka_topic_result_error_string(results[i]);
        return out;
      });
  if (error.empty()) wait_until([&] { return has_topic(client, topic); });
  rd_kafka_destroy(client);
  if (!error.empty()) throw std::runtime_error("creating topic " + topic + ": " + error);
}

std::vector<KafkaRecord> read_kafka(const std::string& topic, int partition) {
  rd_kafka_t* client = make_client(RD_KAFKA_CONSUMER, {{"group.id", "test"}, {"enable.partition.eof", "true"}, {"enable.auto.commit", "false"},
                                                        {"fetch.wait.max.ms", "10"}, {"reconnect.backoff.max.ms", "500"}});
  if (!has_topic(client, topic)) {  // The client would wait half a minute for it.
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return {};
  }
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  std::vector<KafkaRecord> out;
  std::string error;
  for (bool ended = false; !ended && error.empty();) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, static_cast<int>(kHangLimit.count()));  // The broker may be away.
    if (message == nullptr) {
      error = "nothing came";
      break;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ended = true;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      KafkaRecord record;
      record.offset = message->offset;
      if (message->key != nullptr) record.key.emplace(static_cast<const char*>(message->key), message->key_len);
      if (message->payload != nullptr) record.value.emplace(static_cast<const char*>(message->payload), message->len);
      rd_kafka_headers_t* headers = nullptr;
      const char* name = nullptr;
      const void* value = nullptr;
      std::size_t bytes = 0;
      if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
          record.headers.emplace_back(name, std::string(static_cast<const char*>(value), bytes));
      out.push_back(std::move(record));
    } else if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT && message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
      error = rd_kafka_message_errstr(message);
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  if (!error.empty()) throw std::runtime_error("reading " + topic + ": " + error);
  return out;
}

KafkaCounter::KafkaCounter(std::string topic, int partitions)
    : topic_(std::move(topic)), partitions_(partitions),
      client_(make_client(RD_KAFKA_CONSUMER, {{"group.id", "test"}, {"enable.auto.commit", "false"}, {"fetch.wait.max.ms", "10"}, {"reconnect.backoff.max.ms", "500"}})) {
  rd_kafka_poll_set_consumer(client_);
}

KafkaCounter::~KafkaCounter() { rd_kafka_destroy_flags(client_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }

std::size_t KafkaCounter::count() {
  if (!assigned_) {
    if (!has_topic(client_, topic_)) return 0;  // The client would not look for it again for long.
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions_);
    for (int partition = 0; partition < partitions_; ++partition)
      rd_kafka_topic_partition_list_add(list, topic_.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client_, list);
    rd_kafka_topic_partition_list_destroy(list);
    assigned_ = true;
  }
  for (int wait_ms = 10; rd_kafka_message_t* message = rd_kafka_consumer_poll(client_, wait_ms); wait_ms = 0) {
    std::string source;  // Of errors the client takes care.
    rd_kafka_headers_t* headers = nullptr;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
      for (const char* name : {"weir-source-partition", "weir-source-offset"}) {
        const void* value = nullptr;
        std::size_t bytes = 0;
        if (rd_kafka_header_get_last(headers, name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR) source.append(static_cast<const char*>(value), bytes) += '/';
      }
    if (!source.empty()) sources_.insert(std::move(source));
    rd_kafka_message_destroy(message);
  }
  return sources_.size();
}

void write_kafka(const std::string& topic, const std::vector<KafkaRecord>& records, int partition) {
  rd_kafka_t* client = make_client(RD_KAFKA_PRODUCER, {{"enable.idempotence", "true"}, {"message.max.bytes", "4194304"}, {"linger.ms", "1"}},
                                   [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
                                     if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                                       *static_cast<std::string*>(message->_private) = rd_kafka_err2str(message->err);
                                   });
  std::string error;
  for (const KafkaRecord& record : records) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
    for (const auto& [name, value] : record.headers)
      rd_kafka_header_add(headers, name.c_str(), -1, value.data(), static_cast<ssize_t>(value.size()));
    const std::string_view key = record.key ? std::string_view(*record.key) : std::string_view(nullptr, 0);
    const std::string_view value = record.value ? std::string_view(*record.value) : std::string_view(nullptr, 0);
    rd_kafka_resp_err_t code;
    while ((code = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                                     RD_KAFKA_V_KEY(key.data(), key.size()), RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                     RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(&error), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
      rd_kafka_poll(client, 10);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_headers_destroy(headers);
      error = rd_kafka_err2str(code);
      break;
    }
  }
  if (rd_kafka_flush(client, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR && error.empty()) error = "not all was acknowledged";
  rd_kafka_destroy(client);
  if (!error.empty()) throw std::runtime_error("writing " + topic + ": " + error);
}

void leave_kafka_transaction_open(const std::string& topic, const std::string& value) {
  rd_kafka_t* client = make_client(RD_KAFKA_PRODUCER, {{"transactional.id", topic + ".left-open"}, {"transaction.timeout.ms", "300000"}}, nullptr);
  const auto check = [&](rd_kafka_error_t* error) {
    if (error == nullptr) return;
    const std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    throw std::runtime_error("a transaction on " + topic + ": " + text);
  };
  check(rd_kafka_init_transactions(client, 30'000));
  check(rd_kafka_begin_transaction(client));
  const auto code = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_END);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || rd_kafka_flush(client, 30'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error("an uncommitted record for " + topic + " was not acknowledged");
  rd_kafka_destroy(client);  // Says nothing to the brokers.
}

void delete_kafka_records(const std::string& topic, int partition, std::int64_t before) {
  administer("deleting records of " + topic, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = before;
    rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(client, &records, 1, nullptr, queue);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
  });
}

void grow_kafka_topic(const std::string& topic, int partitions) {
  administer("adding partitions to " + topic, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    char text[256] = "";
    rd_kafka_NewPartitions_t* more = rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(partitions), text, sizeof text);
    rd_kafka_CreatePartitions(client, &more, 1, nullptr, queue);
    rd_kafka_NewPartitions_destroy(more);
  });
}

void deny_kafka(KafkaRight right, const std::string& topic) {
  administer(
      "denying a right to " + topic,
      [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
        char text[256] = "";
        rd_kafka_AclBinding_t* denied =
            rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL,
                                    "User:*", "*", right == KafkaRight::kRead ? RD_KAFKA_ACL_OPERATION_READ : RD_KAFKA_ACL_OPERATION_WRITE,
                                    RD_KAFKA_ACL_PERMISSION_TYPE_DENY, text, sizeof text);
        if (denied == nullptr) throw std::runtime_error(text);
        rd_kafka_CreateAcls(client, &denied, 1, nullptr, queue);
        rd_kafka_AclBinding_destroy(denied);
      },
      [](rd_kafka_event_t* done) {
        std::string out;
        std::size_t count = 0;
        const auto* results = rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(done), &count);
        for (std::size_t i = 0; i < count; ++i)
          if (const rd_kafka_error_t* failed = rd_kafka_acl_result_error(results[i]); failed != nullptr) out = rd_kafka_error_string(failed);
        return out;
      });
}

void allow_kafka_again() {
  administer("allowing everything again", [](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    char text[256] = "";
    rd_kafka_AclBindingFilter_t* all =
        rd_kafka_AclBindingFilter_new(RD_KAFKA_RESOURCE_ANY, nullptr, RD_KAFKA_RESOURCE_PATTERN_ANY, nullptr, nullptr, RD_KAFKA_ACL_OPERATION_ANY,
                                      RD_KAFKA_ACL_PERMISSION_TYPE_ANY, text, sizeof text);
    rd_kafka_DeleteAcls(client, &all, 1, nullptr, queue);
    rd_kafka_AclBinding_destroy(all);
  });
}

}  // namespace weir
