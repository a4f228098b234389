#pragma once
// Adaptive conformal prediction (Gibbs and Candès 2021): sets that hold the outcome with a target probability, on a stream.
//
// Classification: score 1 - p(y), set {y: 1 - p(y) <= q}. Regression: score |y - v|, set [v - q, v + q]. q is the
// ceil((n + 1)(1 - alpha_t))-th smallest of the newest n <= window scores; alpha_{t+1} = alpha_t + gamma (alpha - err_t), err_t
// by the set that was published. Scores are kept in logarithmic bins (of the odds; of the residual: 1.6 % wide), q is a bin's
// upper edge, so that sets are never narrower than the exact ones. Nothing is certified before `warm_up` labelled scores.

#include <cstdint>
#include <limits>

#include "core/base/result.hpp"
#include "core/records/event.hpp"
#include "core/records/state.hpp"
#include "core/stats/window_quantile.hpp"

namespace weir {

struct ConformalSettings {
  double coverage = 0.9;        // 1 - alpha.
  std::uint32_t window = 1000;
  double gamma = 0.005;
  std::uint32_t warm_up = 200;  // Labelled scores.
  double max_width = std::numeric_limits<double>::infinity();  // Regression: wider sets are not certified.
  bool operator==(const ConformalSettings&) const = default;
};

// kConfig names the setting.
Result<void> check(const ConformalSettings& settings);

class ConformalGate {
 public:
  // REQUIRES: settings that check() accepts.
  ConformalGate(TaskKind task, const ConformalSettings& settings);

  // Sets has_set, in_set or [low, high], and certified, from `value`. During warm-up there is no set.
  // Classification certifies sets of one label. O(log bins).
  void complete(Prediction& prediction) const;

  // The outcome of a published prediction: `value` is the model's own (before any fallback). Counts, and adapts. O(log bins).
  void update(const Prediction& published, double value, double label);

  bool warm() const { return scores_.seen() >= settings_.warm_up; }
  double alpha() const { return alpha_; }

  // Of labelled predictions that had a set. Sizes: classification 0, 1, 2 labels; regression: `width` is the sum of widths.
  struct Counts {
    std::uint64_t labelled = 0;
    std::uint64_t covered = 0;
    std::uint64_t sizes[3] = {0, 0, 0};
    std::uint64_t certified = 0;
    std::uint64_t certified_covered = 0;
    double width = 0.0;
    double coverage() const { return labelled > 0 ? double(covered) / double(labelled) : 0.0; }
    bool operator==(const Counts&) const = default;
  };
  const Counts& counts() const { return counts_; }

  void save(StateWriter& writer);  // Under the tags 'w' and "g".
  Result<void> load(const StageState& state);

 private:
  TaskKind task_;
  ConformalSettings settings_;
  WindowQuantile scores_;
  double alpha_;
  Counts counts_;
  bool dirty_ = false;
};

}  // namespace weir
