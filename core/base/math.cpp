#include "core/base/math.hpp"

#include <bit>
#include <cstdint>
#include <limits>

namespace weir::math {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLn2High = 0x1.62e42fee00000p-1;  // ln 2 in two parts: the high one has 21 trailing zero bits.
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInvLn2 = 0x1.71547652b82fep+0;

double scale(double x, int exponent) {  // x * 2^exponent, also into the subnormals.
  if (exponent > 1023) return x * 0x1.0p1023 * std::bit_cast<double>(std::uint64_t(exponent - 1023 + 1023) << 52);
  if (exponent < -1022) return x * std::bit_cast<double>(std::uint64_t(exponent + 1000 + 1023) << 52) * 0x1.0p-1000;
  return x * std::bit_cast<double>(std::uint64_t(exponent + 1023) << 52);
}

}  // namespace

double exp(double x) {
  if (x != x) return x;
  if (x > 709.782712893384) return kInf;
  if (x < -745.1332191019412) return 0.0;
  // x = k ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor polynomial to r^13 (next term below 2^-57).
  const double k = (x * kInvLn2 + 0x1.8p52) - 0x1.8p52;  // Rounds to whole: floor() is a call where SSE4.1 is not assumed.
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  const double e = 1.0 + (r + r * r * p);
  return scale(e, static_cast<int>(k));
}

double log(double x) {
  if (x != x) return x;
  if (x < 0.0) return kNan;
  if (x == 0.0) return -kInf;
  if (x == kInf) return x;
  int exponent = 0;
  if (x < 0x1.0p-1022) {
    x *= 0x1.0p54;
    exponent = -54;
  }
  auto bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL;
  double m = std::bit_cast<double>(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  // log m = 2 atanh(s), s = (m - 1)/(m + 1), |s| <= 0.1716: the odd series to s^21 (next term below 2^-58 relative).
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 2.0 / 21.0;
  p = p * z + 2.0 / 19.0;
  p = p * z + 2.0 / 17.0;
  p = p * z + 2.0 / 15.0;
  p = p * z + 2.0 / 13.0;
  p = p * z + 2.0 / 11.0;
  p = p * z + 2.0 / 9.0;
  p = p * z + 2.0 / 7.0;
  p = p * z + 2.0 / 5.0;
  p = p * z + 2.0 / 3.0;
  p = p * z;  // log m = 2 s + s p; and 2 s = f - s f, which keeps the bits of f.
  const double half_square = 0.5 * f * f;
  const double k = exponent;
  return k * kLn2High - ((half_square - (s * (half_square + p) + k * kLn2Low)) - f);
}

double log1p(double x) {
  if (x != x || x == kInf) return x;
  if (x < -1.0) return kNan;
  if (x == -1.0) return -kInf;
  if (x > -1e-17 && x < 1e-17) return x;
  const double u = 1.0 + x;
  if (u == 1.0) return x;
  return log(u) * (x / (u - 1.0));  // Kahan's correction of the rounding of 1 + x.
}

double tanh(double x) {
  if (x != x) return x;
  const double a = x < 0.0 ? -x : x;
  double t;
  if (a > 22.0) {
    t = 1.0;
  } else if (a < 0.55) {
    // Lambert's continued fraction: no cancellation near zero.
    const double z = a * a;
    t = a / (1.0 + z / (3.0 + z / (5.0 + z / (7.0 + z / (9.0 + z / (11.0 + z / (13.0 + z / 15.0)))))));
  } else {
    t = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  }
  return x < 0.0 ? -t : t;
}

double pow(double x, double y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (x != x || y != y) return kNan;
  const bool whole = y == __builtin_floor(y);
  const bool odd = whole && y * 0.5 != __builtin_floor(y * 0.5);
  if (x == 0.0) {
    const bool minus = std::bit_cast<std::uint64_t>(x) >> 63 != 0 && odd;
    const double size = y > 0.0 ? 0.0 : kInf;
    return minus ? -size : size;
  }
  if (x < 0.0 && x != -kInf && !whole) return kNan;
  const double a = x < 0.0 ? -x : x;
  if (whole && y <= 1024.0 && y >= -1024.0) {  // Small whole powers by squaring.
    double power = 1.0;
    double square = a;
    for (auto n = static_cast<unsigned>(y < 0.0 ? -y : y); n != 0; n >>= 1) {
      if ((n & 1) != 0) power *= square;
      square *= square;
    }
    if (power != kInf && power != 0.0) {
      const double result = y < 0.0 ? 1.0 / power : power;
      return x < 0.0 && odd ? -result : result;
    }
  }
  if (a == 1.0) return x < 0.0 && odd ? -1.0 : 1.0;
  const double result = exp(y * log(a));  // exp and log take care of infinities.
  return x < 0.0 && odd ? -result : result;
}

double sigmoid(double x) {
  if (x >= 0.0) return 1.0 / (1.0 + exp(-x));
  const double e = exp(x);
  return e / (1.0 + e);
}

double softplus(double x) { return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

}  // namespace weir::math
