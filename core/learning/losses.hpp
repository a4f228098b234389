#pragma once
// Losses of one score: value and derivative, consistent with each other everywhere.

#include <cstdint>

#include "core/records/event.hpp"

namespace weir {

enum class LossKind : std::uint8_t { kLogLoss, kSquared };

struct LossValue {
  double value = 0.0;
  double dscore = 0.0;
};

// log-loss of logit z and label y in [0, 1]: softplus(z) - y z; derivative sigmoid(z) - y.
// squared: (z - y)^2 / 2; derivative z - y.
LossValue loss(LossKind kind, double score, double label);
double loss_value(LossKind kind, double score, double label);       // == loss().value, bit for bit.
double loss_derivative(LossKind kind, double score, double label);  // == loss().dscore, bit for bit.

inline LossKind loss_of(TaskKind task) {
  return task == TaskKind::kClassification ? LossKind::kLogLoss : LossKind::kSquared;
}

// What is published for a score: the probability of label 1, or the value.
double link(TaskKind task, double score);

// log-loss of a published probability, which is first clipped to [1e-15, 1 - 1e-15].
double log_loss_of_probability(double probability, double label);

}  // namespace weir
