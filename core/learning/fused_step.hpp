#pragma once
// One learning step of a linear model in one pass over its active coordinates: gradient, clipping, update, no allocation. Gives
// the same bits as backward(), finish() and Optimizer::apply(), which a test holds it to.

#include <cstdint>
#include <vector>

#include "core/learning/optimizers.hpp"
#include "core/models/linear_model.hpp"

namespace weir {

class FusedStep {
 public:
  // SGD without momentum, AdaGrad and FTRL, without settings by group.
  static bool supports(const Model& model, const OptimizerSettings& settings);

  // False: not finite and not taken, as Optimizer::apply(). REQUIRES: supports(model, optimizer.settings()).
  bool step(const LinearLayout& layout, const Sample& sample, double dscore, Optimizer& optimizer, Parameters& parameters);

 private:
  template <class Rule>
  bool update(const LinearLayout& layout, std::size_t sparse, Optimizer& optimizer, Parameters& parameters, const Rule& rule);
  std::size_t merge_sparse(const LinearLayout& layout, const Sample& sample, double dscore);

  std::vector<float> gradient_;  // Dense, bias, sparse.
  std::vector<std::uint32_t> indices_;
  std::vector<float> values_;    // New parameters, then new moments: written once all are known to be finite.
  std::vector<double> first_, second_;
  std::vector<float> old_values_;  // Of the sparse coordinates, brought together.
  std::vector<double> old_first_, old_second_;
};

}  // namespace weir
