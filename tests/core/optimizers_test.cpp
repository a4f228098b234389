// Each optimiser against a sequence that a short script of its textbook form (as PyTorch documents it) gives in f64:
// parameter 1 (FTRL: 0), gradients 0.1, -0.2, 0.3, 0.05, -0.4.

#include "core/learning/optimizers.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/base/rng.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

using Kind = OptimizerSettings::Kind;
using Clip = OptimizerSettings::Clip;
constexpr float kGradients[5] = {0.1f, -0.2f, 0.3f, 0.05f, -0.4f};

OptimizerSettings of(Kind kind, double rate, double l2 = 0.0) {
  OptimizerSettings s;
  s.kind = kind;
  s.learning_rate = rate;
  s.l2 = l2;
  s.clip = Clip::kOff;
  return s;
}
OptimizerSettings sgd(double momentum, bool nesterov, double l2) {
  OptimizerSettings s = of(Kind::kSgd, 0.1, l2);
  s.momentum = momentum;
  s.nesterov = nesterov;
  return s;
}
OptimizerSettings adagrad(double initial_sum, double l2) {
  OptimizerSettings s = of(Kind::kAdaGrad, 0.1, l2);
  s.initial_sum = initial_sum;
  return s;
}
OptimizerSettings ftrl(double alpha, double l1, double l2) {
  OptimizerSettings s = of(Kind::kFtrl, alpha, l2);
  s.l1 = l1;
  return s;
}

struct Reference {
  const char* name;
  OptimizerSettings settings;
  double expected[5];
};
void PrintTo(const Reference& r, std::ostream* out) { *out << r.name; }

class OptimizerReference : public testing::TestWithParam<Reference> {};

TEST_P(OptimizerReference, MatchesTheTextbook) {
  Parameters p;
  p.add_block("other", {100});
  const std::uint32_t at = p.add_block("w", {3}) + 1;
  p.set(at, GetParam().settings.kind == Kind::kFtrl ? 0.0f : 1.0f);
  Optimizer optimizer(GetParam().settings, p);
  p.clear_dirty();
  for (int i = 0; i < 5; ++i) {
    Gradient g;
    g.add(at, kGradients[i]);
    ASSERT_TRUE(optimizer.apply(g, p));
    EXPECT_NEAR(double(p[at]), GetParam().expected[i], 3e-7) << "step " << i;
  }
  for (std::uint32_t i = 0; i < p.size(); ++i)
    EXPECT_TRUE(i == at || p[i] == 0.0f) << "parameter " << i;
  EXPECT_EQ(std::string(p.dirty_pages().data(), 2), std::string("\0\1", 2));
  EXPECT_EQ(optimizer.steps(), 5U);
}
INSTANTIATE_TEST_SUITE_P(
    All, OptimizerReference,
    testing::Values(
        Reference{"sgd", sgd(0.0, false, 0.0), {0.99, 1.01, 0.98, 0.975, 1.015}},
        Reference{"sgd_l2", sgd(0.0, false, 0.05), {0.985, 1.000075, 0.965074625, 0.955249251875, 0.990473005616}},
        Reference{"momentum", sgd(0.9, false, 0.0), {0.99, 1.001, 0.9809, 0.95781, 0.977029}},
        Reference{"nesterov_l2", sgd(0.9, true, 0.05), {0.9715, 0.98812075, 0.923064027875, 0.877690413073, 0.913169888952}},
        Reference{"adam", of(Kind::kAdam, 0.01), {0.990000001, 0.993661036039, 0.990228625395, 0.986671547097, 0.988578763978}},
        Reference{"adam_l2", of(Kind::kAdam, 0.01, 0.1), {0.9900000005, 0.987375197176, 0.980811594664, 0.973905688816, 0.97187563266}},
        Reference{"adamw", of(Kind::kAdamW, 0.01, 0.1), {0.989000001, 0.991672036038, 0.987247953358, 0.982703627106, 0.983628140361}},
        Reference{"adagrad", adagrad(0.0, 0.0), {0.90000001, 0.9894427251, 0.909264354669, 0.896019031449, 0.968746302854}},
        Reference{"adagrad_l2_sum", adagrad(0.5, 0.05), {0.979248566371, 0.999701816182, 0.956874021728, 0.944985764643, 0.984379993368}},
        Reference{"ftrl", ftrl(0.1, 0.0, 0.0), {-0.00909090909091, 0.00725421095646, -0.0145772167641, -0.018207002643, 0.00759944896988}},
        Reference{"ftrl_l1_l2", ftrl(0.5, 0.15, 0.3), {0.0, 0.0, -0.0164024156728, -0.0327691164829, 0.0}}),
    [](const auto& info) { return info.param.name; });

