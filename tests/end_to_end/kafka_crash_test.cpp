// Goal: on Kafka, too, a kill at any named point and at any moment loses nothing and repeats nothing.
// Inputs are topics. Invariants: order: event_time with coupled learning publishes byte for byte what an unbroken run does; every
// combination verifies and recomputes to what it has published. Each point that is passed on Kafka kills at least one run.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <tuple>

#include "core/base/crash_point.hpp"
#include "core/base/rng.hpp"
#include "tests/end_to_end/kafka_run.hpp"

namespace weir {
namespace {

constexpr std::uint64_t kSeed = 1;

struct Combination {
  const char* order;
  const char* learning;
  bool at_least_once = false;
  bool same_bytes() const { return std::string(order) == "event_time" && std::string(learning) == "coupled"; }
  std::vector<std::string> settings() const {
    std::vector<std::string> out = {std::string("order=") + order, std::string("learning=") + learning};
    if (at_least_once) out.push_back("delivery=at_least_once");
    return out;
  }
};
constexpr Combination kSameBytes = {"event_time", "coupled"};
constexpr Combination kOthers[] = {{"arrival", "free"}, {"event_time", "free"}, {"arrival", "coupled"}};
constexpr Combination kAtLeastOnce = {"event_time", "coupled", true};

const FlightFiles& flights() { return first_flights(300); }
// So many that a model wins over the first one.
const FlightFiles& many_flights() { return first_flights(6'000); }

// The brokers do retention, and there are no backups.
bool is_passed_on_kafka(std::string_view point) {
  return !point.starts_with("retention.") && !point.starts_with("backup.") && !point.starts_with("training.") && !point.starts_with("job.");
}
// Where the pipeline brings the lines into its topics itself, their offsets depend on its transactions.
bool needs_followed_files(std::string_view point) { return point.starts_with("source."); }
bool needs_free_learning(std::string_view point) { return point.starts_with("promotion.") || point.starts_with("model."); }
// Into the local store, which has time until the process ends.
bool is_passed_at_the_end(std::string_view point) { return point == "commit.before_write" || point == "commit.after_write"; }
bool needs_at_least_once(std::string_view point) { return point == "kafka.after_outputs"; }
bool is_passed_once(std::string_view point) {
  return point.starts_with("open.") || point == "recover.after_attempt" || is_passed_at_the_end(point);
}

std::vector<std::string_view> points() {
  if (!full_faults()) return {"kafka.before_commit", "kafka.after_commit", "kafka.after_outputs"};
  std::vector<std::string_view> out(kCrashPoints.begin(), kCrashPoints.end());
  std::erase_if(out, [](std::string_view point) { return !is_passed_on_kafka(point); });
  return out;
}

// What is there again says the same again.
std::size_t take_out_repeated(KafkaTopics& topics) {
  std::size_t taken = 0;
  for (auto& [name, records] : topics) {
    std::set<std::tuple<std::optional<std::string>, std::optional<std::string>, std::vector<std::pair<std::string, std::string>>>> seen;
    taken += std::erase_if(records, [&](const KafkaRecord& record) { return !seen.emplace(record.key, record.value, record.headers).second; });
  }
  return taken;
}

// How many outputs are there again.
std::uint64_t expect_whole(const KafkaRun& run, const Combination& combination, bool same_inputs = true) {
  const bool same_bytes = combination.same_bytes() && same_inputs;
  const std::string verified = run.expect_verified(/*recompute=*/!same_bytes);
  const std::uint64_t repeated = std::stoull("0" + json_value(verified, "doubled"));
  EXPECT_TRUE(combination.at_least_once || repeated == 0) << verified;
  if (!same_bytes) return repeated;
  KafkaTopics published = read_published();
  if (combination.at_least_once) {
    EXPECT_GE(take_out_repeated(published), repeated);  // Those of `models` are not counted.
  }
  expect_same_records(KafkaRun::unbroken(flights(), kSameBytes.settings()), published);
  return repeated;
}

void crash_and_go_on(std::string_view point, std::uint64_t hit, const Combination& combination) {
  const std::string at = std::string(point) + ":" + std::to_string(hit);
  SCOPED_TRACE(at + ", " + combination.order + "+" + combination.learning);
  std::vector<std::string> settings = combination.settings();
  const bool followed = needs_followed_files(point);
  if (followed)
    settings.insert(settings.end(), {"sources.logs.files=[" + flights().events.string() + "]", "sources.logs.follow=true",
                                     "sources.outcomes.files=[" + flights().outcomes.string() + "]", "sources.outcomes.follow=true"});
  const bool promotes = needs_free_learning(point);
  KafkaRun run(promotes ? many_flights() : flights(), settings, promotes ? 3'000 : 1'000);
  ProcessOptions armed;
  armed.env = {{"WEIR_CRASH_AT", at}};
  const auto killed = run.start("data", armed);
  if (promotes) {
    run.feed();
  } else if (is_passed_at_the_end(point)) {
    run.feed_until([&] { return run.predictions() > flights().event_lines.size() / 2; });
    killed->send_signal(SIGTERM);
  } else if (!followed && !run.feed_until([&] { return !killed->running(); })) {
    ADD_FAILURE() << "not reached";
    killed->send_signal(SIGKILL);
  }
  EXPECT_EQ(killed->wait(), (ExitStatus{-1, SIGKILL})) << killed->err();
  const auto restarted = run.start();
  run.finish(*restarted);
  const std::uint64_t repeated = expect_whole(run, combination, !followed);
  EXPECT_TRUE(!combination.at_least_once || hit <= 3 || repeated > 0);
}

class KafkaCrash : public testing::TestWithParam<std::string_view> {};

TEST_P(KafkaCrash, LosesAndRepeatsNothing) {
  const std::string_view point = GetParam();
  KafkaRun::unbroken(flights(), kSameBytes.settings());
  Rng rng = Rng(kSeed).derive(point);
  if (needs_at_least_once(point)) {
    if (full_faults()) crash_and_go_on(point, 1, kAtLeastOnce);
    return crash_and_go_on(point, 4 + rng.below(12), kAtLeastOnce);
  }
  if (!needs_free_learning(point)) {
    if (full_faults() || is_passed_once(point)) crash_and_go_on(point, 1, kSameBytes);
    if (!is_passed_once(point) && !needs_followed_files(point)) crash_and_go_on(point, 4 + rng.below(12), kSameBytes);
  }
  if (!full_faults()) return;
  const Combination& other = needs_free_learning(point) ? kOthers[rng.below(2)] : kOthers[rng.below(3)];
  crash_and_go_on(point, 1, other);
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, KafkaCrash, testing::ValuesIn(points()), [](const auto& info) {
  std::string name(info.param);
  for (char& c : name)
    if (c == '.') c = '_';
  return name;
});

void kill_often(const Combination& combination, std::size_t kills_wanted) {
  if (combination.same_bytes()) KafkaRun::unbroken(flights(), kSameBytes.settings());
  Rng rng = Rng(kSeed).derive(std::string(combination.order) + combination.learning + (combination.at_least_once ? "+" : ""));
  for (std::size_t round = 0, kills = 0; kills < kills_wanted; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    ASSERT_LT(round, 20U);
    KafkaRun run(flights(), combination.settings(), 100);  // Lines come for six seconds.
    run.feed();
    std::size_t without_commit = 0;
    auto process = run.start();
    for (std::size_t seen = 0; kills < kills_wanted && seen < flights().event_lines.size();) {
      // A record at which the process died several times in a row without a commit is taken for the cause of it: let it commit.
      if (without_commit == 2) run.wait_for_predictions(seen + 1);
      else std::this_thread::sleep_for(std::chrono::milliseconds(rng.below(1'000)));
      process->send_signal(SIGKILL);
      EXPECT_EQ(process->wait(), (ExitStatus{-1, SIGKILL})) << process->err();
      ++kills;
      process = run.start();
      const std::size_t now = run.predictions();
      without_commit = now > seen ? 0 : without_commit + 1;
      seen = now;
    }
    run.finish(*process);
    expect_whole(run, combination);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(KafkaKill, AtAnyMomentGivesTheBytesOfAnUnbrokenRun) { kill_often(kSameBytes, full_faults() ? 30 : 3); }
TEST(KafkaKill, AtAnyMomentRecomputesByArrivalWithFreeLearning) { kill_often(kOthers[0], full_faults() ? 10 : 1); }
TEST(KafkaKill, AtAnyMomentLosesNothingAtLeastOnce) { kill_often(kAtLeastOnce, full_faults() ? 10 : 1); }

}  // namespace
}  // namespace weir
