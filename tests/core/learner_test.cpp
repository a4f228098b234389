// The fused step beside the general one on the same random stream: the same bits after every step.

#include "core/learning/learner.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>
#include <limits>

#include "core/base/rng.hpp"

namespace weir {
namespace {

using Kind = OptimizerSettings::Kind;
using Clip = OptimizerSettings::Clip;
constexpr ModelShape kShape{21, 400};

struct Case {
  std::string model;
  Kind kind;
  Clip clip;
  double l1 = 0.0, l2 = 0.0;
};

class FusedPath : public testing::TestWithParam<Case> {};

TEST_P(FusedPath, GivesTheBitsOfTheGeneralPath) {
  const Case& c = GetParam();
  OptimizerSettings settings;
  settings.kind = c.kind;
  settings.learning_rate = 0.1;
  settings.clip = c.clip;
  settings.clip_at = 0.7;
  settings.l1 = c.l1;
  settings.l2 = c.l2;
  settings.schedule.warm_up = 50;
  const std::shared_ptr<const Model> model = std::move(*make_model({c.model, kShape}));
  Rng rng(11);
  Parameters a = model->initial(rng);
  Parameters b = a;
  Learner fused(model, settings, a, Learner::Path::kFastest);
  Learner general(model, settings, b, Learner::Path::kGeneral);
  std::vector<float> dense(kShape.dense), values;
  std::vector<std::uint32_t> indices;
  int refused = 0;
  for (int row = 0; row < 2000; ++row) {
    for (float& x : dense) x = static_cast<float>(rng.normal());
    if (row % 97 == 5) dense[3] = row % 2 == 0 ? std::numeric_limits<float>::infinity() : 3e38f;
    indices.clear();
    values.clear();
    const std::uint64_t count = rng.below(row % 10 == 0 ? 90 : 12);
    for (std::uint64_t i = 0; i < count; ++i) {
      indices.push_back(static_cast<std::uint32_t>(rng.below(row % 3 == 0 ? 20 : kShape.sparse)));
      values.push_back(row % 2 == 0 ? 1.0f : static_cast<float>(rng.normal()));
    }
    if (row % 4 == 0) {
      std::sort(indices.begin(), indices.end());
      indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
      values.resize(indices.size());
    }
    const Sample sample{dense, indices, values};
    const double label = c.model == "logistic" ? double(rng.below(2)) : rng.normal();
    const bool taken = fused.step(a, sample, label);
    ASSERT_EQ(taken, general.step(b, sample, label)) << "row " << row;
    refused += taken ? 0 : 1;
    ASSERT_EQ(a.crc(), b.crc()) << "row " << row;
    for (int slot = 0; slot < fused.optimizer().slots(); ++slot)
      ASSERT_TRUE(std::ranges::equal(fused.optimizer().moments(slot), general.optimizer().moments(slot))) << "row " << row;
  }
  EXPECT_TRUE(std::ranges::equal(a.dirty_pages(), b.dirty_pages()));
  EXPECT_GT(refused, 0);
  EXPECT_EQ(fused.optimizer().refused(), static_cast<std::uint64_t>(refused));
  EXPECT_GT(a[0], -100.0f);
  EXPECT_NE(a[0], 0.0f);
}
INSTANTIATE_TEST_SUITE_P(Settings, FusedPath,
                         testing::Values(Case{"logistic", Kind::kAdaGrad, Clip::kOff}, Case{"logistic", Kind::kAdaGrad, Clip::kNorm},
                                         Case{"logistic", Kind::kAdaGrad, Clip::kValue, 0.0, 0.01},
                                         Case{"logistic", Kind::kSgd, Clip::kNorm, 0.0, 0.01},
                                         Case{"logistic", Kind::kFtrl, Clip::kNorm, 0.1, 0.01},
                                         Case{"logistic", Kind::kFtrl, Clip::kOff},
                                         Case{"linear", Kind::kAdaGrad, Clip::kNorm}, Case{"linear", Kind::kSgd, Clip::kNorm}));

TEST(Learner, ABatchTakesTheMeanGradient) {
  OptimizerSettings settings;
  settings.kind = Kind::kSgd;
  settings.learning_rate = 0.5;
  settings.clip = Clip::kOff;
  const std::shared_ptr<const Model> model = std::move(*make_model({"linear", {1, 2}}));
  Rng rng(1);
  Parameters p = model->initial(rng);
  Learner learner(model, settings, p);
  EXPECT_FALSE(learner.apply_batch(p));
  const float x[2] = {2.0f, 4.0f};
  const std::uint32_t index[1] = {1};
  const float one[1] = {1.0f};
  learner.add(p, {std::span(x, 1), index, one}, 1.0);             // Residual -1: gradient (-2, -1, -1).
  learner.add(p, {std::span(x + 1, 1), {}, {}}, -3.0);            // Residual 3: gradient (12, 3).
  ASSERT_TRUE(learner.apply_batch(p));
  EXPECT_EQ(p[0], -0.5f * 5.0f);
  EXPECT_EQ(p[1], -0.5f * 1.0f);
  EXPECT_EQ(p[2], 0.0f);
  EXPECT_EQ(p[3], -0.5f * -0.5f);
}

// A task with weights that are known: the learner must find them, and beat the base rate by far.
TEST(Learner, FindsTheWeightsOfAKnownStream) {
  for (const Kind kind : {Kind::kSgd, Kind::kAdam, Kind::kAdamW, Kind::kAdaGrad, Kind::kFtrl}) {
    OptimizerSettings settings;
    settings.kind = kind;
    settings.learning_rate = kind == Kind::kAdam || kind == Kind::kAdamW ? 0.005 : kind == Kind::kSgd ? 0.01 : 0.3;
    const std::shared_ptr<const Model> model = std::move(*make_model({"logistic", {3, 1}}));
    Rng rng(8);
    Parameters p = model->initial(rng);
    Learner learner(model, settings, p);
    const double truth[3] = {1.5, -2.0, 0.5};
    for (int row = 0; row < 20000; ++row) {
      float x[3];
      double z = -0.4;
      for (int i = 0; i < 3; ++i) z += truth[i] * double(x[i] = static_cast<float>(rng.normal()));
      learner.step(p, {x, {}, {}}, rng.uniform() < 1.0 / (1.0 + std::exp(-z)) ? 1.0 : 0.0);
    }
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_NEAR(p[i], truth[i], 0.35) << "optimizer " << int(kind);
    EXPECT_NEAR(p[3], -0.4, 0.25) << "optimizer " << int(kind);
  }
}

}  // namespace
}  // namespace weir
