// Goal: a signal commits and leaves within a second, a second one at once; what is followed through rotations loses nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

using Seconds = std::chrono::duration<double>;

std::vector<std::string> program(const FlightsRun& run) {
  std::vector<std::string> out = run.arguments("run", {"--quiet"});
  out.insert(out.begin(), weir_binary().string());
  return out;
}

std::int64_t running_events(const FlightsRun& run) {
  const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
  return json_value(status, "running") == "true" ? std::stoll(json_value(status, "events")) : -1;
}

class Signals : public testing::TestWithParam<int> {
 protected:
  TemporaryDirectory directory_;
};

TEST_P(Signals, CommitsAndLeavesWithinASecondThenGoesOn) {
  const FlightFiles files = cut_flights(directory_.path(), 50'000);
  // Commits that wait for the disk, and small ones, so that the replay does not end before the signal.
  const FlightsRun run(directory_ / "data", files, {"sync=always", "commit_interval=1us", "placement.parse=task", "backup_interval=0"});
  Process process(program(run));
  ASSERT_TRUE(wait_until([&] { return running_events(run) > 0 || !process.running(); }));
  process.send_signal(GetParam());
  const auto sent = std::chrono::steady_clock::now();
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  EXPECT_LT(Seconds(std::chrono::steady_clock::now() - sent).count(), 3.0) << "a second, and room for a busy machine";
  EXPECT_GT(tail(run.data, "predictions").size(), 0U);
  run.expect_run();
  EXPECT_EQ(tail(run.data, "predictions").size(), files.event_lines.size());
  run.expect_verified();
}

TEST_P(Signals, ASecondOneLeavesAtOnce) {
  const FlightFiles files = cut_flights(directory_.path(), 2'000);
  const FlightsRun run(directory_ / "data", files, {"sources.logs.follow=true", "sources.outcomes.follow=true"});
  int at_once = 0;
  for (int attempt = 0; attempt < 5 && at_once == 0; ++attempt) {
    Process process(program(run));
    ASSERT_TRUE(wait_until([&] { return running_events(run) >= 0; }));
    process.send_signal(GetParam());
    process.send_signal(GetParam() == SIGTERM ? SIGINT : SIGTERM);
    const ExitStatus status = process.wait();
    EXPECT_TRUE(status.code == 130 || status.code == 143) << status.code << process.err();
    at_once += status.code == 130 || status.code == 143 ? 1 : 0;
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
