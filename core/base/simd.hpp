#pragma once
// Which instructions the wide loops use, chosen once at start: the best the machine has, or what the program was told to use.
//
// A kernel is one piece of code, compiled once a target. Promise of each kernel: the same bits on every target. Only the basic
// operations and square roots, which are correctly rounded in every width; no sum across lanes; nothing is contracted to a fused
// multiply-add (-ffp-contract=off; no kernel asks for one by name). tests/core/simd_test walks all variants and holds them to it.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/result.hpp"

namespace weir {

enum class SimdTarget : std::uint8_t { kBaseline, kAvx2 };  // kAvx2: and what every processor with it has, BMI1, BMI2, FMA, F16C.
inline constexpr std::size_t kSimdTargetCount = 2;

std::string_view name_of(SimdTarget target);   // "baseline", "avx2"
std::span<const SimdTarget> simd_targets();    // What this machine can run, the best last.
SimdTarget simd_target();                      // What the kernels of this process use.
// From now on the kernels use the named one. kConfig: it is none of simd_targets(), and nothing changes.
// REQUIRES: no other thread runs yet.
Result<void> use_simd_target(std::string_view name);

// A kernel's variants. Made at namespace scope; not to be called before main().
template <class... Args>
class SimdKernel {
 public:
  using Function = void (*)(Args...);

  // REQUIRES: Body::run(Args...) is static and always inlined: that is how it gets each variant's instructions.
  template <class Body>
  static SimdKernel of() {
    return SimdKernel(&baseline<Body>, &avx2<Body>);
  }

  // Variants compiled in another way (Highway: core/models/hashtron_kernels.cpp).
  SimdKernel(Function baseline, Function avx2) : variants_{baseline, avx2} {}

  void operator()(Args... args) const { run_on(simd_target(), args...); }
  // REQUIRES: one of simd_targets().
  void run_on(SimdTarget target, Args... args) const { variants_[static_cast<std::size_t>(target)](args...); }

 private:
  template <class Body>
  static void baseline(Args... args) {
    Body::run(args...);
  }
#if defined(__x86_64__)
  template <class Body>
  [[gnu::target("avx2")]] static void avx2(Args... args) {
    Body::run(args...);
  }
#else
  template <class Body>
  static void avx2(Args... args) {
    Body::run(args...);
  }
#endif

  std::array<Function, kSimdTargetCount> variants_;
};

}  // namespace weir

#define WEIR_KERNEL_BODY [[gnu::always_inline]] static inline
