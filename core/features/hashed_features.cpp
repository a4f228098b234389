#include "core/features/hashed_features.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/features/event_parts.hpp"
#include "core/features/knots.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kLevelsMax = 32;
constexpr double kWholeMax = 9.0e15;  // Whole numbers are exact in f64 up to here.

std::uint32_t upper(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

std::int64_t whole(double x) { return static_cast<std::int64_t>(std::clamp(std::floor(x), -kWholeMax, kWholeMax)); }

std::uint32_t* put_levels(std::int64_t q, std::uint32_t levels, std::uint64_t salt, std::uint32_t* out) {
  for (std::uint32_t level = 0; level < levels; ++level) *out++ = static_cast<std::uint32_t>(q >> level) + upper(salt);
  return out;
}

std::uint32_t* put_missing(std::uint32_t levels, std::uint64_t salt, std::uint32_t* out) {
  for (std::uint32_t level = 0; level < levels; ++level) *out++ = upper(mix_hash(salt, level));
  return out;
}

}  // namespace

Result<HashedFeatures> HashedFeatures::make(const FeatureSpec& spec, const EventSchema& schema) {
  HashedFeatures out;
  for (std::uint32_t f = 0; f < schema.fields.size(); ++f) {
    const FieldSpec& field = schema.fields[f];
    const bool scaled = field.kind == FieldKind::kNumber && field.scaled;
    Part part;
    part.field = f;
    part.salt = hash64(field.name);
    if (scaled) part.scaled = out.numbers_++;
    if (field.kind == FieldKind::kNumber) {
      if (!(field.step >= 0.0) || !std::isfinite(field.step))
        return Error{ErrorCode::kConfig, "'" + field.name + "': a step below 0, expected 0 (none) or more"};
      if (field.levels < 1 || field.levels > kLevelsMax)
        return Error{ErrorCode::kConfig, "'" + field.name + "': " + std::to_string(field.levels) + " levels, expected 1 to " +
                                             std::to_string(kLevelsMax)};
      part.levels = field.levels;
      part.step = field.step;
      part.edges = field.bins.empty() ? field.knots : field.bins;
      if (!field.bins.empty())
        part.kind = Kind::kBins;
      else if (!field.knots.empty())
        part.kind = Kind::kKnots;
      else if (field.step > 0.0)
        part.kind = Kind::kStep;
      else if (scaled)
        part.kind = Kind::kScaled;
      else
        continue;
    } else if (!field.one_hot) {
      continue;
    }
    out.count_ += part.levels;
    out.parts_.push_back(std::move(part));
  }
  out.crosses_ = static_cast<std::uint32_t>(spec.crosses.size());
  for (std::size_t a = 0; a < spec.aggregates.size(); ++a) out.aggregate_salts_.push_back(hash64("aggregate " + std::to_string(a)));
  out.count_ += out.crosses_ + static_cast<std::uint32_t>(spec.aggregates.size()) * kAggregateLevels;
  return out;
}

void HashedFeatures::encode(const Event& event, std::span<const float> scaled, std::span<const float> aggregates,
                            std::span<const std::uint64_t> crosses, std::span<std::uint32_t> out) const {
  CHECK(out.size() == count_);
  CHECK(crosses.size() == crosses_);
  CHECK(aggregates.size() == aggregate_salts_.size());
  std::uint32_t* to = out.data();
  for (const Part& part : parts_) {
    const FieldValue& value = event.fields[part.field];
    if (value.missing) {
      to = put_missing(part.levels, part.salt, to);
      continue;
    }
    switch (part.kind) {
      case Kind::kBins: to = put_levels(bin_of(part.edges, value.number), part.levels, part.salt, to); break;
      case Kind::kKnots: to = put_levels(place_on_knots(part.edges, value.number).knot, part.levels, part.salt, to); break;
      case Kind::kStep: to = put_levels(whole(value.number / part.step), part.levels, part.salt, to); break;
      case Kind::kScaled: to = put_levels(whole(4.0 * double(scaled[part.scaled])), part.levels, part.salt, to); break;
      case Kind::kValue: *to++ = upper(mix_hash(value.hash, part.salt)); break;
    }
  }
  for (const std::uint64_t cross : crosses) *to++ = upper(cross);
  for (std::size_t a = 0; a < aggregates.size(); ++a) {
    if (std::isnan(aggregates[a]))
      to = put_missing(kAggregateLevels, aggregate_salts_[a], to);
    else
      to = put_levels(whole(4.0 * double(scaled[numbers_ + a])), kAggregateLevels, aggregate_salts_[a], to);
  }
}

}  // namespace weir
