// Goal: each kernel gives the same bits on every target this machine has.
#include "core/base/simd.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.hpp"
#include "core/features/scaler_kernels.hpp"
#include "core/learning/update_kernels.hpp"

namespace weir {
namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

constexpr std::size_t kSizes[] = {0, 1, 3, 4, 5, 8, 15, 16, 17, 64, 1000};
constexpr int kRounds = 50;

// Magnitudes from subnormal to beyond every bound, both signs, some zeros.
double any_number(Rng& rng) {
  if (rng.below(10) == 0) return 0.0;
  const double size = std::ldexp(1.0 + rng.uniform(), int(rng.below(rng.below(4) == 0 ? 2000 : 60)) - (rng.below(2) == 0 ? 30 : 1000));
  return rng.below(2) == 0 ? size : -size;
}
Doubles numbers(Rng& rng, std::size_t n) {
  Doubles out(n);
  for (double& x : out) x = any_number(rng);
  return out;
}
Doubles sizes(Rng& rng, std::size_t n) {
  Doubles out = numbers(rng, n);
  for (double& x : out) x = std::abs(x);
  return out;
}
Doubles some_missing(Rng& rng, std::size_t n) {
  constexpr double kSpecial[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  Doubles out = numbers(rng, n);
  for (double& x : out)
    if (rng.below(5) == 0) x = kSpecial[rng.below(3)];
  return out;
}
Floats narrowed(const Doubles& values) {
  Floats out;
  for (const double x : values) out.push_back(static_cast<float>(x));
  return out;
}

// All NaNs are one: which operand's payload comes out is the machine's choice, and no NaN is kept anywhere.
std::vector<std::uint64_t> bits(const Doubles& values) {
  std::vector<std::uint64_t> out;
  for (const double x : values) out.push_back(x == x ? std::bit_cast<std::uint64_t>(x) : 0x7ff8000000000000ULL);
  return out;
}
std::vector<std::uint64_t> bits(const Floats& values) { return bits(Doubles(values.begin(), values.end())); }

// `run(target, n, rng)` gives all that a kernel has written for the inputs that rng makes.
template <class Run> void expect_same_on_all_targets(Run run) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    for (const std::size_t n : kSizes) {
      Rng baseline_rng(seed);
      const auto expected = run(SimdTarget::kBaseline, n, baseline_rng);
      for (const SimdTarget target : simd_targets()) {
        Rng rng(seed);
        ASSERT_EQ(run(target, n, rng), expected) << name_of(target) << ", " << n << " values, seed " << seed;
      }
    }
  }
}

using Written = std::vector<std::vector<std::uint64_t>>;

TEST(Simd, TargetsAreThoseOfTheMachine) {
  const auto targets = simd_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(targets.front(), SimdTarget::kBaseline);
#if defined(__x86_64__)
  EXPECT_EQ(targets.back() == SimdTarget::kAvx2, __builtin_cpu_supports("avx2") != 0);
#endif
  EXPECT_EQ(simd_target(), targets.back()) << "untold, the best";
  for (const SimdTarget target : targets) {
    ASSERT_TRUE(use_simd_target(name_of(target)).ok());
    EXPECT_EQ(simd_target(), target);
  }
  const Result<void> unknown = use_simd_target("avx3");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kConfig);
  EXPECT_EQ(simd_target(), targets.back()) << "as before the refusal";
}

TEST(Simd, Scaling) {
  expect_same_on_all_targets([](SimdTarget target, std::size_t n, Rng& rng) {
    const Doubles x = some_missing(rng, n), stand_in = some_missing(rng, n), weight = sizes(rng, n), mean = numbers(rng, n),
                  squares = sizes(rng, n), clip = sizes(rng, n);
    Doubles out(n);
    kernels::scale_all.run_on(target, n, x.data(), stand_in.data(), weight.data(), mean.data(), squares.data(), clip.data(), out.data());
    return Written{bits(out)};
  });
}

TEST(Simd, AddingToMoments) {
  expect_same_on_all_targets([](SimdTarget target, std::size_t n, Rng& rng) {
    const Doubles x = some_missing(rng, n);
    Doubles weight = sizes(rng, n), mean = numbers(rng, n), squares = sizes(rng, n);
    kernels::add_all.run_on(target, n, rng.uniform(), x.data(), weight.data(), mean.data(), squares.data());
    return Written{bits(weight), bits(mean), bits(squares)};
  });
}

TEST(Simd, Logits) {
  expect_same_on_all_targets([](SimdTarget target, std::size_t n, Rng& rng) {
    Doubles x = some_missing(rng, n);
    for (double& p : x)
      if (rng.below(2) == 0) p = rng.uniform();
    kernels::logit_all.run_on(target, n, x.data());
    return Written{bits(x)};
  });
}

template <class Kernel, class Rule> void expect_same_updates(const Kernel& kernel, const Rule& rule) {
  expect_same_on_all_targets([&](SimdTarget target, std::size_t n, Rng& rng) {
    const Floats theta = narrowed(numbers(rng, n)), gradient = narrowed(numbers(rng, n));
    const Doubles m = Rule::kSlots == 1 ? sizes(rng, n) : numbers(rng, n), v = sizes(rng, n);
    Floats values(n);
    Doubles first(n), second(n);
    kernel.run_on(target, {n, theta.data(), gradient.data(), m.data(), v.data(), values.data(), first.data(), second.data()}, rule);
    return Written{bits(values), bits(first), bits(second)};
  });
}

TEST(Simd, Sgd) { expect_same_updates(kernels::update_sgd, rules::Sgd{0.03, 0.001}); }
TEST(Simd, AdaGrad) { expect_same_updates(kernels::update_adagrad, rules::AdaGrad{0.05, 0.0001, 1e-8}); }
TEST(Simd, Ftrl) { expect_same_updates(kernels::update_ftrl, rules::Ftrl{0.1, 1.0, 0.5, 0.01}); }

}  // namespace
}  // namespace weir
