// Goal: a signal commits and leaves within a second, a second one at once; what is followed through rotations loses nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kLimit = kSanitized ? 10.0 : 1.0;  // Seconds.

std::vector<std::string> program(const FlightsRun& run) {
  std::vector<std::string> out = run.arguments("run", {"--quiet"});
  out.insert(out.begin(), weir_binary().string());
  return out;
}

std::int64_t running_events(const FlightsRun& run) {
  const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
  return json_value(status, "running") == "true" ? std::stoll(json_value(status, "events")) : -1;
}

// From the signal to the end of the process. A busy machine may hold up any one run: callers take the best of three.
double seconds_to_leave(Process& process, int signal) {
  process.send_signal(signal);
  const auto sent = std::chrono::steady_clock::now();
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  return Seconds(std::chrono::steady_clock::now() - sent).count();
}
template <class Attempt> double best_of_three(Attempt attempt) {
  double best = attempt(0);
  for (int i = 1; i < 3 && best >= kLimit; ++i) best = std::min(best, attempt(i));
  return best;
}

class Signals : public testing::TestWithParam<int> {
 protected:
  TemporaryDirectory directory_;
};

TEST_P(Signals, CommitsAndLeavesWithinASecondThenGoesOn) {
  const FlightFiles files = cut_flights(directory_.path(), 50'000);
  std::filesystem::path data;
  // Commits that wait for the disk, and small ones, so that the replay does not end before the signal.
  const std::vector<std::string> settings = {"sync=always", "commit_interval=1us", "placement.parse=task", "backup_interval=0"};
  const double seconds = best_of_three([&](int i) {
    data = directory_ / ("data-" + std::to_string(i));
    const FlightsRun run(data, files, settings);
    Process process(program(run));
    EXPECT_TRUE(wait_until([&] { return running_events(run) > 0 || !process.running(); }));
    return seconds_to_leave(process, GetParam());
  });
  EXPECT_LT(seconds, kLimit);
  const FlightsRun run(data, files, settings);
  EXPECT_GT(tail(run.data, "predictions").size(), 0U);
  run.expect_run();
  EXPECT_EQ(tail(run.data, "predictions").size(), files.event_lines.size());
  run.expect_verified();
}

// Nothing to commit, but threads that wait: for a file to grow, for standard input, for a reader of a topic to go on.
TEST_P(Signals, LeavesWithinASecondWhileItWaits) {
  const FlightFiles files = cut_flights(directory_.path(), 2'000);
  for (const char* learning : {"coupled", "free"}) {
    SCOPED_TRACE(learning);
    const double seconds = best_of_three([&](int i) {
      const FlightsRun run(directory_ / (std::string(learning) + std::to_string(i)), files,
                           {"sources.logs={stdin: true}", "sources.outcomes.follow=true", "order=arrival", std::string("learning=") + learning});
      ProcessOptions options;
      options.pipe_stdin = true;
      Process process(program(run), options);
      process.write_stdin(joined(files.event_lines));
      EXPECT_TRUE(wait_until([&] { return running_events(run) == std::int64_t(files.event_lines.size()) || !process.running(); })) << process.err();
      Process reader({weir_binary().string(), "tail", "predictions", "--data", run.data.string(), "--from-beginning", "--follow"});
      reader.wait_for_out("\"id\":");
      const double left = seconds_to_leave(process, GetParam());
      EXPECT_EQ(reader.wait().signal, 0);
      return left;
    });
    EXPECT_LT(seconds, kLimit);
  }
}

TEST_P(Signals, ASecondOneLeavesAtOnce) {
  const FlightFiles files = cut_flights(directory_.path(), 2'000);
  const FlightsRun run(directory_ / "data", files, {"sources.logs.follow=true", "sources.outcomes.follow=true"});
  int at_once = 0;
  // The second may come when the first one's work is done: then that was an attempt in vain.
  for (int attempt = 0; attempt < 50 && at_once == 0; ++attempt) {
    Process process(program(run));
    EXPECT_TRUE(wait_until([&] { return running_events(run) >= 0; }));
    process.send_signal(GetParam());
    process.send_signal(GetParam() == SIGTERM ? SIGINT : SIGTERM);
    const auto sent = std::chrono::steady_clock::now();
    const ExitStatus status = process.wait();
    EXPECT_TRUE(status == (ExitStatus{0, 0}) || status.code == 130 || status.code == 143) << status.code << process.err();
    const bool within_limit = Seconds(std::chrono::steady_clock::now() - sent).count() < kLimit;
    at_once += (status.code == 130 || status.code == 143) && within_limit ? 1 : 0;
  }
  EXPECT_EQ(at_once, 1);
  run.expect_verified();
}

INSTANTIATE_TEST_SUITE_P(Both, Signals, testing::Values(SIGTERM, SIGINT),
                         [](const auto& info) { return info.param == SIGTERM ? "SIGTERM" : "SIGINT"; });

TEST(Follow, RotationUnderLoadLosesNothing) {
  const TemporaryDirectory directory;
  const FlightFiles files = cut_flights(directory.path(), 8'000);
  FlightFiles live = files;
  live.events = directory / "live.jsonl";
  write_file(live.events, "");
  const FlightsRun run(directory / "data", live, {"sources.logs.follow=true", "sources.outcomes.files=[]", "order=arrival"});
  Process process(program(run));
  ASSERT_TRUE(wait_until([&] { return running_events(run) >= 0; }));
  // Writes on while it is read; every 2,000 lines the file is renamed and a new one begun, as log rotation does. The follower
  // must have seen a file before the next but one takes its name.
  for (std::size_t i = 0; i < files.event_lines.size(); i += 100) {
    if (i > 0 && i % 2'000 == 0) {
      ASSERT_TRUE(wait_until([&] { return running_events(run) > std::int64_t(i) - 2'000; }));
      std::filesystem::rename(live.events, directory / ("live.jsonl." + std::to_string(i)));
    }
    std::ofstream out(live.events, std::ios::binary | std::ios::app);
    for (std::size_t line = i; line < i + 100; ++line) out << files.event_lines[line] << '\n';
  }
  EXPECT_TRUE(wait_until([&] { return running_events(run) == std::int64_t(files.event_lines.size()); })) << running_events(run);
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  const auto predictions = tail(run.data, "predictions");
  ASSERT_EQ(predictions.size(), files.event_lines.size());
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const std::string value = predictions[i].substr(predictions[i].find("\"value\":"));
    ASSERT_EQ(json_value(value, "id"), json_value(files.event_lines[i], "id")) << i;
  }
  run.expect_verified();
}

}  // namespace
}  // namespace weir
