#pragma once
// What the config says of features: aggregates by key and time, crosses, and how samples are normalised. Plain values, as
// read; FeaturePlan::make (feature_plan.hpp) checks them against the schema and says what is wrong.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

enum class AggregateKind : std::uint8_t {
  kMean,   // With decay or window: of what counts at that moment, by its weight.
  kCount,  // Weights added up; without half_life and window: all so far. `of` a field: only where it is not missing.
  kSum,
  kMin,    // Not with half_life.
  kMax,    // Not with half_life.
  kRate,   // Per second. Needs half_life or window. Of events: their number; of a field or label: its sum.
  kLast,   // Not with half_life. With a window: missing once it is older than that.
};
// Events and fields count from their event on (after it was predicted, unless include_self); the label from the moment its
// outcome arrives.
enum class AggregateOf : std::uint8_t { kEvents, kField, kLabel };
enum class Transform : std::uint8_t { kNone, kLogit };  // Applied before scaling.
// Since when a label ages. From its outcome on: a count or rate of outcomes as they come. From its event on: a late outcome
// tells of a moment that is past, and counts less than one that came at once.
enum class AgeFrom : std::uint8_t { kOutcome, kEvent };

struct AggregateSpec {
  AggregateKind kind = AggregateKind::kMean;
  AggregateOf of = AggregateOf::kLabel;
  std::string field;              // For kField: a number of the schema.
  // Categories, texts, or numbers (binned numbers by their bin, others by their value). Empty: one value for all. An event
  // where one of them is missing neither sees nor changes the aggregate.
  std::vector<std::string> by;
  // At most one of the two, in microseconds of event time; both 0: everything so far.
  std::int64_t half_life_us = 0;  // A value of age a counts 2^(-a / half_life).
  AgeFrom age_from = AgeFrom::kOutcome;  // kEvent with kLabel only; it counts from its outcome on in either case.
  // Kept in 16 parts: what is younger than 15/16 of the window counts, what is older than the window does not, in between
  // it falls out part by part.
  std::int64_t window_us = 0;
  // kMean: this many imagined values that equal the running mean over all keys (of the same `of`).
  double prior = 0.0;
  std::int64_t prior_half_life_us = 0;  // Of that running mean; 0: over everything so far.
  // Where nothing has been seen and there is no prior (or the running mean has seen nothing either). Unset: missing; the
  // scaled input is then 0, its mean.
  std::optional<double> default_value;
  Transform transform = Transform::kNone;
  bool include_self = false;      // Not with kLabel.
};

// Values that occur together, as one category: categories, texts, and numbers with bins. Missing if any part is. With one
// number with knots among them: a piecewise linear function of it for each value of the others.
struct CrossSpec {
  std::vector<std::string> fields;
};

struct ScalerSpec {
  // Weight of older records in mean and deviation; at most one of the two. Both 0: all records count alike.
  double half_life_events = 0.0;
  std::int64_t half_life_us = 0;
  bool include_self = false;     // Whether a record is part of the moments it is scaled by.
  double aggregate_clip = 10.0;  // Scaled aggregates stay within ± this; 0: not clipped. Numbers: FieldSpec::clip.
};

struct FeatureSpec {
  std::vector<AggregateSpec> aggregates;
  std::vector<CrossSpec> crosses;
  // Size of the sparse block, a power of two. First the bins, knots and missing marks, then the categories' slots, the rest is for
  // hashed values: crosses, texts, and categories beyond their limit.
  std::uint32_t sparse_size = 1 << 14;
  // Values of one category field that get a slot of their own, in the order they are met; the others are hashed.
  std::uint32_t one_hot_limit = 256;
  ScalerSpec scaler;
  // report.last_outcome_by: the report's baseline, the last outcome of these fields' values. Empty: no such baseline.
  std::vector<std::string> last_outcome_by;
};

}  // namespace weir
