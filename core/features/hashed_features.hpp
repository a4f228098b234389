#pragma once
// The features of an event for models that read 32-bit numbers: what a network of hashtrons looks keys up by.
//
// In the order of the schema's fields, then the crosses, then the aggregates:
//   number      a whole number q gives `levels` features: q, q >> 1, q >> 2, … (arithmetic shifts), so that numbers near each other,
//               which were never met, share the coarser ones with others that were; each plus the field's salt, modulo 2^32.
//               q: with bins the bin; with knots the knot at or below; with a `step` floor(x / step); else, if it is scaled, quarters
//               of a standard deviation, floor(4 z). Neither: no feature (only crosses and aggregates see it)
//   category,   the upper half of mix_hash(hash64(value), hash64(field)). A category with one_hot: false has none
//   text
//   cross       the upper half of its hash
//   aggregate   floor(4 z) of its scaled value at kAggregateLevels levels, plus its salt: that of "aggregate N"
// A field's salt is the upper half of hash64(name). What is missing gives, on each level, the upper half of mix_hash(salt, level),
// which is a value of its own.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "core/features/feature_spec.hpp"
#include "core/records/event.hpp"
#include "core/records/event_schema.hpp"

namespace weir {

class HashedFeatures {
 public:
  static constexpr std::uint32_t kAggregateLevels = 3;

  HashedFeatures() = default;
  // kConfig: a number's step or levels are out of range.
  static Result<HashedFeatures> make(const FeatureSpec& spec, const EventSchema& schema);

  std::uint32_t count() const { return count_; }

  // `scaled`: one value for each scaled number in the schema's order, then one for each aggregate, finite. `aggregates`: as they
  // were before, NaN where nothing is known. `crosses`: a hash each, 0 where a part is missing. REQUIRES: out.size() == count().
  void encode(const Event& event, std::span<const float> scaled, std::span<const float> aggregates,
              std::span<const std::uint64_t> crosses, std::span<std::uint32_t> out) const;

 private:
  enum class Kind : std::uint8_t { kBins, kKnots, kStep, kScaled, kValue };
  struct Part {
    Kind kind = Kind::kValue;
    std::uint32_t field = 0;
    std::uint32_t scaled = 0;  // kScaled: its place there.
    std::uint32_t levels = 1;
    double step = 0.0;
    std::uint64_t salt = 0;
    std::vector<double> edges;  // Or knots.
  };
  std::vector<Part> parts_;
  std::vector<std::uint64_t> aggregate_salts_;
  std::uint32_t numbers_ = 0;  // Scaled ones: where the aggregates begin in `scaled`.
  std::uint32_t crosses_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace weir
