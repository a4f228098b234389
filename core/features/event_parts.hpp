#pragma once
// The parts of an event that keys and crosses are made of: one u64 per field in use, and u64s combined of them.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/hash.hpp"
#include "core/base/result.hpp"
#include "core/records/event.hpp"
#include "core/records/event_schema.hpp"

namespace weir {

// The bin of a number: how many edges are at or below it.
inline std::uint32_t bin_of(std::span<const double> edges, double x) {
  std::uint64_t bin = 0;  // As wide as an edge: the compiler compares several at once.
  for (const double edge : edges) bin += x >= edge ? 1 : 0;
  return static_cast<std::uint32_t>(bin);
}

// Several fields' values taken together.
struct PartSet {
  std::vector<std::uint32_t> parts;  // Indices into the parts.
  std::uint64_t seed = 0;            // Of the fields' names: the same fields give the same keys in any config.

  // 0 if any part is missing, else never 0. Parts are hashes already: a weighted sum and one good mix are enough.
  std::uint64_t combine(std::span<const std::uint64_t> values) const {
    std::uint64_t sum = seed;
    std::uint64_t weight = 0x9e3779b97f4a7c15ULL;
    bool missing = false;
    for (const std::uint32_t part : parts) {
      missing |= values[part] == 0;
      sum += values[part] * weight;
      weight = weight * 0xd1342543de82ef95ULL;
    }
    const std::uint64_t mixed = mix_hash(sum, seed);
    return missing ? 0 : mixed | (mixed == 0);
  }
};

class EventParts {
 public:
  static constexpr std::size_t kPartsMax = 256;

  explicit EventParts(const EventSchema& schema) : schema_(&schema) {}

  // The set of these fields. kConfig for an unknown field, a field twice, or, if numbers must have bins, one without.
  Result<PartSet> add(std::span<const std::string> fields, bool numbers_need_bins);
  std::size_t count() const { return parts_.size(); }

  // One value per part: 0 if missing, else never 0. REQUIRES: out.size() >= count().
  void read(const Event& event, std::span<std::uint64_t> out) const;

 private:
  struct Part {
    std::uint32_t field = 0;
    bool number = false;
    std::vector<double> bins;
  };
  const EventSchema* schema_;  // Only while sets are added.
  std::vector<Part> parts_;
};

}  // namespace weir
