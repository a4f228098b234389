#include "core/learning/capacity_law.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/learning/neuron_selection.hpp"

namespace weir {
namespace {

__extension__ using Wide = unsigned __int128;

}  // namespace

std::uint32_t integer_sqrt(std::uint64_t x) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31; bit != 0; bit >>= 1)
    if ((root | bit) * (root | bit) <= x) root |= bit;
  return static_cast<std::uint32_t>(root);
}

std::uint64_t law_capacity(std::uint32_t n, std::uint64_t magnitude, bool round_first) {
  const std::uint64_t divisor = magnitude + 1;
  const Wide capacity = round_first ? Wide{n / divisor} * (n / divisor) : Wide{n} * n / (Wide{divisor} * divisor);
  return static_cast<std::uint64_t>(std::min<Wide>(capacity, kCapacityMax));
}

std::uint64_t smoothed_magnitude(std::uint64_t now, std::span<const std::uint64_t> history,
                                 const std::array<std::uint32_t, 3>& weights) {
  Wide sum = Wide{now} * weights[0];
  std::uint64_t total = weights[0];
  for (std::size_t h = 0; h < std::min<std::size_t>(history.size(), 2); ++h) {
    sum += Wide{history[h]} * weights[h + 1];
    total += weights[h + 1];
  }
  CHECK(total > 0);
  return static_cast<std::uint64_t>(sum / total);
}

CapacityChoice next_capacity(std::uint32_t n, std::uint64_t magnitude, std::span<const std::uint64_t> history,
                             std::uint64_t last, const CapacitySettings& settings) {
  CHECK(n > 0);
  CHECK(magnitude <= n);
  const std::uint64_t squared = std::min<std::uint64_t>(std::uint64_t{n} * n, kCapacityMax);
  if (!settings.law) return {static_cast<std::uint32_t>(std::max<std::uint64_t>(squared, settings.capacity_min)), false};
  const std::uint64_t target =
      law_capacity(n, smoothed_magnitude(magnitude, history, settings.smoothing), settings.round_first);
  const std::uint64_t factor = in_gold_zone(n, magnitude) ? settings.gold_clamp : settings.clamp;
  std::uint64_t capacity = target;
  if (factor > 0) capacity = std::clamp(target, (last + factor - 1) / factor, factor * std::max<std::uint64_t>(last, 1));
  if (settings.escape && 5 * magnitude >= 4 * std::uint64_t{n}) capacity = n;
  capacity = std::max<std::uint64_t>(std::min(capacity, squared), std::max(settings.capacity_min, 1U));
  return {static_cast<std::uint32_t>(capacity), capacity != target};
}

}  // namespace weir
