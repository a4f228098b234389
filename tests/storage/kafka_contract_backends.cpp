// The log on a real Kafka broker.

#include "storage/kafka_log.hpp"
#include "tests/storage/storage_support.hpp"
#include "tests/support/kafka_broker.hpp"

namespace weir {
namespace {

class KafkaBackend final : public Backend {
 public:
  explicit KafkaBackend(const Clock& clock) : clock_(clock) {
    delete_kafka_topics("demo.");
    restart();
  }
  TopicLog& log() override { return *log_; }
  void restart() override {
    log_.reset();
    EmbeddedLogOptions local;
    local.path = (directory_ / "local").string();
    local.pipeline = "demo";
    local.clock = &clock_;
    auto store = open_embedded_log(local);
    ASSERT_TRUE(store.ok()) << store.error().what;
    KafkaLogOptions options;
    options.brokers = kafka_brokers();
    options.pipeline = "demo";
    options.clock = &clock_;
    auto opened = open_kafka_log(options, std::move(store).value());
    ASSERT_TRUE(opened.ok()) << opened.error().what;
    log_ = std::move(opened).value();
  }
  bool own_clock() const override { return false; }

 private:
  const Clock& clock_;
  TemporaryDirectory directory_;
  std::unique_ptr<TopicLog> log_;
};

}  // namespace

std::vector<BackendKind> contract_backends() {
  BackendKind kafka{"kafka", [](const Clock& clock) { return std::make_unique<KafkaBackend>(clock); }};
  kafka.own_clock = false;
  kafka.model_seeds = 2;  // Each look at a topic is a new client.
  kafka.model_operations = 100;
  return {kafka};
}

}  // namespace weir
