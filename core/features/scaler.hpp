#pragma once
// Scales each input by its own running mean and deviation: (x - mean) / deviation with the moments of that moment, then adds
// the record to them. All inputs side by side, so that the compiler can take several at once.
//
// Promise: whatever comes in, every output is finite and within the input's clip (or ±kBound). A constant input gives 0.
// Moments are weighted sums (Welford's update), optionally fading by record or by event time; time never runs backwards.
// Values beyond ±1e100 count as that. Owned by one stage; scale() allocates nothing.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"
#include "core/features/feature_spec.hpp"
#include "core/records/event_schema.hpp"

namespace weir {

class Scaler {
 public:
  static constexpr double kBound = 1e6;

  struct Input {
    double clip = 0.0;  // 0: kBound.
    // What stands in for a missing value. It is scaled, but not part of the moments. kMean, kIndicator: the output is 0.
    Missing missing = Missing::kMean;
  };

  Scaler(std::span<const Input> inputs, const ScalerSpec& spec);

  std::size_t count() const { return count_; }
  // Turns these inputs' values, probabilities, into logits (±9.2 at most; NaN stays NaN).
  void take_logits(std::span<const std::uint32_t> inputs);
  // The record's values go here before scale(): NaN where missing.
  std::span<double> values() { return {x_.data(), count_}; }
  void scale(EventTime time, std::span<float> out);

  // Of the input with the most values: without fading, how many records scale() has taken (where one has no missing values).
  double weight_max() const;

  // The moments of one input, for tests and `inspect`.
  struct Moments {
    double weight, mean, variance;
  };
  Moments moments(std::size_t i) const;

  // All of it as one small page.
  std::string_view page();
  Result<void> load(std::string_view page);

 private:
  static constexpr std::size_t kLanes = 4;

  std::size_t count_;
  std::size_t padded_;
  double fade_per_event_ = 1.0;
  double inverse_half_life_ = 0.0;
  bool include_self_ = false;
  std::int64_t time_ = 0;
  bool started_ = false;
  std::vector<std::size_t> keep_last_;   // Inputs that need their last value.
  std::vector<double> x_, clip_, scaled_, gathered_;
  std::vector<double> stand_in_;   // What replaces a missing value; NaN: the mean.
  std::vector<double> moments_;    // weight | mean | sum of squared distances | last value, each padded.
  std::string page_;
};

}  // namespace weir
