// Beside a naive model: a deque that is sorted at each question.

#include "core/stats/window_quantile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "core/base/rng.hpp"

namespace weir {
namespace {

TEST(WindowQuantile, EqualsSortingTheWindow) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    const auto window = static_cast<std::uint32_t>(1 + rng.below(40));
    const auto bins = static_cast<std::uint32_t>(1 + rng.below(70));
    WindowQuantile quantile(window, bins);
    std::deque<std::uint32_t> naive;
    for (int i = 0; i < 300; ++i) {
      const auto bin = static_cast<std::uint32_t>(rng.below(bins));
      quantile.add(bin);
      naive.push_back(bin);
      if (naive.size() > window) naive.pop_front();
      std::vector<std::uint32_t> sorted(naive.begin(), naive.end());
      std::sort(sorted.begin(), sorted.end());
      ASSERT_EQ(quantile.count(), sorted.size());
      for (std::uint32_t k = 1; k <= sorted.size(); ++k) ASSERT_EQ(quantile.rank(k), sorted[k - 1]) << "seed " << seed << ", add " << i;
    }
  }
}

}  // namespace
}  // namespace weir
