// Goal: inference here, learning there, over Kafka's topics: predictions follow the versions that another process learns, one model
// for both partitions, through kills of the learner. In the end everything is there once and can be computed again.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/selection.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

class Placement : public testing::Test {
 protected:
  static constexpr std::size_t kPiece = 400;
  static std::size_t flights_max() { return full_faults() ? 4'000 : 2'000; }
  static int pieces_first() { return full_faults() ? 4 : 3; }  // A version is promoted before the last one.
  Placement() {
    kafka_brokers();
    delete_kafka_topics("flights.");
  }
  static const FlightFiles& flights() { return first_flights(flights_max()); }
  FlightsRun part(const std::string& chain, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"log.kind=kafka", "log.brokers=" + kafka_brokers(), "log.partitions=2", "sources.logs.files=[]", "sources.outcomes.files=[]",
                             "learning=free", "promotion.every=100", "trainer.replay.every=50"});
    if (!chain.empty()) more.push_back("placement.run=[" + chain + "]");
    return FlightsRun(directory_ / chain, flights(), std::move(more));
  }
  static std::unique_ptr<Process> start(const FlightsRun& run, const ProcessOptions& options = {}) {
    std::vector<std::string> command = run.arguments("run");
    command.insert(command.begin(), weir_binary().string());
    return std::make_unique<Process>(std::move(command), options);
  }
  static void wait_until_running(const FlightsRun& run) {
    EXPECT_TRUE(wait_until([&] { return run_weir({"status", "--data", run.data.string()}).out.find("running: true") != std::string::npos; }));
  }
  // Until all that was given is predicted and joined. Returns the number of examples.
  static std::uint64_t wait_for_answers(const FlightsRun& inference, const FlightsFeed& feed) {
    std::string report;
    const auto count = [&](const char* key) { return std::stoull("0" + json_value(report, key)); };
    EXPECT_TRUE(wait_until([&] {
      report = run_weir({"report", "--json", "--data", inference.data.string()}).out;
      return count("predicted") == feed.events() && count("labelled") == feed.outcomes();
    })) << report;
    return count("labelled");
  }
  static void give_and_learn(FlightsFeed& feed, const FlightsRun& inference, const FlightsRun& learning) {
    feed.give(inference.data, kPiece);
    const std::uint64_t examples = wait_for_answers(inference, feed);
    EXPECT_TRUE(wait_until([&] { return records_of_tasks(learning.data, "learning") == examples; }));
  }
  // What was learnt one way does not go on the other, and no topic is changed for it.
  static void expect_refused(const FlightsRun& other) {
    const ProcessResult refused = run_weir(other.arguments("run", {"--quiet"}));
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    EXPECT_NE(refused.err.find("topic 'flights.models' has "), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("1 with model.shared, else log.partitions"), std::string::npos) << refused.err;
  }
  static void stop(Process& process) {
    process.send_signal(SIGTERM);
    EXPECT_EQ(process.wait().code, 0) << process.err();
  }

  TemporaryDirectory directory_;
};

