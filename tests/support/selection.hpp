#pragma once
// How much of itself a long test runs.

#include <cstdlib>
#include <string_view>

namespace weir {

// WEIR_FAULTS=full (make test-faults): every case; else a selection that fits into make test.
inline bool full_faults() {
  const char* faults = std::getenv("WEIR_FAULTS");
  return faults != nullptr && std::string_view(faults) == "full";
}

// A sanitizer's build: ten times slower, and its memory is not the program's. Long tests take less input.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace weir
