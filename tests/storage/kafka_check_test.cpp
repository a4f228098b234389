// Goal: a look at brokers before a pipeline starts names everything there that would stop or hurt it, says nothing of what is
// right, leaves no record and no topic behind, and disturbs no pipeline that runs.
#include <librdkafka/rdkafka.h>  // Before the next one, which needs it.

#include <librdkafka/rdkafka_mock.h>

#include "storage/kafka_check.hpp"
#include "storage/kafka_client.hpp"
#include "storage/kafka_log.hpp"
#include "storage/kafka_transactions.hpp"
#include "tests/storage/storage_support.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/run_process.hpp"

namespace weir {
namespace {

using State = Finding::State;

std::string text_of(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& f : findings)
    out += std::string(f.state == State::kOk ? "ok" : f.state == State::kWarning ? "warning" : "error") + " | " + f.what + " | " + f.found + " | " + f.advice + "\n";
  return out;
}

// One finding of this state about this object that holds these words; nullptr and a failed expectation otherwise.
const Finding* expect_finding(const std::vector<Finding>& findings, State state, std::string_view what, const std::vector<std::string>& words) {
  for (const Finding& f : findings) {
    if (f.state != state || f.what.find(what) == std::string::npos) continue;
    const std::string text = f.found + " " + f.advice;
    if (std::all_of(words.begin(), words.end(), [&](const std::string& word) { return text.find(word) != std::string::npos; })) return &f;
  }
  ADD_FAILURE() << "no such finding about '" << what << "' with '" << (words.empty() ? "" : words[0]) << "' in\n" << text_of(findings);
  return nullptr;
}
std::size_t count_of(const std::vector<Finding>& findings, State state) {
  return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.state == state; }));
}

class KafkaCheckTest : public testing::Test {
 protected:
  static constexpr const char* kSecret = "limited-secret-5";

