#pragma once
// The scaler's loops that see every input of every record, by SIMD target (core/base/simd.hpp). No branches; arrays of n values
// that do not overlap.

#include <cstddef>

#include "core/base/simd.hpp"

namespace weir::kernels {

// out = (x - mean) / deviation within ± clip; a missing x (NaN) is its stand-in, and without one the mean.
// (n, x, stand_in, weight, mean, squares, clip, out)
extern const SimdKernel<std::size_t, const double*, const double*, const double*, const double*, const double*, const double*, double*>
    scale_all;
// Fades the moments and adds x to them, where it is not missing. (n, fade, x, weight, mean, squares)
extern const SimdKernel<std::size_t, double, const double*, double*, double*, double*> add_all;
// x = log(x / (1 - x)), x kept 1e-4 away from 0 and 1; NaN stays. (n, x)
extern const SimdKernel<std::size_t, double*> logit_all;

}  // namespace weir::kernels
