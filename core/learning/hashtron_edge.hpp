#pragma once
// What a hashtron before the last layer would add to its network, were it trained on the target itself: what it would know of
// its cell's wanted bit that the network's output does not know yet.
//
// Each sample is answered for by the votes of the others that share its key, so a neuron that only remembers its samples knows
// nothing. With p its share of right answers among the R samples whose output has the cell right, and q the one among the W
// whose output has it wrong, the edge is p + q - 1. One that repeats the output (p = 1, q = 0) has none, nor has one that
// answers by chance (p = q = 1/2). Chance gives it a standard error of at most sqrt(1 / 4R + 1 / 4W). Where the output is
// right, or wrong, at every sample there is no edge.
//
// Whole numbers throughout. REQUIRES: R + W < 2^31.

#include <compare>
#include <cstdint>

namespace weir {

inline constexpr std::uint32_t kEdgeTenthsMax = 1000;

struct HashtronEdge {
  std::uint32_t right = 0, wrong = 0;                      // R, W
  std::uint64_t halves_of_right = 0, halves_of_wrong = 0;  // Right answers among them: 2 each, 1 where the others' votes tie.
  std::uint32_t agreement = 0;                             // Samples at which the neuron as it is gives the wanted bit.

  // It would give the wanted bit more often than as it is.
  bool improves() const { return halves_of_right + halves_of_wrong > 2 * std::uint64_t{agreement}; }
  // The edge is above so many tenths of its standard error. REQUIRES: tenths <= kEdgeTenthsMax.
  bool above(std::uint32_t tenths) const;
  double value() const;  // For reports.

  bool operator==(const HashtronEdge&) const = default;
};

// By the edge's value, exactly.
std::weak_ordering compare_edges(const HashtronEdge& a, const HashtronEdge& b);

}  // namespace weir
