// Goal: `weir verify` on Kafka sees what it looks for. A pipeline runs from topics; what it published is whole, seen from another
// machine, also while it runs. Then a plain producer makes each output topic anew with one thing wrong, and verify names it.
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <set>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kFlights = 400;
using Records = std::vector<KafkaRecord>;

const std::string* header(const KafkaRecord& record, std::string_view name) {
  for (const auto& [key, value] : record.headers)
    if (key == name) return &value;
  return nullptr;
}
void set_header(KafkaRecord& record, std::string_view name, std::string value) {
  for (auto& [key, old] : record.headers)
    if (key == name) old = std::move(value);
}

// The pipeline after its run: what is in its topics, and whoever looks at them from elsewhere.
class Published {
 public:
  Published() : elsewhere_(directory_ / "elsewhere", files(), settings()) {
    delete_kafka_topics("flights.");
    const FlightsRun run(directory_ / "data", files(), settings());
    std::vector<std::string> command = run.arguments("run");
    command.insert(command.begin(), weir_binary().string());
    Process running(std::move(command));
    running.wait_for_err("takes outcomes from its topic");
    // Each `produce` is a transaction, whose control record is a gap; other producers know none.
    const auto produce = [&](const std::string& topic, const std::vector<std::string>& lines) {
      write_file(directory_ / "lines", joined(lines));
      const ProcessResult produced = run_weir({"produce", topic, (directory_ / "lines").string(), "--data", run.data.string()});
      EXPECT_EQ(produced.exit_code, 0) << produced.err;
    };
    // As long as the pipeline runs, it never looks broken.
    const auto wait_until_consumed = [&](std::size_t events, std::size_t outcomes) {
      EXPECT_TRUE(wait_until([&] {
        const ProcessResult result = verify({"--json"});
        EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
        return result.exit_code != 0 ||
               (json_value(result.out, "events") == std::to_string(events) && json_value(result.out, "outcomes") == std::to_string(outcomes));
      }));
    };
    const auto& events = files().event_lines;
    const auto& outcomes = files().outcome_lines;
    produce("logs", {events.begin(), events.begin() + kFlights / 2});
    produce("outcomes", {outcomes.begin(), outcomes.begin() + kFlights / 4});
    wait_until_consumed(kFlights / 2, kFlights / 4);
    write_kafka("flights.logs", {{-1, {}, "no flight at all", {}}});
    produce("logs", {events.begin() + kFlights / 2, events.end()});
    produce("outcomes", {outcomes.begin() + kFlights / 4, outcomes.end()});
    // One that was there before, and one whose flight never comes: it waits.
    write_kafka("flights.outcomes", {{-1, {}, outcomes.front(), {}}, {-1, {}, unknown_outcome(), {}}});
    wait_until_consumed(kFlights + 1, outcomes.size() + 2);
    running.send_signal(SIGTERM);
    EXPECT_EQ(running.wait().code, 0) << running.err();
    records("flights.logs");  // Whole.
  }

  // From a directory in which nothing has run.
  ProcessResult verify(const std::vector<std::string>& more) const { return run_weir(elsewhere_.arguments("verify", more)); }
  const Records& records(const std::string& topic) {
    auto [at, fresh] = records_.try_emplace(topic);
    if (fresh) at->second = read_kafka(topic);
    return at->second;
  }
  // The topic made again with these; what was altered before is as it was.
  void alter(const std::string& topic, const Records& changed) {
    records(topic);
    if (!altered_.empty() && altered_ != topic) write_again(altered_, records(altered_));
    write_again(topic, changed);
    altered_ = topic;
  }
  void restore() {
    if (!altered_.empty()) write_again(altered_, records(altered_));
    altered_.clear();
  }

  static const FlightFiles& files() { return first_flights(kFlights); }

