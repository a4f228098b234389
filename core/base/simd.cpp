#include "core/base/simd.hpp"

#include <cstdlib>
#include <string>

namespace weir {
namespace {

constexpr std::array<SimdTarget, kSimdTargetCount> kTargets = {SimdTarget::kBaseline, SimdTarget::kAvx2};

bool has_avx2() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
#else
  return false;
#endif
}

struct Choice {
  SimdTarget target = simd_targets().back();
  std::string unknown;  // What the environment asked for in vain.
};

const Choice& choice() {
  static const Choice chosen = [] {
    Choice out;
    const char* wanted = std::getenv("WEIR_SIMD_TARGET");
    if (wanted == nullptr) return out;
    for (const SimdTarget target : simd_targets()) {
      if (name_of(target) != wanted) continue;
      out.target = target;
      return out;
    }
    out.unknown = "'" + std::string(wanted) + "'";
    return out;
  }();
  return chosen;
}

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

SimdTarget simd_target() { return choice().target; }

Result<void> check_simd_target() {
  if (choice().unknown.empty()) return {};
  std::string expected;
  for (const SimdTarget target : simd_targets()) expected += (expected.empty() ? "" : ", ") + std::string(name_of(target));
  return Error{ErrorCode::kConfig, "WEIR_SIMD_TARGET: found " + choice().unknown + ", expected one of what this machine has: " + expected};
}

}  // namespace weir