TEST(Optimizer, AdamWDoesNotDecayTheBias) {
  Parameters p;
  p.add_block("w", {1});
  p.add_block("bias", {1});
  p.set(0, 1.0f);
  p.set(1, 1.0f);
  Optimizer optimizer(of(Kind::kAdamW, 0.1, 0.5), p);
  Gradient g;
  g.add(0, 0.0f);
  g.add(1, 0.0f);
  ASSERT_TRUE(optimizer.apply(g, p));
  EXPECT_EQ(p[0], 0.95f);
  EXPECT_EQ(p[1], 1.0f);
}

TEST(Optimizer, GroupsHaveTheirOwnRateAndDecay) {
  Parameters p;
  p.add_block("a", {1});
  p.add_block("b", {1});
  OptimizerSettings s = of(Kind::kSgd, 0.1);
  s.groups = {{"b", 10.0, 0.5}};
  p.set(1, 1.0f);
  Optimizer optimizer(s, p);
  Gradient g;
  g.add(0, 1.0f);
  g.add(1, 1.0f);
  ASSERT_TRUE(optimizer.apply(g, p));
  EXPECT_EQ(p[0], -0.1f);
  EXPECT_EQ(p[1], 1.0f - 1.5f);
}

TEST(Optimizer, ClipsByNormOrByValue) {
  for (const Clip clip : {Clip::kNorm, Clip::kValue}) {
    OptimizerSettings s = of(Kind::kSgd, 1.0);
    s.clip = clip;
    s.clip_at = 5.0;
    Parameters p;
    p.add_block("w", {2});
    Optimizer optimizer(s, p);
    Gradient g;
    g.add(0, 30.0f);
    g.add(1, -40.0f);
    ASSERT_TRUE(optimizer.apply(g, p));
    EXPECT_FLOAT_EQ(p[0], clip == Clip::kNorm ? -3.0f : -5.0f);
    EXPECT_FLOAT_EQ(p[1], clip == Clip::kNorm ? 4.0f : 5.0f);
  }
}

TEST(Optimizer, AStepThatIsNotFiniteLeavesEveryBit) {
  for (const Kind kind : {Kind::kSgd, Kind::kAdam, Kind::kAdamW, Kind::kAdaGrad, Kind::kFtrl}) {
    OptimizerSettings s = of(kind, kind == Kind::kSgd ? 1e10 : 0.1);
    if (kind == Kind::kSgd) s.momentum = 0.5;
    Parameters p;
    p.add_block("w", {2});
    Optimizer optimizer(s, p);
    Gradient g;
    g.add(0, 1.0f);
    g.add(1, -1.0f);
    ASSERT_TRUE(optimizer.apply(g, p));
    const Parameters before = p;
    const std::vector<double> moments(optimizer.moments(0).begin(), optimizer.moments(0).end());
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e35f}) {
      if (bad == 1e35f && kind != Kind::kSgd) continue;  // Only there does a finite gradient overflow a parameter.
      Gradient poison;
      poison.add(0, 0.5f);
      poison.add(1, bad);
      EXPECT_FALSE(optimizer.apply(poison, p));
    }
    EXPECT_EQ(p.crc(), before.crc());
    EXPECT_TRUE(std::equal(moments.begin(), moments.end(), optimizer.moments(0).begin()));
    EXPECT_EQ(optimizer.steps(), 1U);
    EXPECT_GE(optimizer.refused(), 2U);
  }
}

