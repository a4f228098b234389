// Our own functions against long double, and the special values of IEEE 754 and C99's Annex F.

#include "core/base/math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/rng.hpp"

namespace weir {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double ulps(double found, long double exact) {
  const auto near = static_cast<double>(exact);
  if (found == near) return 0.0;
  const double ulp = std::nextafter(std::abs(near), kInf) - std::abs(near);
  return std::abs(static_cast<double>((found - exact) / ulp));
}

template <class Ours, class Theirs>
double worst(double low, double high, Ours&& ours, Theirs&& theirs) {
  Rng rng(1);
  double out = 0.0;
  for (int i = 0; i < 200000; ++i) {
    const double x = low + (high - low) * rng.uniform();
    out = std::max(out, ulps(ours(x), theirs(static_cast<long double>(x))));
  }
  return out;
}

TEST(Math, AgreesWithLongDouble) {
  const auto exp = [](long double x) { return std::exp(x); };
  EXPECT_LE(worst(-1.0, 1.0, math::exp, exp), 1.0);
  EXPECT_LE(worst(-708.0, 709.0, math::exp, exp), 1.0);
  const auto log = [](long double x) { return std::log(x); };
  EXPECT_LE(worst(0.5, 2.0, math::log, log), 2.0);
  EXPECT_LE(worst(1e-300, 1e-290, math::log, log), 1.0);
  EXPECT_LE(worst(1.0, 1e300, math::log, log), 1.0);
  const auto log1p = [](long double x) { return std::log1p(x); };
  EXPECT_LE(worst(-0.9, 3.0, math::log1p, log1p), 4.0);
  EXPECT_LE(worst(-1e-9, 1e-9, math::log1p, log1p), 3.0);
  const auto tanh = [](long double x) { return std::tanh(x); };
  EXPECT_LE(worst(-0.6, 0.6, math::tanh, tanh), 4.0);
  EXPECT_LE(worst(-25.0, 25.0, math::tanh, tanh), 4.0);
  const auto sigmoid = [](long double x) { return 1.0L / (1.0L + std::exp(-x)); };
  EXPECT_LE(worst(-40.0, 40.0, math::sigmoid, sigmoid), 4.0);
  EXPECT_LE(worst(-700.0, 0.0, math::sigmoid, sigmoid), 4.0);
  const auto softplus = [](long double x) { return x > 0.0L ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); };
  EXPECT_LE(worst(-700.0, 700.0, math::softplus, softplus), 6.0);
}

TEST(Math, PowLosesNoMoreThanItSays) {
  Rng rng(2);
  for (int i = 0; i < 100000; ++i) {
    const double x = std::exp(6.0 * rng.normal());
    const double y = 20.0 * rng.normal();
    const double exponent = std::abs(y * std::log(x));
    if (exponent > 700.0) continue;
    EXPECT_LE(ulps(math::pow(x, y), std::pow(static_cast<long double>(x), static_cast<long double>(y))), 3.0 + 2.0 * exponent);
  }
  EXPECT_EQ(math::pow(0.5, 10.0), 0x1p-10);
  EXPECT_EQ(math::pow(-2.0, 3.0), -8.0);
  EXPECT_EQ(math::pow(-2.0, -2.0), 0.25);
  EXPECT_EQ(math::pow(10.0, 2.0), 100.0);
}

TEST(Math, SpecialValues) {
  EXPECT_EQ(math::exp(0.0), 1.0);
  EXPECT_EQ(math::exp(kInf), kInf);
  EXPECT_EQ(math::exp(-kInf), 0.0);
  EXPECT_EQ(math::exp(710.0), kInf);
  EXPECT_EQ(math::exp(-746.0), 0.0);
  EXPECT_GT(math::exp(-745.0), 0.0);
  EXPECT_EQ(math::log(1.0), 0.0);
  EXPECT_EQ(math::log(0.0), -kInf);
  EXPECT_EQ(math::log(-0.0), -kInf);
  EXPECT_EQ(math::log(kInf), kInf);
  EXPECT_TRUE(std::isnan(math::log(-1.0)));
  EXPECT_NEAR(math::log(5e-324), -744.44007192138126, 1e-12);
  EXPECT_EQ(math::log1p(-1.0), -kInf);
  EXPECT_TRUE(std::isnan(math::log1p(-1.5)));
  EXPECT_EQ(math::log1p(1e-300), 1e-300);
  EXPECT_EQ(math::tanh(kInf), 1.0);
  EXPECT_EQ(math::tanh(-kInf), -1.0);
  EXPECT_EQ(math::tanh(1e-300), 1e-300);
  EXPECT_EQ(math::sigmoid(kInf), 1.0);
  EXPECT_EQ(math::sigmoid(-kInf), 0.0);
  EXPECT_EQ(math::sigmoid(0.0), 0.5);
  EXPECT_EQ(math::softplus(1000.0), 1000.0);
  EXPECT_EQ(math::softplus(-1000.0), 0.0);
  EXPECT_EQ(math::pow(kNan, 0.0), 1.0);
  EXPECT_EQ(math::pow(1.0, kNan), 1.0);
  EXPECT_TRUE(std::isnan(math::pow(-8.0, 1.0 / 3.0)));
  EXPECT_EQ(math::pow(0.0, -1.0), kInf);
  EXPECT_EQ(math::pow(-0.0, -3.0), -kInf);
  EXPECT_EQ(math::pow(-1.0, kInf), 1.0);
  EXPECT_EQ(math::pow(0.5, kInf), 0.0);
  EXPECT_EQ(math::pow(2.0, kInf), kInf);
  EXPECT_EQ(math::pow(2.0, -kInf), 0.0);
  for (auto* f : {math::exp, math::log, math::log1p, math::tanh, math::sigmoid, math::softplus}) EXPECT_TRUE(std::isnan(f(kNan)));
}

}  // namespace
}  // namespace weir
