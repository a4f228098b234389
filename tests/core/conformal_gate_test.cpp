// The gate's promise: sets hold the outcome as often as asked, while saying something. Always {0, 1} or always abstaining fails.

#include "core/solvers/conformal_gate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "core/base/math.hpp"
#include "core/base/rng.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

struct Totals {
  double coverage = 0.0, certified = 0.0, right_when_certified = 0.0, both = 0.0;
};

// What is asked of a gate on a stream where a third of the events can be told apart well and the rest hardly.
template <class Complete, class Update>
Totals run_stream(std::uint64_t seed, int events, Complete&& complete, Update&& update) {
  Rng rng(seed);
  int n = 0, covered = 0, certified = 0, right = 0, both = 0;
  for (int i = 0; i < events; ++i) {
    const double z = (i % 3 == 0 ? 1.2 : 4.0) * rng.normal();
    Prediction p;
    p.value = math::sigmoid(z);
    const double label = rng.uniform() < p.value ? 1.0 : 0.0;
    complete(p);
    if (i > 2000) {
      ++n;
      const bool in = p.in_set[label > 0.5 ? 1 : 0];
      covered += in ? 1 : 0;
      both += p.in_set[0] && p.in_set[1] ? 1 : 0;
      certified += p.certified ? 1 : 0;
      right += p.certified && in ? 1 : 0;
    }
    update(p, p.value, label);
  }
  return {double(covered) / n, double(certified) / n, certified > 0 ? double(right) / certified : 0.0, double(both) / n};
}

void expect_useful(const Totals& t, double coverage) {
  EXPECT_NEAR(t.coverage, coverage, 0.02);
  EXPECT_GT(t.certified, 0.3);
  EXPECT_LT(t.both, 0.6);
  EXPECT_GT(t.right_when_certified, coverage - 0.1);
}
bool useful(const Totals& t, double coverage) {
  return std::abs(t.coverage - coverage) <= 0.02 && t.certified > 0.3 && t.both < 0.6;
}

TEST(ConformalGate, CoversAsAskedOnAStationaryStream) {
  for (const double coverage : {0.8, 0.9, 0.95})
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      ConformalSettings s;
      s.coverage = coverage;
      ConformalGate gate(TaskKind::kClassification, s);
      expect_useful(run_stream(
                        seed, 20000, [&](Prediction& p) { gate.complete(p); },
                        [&](const Prediction& p, double value, double label) { gate.update(p, value, label); }),
                    coverage);
      EXPECT_NEAR(gate.counts().coverage(), coverage, 0.02);
      EXPECT_EQ(gate.counts().sizes[0] + gate.counts().sizes[1] + gate.counts().sizes[2], gate.counts().labelled);
    }
}

TEST(ConformalGate, TheTestSeesThroughAGateThatSaysNothing) {
  const auto ignore = [](const Prediction&, double, double) {};
  const Totals always_both = run_stream(1, 20000, [](Prediction& p) { p.has_set = p.in_set[0] = p.in_set[1] = true; }, ignore);
  EXPECT_FALSE(useful(always_both, 0.9));
  const Totals always_none = run_stream(1, 20000, [](Prediction& p) { p.has_set = true; }, ignore);
  EXPECT_FALSE(useful(always_none, 0.9));
  // Right coverage by chance, without looking: {0, 1} in nine of ten cases.
  Rng rng(1);
  const Totals coin = run_stream(
      1, 20000, [&](Prediction& p) { p.has_set = true, p.in_set[0] = p.in_set[1] = rng.uniform() < 0.9; }, ignore);
  EXPECT_NEAR(coin.coverage, 0.9, 0.02);
  EXPECT_FALSE(useful(coin, 0.9));
}

