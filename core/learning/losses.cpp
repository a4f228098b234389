#include "core/learning/losses.hpp"

#include <algorithm>

#include "core/base/math.hpp"

namespace weir {

double loss_value(LossKind kind, double score, double label) {
  if (kind == LossKind::kSquared) return 0.5 * (score - label) * (score - label);
  // As softplus(-|z|) plus what is left: no cancellation for confident scores that are right.
  return score > 0.0 ? math::softplus(-score) + (1.0 - label) * score : math::softplus(score) - label * score;
}

double loss_derivative(LossKind kind, double score, double label) {
  return (kind == LossKind::kSquared ? score : math::sigmoid(score)) - label;
}

LossValue loss(LossKind kind, double score, double label) {
  return {loss_value(kind, score, label), loss_derivative(kind, score, label)};
}

double link(TaskKind task, double score) { return task == TaskKind::kClassification ? math::sigmoid(score) : score; }

double log_loss_of_probability(double probability, double label) {
  const double p = std::clamp(probability, 1e-15, 1.0 - 1e-15);
  double sum = 0.0;
  if (label > 0.0) sum -= label * math::log(p);
  if (label < 1.0) sum -= (1.0 - label) * math::log1p(-p);
  return sum;
}

}  // namespace weir
