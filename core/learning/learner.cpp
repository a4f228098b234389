#include "core/learning/learner.hpp"

namespace weir {

Learner::Learner(std::shared_ptr<const Model> model, const OptimizerSettings& settings, const Parameters& like, Path path)
    : model_(std::move(model)),
      loss_(loss_of(model_->task())),
      optimizer_(settings, like),
      fused_layout_(path == Path::kFastest && FusedStep::supports(*model_, settings) ? model_->linear() : nullptr) {}

bool Learner::step_scored(Parameters& parameters, const Sample& sample, double label, double score) {
  const double dscore = loss_derivative(loss_, score, label);
  if (fused_layout_ != nullptr) return fused_.step(*fused_layout_, sample, dscore, optimizer_, parameters);
  gradient_.clear();
  model_->backward(parameters, sample, dscore, gradient_);
  gradient_.finish();
  return optimizer_.apply(gradient_, parameters);
}

void Learner::add(const Parameters& parameters, const Sample& sample, double label) {
  if (batch_++ == 0) gradient_.clear();
  const double dscore = loss_derivative(loss_, model_->forward(parameters, sample), label);
  model_->backward(parameters, sample, dscore, gradient_);
}

bool Learner::apply_batch(Parameters& parameters) {
  if (batch_ == 0) return false;
  gradient_.finish();
  gradient_.scale(1.0 / double(batch_));
  batch_ = 0;
  return optimizer_.apply(gradient_, parameters);
}

}  // namespace weir
