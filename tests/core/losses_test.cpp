#include "core/learning/losses.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.hpp"

namespace weir {
namespace {

TEST(Losses, ValueAndDerivativeAgreeWithThePairAtExtremesToo) {
  for (const LossKind kind : {LossKind::kLogLoss, LossKind::kSquared})
    for (const double z : {-1e300, -800.0, -40.0, -1.0, -1e-300, 0.0, 1e-9, 3.0, 36.0, 710.0, 1e300})
      for (const double y : {0.0, 0.3, 1.0}) {
        const LossValue both = loss(kind, z, y);
        EXPECT_EQ(both.value, loss_value(kind, z, y));
        EXPECT_EQ(both.dscore, loss_derivative(kind, z, y));
        EXPECT_GE(both.value, 0.0);
        if (kind == LossKind::kLogLoss) {
          EXPECT_TRUE(std::isfinite(both.value)) << z;
          EXPECT_LE(std::abs(both.dscore), 1.0);
        }
      }
}

TEST(Losses, DerivativeMatchesCentralDifferences) {
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    const double z = 4.0 * rng.normal();
    const double y = i % 3 == 0 ? rng.uniform() : double(rng.below(2));
    for (const LossKind kind : {LossKind::kLogLoss, LossKind::kSquared}) {
      const double h = 1e-5;
      EXPECT_NEAR(loss_derivative(kind, z, y), (loss_value(kind, z + h, y) - loss_value(kind, z - h, y)) / (2 * h), 1e-8);
    }
  }
}

TEST(Losses, LogLossKeepsItsDigitsWhereTheScoreIsRight) {
  EXPECT_NEAR(loss_value(LossKind::kLogLoss, 40.0, 1.0) / std::exp(-40.0), 1.0, 1e-12);
  EXPECT_NEAR(loss_value(LossKind::kLogLoss, -40.0, 0.0) / std::exp(-40.0), 1.0, 1e-12);
  EXPECT_EQ(loss_value(LossKind::kLogLoss, -40.0, 1.0), 40.0);
}

TEST(Losses, LossOfAProbabilityIsClippedAndAgreesWithTheLogits) {
  for (const double z : {-5.0, -0.1, 2.0})
    for (const double y : {0.0, 1.0})
      EXPECT_NEAR(log_loss_of_probability(link(TaskKind::kClassification, z), y), loss_value(LossKind::kLogLoss, z, y), 1e-12);
  EXPECT_NEAR(log_loss_of_probability(0.0, 1.0), 34.538776394910684, 1e-9);
  EXPECT_NEAR(log_loss_of_probability(1.0, 0.0), 34.5, 0.1);
  EXPECT_EQ(link(TaskKind::kRegression, 7.5), 7.5);
}

}  // namespace
}  // namespace weir
