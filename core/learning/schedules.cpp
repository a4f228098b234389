#include "core/learning/schedules.hpp"

#include "core/base/math.hpp"

namespace weir {
namespace {

// cos(pi x) for x in [0, 1]: by symmetry from |y| <= pi/4, where the series is short; the same bits everywhere.
double cos_pi(double x) {
  if (x > 0.5) return -cos_pi(1.0 - x);
  if (x > 0.25) {  // sin of the complement.
    const double y = 3.141592653589793 * (0.5 - x);
    const double z = y * y;
    double p = 1.0 / 6227020800.0;
    p = p * z - 1.0 / 39916800.0;
    p = p * z + 1.0 / 362880.0;
    p = p * z - 1.0 / 5040.0;
    p = p * z + 1.0 / 120.0;
    p = p * z - 1.0 / 6.0;
    return y + y * z * p;
  }
  const double y = 3.141592653589793 * x;
  const double z = y * y;
  double p = -1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  p = p * z + 1.0 / 24.0;
  return 1.0 - 0.5 * z + z * z * p;
}

}  // namespace

Result<void> check(const ScheduleSettings& s) {
  using Kind = ScheduleSettings::Kind;
  if (s.kind != Kind::kConstant && s.steps == 0) return Error{ErrorCode::kConfig, "schedule: steps 0, expected at least 1"};
  if ((s.kind == Kind::kStep || s.kind == Kind::kExponential) && !(s.factor > 0.0 && s.factor <= 1.0))
    return Error{ErrorCode::kConfig, "schedule: factor " + std::to_string(s.factor) + ", expected above 0 and at most 1"};
  if (!(s.floor >= 0.0 && s.floor <= 1.0))
    return Error{ErrorCode::kConfig, "schedule: floor " + std::to_string(s.floor) + ", expected 0 to 1"};
  return {};
}

double schedule_factor(const ScheduleSettings& s, std::uint64_t k) {
  if (k < s.warm_up) return double(k + 1) / double(s.warm_up);
  k -= s.warm_up;
  switch (s.kind) {
    case ScheduleSettings::Kind::kConstant: return 1.0;
    case ScheduleSettings::Kind::kStep: return math::pow(s.factor, double(k / s.steps));
    case ScheduleSettings::Kind::kExponential: return math::pow(s.factor, double(k) / double(s.steps));
    case ScheduleSettings::Kind::kCosine:
      return s.floor + (1.0 - s.floor) * 0.5 * (1.0 + cos_pi(double(k % s.steps) / double(s.steps)));
  }
  return 1.0;
}

}  // namespace weir