 private:
  static std::string unknown_outcome() {
    std::string line = files().outcome_lines.front();
    const std::string id = json_value(line, "id");
    return line.replace(line.find(id), id.size(), "\"no-such-flight\"");
  }
  static std::vector<std::string> settings() {
    return {"log.kind=kafka", "log.brokers=" + kafka_brokers(), "sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival",
            "commit_interval=2ms", "crc_every=50", "snapshot_every=200"};
  }
  static void write_again(const std::string& topic, const Records& records) {
    delete_kafka_topics(topic);
    create_kafka_topic(topic, 1, topic == "flights.models" ? std::map<std::string, std::string>{{"cleanup.policy", "compact"}} : std::map<std::string, std::string>{});
    write_kafka(topic, records);
  }

  TemporaryDirectory directory_;
  FlightsRun elsewhere_;
  std::map<std::string, Records> records_;
  std::string altered_;
};

Published& published() {
  static Published only;
  return only;
}

TEST(VerifyOnKafka, FindsNothingAmissAndCountsEverything) {
  published().restore();
  const ProcessResult result = published().verify({"--json", "--recompute"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  const auto expect_count = [&](const char* name, std::size_t count) { EXPECT_EQ(json_value(result.out, name), std::to_string(count)) << name; };
  const std::size_t outcomes = Published::files().outcome_lines.size();
  expect_count("events", kFlights + 1);
  expect_count("predictions", kFlights);
  expect_count("dead_letters", 1);
  expect_count("outcomes", outcomes + 2);
  expect_count("examples", outcomes);
  expect_count("unjoined", 1);
  expect_count("waiting", 1);
  expect_count("violation_count", 0);
}

struct Wrong {
  const char* name;
  const char* topic;
  std::function<void(Records&)> make;
  const char* says;
  bool recompute = false;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class OneThingWrongOnKafka : public testing::TestWithParam<Wrong> {};

TEST_P(OneThingWrongOnKafka, IsFound) {
  Records records = published().records(GetParam().topic);
  GetParam().make(records);
  published().alter(GetParam().topic, records);
  const ProcessResult result = published().verify(GetParam().recompute ? std::vector<std::string>{"--json", "--recompute"} : std::vector<std::string>{"--json"});
  EXPECT_EQ(result.exit_code, 7) << result.out << result.err;
  EXPECT_GT(std::stoull("0" + json_value(result.out, "violation_count")), 0U);
  EXPECT_NE(result.out.find(GetParam().says), std::string::npos) << result.out;
}

// With `delivery: at_least_once` the same topics may hold an answer twice; nothing else is forgiven.
class OneThingWrongAtLeastOnce : public testing::TestWithParam<Wrong> {};

TEST_P(OneThingWrongAtLeastOnce, IsFound) {
  Records records = published().records(GetParam().topic);
  GetParam().make(records);
  published().alter(GetParam().topic, records);
  const ProcessResult result = published().verify({"--json", "--set", "delivery=at_least_once"});
  const bool doubled = GetParam().says == std::string("doubled");
  EXPECT_EQ(result.exit_code, doubled ? 0 : 7) << result.out << result.err;
  EXPECT_EQ(json_value(result.out, "doubled"), doubled ? "1" : "0") << result.out;
  EXPECT_NE(result.out.find(GetParam().says), std::string::npos) << result.out;
}

// A control record of `logs`, between two transactions.
std::int64_t gap_in_logs() {
  std::int64_t next = 0;
  for (const KafkaRecord& record : published().records("flights.logs")) {
    if (record.offset > next) break;
    next = record.offset + 1;
  }
  return next;
}
void name_version(KafkaRecord& record, const std::string& version) {
  const std::string found = json_value(*record.value, "model_version");
  record.value->replace(record.value->find(found), found.size(), version);
}

INSTANTIATE_TEST_SUITE_P(
    Each, OneThingWrongOnKafka,
    testing::Values(
        Wrong{"APredictionRemoved", "flights.predictions", [](Records& r) { r.erase(r.begin() + 100); }, "no prediction, abstained record or dead letter"},
        Wrong{"TheLastPredictionRemoved", "flights.predictions", [](Records& r) { r.pop_back(); }, "no prediction, abstained record or dead letter"},
        Wrong{"APredictionDoubled", "flights.predictions", [](Records& r) { r.insert(r.begin() + 100, r[100]); }, "was answered before"},
        Wrong{"TwoPredictionsSwapped", "flights.predictions", [](Records& r) { std::swap(r[100], r[101]); }, "expected ascending order"},
        Wrong{"AFalseVersion", "flights.predictions", [](Records& r) { name_version(r.back(), "0/99999"); }, "model version 99999 does not exist"},
        Wrong{"AFalseVersionBetweenTrueOnes", "flights.predictions", [](Records& r) { name_version(r[kFlights / 2 - 1], "0/1"); }, "computed again", true},
        Wrong{"APredictionOfAControlRecord", "flights.predictions",
              [](Records& r) {
                for (KafkaRecord& record : r)
                  if (*header(record, "weir-source-offset") == std::to_string(gap_in_logs() - 1)) set_header(record, "weir-source-offset", std::to_string(gap_in_logs()));
              },
              "holds no record"},
        Wrong{"APredictionOfAnotherTopic", "flights.predictions", [](Records& r) { set_header(r[7], "weir-source-topic", "clicks"); }, "its source is clicks/0, expected flights.logs/0"},
        Wrong{"TheDeadLetterRemoved", "flights.dead-letters", [](Records& r) { r.clear(); }, "no prediction, abstained record or dead letter"},
        Wrong{"AnExampleRemoved", "flights.examples", [](Records& r) { r.erase(r.begin() + 10); }, "neither example nor unjoined"},
        Wrong{"AnExampleDoubled", "flights.examples", [](Records& r) { r.push_back(r[10]); }, "was answered before"},
        Wrong{"TheUnjoinedOutcomeRemoved", "flights.unjoined", [](Records& r) { r.clear(); }, "neither example nor unjoined"},
        Wrong{"AModelRemoved", "flights.models", [](Records& r) { r.erase(r.begin() + 1); }, "flights.models, partition 0", true},
        Wrong{"TheNewestModelRemoved", "flights.models", [](Records& r) { r.pop_back(); }, "flights.models, partition 0", true}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Each, OneThingWrongAtLeastOnce,
    testing::Values(
        Wrong{"APredictionRemoved", "flights.predictions", [](Records& r) { r.erase(r.begin() + 100); }, "no prediction, abstained record or dead letter"},
        Wrong{"APredictionDoubled", "flights.predictions", [](Records& r) { r.insert(r.begin() + 100, r[100]); }, "doubled"},
        Wrong{"TwoPredictionsSwapped", "flights.predictions", [](Records& r) { std::swap(r[100], r[101]); }, "expected ascending order"},
        Wrong{"AFalseVersion", "flights.predictions", [](Records& r) { name_version(r.back(), "0/99999"); }, "model version 99999 does not exist"}),
    [](const auto& info) { return info.param.name; });

// The last test: the inputs do not come back.
class VerifyOnKafkaAfter : public testing::TestWithParam<int> {};

TEST_P(VerifyOnKafkaAfter, LeavesOutWhatRetentionHasTaken) {
  published().restore();
  const auto& predictions = published().records("flights.predictions");
  published().alter("flights.predictions", predictions);  // Written by nobody's transaction: its offsets are known.
  delete_kafka_records("flights.predictions", 0, 30);
  delete_kafka_records("flights.logs", 0, GetParam());
  const ProcessResult result = published().verify({"--json"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(json_value(result.out, "predictions"), std::to_string(predictions.size() - 30));
  EXPECT_EQ(json_value(result.out, "events"), std::to_string(kFlights + 1 - static_cast<std::size_t>(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Retention, VerifyOnKafkaAfter, testing::Values(20));

}  // namespace
}  // namespace weir
