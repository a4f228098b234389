#pragma once
// Order statistics of the newest `window` values, to the precision of logarithmic bins: a ring of bins, and a Fenwick tree that
// counts them. add() and rank() are O(log bins), memory is bounded, nothing is allocated after construction.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "core/records/state.hpp"

namespace weir {

class WindowQuantile {
 public:
  // REQUIRES: window > 0, 0 < bins <= 65536.
  WindowQuantile(std::uint32_t window, std::uint32_t bins);

  void add(std::uint32_t bin);           // REQUIRES: bin < bins. The oldest value leaves once the window is full.
  std::uint32_t count() const { return count_; }
  // Bin of the k-th smallest value, k from 1. REQUIRES: 1 <= k <= count().
  std::uint32_t rank(std::uint32_t k) const;

  // Changed pages of the ring under the tag 'w'; count and place are the caller's to keep: see seen().
  void save(StateWriter& writer);
  // `seen`: what seen() was at the save.
  Result<void> load(const StageState& state, std::uint64_t seen);
  std::uint64_t seen() const { return seen_; }

 private:
  static constexpr std::uint32_t kPageItems = 128;
  void count(std::uint32_t bin, std::uint32_t by);  // `by` may be the two's complement of a negative number.

  std::vector<std::uint16_t> ring_;
  std::vector<std::uint32_t> tree_;  // tree_[i], from 1: counts of bins (i - lowbit(i), i].
  std::vector<char> dirty_;
  std::uint32_t count_ = 0;
  std::uint64_t seen_ = 0;           // Values ever added; the next one goes to seen_ mod window.
  std::uint32_t top_ = 1;            // Greatest power of two that is not above the number of bins.
};

}  // namespace weir
