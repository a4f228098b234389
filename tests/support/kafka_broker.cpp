#include "tests/support/kafka_broker.hpp"

#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "tests/support/run_process.hpp"

namespace weir {
namespace {

constexpr int kSkipped = 77;  // What ctest is told to take as "skipped".
constexpr int kControllerAbove = 100;

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
  for (int tries = 0, port = 20000 + ::getpid() % 9000; tries < 1000; ++tries, port = 20000 + (port + 7) % 9000)
    if (is_free(port) && is_free(port + kControllerAbove)) return port;
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
    const ProcessResult started = script({"start", "--fresh", "--brokers", "1"});
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
  if (const auto code = rd_kafka_metadata(client, 1, nullptr, &found, 10'000); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw std::runtime_error(std::string("topics of the broker: ") + rd_kafka_err2str(code));
  std::vector<std::string> out;
  for (int i = 0; i < found->topic_cnt; ++i)
    if (std::string name = found->topics[i].topic; name.starts_with(prefix)) out.push_back(std::move(name));
  rd_kafka_metadata_destroy(found);
  return out;
}

rd_kafka_t* make_client() {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char text[256];
  rd_kafka_conf_set(conf, "bootstrap.servers", kafka_brokers().c_str(), text, sizeof text);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (client == nullptr) throw std::runtime_error(text);
  return client;
}

}  // namespace

const std::string& kafka_brokers() { return broker().brokers(); }

void kafka_command(const std::string& command) {
  const ProcessResult done = broker().script({command});
  if (done.exit_code != 0) throw std::runtime_error("scripts/kafka.sh " + command + ": " + done.err);
}

void delete_kafka_topics(const std::string& prefix) {
  rd_kafka_t* client = make_client();
  for (std::vector<std::string> topics; !(topics = topics_with(client, prefix)).empty(); pause_between_polls()) {
    std::vector<rd_kafka_DeleteTopic_t*> list;
    for (const std::string& topic : topics) list.push_back(rd_kafka_DeleteTopic_new(topic.c_str()));
    rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopics(client, list.data(), list.size(), nullptr, queue);
    if (rd_kafka_event_t* done = rd_kafka_queue_poll(queue, 10'000); done != nullptr) rd_kafka_event_destroy(done);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy_array(list.data(), list.size());
  }
  rd_kafka_destroy(client);
}

void delete_kafka_records(const std::string& topic, int partition, std::int64_t before) {
  rd_kafka_t* client = make_client();
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = before;
  rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(list);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_DeleteRecords(client, &records, 1, nullptr, queue);
  rd_kafka_event_t* done = rd_kafka_queue_poll(queue, 10'000);
  const bool ok = done != nullptr && rd_kafka_event_error(done) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (done != nullptr) rd_kafka_event_destroy(done);
  rd_kafka_queue_destroy(queue);
  rd_kafka_DeleteRecords_destroy(records);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(client);
  if (!ok) throw std::runtime_error("deleting records of " + topic);
}

}  // namespace weir
