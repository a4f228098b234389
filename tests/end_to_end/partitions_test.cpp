// Goal: a pipeline of several partitions keeps its promises in each of them, and an event and its outcome meet wherever they are.
// Three partitions of the shipped flights, brought to the topics by `produce` or from followed files. Invariants: each event is
// answered once, in the partition of its id; outcomes are joined there; what was computed can be computed again; a crash changes
// no byte.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <set>

#include "core/records/partitioner.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kFlights = 6'000;
constexpr int kPartitions = 3;

class Partitions : public testing::Test {
 protected:
  static const FlightFiles& flights() { return first_flights(kFlights); }
  static FlightsRun from_topics(const std::filesystem::path& data, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"log.partitions=3", "sources.logs.files=[]", "sources.outcomes.files=[]", "idle_timeout=never", "backup_interval=0",
                             "promotion.every=100", "crc_every=100", "snapshot_every=1000", "trainer.replay.every=50", "commit_interval=200us"});
    return FlightsRun(data, flights(), std::move(more));
  }
  // With nobody running: `produce` opens the directory itself.
  static std::string produce(const FlightsRun& run, const std::string& topic, const std::filesystem::path& file, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"produce", topic, file.string(), "--config", (project_directory() / "configs" / "flights.yaml").string(),
                                          "--data", run.data.string()};
    for (const std::string& setting : run.settings) arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = run_weir(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  static void produce_all(const FlightsRun& run) {
    produce(run, "logs", flights().events);
    produce(run, "outcomes", flights().outcomes);
  }
  static std::uint64_t predicted(const FlightsRun& run) {
    const std::string count = json_value(run_weir({"report", "--json", "--data", run.data.string()}).out, "predicted");
    return count.empty() ? 0 : std::stoull(count);
  }
  // Until each event is answered; its topics never end. Returns how it ended: {0, 0} after SIGTERM.
  static ExitStatus run_until_answered(const FlightsRun& run, const ProcessOptions& options = {}, const std::function<bool()>& and_until = [] { return true; }) {
    std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
    arguments.insert(arguments.begin(), weir_binary().string());
    Process process(arguments, options);
    EXPECT_TRUE(wait_until([&] { return !process.running() || (predicted(run) == kFlights && and_until()); }, std::chrono::seconds(120))) << predicted(run);
    process.send_signal(SIGTERM);
    const ExitStatus status = process.wait();
    if (status.code > 0) ADD_FAILURE() << process.err();
    return status;
  }
  static std::vector<std::string> partition(const FlightsRun& run, const std::string& topic, int p) {
    const ProcessResult result =
        run_weir({"tail", topic, "--data", run.data.string(), "--from-beginning", "--envelope", "--partition", std::to_string(p)});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < result.out.size(); at = result.out.find('\n', at) + 1) lines.push_back(result.out.substr(at, result.out.find('\n', at) - at));
    return lines;
  }
  static std::string value_of(const std::string& line) { return line.substr(line.find("\"value\":")); }

  // Each id once on `predictions`, in its own partition, with its source there and its model of `model`, or of its own.
  static void expect_each_event_in_its_partition(const FlightsRun& run, std::optional<int> model = std::nullopt) {
    std::set<std::string> ids;
    for (int p = 0; p < kPartitions; ++p) {
      const auto lines = partition(run, "predictions", p);
      EXPECT_GT(lines.size(), kFlights / 6) << p;
      for (const std::string& line : lines) {
        const std::string id = json_value(value_of(line), "id");
        ASSERT_TRUE(ids.insert(id).second) << id;
        ASSERT_EQ(partition_of(id, kPartitions).value, p) << line;
        ASSERT_EQ(json_value(line, "partition"), std::to_string(p));
        ASSERT_EQ(json_value(line, "weir-source-partition"), std::to_string(p));
        ASSERT_TRUE(json_value(value_of(line), "model_version").starts_with(std::to_string(model.value_or(p)) + "/")) << line;
      }
      for (const std::string& line : partition(run, "examples", p)) ASSERT_EQ(partition_of(json_value(line, "key"), kPartitions).value, p) << line;
    }
    EXPECT_EQ(ids.size(), kFlights);
  }

  TemporaryDirectory directory_;
};

