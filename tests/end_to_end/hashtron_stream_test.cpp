// Goal: the program learns networks of hashtrons from a stream: it serves what does better on inputs that nobody learnt from, and a
// kill after any job loses nothing and repeats nothing, with what is learnt in the same task or in tasks of their own.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <memory>

#include "core/base/rng.hpp"
#include "core/learning/generated_tasks.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kEvents = 2'400;  // Enough for a promotion.

FlightsRun hashtron_run(const std::filesystem::path& data, const FlightFiles& files, std::vector<std::string> more = {}) {
  FlightsRun run(data, files, std::move(more));
  run.config = "hashtron";
  return run;
}

const FlightFiles& stream() {
  static const TemporaryDirectory directory;
  static const FlightFiles files = cut_flights(directory.path(), kEvents, "hashtron");
  return files;
}

double number_in(const std::string& json, const std::string& key) { return std::stod("0" + json_value(json, key)); }

TEST(HashtronData, IsTheGeneratedTask) {
  const GeneratedTask task = *GeneratedTask::parse("sqrt-bit:C=5,b=3");
  const TemporaryDirectory directory;
  const FlightFiles files = cut_flights(directory.path(), SIZE_MAX, "hashtron");
  ASSERT_EQ(files.event_lines.size(), 24'000U);
  ASSERT_EQ(files.outcome_lines.size(), files.event_lines.size());
  std::vector<std::uint32_t> values(files.event_lines.size());
  for (const std::string& line : files.event_lines) {
    const auto x = static_cast<std::uint32_t>(std::stoul(json_value(line, "x")));
    ASSERT_LT(x, task.count());
    values[std::stoul(json_value(line, "id"))] = task.value(x);
  }
  int wrong[3] = {};
  for (const std::string& line : files.outcome_lines) {
    const std::size_t id = std::stoul(json_value(line, "id"));
    wrong[id * 3 / values.size()] += std::stoul(json_value(line, "label")) != values[id] ? 1 : 0;
  }
  EXPECT_EQ(wrong[0], 0);
  EXPECT_NEAR(wrong[1], 1600, 120);
  EXPECT_NEAR(wrong[2], 400, 80);
  const ProcessResult made = run_process({"python3", (project_directory() / "scripts" / "make_hashtron.py").string(), directory.path().string(),
                                          "--check", (project_directory() / "data" / "hashtron").string()});
  EXPECT_EQ(made.exit_code, 0) << made.err;
}

TEST(HashtronRun, TheConfigLearnsWhileItServes) {
  const TemporaryDirectory directory, cut;
  const FlightFiles files = cut_flights(cut.path(), SIZE_MAX, "hashtron");
  const FlightsRun run = hashtron_run(directory / "data", files);
  run.expect_run();
  const std::string report = run_weir({"report", "--json", "--data", run.data.string()}).out;
  // One label in twelve is wrong: at most 91.7 % can be right. The majority is 61 %, and until the first promotion nothing is known.
  EXPECT_GT(number_in(report, "accuracy"), 0.85) << report;
  EXPECT_LT(number_in(report, "log_loss"), 0.42) << report;
  EXPECT_EQ(number_in(report, "labelled"), 24'000);
  EXPECT_NEAR(number_in(report, "coverage"), 0.9, 0.02) << report;
  EXPECT_GT(tail(run.data, "models").size(), 1U);
  EXPECT_GT(tail(run.data, "sums").size(), 2'000U);
  EXPECT_NE(run_weir({"status", "--data", run.data.string()}).out.find("commits"), std::string::npos);
  run.expect_verified();
}

TEST(HashtronRun, FlightsByHashedCategories) {
  const TemporaryDirectory directory, cut;
  FlightsRun run(directory / "data", cut_flights(cut.path(), 12'000));
  run.config = "flights_hashtron";
  run.expect_run();
  const std::string report = run_weir({"report", "--json", "--data", run.data.string()}).out;
  const std::string last_half = report.substr(std::min(report.size(), report.find("\"last_half\":")));
  EXPECT_LT(number_in(last_half, "log_loss"), 0.38) << report;  // Always the base rate of that half: 0.43.
  EXPECT_GT(number_in(last_half, "accuracy"), number_in(last_half, "majority_accuracy") + 0.03) << report;
  run.expect_verified();
}

// Nothing is kept, nobody waits for a disk.
TEST(HashtronRun, InMemory) {
  const TemporaryDirectory directory;
  for (const char* learning : {"learning=coupled", "learning=free"}) {
    const ProcessResult result = hashtron_run(directory / "data", stream(), {"log.kind=memory", learning}).run();
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
}

// Files end long before the last job is done: the run goes on until each task has taken what there is for it, and no longer, though
// there would always be another job to do in idle turns.
TEST(HashtronRun, OverFilesEachTaskTakesAllThatThereIs) {
  for (const bool idle : {false, true}) {
    SCOPED_TRACE(idle);
    const TemporaryDirectory directory;
    std::vector<std::string> sets = {"learning=free", "trainer.hashtron.every=3", "backup_interval=0"};
    if (idle) sets.insert(sets.end(), {"trainer.idle_steps=4", "trainer.hashtron.stuck_sweeps=0"});
    const FlightsRun run = hashtron_run(directory / "data", stream(), std::move(sets));
    run.expect_run();
    const std::size_t sums = tail(run.data, "sums").size(), models = tail(run.data, "models").size();
    EXPECT_GT(models, 0U);  // Candidates have been judged.
    EXPECT_EQ(tail(run.data, "capacity").size(), sums);
    const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
    EXPECT_EQ(number_in(status, "models"), double(models)) << status;  // And what was promoted is what the next run serves.
    EXPECT_EQ(number_in(status, "logs"), double(kEvents)) << status;
    run.expect_verified();
  }
}

TEST(HashtronRun, JobsOfOtherSettingsAreFoundInTheSums) {
  const TemporaryDirectory directory;
  const FlightsRun run = hashtron_run(directory / "data", stream(), {"promotion.every=1000000"});  // Nothing else would tell.
  run.expect_run();
  run.expect_verified();
  const ProcessResult other = run_weir(run.arguments("verify", {"--recompute", "--set", "trainer.hashtron.attempts=1"}));
  EXPECT_EQ(other.exit_code, 7) << other.out << other.err;
  EXPECT_NE((other.out + other.err).find("hashtron.sums, partition 0, offset "), std::string::npos) << other.out << other.err;
}

// Coupled, they are the inference task's idle turns.
TEST(HashtronRun, IdleJobsEndWithTheInput) {
  const TemporaryDirectory directory;
  const FlightsRun run = hashtron_run(directory / "data", stream(), {"trainer.idle_steps=4", "trainer.hashtron.stuck_sweeps=0", "backup_interval=0"});
  run.expect_run();
  run.expect_verified();
}

class HashtronCrash : public testing::Test {
 protected:
  static constexpr const char* kOften = "commit_interval=200us";
  inline static const std::vector<std::string> kMore = {"sums", "alerts"};
  static const Topics& unbroken() {
    static const Topics topics = [] {
      const TemporaryDirectory directory;
      const FlightsRun run = hashtron_run(directory / "data", stream(), {kOften});
      run.expect_run();
      return tail_all(run.data, kMore);
    }();
    return topics;
  }
  // True if the point was reached.
  static bool crash_and_go_on(const std::string& at) {
    SCOPED_TRACE(at);
    const TemporaryDirectory directory;
    const FlightsRun run = hashtron_run(directory / "data", stream(), {kOften, "backup_interval=0"});
    const ProcessResult killed = run.run({.env = {{"WEIR_CRASH_AT", at}}});
    EXPECT_TRUE(killed.signal == SIGKILL || killed.exit_code == 0) << killed.err;
    if (killed.signal != SIGKILL) return false;
    run.expect_run();
    expect_same(unbroken(), tail_all(run.data, kMore));
    return true;
  }
};

TEST_F(HashtronCrash, AfterAnyJobItGoesOnAsIfNothingHadBeen) {
  const std::size_t jobs = unbroken().at("sums").size();
  ASSERT_GT(jobs, kEvents / 12);
  Rng rng(1);
  std::vector<std::size_t> hits = {1, 2 + rng.below(jobs - 2), jobs};
  if (full_faults())
    for (std::size_t hit = 3; hit < jobs; hit += 1 + rng.below(12)) hits.push_back(hit);
  for (const std::size_t hit : hits) EXPECT_TRUE(crash_and_go_on("job.done:" + std::to_string(hit)));
}

TEST_F(HashtronCrash, AtOtherPointsToo) {
  ASSERT_GT(unbroken().at("models").size(), 0U);
  for (const char* at : {"promotion.before", "promotion.after"}) EXPECT_TRUE(crash_and_go_on(at));
  if (!full_faults()) return;
  for (const char* point : {"commit.before_write", "commit.after_write", "commit.after_ack", "task.before_commit"}) {
    bool reached = false;  // How many commits there are is a matter of speed.
    for (int hit = 5; hit >= 1 && !reached; --hit) reached = crash_and_go_on(point + (":" + std::to_string(hit)));
    EXPECT_TRUE(reached) << point;
  }
}

TEST_F(HashtronCrash, CutsAndThreadsChangeNothing) {
  const TemporaryDirectory directory;
  const FlightsRun run = hashtron_run(directory / "data", stream(), {"commit_interval=50ms", "placement.parse=task"});
  const ProcessResult plain = run.run({.env = {{"WEIR_SIMD_TARGET", "baseline"}}});
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
  expect_same(unbroken(), tail_all(run.data, kMore));
  const FlightsRun other = hashtron_run(directory / "other", stream(), {"seed=2"});
  other.expect_run();
  EXPECT_NE(tail(other.data, "sums"), unbroken().at("sums"));
}

// Trainer, sum cache with capacity control, promotion and inference as tasks of their own: they hear of each other over topics.
class HashtronParts : public testing::Test {
 protected:
  static FlightsRun parts(const std::filesystem::path& data) {
    return hashtron_run(data, stream(), {"learning=free", "order=arrival", "sources.logs.files=[]", "sources.outcomes.files=[]", "commit_interval=1ms",
                                         "trainer.hashtron.every=3", "http.listen=off"});
  }
  static std::unique_ptr<Process> start(const FlightsRun& run, const ProcessOptions& options = {}) {
    std::vector<std::string> command = run.arguments("run");
    command.insert(command.begin(), weir_binary().string());
    auto process = std::make_unique<Process>(std::move(command), options);
    EXPECT_TRUE(wait_until([&] {
      return !process->running() || run_weir({"status", "--data", run.data.string()}).out.find("running: true") != std::string::npos;
    })) << process->err();
    return process;
  }
  // Until each task has taken all that there is for it.
  static void wait_until_taken(const FlightsRun& run, const Process& process, const FlightsFeed& feed) {
    std::string report;
    EXPECT_TRUE(wait_until([&] {
      if (!const_cast<Process&>(process).running()) return true;
      report = run_weir({"report", "--json", "--data", run.data.string()}).out;
      if (number_in(report, "labelled") != double(feed.outcomes())) return false;
      return records_of_tasks(run.data, "promotion") >= feed.outcomes() && records_of_tasks(run.data, "learning") >= feed.outcomes();
    })) << report;
  }
};

TEST_F(HashtronParts, HearOfEachOtherOverTopicsAndComeThroughKills) {
  const TemporaryDirectory directory;
  const FlightsRun run = parts(directory / "data");
  const FlightFiles files = cut_flights(directory.path(), 8'000, "hashtron");  // Far more than are needed: when a version is promoted is chance.
  FlightsFeed feed(files, directory.path());
  constexpr std::size_t kPiece = kEvents / 8;
  auto process = start(run);
  for (int i = 0; i < 5; ++i) {
    feed.give(run.data, kPiece);
    wait_until_taken(run, *process, feed);
  }
  process->send_signal(SIGKILL);
  EXPECT_EQ(process->wait(), (ExitStatus{-1, SIGKILL}));
  feed.give(run.data, kPiece);  // Before the start: the third job may be done, and the process gone, before all of it is taken.
  process = start(run, {.env = {{"WEIR_CRASH_AT", "job.done:3"}}});
  EXPECT_TRUE(wait_until([&] { return !process->running(); }));
  EXPECT_EQ(process->wait(), (ExitStatus{-1, SIGKILL}));
  process = start(run);
  while (feed.events() < kEvents || (newest_version_served(run.data) == 0 && feed.events() < files.event_lines.size())) {
    feed.give(run.data, kPiece);
    EXPECT_TRUE(wait_until([&] { return number_in(run_weir({"report", "--json", "--data", run.data.string()}).out, "labelled") == double(feed.outcomes()); }));
  }
  process->send_signal(SIGTERM);
  EXPECT_EQ(process->wait().code, 0) << process->err();
  for (const char* topic : {"sums", "capacity", "candidates", "models"}) EXPECT_GT(tail(run.data, topic).size(), 0U) << topic;
  EXPECT_GT(newest_version_served(run.data), 0U) << "no promoted version was served";
  run.expect_verified();
}

}  // namespace
}  // namespace weir
