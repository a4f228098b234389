#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/rng.hpp"
#include "core/stats/drift_detector.hpp"
#include "core/stats/hypothesis_tests.hpp"
#include "core/stats/prequential.hpp"
#include "core/stats/running_moments.hpp"

namespace weir {
namespace {

TEST(RunningMoments, EqualsTwoPassesAlsoFarFromZero) {
  Rng rng(1);
  for (const double offset : {0.0, 1e9}) {
    RunningMoments moments;
    std::vector<double> xs;
    for (int i = 0; i < 1000; ++i) {
      xs.push_back(offset + rng.normal());
      moments.add(xs.back());
    }
    double mean = 0.0, square = 0.0;
    for (const double x : xs) mean += (x - offset) / 1000.0;
    for (const double x : xs) square += (x - offset - mean) * (x - offset - mean) / 1000.0;
    EXPECT_NEAR(moments.mean() - offset, mean, 1e-6);
    EXPECT_NEAR(moments.variance(), square, 1e-6);
    EXPECT_EQ(moments.weight(), 1000.0);
  }
  EXPECT_EQ(RunningMoments().variance(), 0.0);
}

TEST(RunningMoments, DecayWeighsByAge) {
  RunningMoments moments;
  const double xs[4] = {1.0, 5.0, -2.0, 4.0};
  for (const double x : xs) moments.add(x, 0.5);
  const double weights[4] = {0.125, 0.25, 0.5, 1.0};
  double w = 0.0, mean = 0.0, square = 0.0;
  for (int i = 0; i < 4; ++i) w += weights[i], mean += weights[i] * xs[i];
  mean /= w;
  for (int i = 0; i < 4; ++i) square += weights[i] * (xs[i] - mean) * (xs[i] - mean);
  EXPECT_NEAR(moments.weight(), w, 1e-15);
  EXPECT_NEAR(moments.mean(), mean, 1e-15);
  EXPECT_NEAR(moments.variance(), square / w, 1e-14);
}

TEST(Prequential, GivesFiguresWorkedOutByHand) {
  Prequential p;
  p.add(0.8, 1, 1);
  p.add(0.6, 0, -1);
  p.add(0.6, 1, 0);
  p.add(0.1, 0, 0);
  const ClassificationFigures f = p.figures();
  EXPECT_EQ(f.count, 4U);
  EXPECT_NEAR(*f.log_loss, -(std::log(0.8) + std::log(0.4) + std::log(0.6) + std::log(0.9)) / 4, 1e-14);
  EXPECT_NEAR(*f.brier, (0.04 + 0.36 + 0.16 + 0.01) / 4, 1e-15);
  EXPECT_EQ(*f.accuracy, 0.75);
  EXPECT_EQ(*f.f1, 2.0 * 2 / (3 + 2));
  EXPECT_EQ(*f.auc, 3.5 / 4);  // One pair of equals counts half.
  EXPECT_EQ(*f.base_rate, 0.5);
  EXPECT_NEAR(*f.base_rate_log_loss, std::log(2.0), 1e-15);
  EXPECT_EQ(*f.majority_accuracy, 0.5);
  EXPECT_EQ(*f.last_outcome_accuracy, 2.0 / 3);
  // Bins of 1/15: 0.8 in its own (0.2 off), the two 0.6 together (1.2 against 1), 0.1 (0.1 off).
  EXPECT_NEAR(*f.calibration_error, (0.2 + 0.2 + 0.1) / 4, 1e-15);
}

TEST(Prequential, AucEqualsCountingAllPairs) {
  Rng rng(6);
  Prequential p;
  std::vector<std::pair<double, int>> pairs;
  for (int i = 0; i < 400; ++i) {
    pairs.emplace_back(double(rng.below(50)) / 50.0, static_cast<int>(rng.below(2)));
    p.add(pairs.back().first, pairs.back().second);
  }
  double above = 0.0, count = 0.0;
  for (const auto& one : pairs)
    for (const auto& zero : pairs)
      if (one.second == 1 && zero.second == 0) {
        count += 1.0;
        above += one.first > zero.first ? 1.0 : one.first == zero.first ? 0.5 : 0.0;
      }
  EXPECT_NEAR(*p.figures().auc, above / count, 1e-14);
}

TEST(Prequential, SaysNothingWhereThereIsNothingToSay) {
  EXPECT_FALSE(Prequential().figures().log_loss);
  Prequential ones;
  ones.add(1.0, 1);
  const ClassificationFigures f = ones.figures();
  EXPECT_FALSE(f.auc);
  EXPECT_FALSE(f.last_outcome_accuracy);
  EXPECT_EQ(*f.base_rate_log_loss, 0.0);
  EXPECT_NEAR(*f.log_loss, 1e-15, 1e-16);
  Prequential zeros;
  zeros.add(0.2, 0);
  EXPECT_FALSE(zeros.figures().f1);  // No 1 said, none there.
}

TEST(PrequentialRegression, GivesErrorsBesideTheMean) {
  PrequentialRegression p;
  p.add(1.0, 2.0);
  p.add(5.0, 2.0);
  p.add(0.0, 8.0);
  const RegressionFigures f = p.figures();
  EXPECT_NEAR(*f.mae, 12.0 / 3, 1e-15);
  EXPECT_NEAR(*f.rmse, std::sqrt((1.0 + 9.0 + 64.0) / 3), 1e-14);
  EXPECT_EQ(*f.mean_label, 4.0);
  EXPECT_NEAR(*f.mean_rmse, std::sqrt((4.0 + 4.0 + 16.0) / 3), 1e-14);
}

// Ville's promise, by seeds: looked at after every sample, a test on differences without a mean alarms at most alpha of the time.
TEST(PairedSequentialTest, FalseAlarmsStayBelowAlphaHoweverOftenOneLooks) {
  constexpr int kRuns = 2000;
  constexpr double kAlpha = 0.05;
  int alarms = 0, heavy = 0;
  for (int run = 0; run < kRuns; ++run) {
    Rng rng(static_cast<std::uint64_t>(run));
    PairedSequentialTest test, skewed;
    bool a = false, b = false;
    for (int i = 0; i < 2000; ++i) {
      test.add(rng.uniform() < 0.5 ? 1.0 : -1.0, 1.0);
      skewed.add(rng.uniform() < 0.9 ? 0.1 : -0.9, 1.0);  // Mean 0, most of them positive.
      a = a || test.rejects(kAlpha);
      b = b || skewed.rejects(kAlpha);
    }
    alarms += a ? 1 : 0;
    heavy += b ? 1 : 0;
  }
  // Three standard deviations above alpha; the test would also fail for one that never looks (see below for its power).
  EXPECT_LE(alarms, kRuns * kAlpha + 3 * std::sqrt(kRuns * kAlpha * 0.95));
  EXPECT_LE(heavy, kRuns * kAlpha + 3 * std::sqrt(kRuns * kAlpha * 0.95));
}

TEST(PairedSequentialTest, FindsASmallAdvantage) {
  int found = 0;
  for (std::uint64_t run = 0; run < 100; ++run) {
    Rng rng(run);
    PairedSequentialTest test;
    for (int i = 0; i < 5000 && !test.rejects(0.01); ++i) test.add(0.1 + 0.5 * rng.normal(), 2.0);
    found += test.rejects(0.01) ? 1 : 0;
  }
  EXPECT_GE(found, 99);
}

TEST(DriftDetector, AlarmsAfterARiseAndSeldomWithoutOne) {
  int early = 0, found = 0;
  double delay = 0.0;
  for (std::uint64_t run = 0; run < 100; ++run) {
    Rng rng(run);
    DriftDetector detector;
    const DriftSettings settings{0.25, 20.0, 100};
    bool alarmed = false;
    for (int i = 0; i < 5000 && !alarmed; ++i) alarmed = detector.add(rng.normal(), settings);
    early += alarmed ? 1 : 0;
    for (int i = 0; i < 500; ++i)
      if (detector.add(1.0 + rng.normal(), settings)) {
        ++found;
        delay += i;
        break;
      }
  }
  EXPECT_LE(early, 12);
  EXPECT_GE(found, 85);
  EXPECT_LT(delay / found, 60.0);
}

}  // namespace
}  // namespace weir