TEST_F(Partitions, EachEventIsAnsweredInTheOneOfItsId) {
  const FlightsRun run = from_topics(directory_ / "data");
  produce_all(run);
  EXPECT_EQ(run_until_answered(run), (ExitStatus{0, 0}));
  expect_each_event_in_its_partition(run);
  run.expect_verified();

  const std::string report = run_weir({"report", "--json", "--data", run.data.string()}).out;
  EXPECT_EQ(json_value(report, "events"), std::to_string(kFlights)) << report;
  EXPECT_EQ(json_value(report, "unjoined"), "0") << report;
  EXPECT_NE(report.find("\"model_version\":[\"0/"), std::string::npos) << report;
  // Labelled as far as they were taken; the outcomes of another partition would wait for ever.
  EXPECT_GT(std::stoull(json_value(report, "labelled")), kFlights / 2) << report;
  EXPECT_EQ(json_value(report, "waiting"), "0") << report;
  EXPECT_GT(std::stod(json_value(report, "auc")), 0.8) << report;
  EXPECT_LT(std::stod(json_value(report, "log_loss")), 0.5) << report;

  const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
  EXPECT_NE(status.find("\"logs\":" + std::to_string(kFlights)), std::string::npos) << status;
  EXPECT_NE(status.find("{\"task\":\"inference\",\"partition\":2,"), std::string::npos) << status;
  const std::string inspected = run_weir({"inspect", "--data", run.data.string()}).out;
  EXPECT_NE(inspected.find("task inference partition 2: "), std::string::npos) << inspected;
  EXPECT_EQ(run_weir({"inspect", "--data", run.data.string(), "--partition", "1"}).out.find("partition 2"), std::string::npos);
  EXPECT_EQ(run_weir({"tail", "predictions", "--data", run.data.string(), "--partition", "3"}).exit_code, 2);
}

TEST_F(Partitions, ACrashChangesNoByte) {
  const FlightsRun unbroken = from_topics(directory_ / "unbroken");
  produce_all(unbroken);
  EXPECT_EQ(run_until_answered(unbroken), (ExitStatus{0, 0}));
  const Topics expected = tail_all(unbroken.data);
  ASSERT_EQ(expected.at("predictions").size(), kFlights);
  ASSERT_GT(expected.at("models").size(), 20u);
  for (const char* point : {"commit.after_write:1", "commit.after_ack:2", "task.before_commit:3", "recover.after_attempt:3"}) {  // Each task commits.
    SCOPED_TRACE(point);
    const FlightsRun run = from_topics(directory_ / point);
    produce_all(run);
    ProcessOptions armed;
    armed.env = {{"WEIR_CRASH_AT", point}};
    EXPECT_EQ(run_until_answered(run, armed), (ExitStatus{-1, SIGKILL}));
    EXPECT_EQ(run_until_answered(run), (ExitStatus{0, 0}));
    expect_same(expected, tail_all(run.data));
    run.expect_verified();
  }
}

TEST_F(Partitions, FreeLearningByArrivalIsComputedAgain) {
  const FlightsRun run = from_topics(directory_ / "data", {"learning=free", "order=arrival"});
  produce_all(run);
  const auto all_learn = [&] {
    for (int p = 0; p < kPartitions; ++p)
      if (partition(run, "models", p).empty()) return false;
    return true;
  };
  EXPECT_EQ(run_until_answered(run, {}, all_learn), (ExitStatus{0, 0}));
  expect_each_event_in_its_partition(run);
  EXPECT_TRUE(all_learn());
  run.expect_verified();
}