TEST_F(Placement, LearningInAnotherProcessComesThroughKills) {
  const FlightsRun inference = part("inference", {"model.shared=true"});
  const FlightsRun learning = part("learning", {"model.shared=true"});
  const auto serving = start(inference);
  auto learner = start(learning);
  serving->wait_for_err("takes logs from its topic");
  learner->wait_for_err("runs learning; other processes run inference, and it reads their topics until it is stopped");
  wait_until_running(inference);
  wait_until_running(learning);
  FlightsFeed feed(flights(), directory_.path());
  for (int i = 0; i < pieces_first(); ++i) give_and_learn(feed, inference, learning);
  const std::uint64_t first = newest_version_served(inference.data);
  EXPECT_GT(first, 0u);
  // One task, the examples of both partitions: both are told, by the process that runs it and by the other one.
  for (const FlightsRun* run : {&inference, &learning}) {
    std::string lag;
    EXPECT_TRUE(wait_until([&] {
      const std::string status = run_weir({"status", "--json", "--data", run->data.string()}).out;
      lag = status.substr(std::min(status.size(), status.find("\"owners\":")));
      lag = lag.substr(std::min(lag.size(), lag.find("\"task\":\"learning\"")));
      return lag.find("\"lag\":{\"examples\":{\"records\":0,") != std::string::npos;
    })) << lag;
    for (const char* partition : {"\"0\":{\"next\":", "\"1\":{\"next\":"}) EXPECT_NE(lag.find(partition), std::string::npos) << lag;
  }

  learner->send_signal(SIGKILL);
  EXPECT_EQ(learner->wait(), (ExitStatus{-1, SIGKILL}));
  feed.give(inference.data, kPiece);  // Predictions go on by what was learnt.
  wait_for_answers(inference, feed);

  // It dies once more, at full length with a version in its open transaction, and learns on from what it had committed.
  ProcessOptions armed;
  armed.env = {{"WEIR_CRASH_AT", full_faults() ? "promotion.after" : "task.before_commit:1"}};
  learner = start(learning, armed);
  const std::size_t last_piece = flights_max() - kPiece;
  for (std::size_t i = 0; i < 3 && learner->running() && feed.events() < last_piece; ++i) {
    feed.give(inference.data, kPiece);
    wait_for_answers(inference, feed);
  }
  EXPECT_EQ(learner->wait(), (ExitStatus{-1, SIGKILL}));
  learner = start(learning);
  wait_until_running(learning);
  while (feed.events() < last_piece) {
    feed.give(inference.data, kPiece);
    wait_for_answers(inference, feed);
  }
  if (full_faults()) {
    EXPECT_TRUE(wait_until([&] { return tail(inference.data, "models").size() >= 2; }));
  }
  while (newest_version_served(inference.data) <= first && feed.events() < flights_max()) {  // What is adopted shows in the next prediction.
    feed.give(inference.data, full_faults() ? kPiece / 8 : kPiece);
    wait_for_answers(inference, feed);
  }
  const std::string all_learnt = "\"lag\":{\"examples\":{\"records\":0,";
  EXPECT_TRUE(wait_until([&] { return run_weir({"status", "--json", "--data", learning.data.string()}).out.find(all_learnt) != std::string::npos; }));
  stop(*learner);
  stop(*serving);
  EXPECT_NE(learner->out().find(" examples in "), std::string::npos) << learner->out();
  if (full_faults()) {
    EXPECT_GT(newest_version_served(inference.data), first);
  }
  expect_refused(part(""));
  part("", {"model.shared=true"}).expect_verified();
}

TEST_F(Placement, EachPartitionsModelMayBeLearntElsewhereToo) {
  const FlightsRun inference = part("inference");
  const FlightsRun learning = part("learning");
  const auto serving = start(inference);
  const auto learner = start(learning);
  wait_until_running(inference);
  wait_until_running(learning);
  FlightsFeed feed(flights(), directory_.path());
  for (int i = 0; i < pieces_first(); ++i) give_and_learn(feed, inference, learning);
  EXPECT_EQ(records_of_tasks(inference.data, "learning"), 0u);
  EXPECT_EQ(records_of_tasks(learning.data, "inference"), 0u);
  // Each has all partitions, for what it runs: none is dealt to a process that would leave a task of it to nobody.
  for (const FlightsRun* run : {&inference, &learning}) {
    const std::string status = run_weir({"status", "--json", "--data", run->data.string()}).out;
    for (const char* chain : {"inference", "learning"})
      EXPECT_NE(status.find("\"runs\":\"" + std::string(chain) + "\",\"partitions\":[0,1]}"), std::string::npos) << status;
    EXPECT_EQ(status.find("\"process\":null"), std::string::npos) << status;
  }
  stop(*serving);
  stop(*learner);
  expect_refused(part("", {"model.shared=true"}));
  part("").expect_verified();
}

