// Goal: kill -9 at any moment, again and again, loses nothing and repeats nothing.
// The flights replay; the process is killed after a random time, started again, and so on to the end; a replay that ends before
// it has been killed often enough is followed by another. Invariants as in crash_test.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "core/base/rng.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kFlights = kSanitized ? 3'000 : 20'000;

const FlightFiles& flights() { return first_flights(kFlights); }

std::int64_t predictions(const std::filesystem::path& data) {
  const ProcessResult result = run_weir({"topics", "--json", "--data", data.string()});
  const std::size_t at = result.out.find("\"flights.predictions\"");
  return at == std::string::npos ? -1 : std::stoll(json_value(result.out.substr(at), "end"));
}

// One replay; returns how often it was killed.
std::size_t replay(const FlightsRun& run, Rng& rng, std::size_t kills_max) {
  std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
  arguments.insert(arguments.begin(), weir_binary().string());
  std::int64_t committed = 0;
  std::size_t kills = 0, without_commit = 0;
  while (kills < kills_max) {
    Process process(arguments);
    std::this_thread::sleep_for(std::chrono::microseconds(rng.below(150'000)));
    // A record at which the process died several times in a row without a commit is taken for the cause of it: let it commit.
    if (without_commit == 2) wait_until([&] { return !process.running() || predictions(run.data) > committed; });
    process.send_signal(SIGKILL);
    const ExitStatus status = process.wait();
    if (status.signal == 0) {
      EXPECT_EQ(status.code, 0) << process.err();
      return kills;
    }
    ++kills;
    const std::int64_t now = predictions(run.data);
    without_commit = now > committed ? 0 : without_commit + 1;
    committed = std::max(committed, now);
  }
  run.expect_run();
  return kills;
}

void kill_often(const std::string& order, const std::string& learning, std::size_t kills_wanted) {
  const std::vector<std::string> settings = {"order=" + order, "learning=" + learning, "promotion.every=100", "crc_every=100",
                                             "snapshot_every=1000", "commit_interval=200us", "backup_interval=20ms"};
  const TemporaryDirectory directory;
  Topics unbroken;
  if (order == "event_time" && learning == "coupled") {
    const FlightsRun run(directory / "unbroken", flights(), settings);
    run.expect_run();
    unbroken = tail_all(run.data);
    ASSERT_EQ(unbroken["predictions"].size(), kFlights);
  }
  Rng rng = Rng(kSeed).derive(order + learning);
  std::size_t kills = 0;
  for (int round = 0; kills < kills_wanted; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    ASSERT_LT(round, 100);
    const FlightsRun run(directory / std::to_string(round), flights(), settings);
    kills += replay(run, rng, kills_wanted - kills);
    run.expect_verified();
    if (!unbroken.empty()) expect_same(unbroken, tail_all(run.data));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Kill, AtAnyMomentGivesTheBytesOfAnUnbrokenRun) { kill_often("event_time", "coupled", full_faults() ? 30 : 8); }
TEST(Kill, AtAnyMomentRecomputesWithFreeLearning) { kill_often("event_time", "free", full_faults() ? 30 : 2); }
TEST(Kill, AtAnyMomentRecomputesByArrival) { kill_often("arrival", "coupled", full_faults() ? 30 : 2); }
TEST(Kill, AtAnyMomentRecomputesByArrivalWithFreeLearning) { kill_often("arrival", "free", full_faults() ? 30 : 4); }

}  // namespace
}  // namespace weir
