// Goal: a damaged directory is refused by name, and `weir repair` brings it to where an unbroken run would be.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFlights = 3000;

class Repair : public testing::Test {
 protected:
  Repair() : files_(cut_flights(directory_.path(), kFlights)) {}

  // A run with a backup in its middle: the first half of the flights, a pause for the backup, the rest.
  FlightsRun run_with_backup(const fs::path& data) {
    const FlightsRun live = this->live(data);
    Process process = Process(with_binary(live.arguments("run", {"--quiet"})));
    const std::size_t half = kFlights / 2;
    produce(data, "outcomes", files_.outcome_lines, 0, files_.outcome_lines.size() / 2);
    produce(data, "logs", files_.event_lines, 0, half);
    EXPECT_TRUE(wait_until([&] { return predictions(data) == half && newest_backup(data) > 0; }));
    const std::size_t before = newest_backup(data);
    EXPECT_TRUE(wait_until([&] { return newest_backup(data) > before; }));
    process.send_signal(SIGTERM);
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0}));
    // Without further backups, so that the rest is in the log alone.
    Process rest(with_binary(live.arguments("run", {"--quiet", "--set", "backup_interval=0"})));
    produce(data, "outcomes", files_.outcome_lines, files_.outcome_lines.size() / 2, files_.outcome_lines.size());
    produce(data, "logs", files_.event_lines, half, kFlights);
    EXPECT_TRUE(wait_until([&] { return predictions(data) == kFlights; }));
    rest.send_signal(SIGTERM);
    EXPECT_EQ(rest.wait(), (ExitStatus{0, 0}));
    return live;
  }
  FlightsRun live(const fs::path& data) const {
    return FlightsRun(data, files_, {"sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival", "backup_interval=50ms", "commit_interval=200us"});
  }
  static std::vector<std::string> with_binary(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), weir_binary().string());
    return arguments;
  }
  void produce(const fs::path& data, const std::string& topic, const std::vector<std::string>& lines, std::size_t begin, std::size_t end) {
    const fs::path part = directory_ / "part.jsonl";
    write_file(part, joined({lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.begin() + static_cast<std::ptrdiff_t>(end)}));
    ASSERT_TRUE(wait_until([&] { return fs::exists(data / "run/weir.sock"); }));
    const ProcessResult result = run_weir({"produce", topic, part.string(), "--data", data.string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  static std::size_t predictions(const fs::path& data) {
    const std::string report = run_weir({"report", "--data", data.string(), "--json"}).out;
    const std::string count = report.empty() ? "" : json_value(report, "predicted");
    return count.empty() ? 0 : std::stoul(count);
  }
  static std::size_t newest_backup(const fs::path& data) {
    std::size_t newest = 0;
    if (!fs::exists(data / "backups")) return 0;
    for (const auto& entry : fs::directory_iterator(data / "backups"))
      if (entry.path().filename().string().find('.') == std::string::npos) newest = std::max(newest, std::size_t(std::stoul(entry.path().filename())));
    return newest;
  }

  TemporaryDirectory directory_;
  FlightFiles files_;
};

TEST_F(Repair, GoesOnFromABackupAndFindsTheSameAgain) {
  // Long enough that a first backup is far from the end.
  fs::create_directory(directory_ / "long");
  const FlightFiles files = cut_flights(directory_ / "long", 5 * kFlights);
  const FlightsRun unbroken(directory_ / "unbroken", files);
  unbroken.expect_run();
  // One run that leaves a backup, and one that leaves commits after it: whether the first one's have any is chance.
  const FlightsRun backed_up(directory_ / "damaged", files, {"backup_interval=1ms"});
  ASSERT_EQ(backed_up.run({.env = {{"WEIR_CRASH_AT", "backup.after:1"}}}).signal, SIGKILL);
  const FlightsRun damaged(directory_ / "damaged", files, {"backup_interval=0"});
  ASSERT_EQ(damaged.run({.env = {{"WEIR_CRASH_AT", "commit.after_write:2"}}}).signal, SIGKILL);
  ASSERT_GT(damage_files(damaged.data / "db", ".log"), 0u);

  const ProcessResult refused = damaged.run();
  EXPECT_TRUE(refused.exit_code == 5 || refused.exit_code == 0) << refused.exit_code << refused.err;
  const ProcessResult repair = run_weir(damaged.arguments("repair", {"--quiet"}));
  ASSERT_EQ(repair.exit_code, 0) << repair.err;
  EXPECT_NE(repair.out.find("restored backup "), std::string::npos) << repair.out;
  EXPECT_EQ(repair.out.find("records differ"), std::string::npos) << repair.out;
  expect_same(tail_all(unbroken.data), tail_all(damaged.data));
  damaged.expect_verified();
  EXPECT_TRUE(fs::exists(damaged.data / "db.damaged-1"));
}

TEST_F(Repair, TakesLinesThatAreNowhereElseFromTheDamagedLog) {
  const fs::path data = directory_ / "data";
  const FlightsRun live = run_with_backup(data);
  const Topics before = tail_all(data);
  ASSERT_EQ(before.at("predictions").size(), kFlights);
  ASSERT_GT(damage_files(data / "db", ".log") + damage_files(data / "db", ".sst"), 0u);
  EXPECT_NE(run_weir(live.arguments("verify")).exit_code, 0);
  const ProcessResult repair = run_weir(live.arguments("repair", {"--quiet"}));
  ASSERT_EQ(repair.exit_code, 0) << repair.err;
  EXPECT_NE(repair.out.find(" records of flights.logs from the damaged files"), std::string::npos) << repair.out;
  live.expect_verified();
  Topics after = tail_all(data);
  ASSERT_GE(after.at("predictions").size(), kFlights / 2);
  for (std::size_t i = 0; i < kFlights / 2; ++i) ASSERT_EQ(after.at("predictions")[i], before.at("predictions")[i]);
}

// Followed files are read again from where they were at the backup, across a rotation; the topics come out as they were.
TEST_F(Repair, ReadsFollowedFilesAgain) {
  const fs::path data = directory_ / "data";
  FlightFiles live = files_;
  live.events = directory_ / "live.jsonl";
  live.outcomes = directory_ / "live-outcomes.jsonl";
  const auto add = [](const fs::path& file, const std::vector<std::string>& lines, std::size_t from, std::size_t to) {
    std::ofstream out(file, std::ios::binary | std::ios::app);
    for (std::size_t i = from; i < to; ++i) out << lines[i] << '\n';
  };
  FlightsRun run(data, live, {"sources.logs.follow=true", "sources.outcomes.follow=true", "idle_timeout=never", "commit_interval=200us", "backup_interval=50ms"});
  const std::size_t half = kFlights / 2;
  add(live.outcomes, files_.outcome_lines, 0, files_.outcome_lines.size());
  add(live.events, files_.event_lines, 0, half);
  {
    Process process(with_binary(run.arguments("run", {"--quiet"})));
    ASSERT_TRUE(wait_until([&] { return predictions(data) == half && newest_backup(data) > 0; })) << predictions(data) << process.err();
    const std::size_t before = newest_backup(data);
    ASSERT_TRUE(wait_until([&] { return newest_backup(data) > before; }));
    process.send_signal(SIGTERM);
    ASSERT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  }
  run.settings.push_back("backup_interval=0");
  {
    Process process(with_binary(run.arguments("run", {"--quiet"})));
    add(live.events, files_.event_lines, half, half + 500);
    ASSERT_TRUE(wait_until([&] { return predictions(data) == half + 500; })) << predictions(data) << process.err();
    fs::rename(live.events, live.events.string() + ".1");
    add(live.events, files_.event_lines, half + 500, kFlights);
    ASSERT_TRUE(wait_until([&] { return predictions(data) == kFlights; })) << predictions(data) << process.err();
    process.send_signal(SIGTERM);
    ASSERT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  }
  const Topics before = tail_all(data);
  ASSERT_EQ(before.at("predictions").size(), kFlights);
  ASSERT_GT(damage_files(data / "db", ".log") + damage_files(data / "db", ".sst"), 0u);
  EXPECT_NE(run_weir(run.arguments("verify")).exit_code, 0);
  const ProcessResult repair = run_weir(run.arguments("repair", {"--quiet"}), {}, std::chrono::minutes(3));
  ASSERT_EQ(repair.exit_code, 0) << repair.err;
  EXPECT_EQ(repair.out.find("records differ"), std::string::npos) << repair.out;
  run.expect_verified();
  // What could be read of the old log has been computed again; the next start takes what is left in the files.
  Process process(with_binary(run.arguments("run", {"--quiet"})));
  EXPECT_TRUE(wait_until([&] { return predictions(data) == kFlights; })) << predictions(data) << process.err();
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  run.expect_verified();
  const Topics after = tail_all(data);
  EXPECT_EQ(after.at("predictions"), before.at("predictions"));
  EXPECT_EQ(after.at("dead-letters"), before.at("dead-letters"));
}

TEST_F(Repair, SaysSoWhereThereIsNothingToGoOnFrom) {
  const FlightsRun run(directory_ / "data", files_, {"backup_interval=0"});
  run.expect_run();
  const ProcessResult repair = run_weir(run.arguments("repair"));
  EXPECT_EQ(repair.exit_code, 2);
  EXPECT_NE(repair.err.find("no backup to go on from"), std::string::npos) << repair.err;
}

}  // namespace
}  // namespace weir
