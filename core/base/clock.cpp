#include "core/base/clock.hpp"

#include <chrono>

namespace weir {
namespace {

// The one place where Weir asks the operating system for the time.
class SystemClock final : public Clock {
 public:
  std::int64_t wall_us() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::int64_t monotonic_ns() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace weir
