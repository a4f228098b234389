#pragma once
// Gradient clipping, in place.

#include <algorithm>
#include <span>

#include "core/learning/optimizers.hpp"
#include "core/models/model.hpp"

namespace weir {

// By norm: the whole is scaled down to norm `at` if it is longer. By value: each coordinate is held within ± `at`.
inline void clip(std::span<float> values, OptimizerSettings::Clip kind, double at) {
  if (kind == OptimizerSettings::Clip::kValue) {
    const auto bound = static_cast<float>(at);
    for (float& value : values) value = std::min(std::max(value, -bound), bound);
  } else if (kind == OptimizerSettings::Clip::kNorm) {
    const double norm = lane_norm(values);
    if (norm <= at) return;
    const double factor = at / norm;
    for (float& value : values) value = static_cast<float>(double(value) * factor);
  }
}

}  // namespace weir
