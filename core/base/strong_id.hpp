#pragma once
// Whole numbers that must not be mixed up: an Offset is not a PartitionId. No arithmetic but "next" and difference.

#include <compare>
#include <cstdint>
#include <functional>

namespace weir {

template <class Tag, class Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  constexpr StrongId next(Rep by = 1) const { return StrongId(static_cast<Rep>(value + by)); }
  constexpr auto operator<=>(const StrongId&) const = default;
};

using Offset = StrongId<struct OffsetTag, std::int64_t>;             // Position of a record in its topic partition, from 0.
using PartitionId = StrongId<struct PartitionIdTag, std::int32_t>;   // From 0.
using ModelVersion = StrongId<struct ModelVersionTag, std::uint64_t>;  // Updates applied in that partition, from 0.
using EventTime = StrongId<struct EventTimeTag, std::int64_t>;       // Microseconds UTC since 1970.
using CommitId = StrongId<struct CommitIdTag, std::uint64_t>;        // Commits of one task, from 1.

}  // namespace weir

template <class Tag, class Rep>
struct std::hash<weir::StrongId<Tag, Rep>> {
  std::size_t operator()(const weir::StrongId<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value); }
};
