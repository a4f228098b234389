#pragma once
// CHECK: for our own mistakes only. Stays on in release builds; never guards what a peer, a file or a user controls.

namespace weir {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace weir

#define CHECK(condition) \
  do { \
    if (!(condition)) [[unlikely]] \
      ::weir::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
