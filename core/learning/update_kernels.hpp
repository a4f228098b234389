#pragma once
// The optimisers' rules over runs of coordinates, by SIMD target (core/base/simd.hpp): what the fused step spends its time in.

#include <cstddef>

#include "core/base/simd.hpp"
#include "core/learning/optimizer_rules.hpp"

namespace weir::kernels {

// Coordinates that lie side by side, and where their new values go. What goes in and what comes out do not overlap; a rule with
// fewer moments leaves the others alone.
struct Run {
  std::size_t count;
  const float* theta;
  const float* gradient;
  const double* m;
  const double* n;
  float* values;
  double* first;
  double* second;
};

extern const SimdKernel<const Run&, const rules::Sgd&> update_sgd;
extern const SimdKernel<const Run&, const rules::AdaGrad&> update_adagrad;
extern const SimdKernel<const Run&, const rules::Ftrl&> update_ftrl;

inline void update(const Run& run, const rules::Sgd& rule) { update_sgd(run, rule); }
inline void update(const Run& run, const rules::AdaGrad& rule) { update_adagrad(run, rule); }
inline void update(const Run& run, const rules::Ftrl& rule) { update_ftrl(run, rule); }

}  // namespace weir::kernels
