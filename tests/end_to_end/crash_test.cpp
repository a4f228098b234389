// Goal: a kill at any named point loses nothing and repeats nothing.
// Each point of kCrashPoints is passed in a setup that reaches it; the process gets SIGKILL there, is started again and runs to
// the end. Invariants: order: event_time with coupled learning gives byte for byte the topics of an unbroken run; every
// combination recomputes to what it has published. Each point kills at least one run, or its test fails; at full length its
// first pass does so in every combination, its second and a later one in at least one (where no other thread's timing decides how
// often it is passed).
#include <gtest/gtest.h>

#include <tuple>
#include <signal.h>

#include "core/base/crash_point.hpp"
#include "core/base/rng.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

struct Combination {
  const char* order;
  const char* learning;
  std::string name() const { return std::string(order) + "+" + learning; }
  bool same_bytes() const { return std::string(order) == "event_time" && std::string(learning) == "coupled"; }
};
constexpr Combination kCombinations[] = {{"event_time", "coupled"}, {"event_time", "free"}, {"arrival", "coupled"}, {"arrival", "free"}};

enum class Surroundings { kFiles, kFollowed, kBackups, kRetention };

Surroundings surroundings_of(std::string_view point) {
  if (point.starts_with("source.")) return Surroundings::kFollowed;
  if (point.starts_with("backup.")) return Surroundings::kBackups;
  if (point.starts_with("retention.")) return Surroundings::kRetention;
  return Surroundings::kFiles;
}
// Passed once a start: its second pass is that of a second start.
bool is_passed_once(std::string_view point) { return point.starts_with("open."); }
bool depends_on_timing(std::string_view point) { return point.starts_with("promotion.") || point.starts_with("model.") || point.starts_with("retention."); }
bool needs_free_learning(std::string_view point) { return point.starts_with("promotion.") || point.starts_with("model."); }

std::vector<std::string> settings_of(Surroundings surroundings, const Combination& combination) {
  std::vector<std::string> out = {std::string("order=") + combination.order, std::string("learning=") + combination.learning,
                                  "promotion.every=100", "crc_every=100", "snapshot_every=1000", "commit_interval=200us",
                                  "backup_interval=0"};
  if (surroundings == Surroundings::kFollowed)
    out.insert(out.end(), {"sources.logs.follow=true", "sources.outcomes.follow=true", "idle_timeout=never"});
  if (surroundings == Surroundings::kBackups) out.push_back("backup_interval=5ms");
  if (surroundings == Surroundings::kRetention)
    out.insert(out.end(), {"log.maintenance_interval=5ms", kSanitized ? "retention={predictions: {bytes: 250KB}}" : "retention={predictions: {bytes: 300KB}}"});
  return out;
}

// A followed pair of files has no end: it is told to leave once each event is answered, which with event_time is once all is
// taken that can be (what is later than the last event waits for the next).
ExitStatus run_to_the_end(const FlightsRun& run, Surroundings surroundings, std::size_t events, const ProcessOptions& options) {
  if (surroundings != Surroundings::kFollowed) {
    const ProcessResult result = run.run(options);
    if (result.exit_code > 0) ADD_FAILURE() << result.err;
    return {result.exit_code, result.signal};
  }
  std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
  arguments.insert(arguments.begin(), weir_binary().string());
  Process process(arguments, options);
  const std::string last = "\"end\":" + std::to_string(events) + ",";
  const bool done = wait_until([&] {
    if (!process.running()) return true;
    const std::string topics = run_weir({"topics", "--json", "--data", run.data.string()}).out;
    const std::size_t at = topics.find("\"flights.predictions\"");
    return at != std::string::npos && topics.substr(at, topics.find("\"flights.", at + 1) - at).find(last) != std::string::npos;
  });
  EXPECT_TRUE(done) << "not all events were answered";
  process.send_signal(SIGTERM);
  const ExitStatus status = process.wait();
  if (status.code > 0) ADD_FAILURE() << process.err();
  return status;
}