// Gives all flights piece by piece; each time learning has caught up before the next one. Returns the log-loss of all predictions.
double learn_as_it_happens(const FlightsRun& run, const FlightFiles& flights, const std::filesystem::path& scratch) {
  std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
  arguments.insert(arguments.begin(), weir_binary().string());
  Process process(arguments);
  EXPECT_TRUE(wait_until([&] { return run_weir({"status", "--data", run.data.string()}).out.find("running: true") != std::string::npos; }));
  FlightsFeed feed(flights, scratch);
  std::string report;
  while (feed.events() < flights.event_lines.size()) {
    feed.give(run.data, 400);
    EXPECT_TRUE(wait_until([&] {
      report = run_weir({"report", "--json", "--data", run.data.string()}).out;
      const auto count = [&](const char* key) { return std::stoull("0" + json_value(report, key)); };
      return count("predicted") == feed.events() && count("labelled") == feed.outcomes() && records_of_tasks(run.data, "learning") == count("labelled");
    })) << report;
  }
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait().code, 0) << process.err();
  return std::atof(json_value(report, "log_loss").c_str());
}

TEST_F(Partitions, AModelSharedByAllLearnsMoreThanEachOfItsOwn) {
  const std::vector<std::string> free = {"learning=free", "order=arrival"};
  const FlightsRun own = from_topics(directory_ / "own", free);
  const FlightsRun shared = from_topics(directory_ / "shared", {free[0], free[1], "model.shared=true"});
  const double own_loss = learn_as_it_happens(own, flights(), directory_.path());
  const double shared_loss = learn_as_it_happens(shared, flights(), directory_.path());
  EXPECT_LT(shared_loss, own_loss);
  RecordProperty("log_loss_own", std::to_string(own_loss));
  RecordProperty("log_loss_shared", std::to_string(shared_loss));

  expect_each_event_in_its_partition(own);
  expect_each_event_in_its_partition(shared, 0);
  EXPECT_FALSE(partition(shared, "models", 0).empty());
  EXPECT_EQ(run_weir({"tail", "models", "--data", shared.data.string(), "--partition", "1"}).exit_code, 2);  // There is but one.
  // Every partition predicts by its versions, and by the newest in the end.
  std::set<std::string> last_versions;
  for (int p = 0; p < kPartitions; ++p) {
    last_versions.insert(json_value(value_of(partition(shared, "predictions", p).back()), "model_version"));
  }
  EXPECT_EQ(last_versions.size(), 1u);
  EXPECT_NE(last_versions, std::set<std::string>{"0/0"});
  own.expect_verified();
  shared.expect_verified();

  // What was learnt one way does not go on the other.
  for (const auto& [run, other] : {std::pair(&own, "model.shared=true"), std::pair(&shared, "model.shared=false")}) {
    const ProcessResult refused = run_weir(run->arguments("run", {"--quiet", "--set", other}));
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_NE(refused.err.find("1 with model.shared, else log.partitions"), std::string::npos) << refused.err;
  }
}

TEST_F(Partitions, ASharedModelComesThroughCrashes) {
  const FlightsRun run = from_topics(directory_ / "data", {"learning=free", "order=arrival", "model.shared=true"});
  produce_all(run);
  const auto learnt = [&] { return !partition(run, "models", 0).empty(); };
  ProcessOptions armed;
  for (const char* point : {"promotion.before:1", "promotion.after:1", "model.adopted:2", "commit.after_write:9"}) {
    SCOPED_TRACE(point);
    armed.env = {{"WEIR_CRASH_AT", point}};
    EXPECT_EQ(run_until_answered(run, armed, [] { return false; }), (ExitStatus{-1, SIGKILL}));
  }
  EXPECT_EQ(run_until_answered(run, {}, learnt), (ExitStatus{0, 0}));
  expect_each_event_in_its_partition(run, 0);
  run.expect_verified();
}

TEST_F(Partitions, FollowedFilesGoTheSameWays) {
  FlightsRun run = from_topics(directory_ / "data", {"order=arrival"});
  for (const auto& [topic, file] : {std::pair("logs", flights().events), std::pair("outcomes", flights().outcomes)}) {
    run.settings.push_back(std::string("sources.") + topic + ".files=[" + file.string() + "]");
    run.settings.push_back(std::string("sources.") + topic + ".follow=true");
  }
  ProcessOptions armed;
  armed.env = {{"WEIR_CRASH_AT", "source.after_append:2"}};
  EXPECT_EQ(run_until_answered(run, armed), (ExitStatus{-1, SIGKILL}));
  EXPECT_EQ(run_until_answered(run), (ExitStatus{0, 0}));
  expect_each_event_in_its_partition(run);
  run.expect_verified();
}

