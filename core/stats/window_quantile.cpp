#include "core/stats/window_quantile.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/records/state_pages.hpp"

namespace weir {
namespace {
constexpr char kRingTag = 'w';
}

WindowQuantile::WindowQuantile(std::uint32_t window, std::uint32_t bins)
    : ring_(window, 0), tree_(bins + 1, 0), dirty_((window + kPageItems - 1) / kPageItems, 0) {
  CHECK(window > 0 && bins > 0 && bins <= 65536);
  while (top_ * 2 <= bins) top_ *= 2;
}

void WindowQuantile::count(std::uint32_t bin, std::uint32_t by) {
  for (std::uint32_t i = bin + 1; i < tree_.size(); i += i & (0 - i)) tree_[i] += by;
}

void WindowQuantile::add(std::uint32_t bin) {
  CHECK(bin + 1 < tree_.size());
  const auto at = static_cast<std::uint32_t>(seen_++ % ring_.size());
  if (count_ == ring_.size())
    count(ring_[at], 0U - 1U);
  else
    ++count_;
  ring_[at] = static_cast<std::uint16_t>(bin);
  count(bin, 1);
  dirty_[at / kPageItems] = 1;
}

std::uint32_t WindowQuantile::rank(std::uint32_t k) const {
  CHECK(k >= 1 && k <= count_);
  std::uint32_t at = 0;
  for (std::uint32_t step = top_; step > 0; step /= 2) {
    if (at + step >= tree_.size() || tree_[at + step] >= k) continue;
    at += step;
    k -= tree_[at];
  }
  return at;  // `at` bins hold fewer than k values: the k-th is in the next one, whose number from 0 is `at`.
}

void WindowQuantile::save(StateWriter& writer) {
  for_each_dirty(dirty_, [&](std::uint32_t page) {
    save_page(writer, kRingTag, page, std::span<const std::uint16_t>(ring_), kPageItems);
  });
  std::fill(dirty_.begin(), dirty_.end(), 0);
}

Result<void> WindowQuantile::load(const StageState& state, std::uint64_t seen) {
  TRY(load_pages(state, kRingTag, std::span<std::uint16_t>(ring_), kPageItems));
  seen_ = seen;
  count_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(seen, ring_.size()));
  std::fill(tree_.begin(), tree_.end(), 0);
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (ring_[i] + 1U >= tree_.size())
      return Error{ErrorCode::kCorruption, "window of " + state.prefix() + ": bin " + std::to_string(ring_[i]) + " of " +
                                               std::to_string(tree_.size() - 1)};
    count(ring_[i], 1);
  }
  return {};
}

}  // namespace weir
