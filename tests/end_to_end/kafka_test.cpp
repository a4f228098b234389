// Goal: a pipeline on a real Kafka broker gives the records it gives on the embedded log, byte for byte apart from their
// offsets: unbroken, killed behind a commit and started again, and with its local store lost in between.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

class OnKafka : public testing::Test {
 protected:
  static constexpr std::size_t kFlights = 800;
  OnKafka() {
    kafka_brokers();
    delete_kafka_topics("flights.");
  }
  static const FlightFiles& flights() {
    static const TemporaryDirectory directory;
    static const FlightFiles files = cut_flights(directory.path(), kFlights);
    return files;
  }
  static std::vector<std::string> settings(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"crc_every=50", "snapshot_every=200", "trainer.replay.every=50"});
    return more;
  }
  // Control records take offsets on Kafka.
  static Topics without_offsets(Topics topics) {
    for (auto& [name, records] : topics)
      for (std::string& record : records) {
        const std::size_t at = record.find(",\"offset\":");
        EXPECT_NE(at, std::string::npos) << record;
        if (at != std::string::npos) record.erase(at, record.find(',', at + 1) - at);
      }
    return topics;
  }
  static const Topics& on_the_embedded_log() {
    static const Topics topics = [] {
      const TemporaryDirectory directory;
      const FlightsRun run(directory / "data", flights(), settings());
      run.expect_run();
      return without_offsets(tail_all(run.data));
    }();
    EXPECT_EQ(topics.at("predictions").size(), kFlights);
    EXPECT_GT(topics.at("examples").size(), kFlights / 2);
    return topics;
  }
  FlightsRun run_on_kafka(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"log.kind=kafka", "log.brokers=" + kafka_brokers()});
    return FlightsRun(directory_ / "data", flights(), settings(std::move(more)));
  }

  TemporaryDirectory directory_;
};

TEST_F(OnKafka, GivesTheRecordsOfTheEmbeddedLog) {
  const FlightsRun run = run_on_kafka();
  run.expect_run();
  expect_same(on_the_embedded_log(), without_offsets(tail_all(run.data)));
  run.expect_run();  // There is nothing left to do.
  expect_same(on_the_embedded_log(), without_offsets(tail_all(run.data)));
}

TEST_F(OnKafka, GivesThemWhenKilledBehindACommit) {
  const FlightsRun run = run_on_kafka({"commit_interval=5ms"});
  ProcessOptions options;
  options.env = {{"WEIR_CRASH_AT", "kafka.after_commit:7"}};  // The others, with topics as inputs: kafka_crash_test.
  EXPECT_EQ(run.run(options).signal, 9);
  run.expect_run();
  expect_same(on_the_embedded_log(), without_offsets(tail_all(run.data)));
}

TEST_F(OnKafka, GivesThemWithoutTheLocalStore) {
  const FlightsRun run = run_on_kafka({"commit_interval=5ms"});
  ProcessOptions options;
  options.env = {{"WEIR_CRASH_AT", "commit.after_ack:1"}};
  EXPECT_EQ(run.run(options).signal, 9);
  ASSERT_GT(std::filesystem::remove_all(run.data / "kafka"), 0u);
  run.expect_run();
  expect_same(on_the_embedded_log(), without_offsets(tail_all(run.data)));
}

TEST_F(OnKafka, AtLeastOnceLosesNothingWhenKilled) {
  const FlightsRun run = run_on_kafka({"delivery=at_least_once", "commit_interval=5ms"});
  ProcessOptions options;
  // Published, and neither positions nor state are committed: published again.
  for (const char* point : {"kafka.after_outputs:1", "kafka.after_outputs:2"}) {
    SCOPED_TRACE(point);
    options.env = {{"WEIR_CRASH_AT", point}};
    EXPECT_EQ(run.run(options).signal, 9);
  }
  run.expect_run();
  const ProcessResult verified = run_weir(run.arguments("verify", {"--json"}));
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(json_value(verified.out, "events"), std::to_string(kFlights)) << verified.out;
  EXPECT_GT(std::stoull("0" + json_value(verified.out, "doubled")), 0U) << verified.out;
  const ProcessResult recomputed = run_weir(run.arguments("verify", {"--recompute"}));
  EXPECT_NE(recomputed.err.find("expected exactly_once for --recompute"), std::string::npos) << recomputed.err;
}

TEST_F(OnKafka, TakesLinesFromItsTopics) {
  const std::vector<std::string> from_topics = {"sources.logs.files=[]", "sources.outcomes.files=[]"};
  const FlightsRun run = run_on_kafka({from_topics[0], from_topics[1]});
  std::vector<std::string> command = run.arguments("run");
  command.insert(command.begin(), weir_binary().string());
  Process running(std::move(command));
  running.wait_for_err("takes outcomes from its topic");
  for (const auto& [topic, file] : {std::pair("logs", flights().events), std::pair("outcomes", flights().outcomes)}) {
    const ProcessResult produced = run_weir({"produce", topic, file.string(), "--data", run.data.string()});
    EXPECT_EQ(produced.exit_code, 0) << produced.err;
  }
  // The last ones wait for later outcomes, which never come.
  EXPECT_TRUE(wait_until([&] { return std::stoull("0" + json_value(run_weir({"status", "--json", "--data", run.data.string()}).out, "events")) > kFlights / 2; }));
  running.send_signal(SIGTERM);
  EXPECT_EQ(running.wait().code, 0) << running.err();
  run.expect_verified();
}

TEST_F(OnKafka, NamesBrokersThatCannotBeReached) {
  const ProcessResult result = run_weir({"check", (project_directory() / "configs/flights.yaml").string(), "--set", "log.kind=kafka"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("log.brokers"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace weir
