// Every kind in the catalogue: its gradient against central differences of its loss, parameter by parameter.

#include "core/models/model.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.hpp"
#include "core/learning/losses.hpp"

namespace weir {
namespace {

constexpr ModelShape kShape{37, 50};  // More than two rounds of lanes, and a remainder.

struct RandomSample {
  std::vector<float> dense;
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  Sample view() const { return {dense, indices, values}; }
};

RandomSample random_sample(Rng& rng, const ModelShape& shape) {
  RandomSample out;
  for (std::uint32_t i = 0; i < shape.dense; ++i) out.dense.push_back(static_cast<float>(rng.normal()));
  for (int i = 0; i < 9; ++i) {
    out.indices.push_back(static_cast<std::uint32_t>(rng.below(shape.sparse)));  // Repeats happen.
    out.values.push_back(static_cast<float>(rng.normal()));
  }
  out.indices.push_back(out.indices[0]);
  out.values.push_back(0.5f);
  return out;
}

class ModelKinds : public testing::TestWithParam<std::string_view> {
 protected:
  std::unique_ptr<Model> model_ = std::move(*make_model({std::string(GetParam()), kShape}));
};

TEST_P(ModelKinds, GradientMatchesCentralDifferences) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Rng rng(seed);
    Parameters p = model_->initial(rng);
    for (float& value : p.mutable_values()) value = static_cast<float>(0.3 * rng.normal());
    const RandomSample sample = random_sample(rng, kShape);
    const LossKind kind = loss_of(model_->task());
    const double label = kind == LossKind::kLogLoss ? double(rng.below(2)) : rng.normal();
    Gradient gradient;
    model_->backward(p, sample.view(), loss_derivative(kind, model_->forward(p, sample.view()), label), gradient);
    gradient.finish();
    std::vector<double> analytic(p.size(), 0.0);
    for (std::size_t i = 0; i < gradient.indices().size(); ++i) {
      ASSERT_EQ(analytic[gradient.indices()[i]], 0.0) << "index twice";
      analytic[gradient.indices()[i]] = double(gradient.values()[i]);
    }
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      const float at = p[i];
      // The steps that f32 can take from here; the difference is divided by what they really are.
      const float up = at + 0x1p-10f, down = at - 0x1p-10f;
      p.set(i, up);
      const double above = loss_value(kind, model_->forward(p, sample.view()), label);
      p.set(i, down);
      const double below = loss_value(kind, model_->forward(p, sample.view()), label);
      p.set(i, at);
      EXPECT_NEAR(analytic[i], (above - below) / (double(up) - double(down)), 2e-6) << "parameter " << i << ", seed " << seed;
    }
  }
}

TEST_P(ModelKinds, ScoreIsTheSumItsBlocksSay) {
  Rng rng(3);
  Parameters p = model_->initial(rng);
  for (float& value : p.mutable_values()) value = static_cast<float>(rng.normal());
  const RandomSample sample = random_sample(rng, kShape);
  long double expected = p[kShape.dense];
  for (std::uint32_t i = 0; i < kShape.dense; ++i) expected += static_cast<long double>(p[i]) * sample.dense[i];
  for (std::size_t i = 0; i < sample.indices.size(); ++i)
    expected += static_cast<long double>(p[kShape.dense + 1 + sample.indices[i]]) * sample.values[i];
  EXPECT_NEAR(model_->forward(p, sample.view()), static_cast<double>(expected), 1e-13);
}

TEST_P(ModelKinds, SameNumbersGiveTheSameBits) {  // Wherever the arrays lie in memory.
  Rng rng(4);
  Parameters p = model_->initial(rng);
  for (float& value : p.mutable_values()) value = static_cast<float>(rng.normal());
  const RandomSample sample = random_sample(rng, kShape);
  const double score = model_->forward(p, sample.view());
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::vector<float> moved(shift, 9.0f);
    moved.insert(moved.end(), sample.dense.begin(), sample.dense.end());
    Sample view = sample.view();
    view.dense = std::span<const float>(moved).subspan(shift);
    EXPECT_EQ(model_->forward(p, view), score);
  }
}
std::vector<std::string_view> kinds_with_gradients() {
  std::vector<std::string_view> out = model_kinds();
  std::erase_if(out, learns_by_jobs);
  return out;
}
INSTANTIATE_TEST_SUITE_P(Catalogue, ModelKinds, testing::ValuesIn(kinds_with_gradients()));

TEST(Model, AnUnknownKindNamesTheKnownOnes) {
  const auto made = make_model({"logstic", kShape});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kConfig);
  EXPECT_NE(made.error().what.find("'logistic', 'linear', 'hashtron'"), std::string::npos) << made.error().what;
}

TEST(Gradient, FinishSumsRepeatsInOrder) {
  Gradient g;
  g.add(5, 1e8f);
  g.add(2, 1.0f);
  g.add(5, 1.0f);
  g.add(5, -1e8f);
  g.finish();
  ASSERT_EQ(g.indices().size(), 2U);
  EXPECT_EQ(g.indices()[0], 5U);
  EXPECT_EQ(g.indices()[1], 2U);
  EXPECT_EQ(g.values()[0], (1e8f + 1.0f) - 1e8f);
  EXPECT_EQ(g.values()[1], 1.0f);
}

}  // namespace
}  // namespace weir
