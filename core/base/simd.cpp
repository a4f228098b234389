#include "core/base/simd.hpp"

#include <string>

namespace weir {
namespace {

constexpr std::array<SimdTarget, kSimdTargetCount> kTargets = {SimdTarget::kBaseline, SimdTarget::kAvx2};

bool has_avx2() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // F16C came with FMA or before; not every compiler can be asked for it.
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0 &&
         __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

SimdTarget chosen = simd_targets().back();

}  // namespace

std::string_view name_of(SimdTarget target) {
  switch (target) {
    case SimdTarget::kBaseline: return "baseline";
    case SimdTarget::kAvx2: return "avx2";
  }
  return "";
}

std::span<const SimdTarget> simd_targets() {
  static const std::size_t count = has_avx2() ? 2 : 1;
  return std::span(kTargets).first(count);
}

SimdTarget simd_target() { return chosen; }

Result<void> use_simd_target(std::string_view name) {
  std::string expected;
  for (const SimdTarget target : simd_targets()) {
    if (name_of(target) == name) {
      chosen = target;
      return {};
    }
    expected += (expected.empty() ? "" : ", ") + std::string(name_of(target));
  }
  return Error{ErrorCode::kConfig, "WEIR_SIMD_TARGET: found '" + std::string(name) + "', expected one of what this machine has: " + expected};
}

}  // namespace weir
