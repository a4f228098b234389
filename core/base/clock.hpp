#pragma once
// Time comes in from outside. Cores take event time from their records; only runtime and sources hold a Clock.

#include <chrono>
#include <cstdint>

namespace weir {

using Duration = std::chrono::microseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t wall_us() const = 0;       // Microseconds UTC since 1970: append times, logs.
  virtual std::int64_t monotonic_ns() const = 0;  // For durations only; never goes back.
};

// The operating system's clocks. Lives for ever.
const Clock& system_clock();

// A clock that stands still until told. Tests and simulation.
class ManualClock final : public Clock {
 public:
  std::int64_t wall_us() const override { return wall_us_; }
  std::int64_t monotonic_ns() const override { return monotonic_ns_; }
  void advance(Duration by) {
    wall_us_ += by.count();
    monotonic_ns_ += by.count() * 1000;
  }
  void set_wall_us(std::int64_t to) { wall_us_ = to; }

 private:
  std::int64_t wall_us_ = 1'700'000'000'000'000;
  std::int64_t monotonic_ns_ = 0;
};

}  // namespace weir
