#pragma once
// A piecewise linear function of a number, as weights at its knots.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

// The knot at or below a number, and the share of the one above it: (1 - share) and share are the two weights.
struct KnotPlace {
  std::uint32_t knot = 0;
  float share = 0.0f;   // 0 at a knot, and beyond the ends.
};

// What is wrong with these knots, or nullptr.
inline const char* complaint_on_knots(std::span<const double> knots) {
  if (knots.size() < 2) return "fewer than two knots";
  for (std::size_t i = 0; i < knots.size(); ++i) {
    if (!(knots[i] >= -1e100 && knots[i] <= 1e100)) return "a knot beyond 1e100";
    if (i > 0 && !(knots[i - 1] < knots[i])) return "knots that do not ascend";
  }
  return nullptr;
}

// REQUIRES: no complaint_on_knots. NaN counts as below them all.
inline KnotPlace place_on_knots(std::span<const double> knots, double x) {
  if (!(x > knots.front())) return {};
  if (x >= knots.back()) return {static_cast<std::uint32_t>(knots.size() - 1), 0.0f};
  std::uint64_t above = 0;  // As wide as a knot: the compiler compares several at once.
  for (const double knot : knots) above += x >= knot ? 1 : 0;
  const double low = knots[above - 1];
  return {static_cast<std::uint32_t>(above - 1), static_cast<float>((x - low) / (knots[above] - low))};
}

}  // namespace weir
