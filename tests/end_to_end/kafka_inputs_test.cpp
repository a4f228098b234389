// Goal: whatever others do to the topics of a pipeline on Kafka, it goes on without losing anything in silence, or it ends with an
// error that names the topic, what was found, and what to do: retention that was faster, topics deleted, made again, grown, of
// unequal partitions or unknown, and rights that are missing. Each on a real broker, which has an authorizer.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kFlights = 120;
constexpr const char* kLogs = "flights.logs";
constexpr const char* kOutcomes = "flights.outcomes";

class KafkaInputs : public testing::Test {
 protected:
  KafkaInputs() {
    static const bool once = [] {
      set_kafka_start({"--set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "--set", "allow.everyone.if.no.acl.found=true"});
      kafka_brokers();
      return true;
    }();
    EXPECT_TRUE(once);
    allow_kafka_again();
    delete_kafka_topics("flights.");
    for (const char* topic : {kLogs, kOutcomes}) make_topic(topic);
  }
  static const FlightFiles& flights() {
    static const TemporaryDirectory directory;
    static const FlightFiles files = cut_flights(directory.path(), kFlights);
    return files;
  }
  static void make_topic(const char* topic) {
    create_kafka_topic(topic, 1, {{"message.timestamp.type", "LogAppendTime"}, {"max.message.bytes", "4194304"}});
  }
  // Lines [from, to) of the flights' events.
  static void feed(std::size_t from, std::size_t to, const char* topic = kLogs) {
    std::vector<KafkaRecord> records(to - from);
    for (std::size_t i = from; i < to; ++i) records[i - from].value = flights().event_lines[i];
    write_kafka(topic, records);
  }
  FlightsRun run(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"log.kind=kafka", "log.brokers=" + kafka_brokers(), "sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival",
                             "commit_interval=5ms", "log.maintenance_interval=200ms", "placement.pin=off", "placement.lock_memory=false"});
    return FlightsRun(directory_ / "data", flights(), std::move(more));
  }
  std::unique_ptr<Process> start(std::vector<std::string> more = {}) const {
    std::vector<std::string> command = run(std::move(more)).arguments("run", {"--quiet"});
    command.insert(command.begin(), weir_binary().string());
    return std::make_unique<Process>(std::move(command));
  }
  static void wait_for_predictions(Process& process, std::size_t count) {
    std::size_t found = 0;
    EXPECT_TRUE(wait_until([&] { return (found = read_kafka("flights.predictions").size()) >= count || !process.running(); }));
    EXPECT_EQ(found, count) << process.err();
  }
  static void stop(Process& process) {
    process.send_signal(SIGTERM);
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  }
  // Consumes the first `count` lines and ends.
  void consume(std::size_t count) const {
    feed(0, count);
    const auto process = start();
    wait_for_predictions(*process, count);
    stop(*process);
  }
  static void expect_end(Process& process, int code, const std::vector<std::string>& says) {
    EXPECT_EQ(process.wait(), (ExitStatus{code, 0})) << process.err();
    for (const std::string& text : says) EXPECT_NE(process.err().find(text), std::string::npos) << "without '" << text << "': " << process.err();
  }
  // Retention has cut the inputs in most tests here: nothing is computed again.
  void expect_verified() const {
    const ProcessResult result = run_weir({"verify", "--data", (directory_ / "data").string()});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  }
  // How far the task knows that nothing is behind the last line. The state entry is among a commit's changes: its key, its length
  // + 1, its value, which ends with the offset.
  static std::int64_t noted_through() {
    const std::string entry = std::string("runtime/read/logs") + static_cast<char>(20 + 1);
    std::int64_t through = -1;
    for (const KafkaRecord& record : read_kafka("flights.inference.changelog"))
      if (const std::size_t at = record.value ? record.value->find(entry) : std::string::npos; at != std::string::npos)
        record.value->copy(reinterpret_cast<char*>(&through), sizeof through, at + entry.size() + 12);
    return through;
  }
  std::string report() const { return run_weir({"report", "--json", "--data", (directory_ / "data").string()}).out; }

