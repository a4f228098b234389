#pragma once
// How many buckets a hashtron's job gets (its capacity, G: the modulo that its keys are hashed to), from the neuron's sum.
//
// S = (ones) - (zeros) of a neuron over N samples. A walk of G random steps of N / G each ends near N / sqrt(G): the law turns
// that round, G = floor(N^2 / (|S| + 1)^2): a neuron whose sum looks like noise of G buckets gets G buckets. Whole numbers
// throughout.
//
// The law alone has no restoring force: a constant neuron has |S| = N, so one bucket, so it stays constant. Hence the guards,
// in this order: smoothing of |S|, the law, at most a factor `clamp` from the last capacity, escape of collapsed neurons,
// bounds.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace weir {

inline constexpr std::uint64_t kCapacityMax = 0xffffffffULL;

struct CapacitySettings {
  bool law = true;                 // Off: always N^2, that is next to no collisions.
  std::uint32_t clamp = 10;        // At most this factor from one job of a neuron to its next,
  std::uint32_t gold_clamp = 2;    // and this one while its sum is in the gold zone.
  std::uint32_t capacity_min = 2;  // 1 is a constant neuron by construction.
  bool escape = true;              // N buckets for a neuron with 5 |S| >= 4 N.
  std::array<std::uint32_t, 3> smoothing = {3, 2,
                                            1};  // Weights of |S| now and of the last two accepted jobs. The first is not 0.
  bool round_first = false;                      // floor(N / (|S| + 1))^2 instead, as the law was first written down.
};

std::uint32_t integer_sqrt(std::uint64_t x);  // The largest whole number whose square is at most x.

// floor(N^2 / (|S| + 1)^2), at least 0; or, rounded first, floor(N / (|S| + 1))^2. At most kCapacityMax.
std::uint64_t law_capacity(std::uint32_t n, std::uint64_t magnitude, bool round_first = false);
// floor of the weighted mean; `history` is newest first, and what is missing of it has no weight.
std::uint64_t smoothed_magnitude(std::uint64_t now, std::span<const std::uint64_t> history,
                                 const std::array<std::uint32_t, 3>& weights);

struct CapacityChoice {
  std::uint32_t capacity = 0;
  bool clamped = false;  // By clamp, escape or bounds: not the law's own.
};
// The next job's capacity. `last`: the neuron's capacity so far, N for one never trained. REQUIRES: n > 0, magnitude <= n.
CapacityChoice next_capacity(std::uint32_t n, std::uint64_t magnitude, std::span<const std::uint64_t> history,
                             std::uint64_t last, const CapacitySettings& settings);

}  // namespace weir
