#include "core/stats/prequential.hpp"

#include <algorithm>

#include "core/base/math.hpp"
#include "core/stats/calibration.hpp"

namespace weir {
namespace {
double log_loss(double probability, bool label) {
  const double p = std::clamp(probability, 1e-15, 1.0 - 1e-15);
  return label ? -math::log(p) : -math::log1p(-p);
}
}  // namespace

void Prequential::add(double probability, double label, double last_outcome) {
  const bool positive = label >= 0.5;
  pairs_.push_back({probability, positive});
  if (last_outcome < 0.0) return;
  ++last_known_;
  last_right_ += (last_outcome >= 0.5) == positive ? 1 : 0;
}

ClassificationFigures Prequential::figures() const {
  ClassificationFigures out;
  out.count = pairs_.size();
  if (pairs_.empty()) return out;
  const double n = double(pairs_.size());
  double loss = 0.0, brier = 0.0;
  std::uint64_t positives = 0, said = 0, hits = 0, right = 0;
  Calibration calibration;
  for (const Pair& pair : pairs_) {
    const double error = pair.probability - (pair.label ? 1.0 : 0.0);
    const bool predicted = pair.probability >= 0.5;
    loss += log_loss(pair.probability, pair.label);
    brier += error * error;
    positives += pair.label ? 1 : 0;
    said += predicted ? 1 : 0;
    hits += predicted && pair.label ? 1 : 0;
    right += predicted == pair.label ? 1 : 0;
    calibration.add(pair.probability, pair.label);
  }
  out.log_loss = loss / n;
  out.brier = brier / n;
  out.accuracy = double(right) / n;
  if (said + positives > 0) out.f1 = 2.0 * double(hits) / double(said + positives);
  out.calibration_error = calibration.expected_error();
  const double rate = double(positives) / n;
  out.base_rate = rate;
  out.base_rate_log_loss = 0.0;
  if (positives > 0 && positives < pairs_.size()) out.base_rate_log_loss = -rate * math::log(rate) - (1.0 - rate) * math::log1p(-rate);
  out.majority_accuracy = std::max(rate, 1.0 - rate);
  if (last_known_ > 0) out.last_outcome_accuracy = double(last_right_) / double(last_known_);

  const std::uint64_t negatives = pairs_.size() - positives;
  if (positives == 0 || negatives == 0) return out;
  std::vector<Pair> sorted = pairs_;
  std::sort(sorted.begin(), sorted.end(), [](const Pair& a, const Pair& b) { return a.probability < b.probability; });
  std::uint64_t below = 0;          // Zeros below the run of equal probabilities.
  std::uint64_t twice_above = 0;    // Twice the number of (1 above 0) pairs, ties counted once: whole numbers, no rounding.
  for (std::size_t i = 0; i < sorted.size();) {
    std::uint64_t ones = 0, zeros = 0;
    const double at = sorted[i].probability;
    for (; i < sorted.size() && sorted[i].probability == at; ++i) ++(sorted[i].label ? ones : zeros);
    twice_above += ones * (2 * below + zeros);
    below += zeros;
  }
  out.auc = double(twice_above) / 2.0 / (double(positives) * double(negatives));
  return out;
}

void PrequentialRegression::add(double value, double label) {
  const double error = value - label;
  ++count_;
  absolute_ += error < 0.0 ? -error : error;
  square_ += error * error;
  const double from_mean = label - mean_;
  mean_ += from_mean / double(count_);
  m2_ += from_mean * (label - mean_);
}

RegressionFigures PrequentialRegression::figures() const {
  RegressionFigures out;
  out.count = count_;
  if (count_ == 0) return out;
  const double n = double(count_);
  out.mae = absolute_ / n;
  out.rmse = math::sqrt(square_ / n);
  out.mean_label = mean_;
  out.mean_rmse = math::sqrt(m2_ / n);
  return out;
}

}  // namespace weir
