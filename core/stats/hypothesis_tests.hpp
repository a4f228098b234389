#pragma once
// A test that may be looked at after every sample: does a sequence of paired differences have a positive mean?
//
// Testing by betting (Waudby-Smith and Ramdas 2023): wealth = mean over fixed stakes s of prod (1 + s d_t), d_t in [-1, 1],
// s <= 1/2. If no d_t has a positive mean given the past, wealth is a supermartingale, so the chance that it ever reaches 1 / alpha
// is at most alpha (Ville), however often it is looked at. A plain value: copied and stored as it is.

#include <array>
#include <cstdint>

namespace weir {

class PairedSequentialTest {
 public:
  // `difference`: the loss of the old one less the loss of the new one; `bound` > 0: it is clipped to ± bound. O(1).
  void add(double difference, double bound) {
    double d = difference / bound;
    d = d > 1.0 ? 1.0 : d < -1.0 ? -1.0 : d;
    if (d != d) d = 0.0;
    ++count_;
    for (std::size_t i = 0; i < wealth_.size(); ++i) {
      wealth_[i] *= 1.0 + kStakes[i] * d;
      if (wealth_[i] > 1e100) wealth_[i] = 1e100;  // Giving wealth away keeps the promise.
    }
  }
  double wealth() const {
    double sum = 0.0;
    for (const double w : wealth_) sum += w;
    return sum / double(wealth_.size());
  }
  bool rejects(double alpha) const { return wealth() >= 1.0 / alpha; }
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::array<double, 8> kStakes = {1.0 / 256, 1.0 / 128, 1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2};
  std::array<double, 8> wealth_ = {1, 1, 1, 1, 1, 1, 1, 1};
  std::uint64_t count_ = 0;
};

}  // namespace weir
