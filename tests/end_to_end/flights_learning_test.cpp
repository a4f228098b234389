// Goal: both flight tasks learn as well as they did when this was written, and from nothing they must not know: the early task
// never from the departure delay, none from the file's order among flights of one minute (it is that of their departures).
// Nothing here is random but the shuffle: without replay the same input gives the same predictions under any seed.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/rng.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kFlights = 51'955;  // January and February.

class FlightsLearning : public testing::Test {
 protected:
  struct Learned {
    double log_loss, auc;
    std::string predictions;
  };
  static const FlightFiles& flights() {
    static const TemporaryDirectory directory;
    static const FlightFiles files = cut_flights(directory.path(), kFlights);
    return files;
  }
  static Learned learn(const std::string& config, const std::filesystem::path& events) {
    const TemporaryDirectory directory;
    const std::string data = (directory / "data").string();
    const ProcessResult run = run_weir({"run", (project_directory() / "configs" / config).string(), "--quiet", "--data", data, "--set",
                                        "sources.logs.files=[" + events.string() + "]", "--set",
                                        "sources.outcomes.files=[" + flights().outcomes.string() + "]"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    const std::string report = run_weir({"report", "--data", data, "--json"}).out;
    EXPECT_EQ(json_value(report, "events"), std::to_string(flights().event_lines.size()));
    EXPECT_EQ(json_value(report, "labelled"), std::to_string(flights().outcome_lines.size()));
    return {std::atof(json_value(report, "log_loss").c_str()), std::atof(json_value(report, "auc").c_str()),
            run_weir({"tail", "predictions", "--data", data, "--from-beginning", "--json"}).out};
  }
  static const Learned& departure() {
    static const Learned learned = learn("flights.yaml", flights().events);
    return learned;
  }
  static const Learned& early() {
    static const Learned learned = learn("flights_early.yaml", flights().events);
    return learned;
  }
  // The flights of each moment in another order.
  static std::filesystem::path shuffled(const TemporaryDirectory& directory, std::uint64_t seed) {
    std::vector<std::string> lines = flights().event_lines;
    Rng rng(seed);
    for (std::size_t begin = 0, end = 0; begin < lines.size(); begin = end) {
      while (end < lines.size() && json_value(lines[end], "ts") == json_value(lines[begin], "ts")) ++end;
      for (std::size_t i = end; i > begin + 1; --i) std::swap(lines[i - 1], lines[begin + rng.below(i - begin)]);
    }
    EXPECT_NE(lines, flights().event_lines);
    write_file(directory / "shuffled.jsonl", joined(lines));
    return directory / "shuffled.jsonl";
  }
};

TEST_F(FlightsLearning, DepartureReachesItsLogLossAndAuc) {
  EXPECT_LE(departure().log_loss, 0.2640);
  EXPECT_GE(departure().auc, 0.9130);
}

TEST_F(FlightsLearning, EarlyReachesItsLogLossAndAuc) {
  EXPECT_LE(early().log_loss, 0.4805);
  EXPECT_GE(early().auc, 0.7185);
}

TEST_F(FlightsLearning, EarlyKnowsNothingOfTheDepartureDelay) {
  std::vector<std::string> lines = flights().event_lines;
  for (std::string& line : lines) {
    const std::size_t at = line.find(",\"dep_delay\":");
    ASSERT_NE(at, std::string::npos) << line;
    line = line.substr(0, at) + line.substr(line.find_first_of(",}", at + 1));
  }
  const TemporaryDirectory directory;
  write_file(directory / "without.jsonl", joined(lines));
  EXPECT_TRUE(learn("flights_early.yaml", directory / "without.jsonl").predictions == early().predictions);
  EXPECT_FALSE(learn("flights.yaml", directory / "without.jsonl").predictions == departure().predictions);
}

TEST_F(FlightsLearning, TheOrderWithinAMomentTellsNothing) {
  for (const std::uint64_t seed : {1, 2}) {
    const TemporaryDirectory directory;
    const std::filesystem::path events = shuffled(directory, seed);
    EXPECT_NEAR(learn("flights.yaml", events).log_loss, departure().log_loss, 0.0005);
    EXPECT_NEAR(learn("flights_early.yaml", events).log_loss, early().log_loss, 0.0005);
  }
}

}  // namespace
}  // namespace weir