class Crash : public testing::TestWithParam<std::string_view> {
 protected:
  // Enough of them that what another thread does (a promotion, a backup, retention) falls into the run, or several commits do.
  static const FlightFiles& flights(std::string_view point) {
    static const TemporaryDirectory few_directory, many_directory;
    static const FlightFiles few = cut_flights(few_directory.path(), kSanitized ? 1'000 : 4'000);
    static const FlightFiles many = cut_flights(many_directory.path(), kSanitized ? 3'000 : 12'000);
    const Surroundings surroundings = surroundings_of(point);
    const bool alone = !full_faults() && (surroundings == Surroundings::kFiles || surroundings == Surroundings::kFollowed);
    return alone && !needs_free_learning(point) ? few : many;
  }
  // The topics of the unbroken run with event_time and coupled learning. Backups and retention change no record.
  static const Topics& unbroken(std::string_view point) {
    static std::map<std::string, Topics> cache;
    const Surroundings surroundings = surroundings_of(point) == Surroundings::kFollowed ? Surroundings::kFollowed : Surroundings::kFiles;
    const FlightFiles& files = flights(point);
    Topics& topics = cache[files.events.string() + (surroundings == Surroundings::kFollowed ? ", followed" : "")];
    if (topics.empty()) {
      const TemporaryDirectory directory;
      const FlightsRun run(directory / "data", files, settings_of(surroundings, kCombinations[0]));
      EXPECT_EQ(run_to_the_end(run, surroundings, files.event_lines.size(), {}), (ExitStatus{0, 0}));
      topics = tail_all(run.data);
      EXPECT_EQ(topics["predictions"].size(), files.event_lines.size());
    }
    return topics;
  }
  // A version that is promoted after the last event is adopted when more events come: so the first half is run to its end, and
  // what crashes is the run over both, however fast the learner was.
  static void run_first_half(const std::filesystem::path& directory, const FlightFiles& files, FlightsRun& run) {
    std::string both[2];
    for (const auto& [name, lines, list] : {std::tuple("logs", &files.event_lines, &both[0]), std::tuple("outcomes", &files.outcome_lines, &both[1])}) {
      const auto middle = lines->begin() + static_cast<std::ptrdiff_t>(lines->size() / 2);
      const auto first = directory / (std::string(name) + ".1.jsonl");
      const auto second = directory / (std::string(name) + ".2.jsonl");
      write_file(first, joined({lines->begin(), middle}));
      write_file(second, joined({middle, lines->end()}));
      *list = "sources." + std::string(name) + ".files=[" + first.string() + "," + second.string() + "]";
      run.settings.push_back("sources." + std::string(name) + ".files=[" + first.string() + "]");
    }
    run.expect_run();
    run.settings.insert(run.settings.end(), {both[0], both[1]});
  }
  // True if the point was reached.
  static bool crash_and_go_on(std::string_view point, std::uint64_t hit, const Combination& combination) {
    const std::string at = std::string(point) + ":" + std::to_string(hit);
    SCOPED_TRACE(at + ", " + combination.name());
    const Surroundings surroundings = surroundings_of(point);
    const std::size_t events = flights(point).event_lines.size();
    const TemporaryDirectory directory;
    FlightsRun run(directory / "data", flights(point), settings_of(surroundings, combination));
    if (point == "model.adopted") run_first_half(directory.path(), flights(point), run);
    ProcessOptions armed;
    armed.env = {{"WEIR_CRASH_AT", is_passed_once(point) ? std::string(point) : at}};
    ExitStatus killed = run_to_the_end(run, surroundings, events, armed);
    for (std::uint64_t start = 1; is_passed_once(point) && start < hit && killed.signal == SIGKILL; ++start)
      killed = run_to_the_end(run, surroundings, events, armed);
    EXPECT_TRUE(killed == (ExitStatus{-1, SIGKILL}) || killed == (ExitStatus{0, 0})) << killed.code << ", signal " << killed.signal;
    if (killed.signal == 0) return false;
    EXPECT_EQ(run_to_the_end(run, surroundings, events, {}), (ExitStatus{0, 0}));
    run.expect_verified();
    if (combination.same_bytes()) {
      const std::vector<std::string> thinned = surroundings == Surroundings::kRetention ? std::vector<std::string>{"predictions", "models"} : std::vector<std::string>{};
      expect_same(unbroken(point), tail_all(run.data), thinned);
    }
    return true;
  }
};

TEST_P(Crash, LosesAndRepeatsNothing) {
  const std::string_view point = GetParam();
  const std::uint64_t seed = 1;
  Rng rng = Rng(seed).derive(point);
  std::size_t kills = 0, combinations = 0, kills_by_pass[3] = {0, 0, 0};
  for (const Combination& combination : kCombinations) {
    if (needs_free_learning(point) && std::string(combination.learning) != "free") continue;
    const std::uint64_t later = 3 + rng.below(20);
    ++combinations;
    // The selection: the first pass until it has killed once, and one later pass.
    if (full_faults()) {
      for (const std::uint64_t hit : {std::uint64_t(1), std::uint64_t(2)}) kills_by_pass[hit - 1] += crash_and_go_on(point, hit, combination) ? 1 : 0;
      bool killed = false;  // Where it is not passed so often, half as late.
      for (std::uint64_t hit = later; !killed && hit >= 3; hit = hit == 3 ? 0 : std::max<std::uint64_t>(3, hit / 2))
        killed = crash_and_go_on(point, hit, combination);
      kills_by_pass[2] += killed ? 1 : 0;
      kills = kills_by_pass[0] + kills_by_pass[1] + kills_by_pass[2];
    } else {
      if (kills == 0) kills += crash_and_go_on(point, 1, combination) ? 1 : 0;
      else if (kills == 1) kills += crash_and_go_on(point, 1 + rng.below(4), combination) ? 1 : 0;
    }
  }
  EXPECT_GT(kills, 0U) << "no setup reaches this point, seed " << seed;
  if (full_faults() && !kSanitized) {
    EXPECT_EQ(kills_by_pass[0], combinations);
    if (!depends_on_timing(point)) {
      EXPECT_GT(kills_by_pass[1], 0U);
      EXPECT_GT(kills_by_pass[2], 0U);
    }
  }
}

// Those of the log on Kafka: kafka_crash_test; of offline training: train_test; of jobs: hashtron_stream_test.
std::vector<std::string_view> points_here() {
  std::vector<std::string_view> out(kCrashPoints.begin(), kCrashPoints.end());
  std::erase_if(out, [](std::string_view point) { return point.starts_with("kafka.") || point.starts_with("training.") || point.starts_with("job."); });
  return out;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, Crash, testing::ValuesIn(points_here()), [](const auto& info) {
  std::string name(info.param);
  for (char& c : name)
    if (c == '.') c = '_';
  return name;
});

}  // namespace
}  // namespace weir