  TemporaryDirectory directory_;
};

TEST_F(KafkaInputs, RecordsThatRetentionTookBeforeAStartAreAnErrorOrCounted) {
  consume(50);
  feed(50, 80);
  delete_kafka_records(kLogs, 0, 70);  // 20 were never read.
  expect_end(*start(), 2, {kLogs, "from 50 up to 70", "gone", "sources.logs.accept_loss: true"});
  {
    const auto process = start({"sources.logs.accept_loss=true"});
    wait_for_predictions(*process, 60);
    EXPECT_TRUE(wait_until([&] { return process->err().find("goes on without them") != std::string::npos; }));
    stop(*process);
  }
  EXPECT_EQ(json_value(report(), "lost"), "20");
  expect_verified();
  {
    const auto process = start();  // It stands behind the loss now.
    feed(80, 81);
    wait_for_predictions(*process, 61);
    stop(*process);
  }
  EXPECT_EQ(json_value(report(), "lost"), "20");
  delete_kafka_records(kLogs, 0, 81);  // All of it was read.
  const auto process = start();
  feed(81, 82);
  wait_for_predictions(*process, 62);
  stop(*process);
  EXPECT_EQ(json_value(report(), "lost"), "20");
}

// A transaction leaves a control record behind its lines: retention may take that one, too, and nothing is lost.
TEST_F(KafkaInputs, RetentionOfWhatIsNoRecordIsNoLoss) {
  write_file(directory_ / "lines", joined({flights().event_lines[0], flights().event_lines[1]}));
  {
    const auto process = start();
    EXPECT_TRUE(wait_until([&] { return run_weir({"status", "--json", "--data", (directory_ / "data").string()}).out.find("\"running\":true") != std::string::npos; }));
    const ProcessResult produced = run_weir({"produce", "logs", (directory_ / "lines").string(), "--data", (directory_ / "data").string()});
    EXPECT_EQ(produced.exit_code, 0) << produced.err;
    wait_for_predictions(*process, 2);
    EXPECT_TRUE(wait_until([&] { return noted_through() == 3; })) << noted_through();
    stop(*process);
  }
  delete_kafka_records(kLogs, 0, 3);
  const auto process = start();
  feed(2, 3);
  wait_for_predictions(*process, 3);
  stop(*process);
  expect_verified();
}

