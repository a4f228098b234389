#pragma once
// Chance from a seed: xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64. Part of a task's state.
//
// One pipeline has one seed; every user of chance derives its own stream by name, so that adding a user changes no other.

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

class Rng {
 public:
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed);
  explicit Rng(const State& state) : state_(state) {}

  // An independent stream, a function of this one's seed-state and the name. Does not advance this one.
  Rng derive(std::string_view name) const;

  std::uint64_t next_u64();
  double uniform();                          // [0, 1), 53 bits.
  std::uint64_t below(std::uint64_t bound);  // [0, bound), unbiased. REQUIRES: bound > 0.
  double normal();                           // Mean 0, variance 1 (Marsaglia's polar method without a kept spare).

  const State& state() const { return state_; }
  bool operator==(const Rng&) const = default;

 private:
  State state_;
};

}  // namespace weir