// After a shift the model's probabilities mean something else; coverage must come back, also where labels are late.
TEST(ConformalGate, RecoversAfterAShift) {
  ConformalSettings s;
  ConformalGate gate(TaskKind::kClassification, s);
  Rng rng(4);
  std::deque<std::pair<Prediction, double>> waiting;
  int covered = 0, n = 0, covered_at_once = 0;
  for (int i = 0; i < 12000; ++i) {
    const bool shifted = i >= 6000;
    Prediction p;
    p.value = math::sigmoid(3.0 * rng.normal());
    gate.complete(p);
    const double truth = shifted ? 0.3 + 0.4 * p.value : p.value;
    const double label = rng.uniform() < truth ? 1.0 : 0.0;
    const bool in = p.in_set[label > 0.5 ? 1 : 0];
    if (i >= 6000 && i < 6200) covered_at_once += in ? 1 : 0;
    if (i >= 8500) {
      ++n;
      covered += in ? 1 : 0;
    }
    waiting.emplace_back(p, label);
    if (waiting.size() > 100) {
      gate.update(waiting.front().first, waiting.front().first.value, waiting.front().second);
      waiting.pop_front();
    }
  }
  EXPECT_LT(covered_at_once, 170);  // The shift hurts,
  EXPECT_NEAR(double(covered) / n, 0.9, 0.02);  // and is made good.
}

TEST(ConformalGate, CertifiesNothingDuringWarmUp) {
  ConformalSettings s;
  s.warm_up = 50;
  ConformalGate gate(TaskKind::kClassification, s);
  for (int i = 0; i < 50; ++i) {
    Prediction p;
    p.value = 0.99;
    gate.complete(p);
    EXPECT_FALSE(p.certified || p.has_set);
    gate.update(p, p.value, 1.0);
  }
  Prediction p;
  p.value = 0.999;
  gate.complete(p);
  EXPECT_TRUE(p.certified && p.in_set[1] && !p.in_set[0]);
  EXPECT_EQ(gate.alpha(), 1.0 - s.coverage);  // Predictions without a set do not move it.
}

TEST(ConformalGate, RegressionIntervalsCoverAndAreNoWiderThanTheyMustBe) {
  ConformalSettings s;
  s.coverage = 0.9;
  s.max_width = 4.0;
  ConformalGate gate(TaskKind::kRegression, s);
  Rng rng(9);
  int covered = 0, certified = 0, n = 0;
  double width = 0.0;
  for (int i = 0; i < 20000; ++i) {
    Prediction p;
    p.value = 10.0 * rng.normal();
    gate.complete(p);
    const double noise = i < 14000 ? 1.0 : 3.0;
    const double label = p.value + noise * rng.normal();
    if (i >= 2000 && i < 14000) {
      ++n;
      covered += label >= p.low && label <= p.high ? 1 : 0;
      width += p.high - p.low;
      certified += p.certified ? 1 : 0;
    }
    EXPECT_FALSE(i >= 16000 && p.certified) << i;  // By then wider than max_width.
    gate.update(p, p.value, label);
  }
  EXPECT_NEAR(double(covered) / n, 0.9, 0.02);
  EXPECT_NEAR(width / n, 2 * 1.645, 0.15);
  EXPECT_GT(certified, n * 9 / 10);
}

TEST(ConformalGate, RestartsWhereItWas) {
  ConformalSettings s;
  s.window = 300;
  s.warm_up = 20;
  ConformalGate unbroken(TaskKind::kClassification, s);
  auto broken = std::make_unique<ConformalGate>(TaskKind::kClassification, s);
  auto reader = std::make_shared<MapStateReader>();
  Rng rng(2);
  for (int i = 0; i < 2000; ++i) {
    Prediction a, b;
    a.value = b.value = math::sigmoid(3.0 * rng.normal());
    unbroken.complete(a);
    broken->complete(b);
    ASSERT_EQ(a.in_set[0], b.in_set[0]) << i;
    ASSERT_EQ(a.in_set[1], b.in_set[1]) << i;
    const double label = rng.uniform() < a.value ? 1.0 : 0.0;
    unbroken.update(a, a.value, label);
    broken->update(b, b.value, label);
    if (i % 37 != 0) continue;
    StateChanges changes;
    StateWriter writer(changes, "g/", CommitId(1));
    broken->save(writer);
    EXPECT_LE(changes.count(), 4U);  // One page or two of the ring, and the rest.
    reader->apply(changes, CommitId(1));
    broken = std::make_unique<ConformalGate>(TaskKind::kClassification, s);
    ASSERT_TRUE(broken->load(StageState(reader, "g/")).ok());
    ASSERT_EQ(broken->alpha(), unbroken.alpha());
    ASSERT_EQ(broken->counts(), unbroken.counts());
  }
}

}  // namespace
}  // namespace weir
