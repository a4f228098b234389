#pragma once
// Prequential figures: every published prediction against the outcome that came for it, beside the baselines. Off the tick: keeps
// every pair, for exact AUC.

#include <cstdint>
#include <optional>
#include <vector>

namespace weir {

// Classification. What no pair says anything about is absent.
struct ClassificationFigures {
  std::uint64_t count = 0;
  std::optional<double> log_loss, auc, accuracy, f1, brier, calibration_error;
  std::optional<double> base_rate, base_rate_log_loss;  // The share of label 1, and the loss of always saying it.
  std::optional<double> majority_accuracy;
  std::optional<double> last_outcome_accuracy;          // Of the pairs whose route had an outcome before.
};

class Prequential {
 public:
  // probability in [0, 1]; label 0 or 1; last_outcome: 0 or 1, or below 0 where there was none.
  void add(double probability, double label, double last_outcome = -1.0);
  std::uint64_t count() const { return pairs_.size(); }
  // log-loss: probabilities are clipped to [1e-15, 1 - 1e-15]. Predicted label: p >= 1/2; F1 of label 1. AUC: chance that a
  // 1 ranks above a 0, ties half. Calibration error: expected, over 15 bins of equal width (core/stats/calibration).
  ClassificationFigures figures() const;

 private:
  struct Pair {
    double probability;
    bool label;
  };
  std::vector<Pair> pairs_;
  std::uint64_t last_known_ = 0, last_right_ = 0;
};

// Regression.
struct RegressionFigures {
  std::uint64_t count = 0;
  std::optional<double> mae, rmse;
  std::optional<double> mean_label, mean_rmse;  // The baseline that always says the mean.
};

class PrequentialRegression {
 public:
  void add(double value, double label);
  RegressionFigures figures() const;

 private:
  std::uint64_t count_ = 0;
  double absolute_ = 0.0, square_ = 0.0;
  double mean_ = 0.0, m2_ = 0.0;  // Welford, of the labels.
};

}  // namespace weir
