#pragma once
// Which neuron of a layer is trained next: by its sum S over the N samples, measured now.
//
// The gold zone holds the neurons that say something (more than noise, S^2 > N) and not always the same (5 |S| < 4 N). For N <=
// 4 it is empty. The one nearest its middle is taken; where the zone is empty, of those with 0 < |S| < N the one nearest to
// either of its edges; where there is none, any by chance. Distances are whole numbers (Q16: 16 binary places), ties go to the
// lowest position.

#include <cstdint>
#include <span>

namespace weir {

// Chance as a counter: the k-th number is a function of seed and k (SplitMix64), so its state is one number.
struct SplitMix64 {
  std::uint64_t seed = 0;
  std::uint64_t counter = 0;
  std::uint64_t next() {
    std::uint64_t z = seed + ++counter * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Below n, from the upper 32 bits. REQUIRES: n > 0.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }
};

constexpr bool in_gold_zone(std::uint32_t n, std::uint64_t magnitude) {
  return magnitude * magnitude > n && 5 * magnitude < 4 * std::uint64_t{n};
}
std::uint64_t gold_middle_q16(std::uint32_t n);  // Half way between sqrt(N) and 0.8 N.

// kMeasured: no job, the neuron came with an existing model.
enum class SelectedBy : std::uint8_t { kGold, kModerate, kExplore, kFinal, kPhase0, kPath, kMeasured, kEdge };
enum class SelectionRule : std::uint8_t {
  kGold,    // As above.
  kRandom,  // Any, by chance.
  kFixed,   // The same one always, chosen by chance at the start, but for the turns of exploration.
  kEdge,    // The one that would add most to the output (hashtron_edge.hpp), which its sum does not tell: not select_neuron's.
};

struct Selection {
  std::uint32_t position = 0;
  SelectedBy by = SelectedBy::kExplore;
};
// From the magnitudes |S| of a layer's neurons. `explore`: this turn is one of exploration. REQUIRES: not empty.
Selection select_neuron(std::uint32_t n, std::span<const std::uint64_t> magnitudes, bool explore, SplitMix64& chance);

}  // namespace weir