// Save and load in the middle equals no restart, for every optimiser, with dirty pages only.
TEST(Optimizer, RestartsWhereItWas) {
  for (const Kind kind : {Kind::kSgd, Kind::kAdam, Kind::kAdamW, Kind::kAdaGrad, Kind::kFtrl}) {
    OptimizerSettings s = of(kind, 0.1, 0.01);
    if (kind == Kind::kSgd) s.momentum = 0.9;
    s.schedule = {ScheduleSettings::Kind::kCosine, 0.5, 40, 0.1, 5};
    Parameters a;
    a.add_block("w", {1000});
    Parameters b = a;
    Optimizer unbroken(s, a);
    auto broken = std::make_unique<Optimizer>(s, b);
    auto reader = std::make_shared<MapStateReader>();
    Rng rng(5);
    for (int step = 0; step < 200; ++step) {
      Gradient g;
      std::uint32_t at = 0;
      for (int i = 0; i < 5; ++i) g.add(at += 1 + static_cast<std::uint32_t>(rng.below(150)), static_cast<float>(rng.normal()));
      Gradient h = g;
      ASSERT_TRUE(unbroken.apply(g, a));
      ASSERT_TRUE(broken->apply(h, b));
      StateChanges changes;
      StateWriter writer(changes, "x", CommitId(1));
      broken->save(writer);
      EXPECT_LE(changes.count(), 11U);  // Five pages of at most two slots, and the counters.
      reader->apply(changes, CommitId(1));
      if (step % 17 == 0) {
        broken = std::make_unique<Optimizer>(s, b);
        ASSERT_TRUE(broken->load(StageState(reader, "x")).ok());
      }
      ASSERT_EQ(a.crc(), b.crc()) << "step " << step;
    }
    EXPECT_EQ(broken->steps(), 200U);
  }
}

TEST(Optimizer, RefusesAnotherOnesState) {
  Parameters p;
  p.add_block("w", {10});
  Optimizer a(of(Kind::kAdaGrad, 0.1), p);
  Gradient g;
  g.add(1, 1.0f);
  ASSERT_TRUE(a.apply(g, p));
  StateChanges changes;
  StateWriter writer(changes, "x", CommitId(1));
  a.save(writer);
  auto reader = std::make_shared<MapStateReader>();
  reader->apply(changes, CommitId(1));
  Optimizer b(of(Kind::kSgd, 0.1), p);
  EXPECT_EQ(b.load(StageState(reader, "x")).error().code, ErrorCode::kConfig);
  reader->entries["xo"][0] = 9;
  EXPECT_EQ(Optimizer(of(Kind::kAdaGrad, 0.1), p).load(StageState(reader, "x")).error().code, ErrorCode::kVersion);
  reader->entries["xo"] = "";
  EXPECT_EQ(Optimizer(of(Kind::kAdaGrad, 0.1), p).load(StageState(reader, "x")).error().code, ErrorCode::kCorruption);
}

TEST(Optimizer, ChecksItsSettings) {
  const auto refused = [](auto change) {
    OptimizerSettings s;
    change(s);
    return !check(s).ok();
  };
  EXPECT_TRUE(check(OptimizerSettings()).ok());
  EXPECT_TRUE(refused([](auto& s) { s.learning_rate = 0.0; }));
  EXPECT_TRUE(refused([](auto& s) { s.learning_rate = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](auto& s) { s.epsilon = 0.0; }));
  EXPECT_TRUE(refused([](auto& s) { s.momentum = 1.0; }));
  EXPECT_TRUE(refused([](auto& s) { s.nesterov = true; }));
  EXPECT_TRUE(refused([](auto& s) { s.l1 = -1.0; }));
  EXPECT_TRUE(refused([](auto& s) { s.clip_at = 0.0; }));
  EXPECT_TRUE(refused([](auto& s) { s.schedule = {ScheduleSettings::Kind::kStep, 0.5, 0, 0.0, 0}; }));
}

}  // namespace
}  // namespace weir
