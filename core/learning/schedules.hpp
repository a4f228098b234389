#pragma once
// The learning rate as a function of the number of updates done: no state but that number.

#include <cstdint>

#include "core/base/result.hpp"

namespace weir {

struct ScheduleSettings {
  enum class Kind : std::uint8_t { kConstant, kStep, kExponential, kCosine };
  Kind kind = Kind::kConstant;
  double factor = 0.5;          // step, exponential: the rate is multiplied by it every `steps` updates.
  std::uint64_t steps = 1000;   // step: at once at the end of each span; exponential: smoothly; cosine: one cycle, then anew.
  double floor = 0.0;           // cosine: least multiple of the base rate.
  std::uint64_t warm_up = 0;    // Update k < warm_up runs at (k + 1) / warm_up of the rate; the schedule begins after it.
  bool operator==(const ScheduleSettings&) const = default;
};

// kConfig: steps of 0, a factor that is not in (0, 1], a floor outside [0, 1].
Result<void> check(const ScheduleSettings& settings);

// The multiple of the base rate for update `k`, from 0. REQUIRES: settings that check() accepts.
double schedule_factor(const ScheduleSettings& settings, std::uint64_t k);

}  // namespace weir
