#include "core/learning/schedules.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace weir {
namespace {
using Kind = ScheduleSettings::Kind;

TEST(Schedules, GiveTheDocumentedFactors) {
  EXPECT_EQ(schedule_factor({}, 0), 1.0);
  EXPECT_EQ(schedule_factor({}, 1'000'000), 1.0);
  const ScheduleSettings step{Kind::kStep, 0.5, 10, 0.0, 0};
  EXPECT_EQ(schedule_factor(step, 0), 1.0);
  EXPECT_EQ(schedule_factor(step, 9), 1.0);
  EXPECT_EQ(schedule_factor(step, 10), 0.5);
  EXPECT_EQ(schedule_factor(step, 35), 0.125);
  const ScheduleSettings exponential{Kind::kExponential, 0.25, 10, 0.0, 0};
  EXPECT_EQ(schedule_factor(exponential, 0), 1.0);
  EXPECT_NEAR(schedule_factor(exponential, 5), 0.5, 1e-15);
  EXPECT_NEAR(schedule_factor(exponential, 10), 0.25, 1e-15);
}

TEST(Schedules, CosineRunsFromOneToTheFloorAndBeginsAnew) {
  const ScheduleSettings cosine{Kind::kCosine, 0.5, 1000, 0.1, 0};
  for (std::uint64_t k = 0; k < 2500; ++k) {
    const double x = double(k % 1000) / 1000.0;
    EXPECT_NEAR(schedule_factor(cosine, k), 0.1 + 0.9 * 0.5 * (1.0 + std::cos(M_PI * x)), 1e-14) << k;
  }
}

TEST(Schedules, WarmUpComesFirst) {
  ScheduleSettings s{Kind::kStep, 0.5, 10, 0.0, 4};
  EXPECT_EQ(schedule_factor(s, 0), 0.25);
  EXPECT_EQ(schedule_factor(s, 3), 1.0);
  EXPECT_EQ(schedule_factor(s, 4), 1.0);
  EXPECT_EQ(schedule_factor(s, 13), 1.0);
  EXPECT_EQ(schedule_factor(s, 14), 0.5);
}

TEST(Schedules, RefuseWhatMakesNoSense) {
  EXPECT_FALSE(check({Kind::kCosine, 0.5, 0, 0.0, 0}).ok());
  EXPECT_FALSE(check({Kind::kStep, 0.0, 10, 0.0, 0}).ok());
  EXPECT_FALSE(check({Kind::kStep, 1.5, 10, 0.0, 0}).ok());
  EXPECT_FALSE(check({Kind::kCosine, 0.5, 10, 2.0, 0}).ok());
  EXPECT_TRUE(check({Kind::kConstant, 0.5, 0, 0.0, 0}).ok());
}

}  // namespace
}  // namespace weir
