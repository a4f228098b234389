#include "core/learning/neuron_selection.hpp"

#include <algorithm>
#include <optional>

#include "core/base/check.hpp"
#include "core/learning/capacity_law.hpp"

namespace weir {
namespace {

std::uint64_t low_edge_q16(std::uint32_t n) { return integer_sqrt(std::uint64_t{n} << 32); }
std::uint64_t high_edge_q16(std::uint32_t n) { return ((4 * std::uint64_t{n}) << 16) / 5; }
std::uint64_t distance(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; }

}  // namespace

std::uint64_t gold_middle_q16(std::uint32_t n) { return (low_edge_q16(n) + high_edge_q16(n)) >> 1; }

Selection select_neuron(std::uint32_t n, std::span<const std::uint64_t> magnitudes, bool explore, SplitMix64& chance) {
  CHECK(!magnitudes.empty());
  if (!explore) {
    for (const SelectedBy by : {SelectedBy::kGold, SelectedBy::kModerate}) {
      std::optional<std::uint32_t> best;
      std::uint64_t best_distance = 0;
      for (std::uint32_t i = 0; i < magnitudes.size(); ++i) {
        const std::uint64_t magnitude = magnitudes[i], at = magnitude << 16;
        const bool gold = in_gold_zone(n, magnitude);
        if (by == SelectedBy::kGold ? !gold : gold || magnitude == 0 || magnitude >= n) continue;
        const std::uint64_t d =
            gold ? distance(at, gold_middle_q16(n)) : std::min(distance(at, low_edge_q16(n)), distance(at, high_edge_q16(n)));
        if (best && d >= best_distance) continue;
        best = i;
        best_distance = d;
      }
      if (best) return {*best, by};
    }
  }
  return {chance.below(static_cast<std::uint32_t>(magnitudes.size())), SelectedBy::kExplore};
}

}  // namespace weir