// Inference, trainer, sum cache with capacity control, and promotion, each in a process of its own, two of which are killed.
TEST_F(Placement, EachTaskOfANetworkOfHashtronsMayHaveAProcessAndComesThroughKills) {
  delete_kafka_topics("hashtron.");
  const FlightFiles files = cut_flights(directory_.path(), 8'000, "hashtron");  // Far more than are needed: when a version is promoted is chance.
  const auto chain = [&](const std::string& name) {
    std::vector<std::string> sets = {"log.kind=kafka", "log.brokers=" + kafka_brokers(), "sources.logs.files=[]", "sources.outcomes.files=[]",
                                     "learning=free", "order=arrival", "trainer.hashtron.every=3"};
    if (!name.empty()) sets.push_back("placement.run=[" + name + "]");
    FlightsRun run(directory_ / ("hashtron " + name), files, std::move(sets));
    run.config = "hashtron";
    return run;
  };
  const FlightsRun inference = chain("inference"), learning = chain("learning"), capacity = chain("capacity"), promotion = chain("promotion");
  const std::vector<const FlightsRun*> all = {&inference, &learning, &capacity, &promotion};
  const std::vector<std::string> tasks = {"inference", "learning", "capacity", "promotion"};  // In that order.
  const auto serving = start(inference);
  auto learner = start(learning), judge = start(promotion);
  const auto steering = start(capacity);
  for (const FlightsRun* run : all) wait_until_running(*run);
  steering->wait_for_err("runs capacity; other processes run inference, learning, promotion, and it reads their topics until it is stopped");
  FlightsFeed feed(files, directory_.path());
  std::uint64_t examples = 0, examples_before = 0;  // All; those that were judged before the learner's start.
  const auto give = [&] {
    feed.give(inference.data, 200);
    examples = wait_for_answers(inference, feed);
  };
  const auto wait_until_judged = [&] {
    const std::uint64_t taken = examples - examples_before;
    EXPECT_TRUE(wait_until([&] { return records_of_tasks(learning.data, "learning") >= taken && records_of_tasks(promotion.data, "promotion") >= taken; }));
  };
  for (int i = 0; i < 5; ++i) give();
  wait_until_judged();
  // Each knows of all: who runs which task, and that none is left to nobody.
  for (const FlightsRun* run : all) {
    std::string status;
    EXPECT_TRUE(wait_until([&] {
      status = run_weir({"status", "--json", "--data", run->data.string()}).out;
      return std::ranges::all_of(tasks, [&](const std::string& task) { return status.find("\"runs\":\"" + task + "\",\"partitions\":[0]}") != std::string::npos; });
    })) << status;
    EXPECT_EQ(status.find("\"process\":null"), std::string::npos) << status;
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(records_in_status(status, tasks[i]) > 0, run == all[i]) << tasks[i];
  }
  for (auto* killed : {&learner, &judge}) {
    (*killed)->send_signal(SIGKILL);
    EXPECT_EQ((*killed)->wait(), (ExitStatus{-1, SIGKILL}));
  }
  learner = start(learning);
  judge = start(promotion);
  wait_until_running(learning);
  wait_until_running(promotion);
  examples_before = examples;
  while (feed.events() < files.event_lines.size() && newest_version_served(inference.data) == 0) {
    give();
    wait_until_judged();
  }
  std::printf("a promoted version was served after %zu events\n", feed.events());
  EXPECT_GT(newest_version_served(inference.data), 0u);
  for (const char* topic : {"sums", "capacity", "candidates", "models"}) EXPECT_GT(tail(inference.data, topic).size(), 0u) << topic;
  for (Process* process : {learner.get(), judge.get(), steering.get(), serving.get()}) stop(*process);
  EXPECT_NE(steering->out().find(" records in "), std::string::npos) << steering->out();
  chain("").expect_verified();
}

}  // namespace
}  // namespace weir
