#pragma once
// Is every number of a run finite? By exponent bits, so that the loop has no branches and no order of its own.

#include <bit>
#include <cstdint>
#include <span>

namespace weir {

inline bool is_finite(float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7f800000U) != 0x7f800000U; }
inline bool is_finite(double x) {
  return (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000ULL) != 0x7ff0000000000000ULL;
}

// An exponent of ones carries into the sign bit when one is added to it: sums of bits, which every machine takes several at once.
inline bool all_finite(std::span<const float> values) {
  std::uint32_t carry = 0;
  for (const float x : values) carry |= (std::bit_cast<std::uint32_t>(x) & 0x7f800000U) + 0x00800000U;
  return carry >> 31 == 0;
}
inline bool all_finite(std::span<const double> values) {
  std::uint64_t carry = 0;
  for (const double x : values) carry |= (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000ULL) + 0x0010000000000000ULL;
  return carry >> 63 == 0;
}

}  // namespace weir
