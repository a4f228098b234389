#include "core/features/scaler_kernels.hpp"

#include <bit>
#include <cstdint>
#include <type_traits>

#include "core/base/math.hpp"

namespace weir::kernels {
namespace {

constexpr double kValueMax = 1e100;
constexpr double kSquaresMin = 1e-200;  // A smaller sum of squared distances is that of a constant.

struct ScaleAll {
  WEIR_KERNEL_BODY void run(std::size_t n, const double* __restrict x, const double* __restrict stand_in, const double* __restrict weight,
                            const double* __restrict mean, const double* __restrict squares, const double* __restrict clip,
                            double* __restrict out) {
    for (std::size_t i = 0; i < n; ++i) {
      double value = x[i] == x[i] ? x[i] : stand_in[i];
      value = value == value ? value : mean[i];
      value = value > -kValueMax ? value : -kValueMax;
      value = value < kValueMax ? value : kValueMax;
      const double safe = squares[i] > kSquaresMin ? squares[i] : 1.0;
      const double w = squares[i] > kSquaresMin ? weight[i] : 0.0;
      double z = (value - mean[i]) * math::sqrt(w / safe);
      z = z > -clip[i] ? z : -clip[i];
      out[i] = z < clip[i] ? z : clip[i];
    }
  }
};

struct AddAll {
  WEIR_KERNEL_BODY void run(std::size_t n, double fade, const double* __restrict x, double* __restrict weight,
                            double* __restrict mean, double* __restrict squares) {
    for (std::size_t i = 0; i < n; ++i) {
      const double present = x[i] == x[i] ? 1.0 : 0.0;
      double value = x[i] == x[i] ? x[i] : mean[i];
      value = value > -kValueMax ? value : -kValueMax;
      value = value < kValueMax ? value : kValueMax;
      const double w = weight[i] * fade + present;
      const double divisor = w > 0.0 ? w : 1.0;
      const double delta = value - mean[i];
      const double moved = mean[i] + present * delta / divisor;
      squares[i] = squares[i] * fade + present * delta * (value - moved);
      mean[i] = moved;
      weight[i] = w;
    }
  }
};

// The exponent by its bits, the rest by the series of atanh (relative error below 1e-12).
struct LogitAll {
  WEIR_KERNEL_BODY void run(std::size_t n, double* __restrict x) {
    for (std::size_t i = 0; i < n; ++i) {
      double p = x[i] > 1e-4 ? x[i] : 1e-4;
      p = p < 1.0 - 1e-4 ? p : 1.0 - 1e-4;
      const double odds = p / (1.0 - p);
      // odds = 2^e * m, m in [sqrt(1/2), sqrt(2)).
      const auto bits = std::bit_cast<std::uint64_t>(odds);
      const std::uint64_t shifted = bits + (0x3ff0000000000000ULL - 0x3fe6a09e667f3bcdULL);
      // The biased exponent as a double, by the bits of 2^52 + it: no conversion instruction needed.
      const double e = std::bit_cast<double>((shifted >> 52) | 0x4330000000000000ULL) - (4503599627370496.0 + 1023.0);
      const double m = std::bit_cast<double>((shifted & 0x000fffffffffffffULL) + 0x3fe6a09e667f3bcdULL);
      const double s = (m - 1.0) / (m + 1.0);  // |s| <= 0.1716
      const double z = s * s;
      const double series =
          1.0 + z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13))))));
      const double log = e * 0.69314718055994531 + 2.0 * s * series;
      x[i] = x[i] == x[i] ? log : x[i];
    }
  }
};

}  // namespace

decltype(scale_all) scale_all = std::remove_const_t<decltype(scale_all)>::of<ScaleAll>();
decltype(add_all) add_all = std::remove_const_t<decltype(add_all)>::of<AddAll>();
decltype(logit_all) logit_all = std::remove_const_t<decltype(logit_all)>::of<LogitAll>();

}  // namespace weir::kernels
