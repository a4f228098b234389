// Goal: a record that kills the program each time is refused in the end, and costs nothing else: every other record is dealt
// with once, and all of it can be computed again. The service manager is a loop.
#include <gtest/gtest.h>
#include <signal.h>

#include <tuple>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kFlights = 2'000;
constexpr int kStartsMax = 10;  // docs/operations.md §8

// Where the record ends the process: in the task, or in the parser, which runs ahead of it on another thread.
class Poison : public testing::TestWithParam<std::tuple<const char*, const char*, const char*>> {
 protected:
  static const FlightFiles& flights() { return first_flights(kFlights); }
  FlightsRun run_of() const {
    return FlightsRun(directory_ / "data", flights(), {std::string("order=") + std::get<0>(GetParam()), std::string("learning=") + std::get<1>(GetParam())});
  }
  static ProcessOptions armed_at(const std::string& record) {
    return {.env = {{"WEIR_CRASH_AT", std::string(std::get<2>(GetParam())) + ".record@" + record}}};
  }
  // How many starts it took to get through.
  static int starts_through(const FlightsRun& run, const std::string& record) {
    const ProcessOptions armed = armed_at(record);
    for (int starts = 1; starts <= 2 * kStartsMax; ++starts) {
      const ProcessResult result = run.run(armed);
      if (result.exit_code == 0) {
        EXPECT_NE(result.err.find("it refuses that record"), std::string::npos) << result.err;
        return starts;
      }
      EXPECT_EQ(result.signal, SIGKILL) << result.exit_code << result.err;
    }
    return 2 * kStartsMax + 1;
  }
  TemporaryDirectory directory_;
};

std::vector<std::string> with_value(const std::vector<std::string>& records, const std::string& text) {
  std::vector<std::string> out;
  for (const std::string& record : records)
    if (record.find(text) != std::string::npos) out.push_back(record);
  return out;
}

TEST_P(Poison, AnEventIsDeadLettered) {
  const FlightsRun run = run_of();
  constexpr std::size_t kCulprit = 777;
  EXPECT_LE(starts_through(run, "logs/" + std::to_string(kCulprit)), kStartsMax);
  const Topics topics = tail_all(run.data);
  const auto& dead = topics.at("dead-letters");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_NE(dead[0].find("\"reason\":\"poison\""), std::string::npos) << dead[0];
  EXPECT_NE(dead[0].find("\"offset\":" + std::to_string(kCulprit)), std::string::npos) << dead[0];
  const auto& predictions = topics.at("predictions");
  ASSERT_EQ(predictions.size(), kFlights - 1);
  for (std::size_t i = 0; i < predictions.size(); ++i)
    ASSERT_EQ(json_value(predictions[i].substr(predictions[i].find("\"value\":")), "id"), json_value(flights().event_lines[i + (i >= kCulprit ? 1 : 0)], "id")) << i;
  EXPECT_EQ(run_weir(run.arguments("verify", {"--recompute"}), armed_at("logs/" + std::to_string(kCulprit))).exit_code, 0);
}

TEST_P(Poison, AnOutcomeIsUnjoined) {
  const FlightsRun run = run_of();
  constexpr std::size_t kCulprit = 50;
  EXPECT_LE(starts_through(run, "outcomes/" + std::to_string(kCulprit)), kStartsMax);
  const Topics topics = tail_all(run.data);
  EXPECT_EQ(topics.at("predictions").size(), kFlights);
  EXPECT_EQ(topics.at("dead-letters").size(), 0U);
  const auto invalid = with_value(topics.at("unjoined"), "\"reason\":\"invalid\"");
  ASSERT_EQ(invalid.size(), 1U);
  EXPECT_NE(invalid[0].find("\"detail\":\"poison"), std::string::npos) << invalid[0];
  EXPECT_NE(invalid[0].find("\"offset\":" + std::to_string(kCulprit)), std::string::npos) << invalid[0];
  EXPECT_EQ(run_weir(run.arguments("verify", {"--recompute"}), armed_at("outcomes/" + std::to_string(kCulprit))).exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Combinations, Poison, testing::Values(std::tuple("event_time", "coupled", "task"), std::tuple("arrival", "free", "task"),
                                                               std::tuple("event_time", "coupled", "parse"), std::tuple("arrival", "free", "parse")),
                         [](const auto& info) { return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param) + "_" + std::get<2>(info.param); });

}  // namespace
}  // namespace weir
