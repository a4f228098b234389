#pragma once
// Learning of one model: loss, gradient, optimiser. Takes the fused step where there is one; both give the same bits.

#include <cstdint>
#include <memory>
#include <span>

#include "core/base/result.hpp"
#include "core/learning/fused_step.hpp"
#include "core/learning/losses.hpp"
#include "core/learning/optimizers.hpp"
#include "core/models/model.hpp"

namespace weir {

class Learner {
 public:
  enum class Path : std::uint8_t { kFastest, kGeneral };

  // REQUIRES: settings that check() accepts.
  Learner(std::shared_ptr<const Model> model, const OptimizerSettings& settings, const Parameters& like,
          Path path = Path::kFastest);

  // One update on one example. False: it was not finite and was not taken.
  bool step(Parameters& parameters, const Sample& sample, double label) {
    return step_scored(parameters, sample, label, model_->forward(parameters, sample));
  }
  // The same, where the score of this sample under these parameters is known.
  bool step_scored(Parameters& parameters, const Sample& sample, double label, double score);

  // One update on the mean gradient of several: add() each, then apply_batch(), which does nothing without examples.
  void add(const Parameters& parameters, const Sample& sample, double label);
  bool apply_batch(Parameters& parameters);

  const Model& model() const { return *model_; }
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }

 private:
  std::shared_ptr<const Model> model_;
  LossKind loss_;
  Optimizer optimizer_;
  const LinearLayout* fused_layout_;  // Null: the general path.
  FusedStep fused_;
  Gradient gradient_;
  std::uint32_t batch_ = 0;
};

}  // namespace weir
