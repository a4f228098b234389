#pragma once
// Does what is called 30 % happen in 30 % of cases? Bins of equal width over [0, 1].

#include <array>
#include <cstdint>

namespace weir {

class Calibration {
 public:
  static constexpr std::size_t kBins = 15;
  struct Bin {
    std::uint64_t count = 0;
    std::uint64_t positives = 0;
    double probability_sum = 0.0;
  };

  void add(double probability, bool label) {
    auto bin = static_cast<std::size_t>(probability * double(kBins));
    if (bin >= kBins) bin = kBins - 1;  // Probability 1.
    ++bins_[bin].count;
    bins_[bin].positives += label ? 1 : 0;
    bins_[bin].probability_sum += probability;
  }
  // Mean over all pairs of |mean probability - share of label 1| of their bin; 0 without pairs.
  double expected_error() const {
    double sum = 0.0;
    std::uint64_t count = 0;
    for (const Bin& bin : bins_) {
      const double gap = bin.probability_sum - double(bin.positives);
      sum += gap < 0.0 ? -gap : gap;
      count += bin.count;
    }
    return count > 0 ? sum / double(count) : 0.0;
  }
  const std::array<Bin, kBins>& bins() const { return bins_; }

 private:
  std::array<Bin, kBins> bins_{};
};

}  // namespace weir
