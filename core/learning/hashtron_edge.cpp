#include "core/learning/hashtron_edge.hpp"

#include <algorithm>

namespace weir {
namespace {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

// 2 R W times the edge: between -2^61 and 2^61.
std::int64_t scaled(const HashtronEdge& e) {
  return static_cast<std::int64_t>(e.halves_of_right * e.wrong + e.halves_of_wrong * e.right) -
         2 * static_cast<std::int64_t>(std::uint64_t{e.right} * e.wrong);
}
std::uint64_t scale(const HashtronEdge& e) { return std::max<std::uint64_t>(std::uint64_t{e.right} * e.wrong, 1); }

}  // namespace

bool HashtronEdge::above(std::uint32_t tenths) const {
  const std::int64_t edge = scaled(*this);
  if (edge <= 0) return false;
  // edge / 2RW > tenths / 10 * sqrt((R + W) / 4RW); the right side, squared, is below 2^111 * 2^10.
  const auto magnitude = static_cast<std::uint64_t>(edge);
  const UnsignedWide bound = UnsignedWide{std::uint64_t{right} + wrong} * scale(*this) * (tenths * tenths);
  return UnsignedWide{magnitude} * magnitude > bound / 100;
}

double HashtronEdge::value() const { return static_cast<double>(scaled(*this)) / (2.0 * static_cast<double>(scale(*this))); }

std::weak_ordering compare_edges(const HashtronEdge& a, const HashtronEdge& b) {
  return Wide{scaled(a)} * scale(b) <=> Wide{scaled(b)} * scale(a);
}

}  // namespace weir
