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

template <class T>
bool all_finite(std::span<const T> values) {
  bool finite = true;
  for (const T x : values) finite &= is_finite(x);
  return finite;
}

}  // namespace weir
