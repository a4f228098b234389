#pragma once
// Counts of durations in nanoseconds, in log-linear buckets: 32 per power of two, so a percentile is at most 3.2 % too high.
// One writer; any thread may read while it writes. add() is a few nanoseconds, without lock or allocation. 16 KiB.

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace weir {

class LatencyHistogram {
 public:
  void add(std::int64_t ns) {
    bump(counts_[bucket_of(ns)]);
    sum_ns_.store(sum_ns_.load(std::memory_order_relaxed) + (ns > 0 ? ns : 0), std::memory_order_relaxed);
    if (ns > max_ns_.load(std::memory_order_relaxed)) max_ns_.store(ns, std::memory_order_relaxed);
  }

  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const auto& c : counts_) sum += c.load(std::memory_order_relaxed);
    return sum;
  }
  std::int64_t max_ns() const { return max_ns_.load(std::memory_order_relaxed); }
  std::int64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }  // 292 years, then it is wrong.

  // Calls fn(bound, count) for every bucket that is not empty, ascending: `count` durations of at most `bound` ns, above the bound
  // of the bucket before.
  template <class Fn>
  void for_each_bucket(Fn&& fn) const {
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if (const std::uint64_t n = counts_[i].load(std::memory_order_relaxed); n > 0) fn(bound_of(i), n);
  }

  // The smallest bucket bound with at least `fraction` of the durations at or below it; 0 if there are none.
  std::int64_t percentile_ns(double fraction) const {
    const std::uint64_t total = count();
    if (total == 0) return 0;
    auto rank = static_cast<std::uint64_t>(fraction * double(total));
    if (rank >= total) rank = total - 1;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i].load(std::memory_order_relaxed);
      if (seen > rank) {
        const std::int64_t bound = bound_of(i);
        return bound < max_ns() ? bound : max_ns();
      }
    }
    return max_ns();
  }

  void merge(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i)
      counts_[i].store(counts_[i].load(std::memory_order_relaxed) + other.counts_[i].load(std::memory_order_relaxed),
                       std::memory_order_relaxed);
    sum_ns_.store(sum_ns() + other.sum_ns(), std::memory_order_relaxed);
    if (other.max_ns() > max_ns()) max_ns_.store(other.max_ns(), std::memory_order_relaxed);
  }
  void clear() {
    for (auto& c : counts_) c.store(0, std::memory_order_relaxed);
    max_ns_.store(0, std::memory_order_relaxed);
    sum_ns_.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr int kSubBits = 5;
  static constexpr std::size_t kBuckets = 64 << kSubBits;

  static std::size_t bucket_of(std::int64_t ns) {
    const auto v = static_cast<std::uint64_t>(ns < 0 ? 0 : ns);
    if (v < (1U << kSubBits)) return static_cast<std::size_t>(v);
    const int shift = 63 - std::countl_zero(v) - kSubBits;
    return (static_cast<std::size_t>(shift + 1) << kSubBits) + static_cast<std::size_t>((v >> shift) & ((1U << kSubBits) - 1));
  }
  static std::int64_t bound_of(std::size_t bucket) {  // The largest duration in it.
    if (bucket < (1U << kSubBits)) return static_cast<std::int64_t>(bucket);
    const auto shift = static_cast<int>(bucket >> kSubBits) - 1;
    const std::uint64_t low = ((bucket & ((1U << kSubBits) - 1)) | (1U << kSubBits));
    return static_cast<std::int64_t>(((low + 1) << shift) - 1);
  }
  static void bump(std::atomic<std::uint64_t>& c) { c.store(c.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::int64_t> max_ns_{0};
  std::atomic<std::int64_t> sum_ns_{0};
};

}  // namespace weir