// A commit that says no more than that takes no record: the order of all others is whole.
TEST_F(KafkaInputs, SilenceIsNoGapInTheOrder) {
  write_file(directory_ / "lines", joined({flights().event_lines[0], flights().event_lines[1]}));
  const auto process = start();
  EXPECT_TRUE(wait_until([&] { return run_weir({"status", "--json", "--data", (directory_ / "data").string()}).out.find("\"running\":true") != std::string::npos; }));
  const ProcessResult produced = run_weir({"produce", "logs", (directory_ / "lines").string(), "--data", (directory_ / "data").string()});
  EXPECT_EQ(produced.exit_code, 0) << produced.err;
  EXPECT_TRUE(wait_until([&] { return noted_through() == 3; })) << noted_through();
  feed(2, 5);
  wait_for_predictions(*process, 5);
  stop(*process);
  const ProcessResult result = run_weir({"verify", "--recompute", "--data", (directory_ / "data").string()});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_F(KafkaInputs, RetentionThatPassesARunningTaskIsAnErrorOrCounted) {
  for (const bool accept : {false, true}) {
    SCOPED_TRACE(accept);
    delete_kafka_topics("flights.");
    for (const char* topic : {kLogs, kOutcomes}) make_topic(topic);
    std::filesystem::remove_all(directory_ / "data");
    feed(0, 10);
    const auto process = start({accept ? "sources.logs.accept_loss=true" : "sources.logs.accept_loss=false"});
    wait_for_predictions(*process, 10);
    process->send_signal(SIGSTOP);
    // What the brokers send to the request that waits for data is in its socket; the rest it has to ask for.
    feed(10, 20);
    feed(20, 60);
    feed(60, 100);
    delete_kafka_records(kLogs, 0, 90);
    process->send_signal(SIGCONT);
    if (!accept) {
      expect_end(*process, 2, {kLogs, "up to 90", "gone", "sources.logs.accept_loss: true"});
      continue;
    }
    EXPECT_TRUE(wait_until([&] { return process->err().find("goes on without them") != std::string::npos || !process->running(); }));
    std::size_t found = 0;
    EXPECT_TRUE(wait_until([&] {
      const auto predictions = read_kafka("flights.predictions");
      found = predictions.size();
      for (const auto& [name, value] : predictions.back().headers)
        if (name == "weir-source-offset" && value == "99") return true;
      return !process->running();
    }));
    stop(*process);
    EXPECT_EQ(json_value(report(), "lost"), std::to_string(100 - found));
    EXPECT_LT(found, 100U);
    expect_verified();
  }
}

TEST_F(KafkaInputs, WhatIsNoLineOfTheConfigIsADeadLetter) {
  std::vector<KafkaRecord> records(5);
  records[0].value = flights().event_lines[0];
  records[1].value = "{not a flight}";
  records[2].key = "a tombstone";
  records[3].value = std::string(3 << 20, 'x');  // More than max_line.
  records[4].value = flights().event_lines[1];
  write_kafka(kLogs, records);
  {
    const auto process = start();
    wait_for_predictions(*process, 2);
    stop(*process);
  }
  const auto dead = read_kafka("flights.dead-letters");
  ASSERT_EQ(dead.size(), 3U);
  EXPECT_EQ(json_value(*dead[0].value, "reason"), "malformed");
  EXPECT_EQ(json_value(*dead[1].value, "reason"), "malformed");
  EXPECT_EQ(json_value(*dead[2].value, "reason"), "too_long");
  EXPECT_EQ(json_value(*dead[2].value, "length"), std::to_string(3 << 20));
  EXPECT_LT(dead[2].value->size(), 10'000U);
  feed(2, 3);
  std::vector<KafkaRecord> long_one(1);
  long_one[0].value = std::string(2 << 20, 'y');
  write_kafka(kLogs, long_one);
  for (const std::size_t predictions : {3, 4}) {  // Once with a line as the last record that is longer than what is kept of it.
    const auto process = start();
    wait_for_predictions(*process, predictions);
    EXPECT_TRUE(wait_until([&] { return read_kafka("flights.dead-letters").size() == 4; })) << process->err();
    stop(*process);
    if (predictions == 3) feed(3, 4);
  }
  expect_verified();
}

TEST_F(KafkaInputs, ATopicThatIsDeletedWhileItRunsIsAnError) {
  feed(0, 10);
  const auto process = start();
  wait_for_predictions(*process, 10);
  delete_kafka_topics(kLogs);
  expect_end(*process, 2, {kLogs});
}

TEST_F(KafkaInputs, ATopicMadeAgainIsNotTakenForTheOldOne) {
  consume(50);
  delete_kafka_topics(kLogs);
  make_topic(kLogs);
  feed(40, 100);  // Longer than the old one, and other records.
  expect_end(*start(), 5, {kLogs, "offset 49", "deleted and made again", "another name"});
  delete_kafka_topics(kLogs);
  make_topic(kLogs);
  feed(0, 10);  // Shorter.
  expect_end(*start(), 5, {kLogs, "deleted and made again"});
  delete_kafka_topics(kLogs);
  make_topic(kLogs);
  feed(0, 60);  // The same records again: nothing tells them apart, and nothing needs to.
  const auto process = start();
  wait_for_predictions(*process, 60);
  stop(*process);
  expect_verified();
}

TEST_F(KafkaInputs, PartitionsThatAreAddedAreAnError) {
  feed(0, 10);
  const auto process = start();
  wait_for_predictions(*process, 10);
  grow_kafka_topic(kLogs, 2);
  expect_end(*process, 2, {kLogs, "has 2 partitions, the config says 1", "log.partitions"});
  expect_end(*start(), 2, {kLogs, "has 2 partitions, the config says 1", "log.partitions"});
}

TEST_F(KafkaInputs, LogsAndOutcomesHaveTheSameNumberOfPartitions) {
  grow_kafka_topic(kOutcomes, 3);
  expect_end(*start(), 2, {kOutcomes, "has 3 partitions, the config says 1"});
}

TEST_F(KafkaInputs, WhatWeirWritesGrowsWithTheConfig) {
  consume(10);
  for (const char* topic : {kLogs, kOutcomes}) grow_kafka_topic(topic, 2);
  const FlightsRun grown = [&] {
    FlightsRun out = run({"log.partitions=2"});
    out.data = directory_ / "grown";
    return out;
  }();
  std::vector<std::string> command = grown.arguments("run", {"--quiet"});
  command.insert(command.begin(), weir_binary().string());
  Process process(std::move(command));
  std::vector<KafkaRecord> more(1);
  more[0].value = flights().event_lines[10];
  write_kafka(kLogs, more, 1);
  // A client that asks for a partition before it is there may wait for it for minutes.
  EXPECT_TRUE(wait_until([&] { return run_weir({"status", "--json", "--data", grown.data.string()}).out.find("\"running\":true") != std::string::npos || !process.running(); }));
  EXPECT_TRUE(wait_until([&] { return read_kafka("flights.predictions", 1).size() == 1 || !process.running(); })) << process.err();
  stop(process);
}

TEST_F(KafkaInputs, ATopicOfYoursThatIsNotThereIsNamed) {
  expect_end(*start({"topics.logs=clicks"}), 2, {"'clicks'", "topics.logs", "create it, or correct the name"});
}

TEST_F(KafkaInputs, RightsThatAreMissingAreNamed) {
  consume(10);
  deny_kafka(KafkaRight::kRead, kLogs);
  expect_end(*start(), 2, {kLogs, "TOPIC_AUTHORIZATION_FAILED", "grant this user"});
  allow_kafka_again();
  deny_kafka(KafkaRight::kWrite, "flights.inference.changelog");
  expect_end(*start(), 2, {"flights.inference.changelog", "TOPIC_AUTHORIZATION_FAILED", "grant this user"});
  allow_kafka_again();
  {
    const auto process = start();
    feed(10, 20);
    wait_for_predictions(*process, 20);
    deny_kafka(KafkaRight::kWrite, "flights.predictions");
    feed(20, 30);
    expect_end(*process, 2, {"flights.predictions", "TOPIC_AUTHORIZATION_FAILED"});
  }
  allow_kafka_again();
  {
    const auto process = start();
    wait_for_predictions(*process, 30);
    deny_kafka(KafkaRight::kRead, kLogs);
    expect_end(*process, 2, {kLogs, "TOPIC_AUTHORIZATION_FAILED", "grant this user"});
  }
  allow_kafka_again();
  expect_verified();
}

TEST_F(KafkaInputs, AStallIsReportedAsLongAsItLasts) {
  feed(0, 10);
  const auto process = start({"log.stall_after=1s"});
  wait_for_predictions(*process, 10);
  const auto status = [&] { return run_weir({"status", "--json", "--data", (directory_ / "data").string()}).out; };
  EXPECT_NE(status().find("\"stalled\":null"), std::string::npos) << status();
  kafka_command("pause");
  EXPECT_TRUE(wait_until([&] { return process->err().find("waits for an answer to its reading of logs for more than 1 s") != std::string::npos; })) << process->err();
  EXPECT_TRUE(wait_until([&] { return status().find("\"stalled\":\"waits for") != std::string::npos; })) << status();
  kafka_command("resume");
  feed(10, 20);
  wait_for_predictions(*process, 20);
  EXPECT_TRUE(wait_until([&] { return status().find("\"stalled\":null") != std::string::npos && status().find("\"stalled\":\"") == std::string::npos; })) << status();
  stop(*process);
}

}  // namespace
}  // namespace weir