  static void SetUpTestSuite() {
    set_kafka_start({"--listener", "SASL_PLAINTEXT", "--set", "sasl.enabled.mechanisms=PLAIN",
                     "--set", std::string("listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_limited=\"") + kSecret + "\";",
                     "--set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "--set", "super.users=User:ANONYMOUS",
                     "--set", "allow.everyone.if.no.acl.found=true"});
    kafka_brokers();
  }
  KafkaCheckTest() {
    delete_kafka_topics("demo.");
    delete_kafka_topics("clicks");
    use_.tasks = {"inference"};
    use_.commit_interval = std::chrono::milliseconds(20);
    use_.line_bytes_max = 1 << 20;
    for (const Topic topic : {Topic::kLogs, Topic::kOutcomes, Topic::kPredictions, Topic::kModels}) {
      TopicUse use{topic_spec(topic), topic == Topic::kLogs || topic == Topic::kOutcomes, topic == Topic::kPredictions || topic == Topic::kModels};
      use.spec.retention.compact = traits_of(topic).compacted;
      use_.topics.push_back(use);
    }
    options_.brokers = kafka_brokers();
    options_.pipeline = "demo";
  }
  std::vector<Finding> check() const { return check_kafka(options_, use_); }
  // As the pipeline would: everything right.
  void make_topics() const {
    auto log = open_kafka_log(options_, make_memory_log("demo", system_clock()));
    ASSERT_OK(log);
    for (const TopicUse& use : use_.topics) ASSERT_OK((*log)->create(use.spec));
    const auto store = (*log)->open_task({"inference", PartitionId(0)});
    ASSERT_OK(store);
    ASSERT_OK((*store)->recover());
  }
  void make_topic(const std::string& name, std::int32_t partitions, const KafkaProperties& settings) const {
    const auto admin = KafkaAdmin::open(options_);
    ASSERT_OK(admin);
    ASSERT_OK((*admin)->create(name, partitions, settings));
  }
  void change(const std::string& name, const KafkaProperties& settings) const {
    const auto admin = KafkaAdmin::open(options_);
    ASSERT_OK(admin);
    ASSERT_OK((*admin)->change_settings(name, settings));
  }
  std::map<std::string, std::int64_t> ends() const {
    std::map<std::string, std::int64_t> out;
    const auto admin = KafkaAdmin::open(options_);
    const auto there = (*admin)->partitions({"demo.logs", "demo.outcomes", "demo.predictions", "demo.models", "demo.inference.changelog"});
    EXPECT_TRUE(there.ok());
    for (const auto& [name, partitions] : *there)
      if (const auto marks = (*admin)->watermarks(name, PartitionId(0)); marks.ok()) out[name] = marks->end.value;
    return out;
  }
  // Where anybody has a right, all others need one.
  struct Right {
    const char* user;
    rd_kafka_ResourceType_t type;
    rd_kafka_ResourcePatternType_t pattern;
    const char* name;
    rd_kafka_AclOperation_t operation;
  };
  static Right on_topics(const char* user, rd_kafka_AclOperation_t operation) {
    return {user, RD_KAFKA_RESOURCE_TOPIC, RD_KAFKA_RESOURCE_PATTERN_PREFIXED, "demo.", operation};
  }
  void allow(const std::vector<Right>& rights) const {
    const auto handle = make_kafka_handle(options_, RD_KAFKA_PRODUCER, {});
    ASSERT_OK(handle);
    char text[256];
    std::vector<rd_kafka_AclBinding_t*> list;
    for (const Right& right : rights)
      list.push_back(rd_kafka_AclBinding_new(right.type, right.name, right.pattern, right.user, "*", right.operation,
                                             RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, text, sizeof text));
    const KafkaPtr<rd_kafka_queue_t> queue(rd_kafka_queue_new(handle->get()));
    rd_kafka_CreateAcls(handle->get(), list.data(), list.size(), nullptr, queue.get());
    const KafkaPtr<rd_kafka_event_t> done(rd_kafka_queue_poll(queue.get(), 10'000));
    rd_kafka_AclBinding_destroy_array(list.data(), list.size());
    ASSERT_TRUE(done && rd_kafka_event_error(done.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void forbid_all() const {
    const auto handle = make_kafka_handle(options_, RD_KAFKA_PRODUCER, {});
    ASSERT_OK(handle);
    char text[256];
    rd_kafka_AclBindingFilter_t* every = rd_kafka_AclBindingFilter_new(RD_KAFKA_RESOURCE_ANY, nullptr, RD_KAFKA_RESOURCE_PATTERN_ANY, nullptr, nullptr,
                                                                       RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, text, sizeof text);
    const KafkaPtr<rd_kafka_queue_t> queue(rd_kafka_queue_new(handle->get()));
    rd_kafka_DeleteAcls(handle->get(), &every, 1, nullptr, queue.get());
    const KafkaPtr<rd_kafka_event_t> done(rd_kafka_queue_poll(queue.get(), 10'000));
    rd_kafka_AclBinding_destroy(every);
    ASSERT_TRUE(done);
  }
  std::vector<Finding> check_as_limited() const {
    KafkaLogOptions options = options_;
    options.brokers = kafka_listener();
    options.security.protocol = KafkaProtocol::kSaslPlaintext;
    options.security.mechanism = KafkaMechanism::kPlain;
    options.security.username = "limited";
    options.security.password = kSecret;
    return check_kafka(options, use_);
  }

  KafkaLogOptions options_;
  StorageUse use_;
};

TEST_F(KafkaCheckTest, BrokersWithoutTheTopicsAreFineAndStayWithoutThem) {
  const auto findings = check();
  EXPECT_EQ(count_of(findings, State::kError), 0u) << text_of(findings);
  EXPECT_EQ(count_of(findings, State::kWarning), 1u) << text_of(findings);
  expect_finding(findings, State::kWarning, "cluster", {"one broker"});
  expect_finding(findings, State::kOk, "cluster", {"1 broker", "librdkafka"});
  expect_finding(findings, State::kOk, "broker 1 at 127.0.0.1", {"kinds of requests"});
  for (const char* name : {"demo.logs", "demo.predictions", "demo.inference.changelog"}) expect_finding(findings, State::kOk, name, {"makes it at the start"});
  expect_finding(findings, State::kOk, "transactions", {"demo.check"});
  expect_finding(findings, State::kOk, "clocks", {"agree"});
  EXPECT_TRUE(ends().empty());
}

TEST_F(KafkaCheckTest, ARunningPipelineIsFineAndRunsOn) {
  make_topics();
  auto log = open_kafka_log(options_, make_memory_log("demo", system_clock()));
  ASSERT_OK(log);
  const auto store = (*log)->open_task({"inference", PartitionId(0)});
  ASSERT_OK(store);
  ASSERT_OK((*store)->recover());
  const auto commit = [&](const char* value) {
    Transaction transaction;
    transaction.append(Topic::kPredictions, record("k", value));
    return (*store)->commit(transaction);
  };
  ASSERT_OK(commit("1"));
  const auto before = ends();
  const auto findings = check();
  EXPECT_EQ(ends(), before);
  EXPECT_EQ(count_of(findings, State::kError), 0u) << text_of(findings);
  EXPECT_EQ(count_of(findings, State::kWarning), 1u) << text_of(findings);
  expect_finding(findings, State::kOk, "right to read", {"demo.inference.changelog, demo.logs, demo.outcomes"});
  expect_finding(findings, State::kOk, "right to write", {"demo.inference.changelog, demo.models, demo.predictions"});
  expect_finding(findings, State::kOk, "demo.models", {"compacted", "LogAppendTime"});
  ASSERT_OK(commit("2"));  // Nobody has taken it over.
}

TEST_F(KafkaCheckTest, NamesWhatIsWrongWithTopics) {
  use_.topics[0].spec.name = "clicks";  // Somebody else's.
  options_.topic_names[Topic::kLogs] = "clicks";
  make_topic("clicks", 3, {{"message.timestamp.type", "CreateTime"}, {"retention.ms", "604800000"}, {"cleanup.policy", "compact,delete"}, {"max.message.bytes", "65536"}});
  make_topic("demo.outcomes", 1, {{"message.timestamp.type", "CreateTime"}});
  make_topic("demo.predictions", 1, {{"message.timestamp.type", "LogAppendTime"}, {"retention.ms", "3600000"}, {"max.message.bytes", "100000"}, {"min.insync.replicas", "2"}});
  make_topic("demo.inference.changelog", 1, {{"cleanup.policy", "delete"}, {"delete.retention.ms", "60000"}});
  const auto findings = check();
  EXPECT_EQ(expect_finding(findings, State::kError, "clicks", {"3 partitions", "log.partitions: 3"})->code, ErrorCode::kConfig);
  expect_finding(findings, State::kError, "logs and outcomes", {"3 and 1 partitions"});
  expect_finding(findings, State::kWarning, "clicks", {"CreateTime", "7 days", "LogAppendTime"});
  expect_finding(findings, State::kWarning, "clicks", {"compact", "vanish"});
  expect_finding(findings, State::kWarning, "clicks", {"max.message.bytes=65536", "max_line"});
  expect_finding(findings, State::kError, "demo.outcomes", {"CreateTime", "LogAppendTime"});
  expect_finding(findings, State::kWarning, "demo.predictions", {"retention.ms=3600000", "the config says -1"});
  expect_finding(findings, State::kError, "demo.predictions", {"max.message.bytes=100000", "4194304"});
  EXPECT_EQ(expect_finding(findings, State::kError, "demo.predictions", {"1 in-sync replicas", "min.insync.replicas=2"})->code, ErrorCode::kUnavailable);
  expect_finding(findings, State::kError, "demo.inference.changelog", {"cleanup.policy=delete", "state"});
  expect_finding(findings, State::kError, "demo.inference.changelog", {"delete.retention.ms=60000", "604800000"});
}

TEST_F(KafkaCheckTest, NamesARightThatIsMissing) {
  make_topics();
  const char* other = "User:other";
  const char* limited = "User:limited";
  allow({on_topics(other, RD_KAFKA_ACL_OPERATION_READ),
         {other, RD_KAFKA_RESOURCE_BROKER, RD_KAFKA_RESOURCE_PATTERN_LITERAL, "kafka-cluster", RD_KAFKA_ACL_OPERATION_DESCRIBE},
         {other, RD_KAFKA_RESOURCE_TOPIC, RD_KAFKA_RESOURCE_PATTERN_LITERAL, "__transaction_state", RD_KAFKA_ACL_OPERATION_READ}});
  EXPECT_EQ(expect_finding(check_as_limited(), State::kError, "demo.logs", {"DESCRIBE"})->code, ErrorCode::kConfig);
  allow({on_topics(limited, RD_KAFKA_ACL_OPERATION_DESCRIBE)});
  auto findings = check_as_limited();
  expect_finding(findings, State::kWarning, "brokers", {"DESCRIBE_CONFIGS on the cluster"});
  expect_finding(findings, State::kWarning, "demo.logs", {"DESCRIBE_CONFIGS"});
  expect_finding(findings, State::kError, "demo.logs", {"may not read"});
  expect_finding(findings, State::kError, "demo.predictions", {"may not write"});
  expect_finding(findings, State::kError, "demo.inference.changelog", {"may not read"});
  allow({on_topics(limited, RD_KAFKA_ACL_OPERATION_READ), on_topics(limited, RD_KAFKA_ACL_OPERATION_WRITE), on_topics(limited, RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS)});
  findings = check_as_limited();
  EXPECT_EQ(count_of(findings, State::kError), 0u) << text_of(findings);
  expect_finding(findings, State::kOk, "right to read", {"demo.logs"});
  expect_finding(findings, State::kOk, "right to write", {"demo.predictions"});
  expect_finding(findings, State::kOk, "clocks", {"cannot be seen", "__transaction_state"});
  delete_kafka_topics("demo.logs");
  expect_finding(check_as_limited(), State::kError, "demo.logs", {"CREATE"});
  forbid_all();
}

TEST_F(KafkaCheckTest, NamesATransactionTimeoutThatTheBrokersRefuse) {
  options_.transaction_timeout = std::chrono::minutes(20);
  use_.commit_interval = std::chrono::minutes(20);
  const auto findings = check();
  expect_finding(findings, State::kError, "broker 1", {"transaction.max.timeout.ms=900000", "1200000"});
  expect_finding(findings, State::kError, "transactions", {"transaction.max.timeout.ms"});
}

TEST_F(KafkaCheckTest, NamesACommitIntervalThatIsTooLong) {
  use_.commit_interval = std::chrono::minutes(1);
  expect_finding(check(), State::kWarning, "commit_interval", {"60000 ms", "30000 ms"});
}

// This machine's clock, put back.
class ShiftedClock final : public Clock {
 public:
  std::int64_t wall_us() const override { return system_clock().wall_us() - Duration(std::chrono::hours(1)).count(); }
  std::int64_t monotonic_ns() const override { return system_clock().monotonic_ns(); }
};

TEST_F(KafkaCheckTest, NamesClocksThatDoNotAgree) {
  const ShiftedClock clock;
  options_.clock = &clock;
  expect_finding(check(), State::kWarning, "clocks", {"ahead of this machine's", "NTP"});
}

TEST_F(KafkaCheckTest, NamesBrokersThatCannotBeReached) {
  options_.brokers = "127.0.0.1:1";
  const auto findings = check();
  ASSERT_EQ(findings.size(), 1u) << text_of(findings);
  EXPECT_EQ(expect_finding(findings, State::kError, "brokers", {"127.0.0.1:1", "Connection refused", "log.brokers"})->code, ErrorCode::kUnavailable);
}

// Version 4.0.0 knows JoinGroup from version 2 on only.
TEST(KafkaCheckVersions, NamesBrokersThatThisClientTakesForOnesWithoutGroups) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char text[256];
  rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
  rd_kafka_t* host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(host, 1);
  rd_kafka_mock_set_apiversion(cluster, /*JoinGroup*/ 11, 2, 5);
  KafkaLogOptions options;
  options.brokers = rd_kafka_mock_cluster_bootstraps(cluster);
  options.pipeline = "demo";
  std::string found = text_of(check_kafka(options, {}));
  EXPECT_NE(found.find("4.0.0"), std::string::npos) << found;
  const std::vector<rd_kafka_resp_err_t> denied(20, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  rd_kafka_mock_push_request_errors_array(cluster, /*InitProducerId*/ 22, denied.size(), denied.data());
  found = text_of(check_kafka(options, {}));
  EXPECT_NE(found.find("error | transactions"), std::string::npos) << found;
  EXPECT_NE(found.find("transactional ids that begin with 'demo.'"), std::string::npos) << found;
  rd_kafka_mock_set_apiversion(cluster, /*InitProducerId*/ 22, 0, 2);
  found = text_of(check_kafka(options, {}));
  EXPECT_NE(found.find("older than Apache Kafka 2.5"), std::string::npos) << found;
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(host);
}

TEST(KafkaCheckVersions, AreReadFromWhatTheClientLogs) {
  ApiVersions versions;
  ASSERT_TRUE(read_api_versions("[thrd:sasl_ssl://127.0.0.1:21592/bootstrap]: sasl_ssl://127.0.0.1:21592/1:   ApiKey JoinGroup (11) Versions 0..9", versions));
  EXPECT_EQ(versions.broker, "127.0.0.1:21592");
  EXPECT_EQ(versions.api, 11);
  EXPECT_EQ(versions.low, 0);
  EXPECT_EQ(versions.high, 9);
  ASSERT_TRUE(read_api_versions("[thrd:b:9092/2]: b:9092/2:   ApiKey Unknown-76? (76) Versions 1..13", versions));
  EXPECT_EQ(versions.broker, "b:9092");
  EXPECT_EQ(versions.api, 76);
  EXPECT_EQ(versions.high, 13);
  for (const char* line : {"", "[thrd:b:9092/2]: b:9092/2:  Feature MsgVer1: Produce (2..2) supported by broker", "b:1/1:   ApiKey X", "b:1/1:   ApiKey X (a) Versions 0..1", "b:1/1:   ApiKey X (1) Versions 0"})
    EXPECT_FALSE(read_api_versions(line, versions)) << line;
}

}  // namespace
}  // namespace weir
