#pragma once
// 2^-x: the weight of a value x half-lives old.

#include <array>
#include <bit>
#include <cstdint>

namespace weir {

namespace decay_detail {
extern const std::array<double, 32> kRoots;  // 2^(-j/32)
}

// Relative error below 1e-15; 0 from 1,000 half-lives on. The same bits everywhere. REQUIRES: x >= 0, not NaN.
inline double half_life_decay(double x) {
  if (!(x < 1000.0)) return 0.0;
  const auto n = static_cast<std::int64_t>(x * 32.0 + 0.5);
  const double r = (static_cast<double>(n) - x * 32.0) * 0.021660849392498290;  // ln 2 / 32; |r| <= 0.0109.
  const double r2 = r * r;
  const double tail = (0.5 + r * (1.0 / 6)) + r2 * ((1.0 / 24) + r * (1.0 / 120) + r2 * (1.0 / 720));
  const double root = decay_detail::kRoots[static_cast<std::size_t>(n & 31)];
  const double power = std::bit_cast<double>(static_cast<std::uint64_t>(1023 - (n >> 5)) << 52);
  return power * (root + root * (r + r2 * tail));
}

}  // namespace weir