TEST_F(Partitions, ARunningPipelineTakesLinesForAll) {
  const FlightsRun run = from_topics(directory_ / "data", {"order=arrival"});
  std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
  arguments.insert(arguments.begin(), weir_binary().string());
  Process process(arguments);
  ASSERT_TRUE(wait_until([&] { return run_weir({"status", "--data", run.data.string()}).out.find("running: true") != std::string::npos; }));
  Process follower({weir_binary().string(), "tail", "predictions", "--data", run.data.string(), "--from-beginning", "--follow"});
  const std::string produced = produce(run, "logs", flights().events);
  EXPECT_EQ(json_value(produced, "produced"), std::to_string(kFlights));
  EXPECT_NE(produced.find("\"ends\":["), std::string::npos) << produced;
  EXPECT_TRUE(wait_until([&] { return predicted(run) == kFlights; }));
  write_file(directory_ / "one.jsonl", "{\"no\":\"id\"}\n");
  produce(run, "logs", directory_ / "one.jsonl", {"--partition", "2"});
  EXPECT_TRUE(wait_until([&] { return !partition(run, "dead-letters", 2).empty(); }));
  const ProcessResult refused = run_weir({"produce", "logs", (directory_ / "one.jsonl").string(), "--data", run.data.string(), "--partition", "3"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("no partition 3; it has 3"), std::string::npos) << refused.err;
  const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
  EXPECT_EQ(json_value(status, "events"), std::to_string(kFlights + 1)) << status;
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  EXPECT_EQ(follower.wait(), (ExitStatus{0, 0}));
  const std::string followed = follower.out();
  EXPECT_EQ(static_cast<std::size_t>(std::count(followed.begin(), followed.end(), '\n')), kFlights);
  run.expect_verified();
}

TEST_F(Partitions, RepairBringsAllOfThemBack) {
  FlightsRun run = from_topics(directory_ / "data", {"order=arrival"});
  produce_all(run);
  run.settings.push_back("backup_interval=1ms");
  ASSERT_EQ(run_until_answered(run, {.env = {{"WEIR_CRASH_AT", "backup.after:1"}}}), (ExitStatus{-1, SIGKILL}));
  run.settings.push_back("backup_interval=0");
  EXPECT_EQ(run_until_answered(run), (ExitStatus{0, 0}));
  ASSERT_GT(damage_files(run.data / "db", ".log") + damage_files(run.data / "db", ".sst"), 0u);
  const ProcessResult repair = run_weir(run.arguments("repair", {"--quiet"}));
  ASSERT_EQ(repair.exit_code, 0) << repair.err;
  for (int p = 0; p < kPartitions; ++p) {
    EXPECT_NE(repair.out.find(" records of flights.logs, partition " + std::to_string(p) + " from the damaged files"), std::string::npos) << repair.out;
    EXPECT_NE(repair.out.find("predictions, partition " + std::to_string(p) + ": "), std::string::npos) << repair.out;
  }
  expect_each_event_in_its_partition(run);
  run.expect_verified();
}

TEST_F(Partitions, AnotherNumberIsRefusedByName) {
  const FlightsRun run = from_topics(directory_ / "data");
  produce_all(run);
  for (const char* command : {"run", "verify"}) {
    const ProcessResult result = run_weir(run.arguments(command, {"--set", "log.partitions=2"}));
    EXPECT_EQ(result.exit_code, 2) << command;
    EXPECT_NE(result.err.find("made with 3 partitions, the config says 2"), std::string::npos) << result.err;
  }
  const ProcessResult check = run_weir({"check", (project_directory() / "configs" / "flights.yaml").string(), "--set", "log.partitions=3"});
  EXPECT_EQ(check.exit_code, 2);
  EXPECT_NE(check.err.find("sources.logs.files: found a list of files beside log.partitions: 3"), std::string::npos) << check.err;
}

}  // namespace
}  // namespace weir
