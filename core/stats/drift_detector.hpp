#pragma once
// Page–Hinkley's test for a rise of a stream's mean: alarm when the sum of (x - mean so far - delta) has risen by more than
// `threshold` above its lowest point. Starts over after an alarm. A plain value: copied and stored as it is.

#include <cstdint>

namespace weir {

struct DriftSettings {
  double delta = 0.005;        // A rise that is not worth an alarm, per sample.
  double threshold = 50.0;
  std::uint64_t warm_up = 100;  // Samples before the first alarm.
  bool operator==(const DriftSettings&) const = default;
};

class DriftDetector {
 public:
  // True: alarm; the detector has started over. O(1).
  bool add(double x, const DriftSettings& settings) {
    ++count_;
    mean_ += (x - mean_) / double(count_);
    sum_ += x - mean_ - settings.delta;
    if (sum_ < lowest_) lowest_ = sum_;
    if (count_ < settings.warm_up || sum_ - lowest_ <= settings.threshold) return false;
    *this = DriftDetector();
    return true;
  }
  std::uint64_t count() const { return count_; }
  double mean() const { return mean_; }

 private:
  std::uint64_t count_ = 0;
  double mean_ = 0.0;
  double sum_ = 0.0;
  double lowest_ = 0.0;
};

}  // namespace weir
