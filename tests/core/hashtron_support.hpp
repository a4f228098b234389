#pragma once
// Networks and tasks that tests of hashtrons share.

#include <cstdint>
#include <vector>

#include "core/base/rng.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_network.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir::testing_hashtron {

inline std::uint32_t integer_sqrt(std::uint32_t x) {
  std::uint32_t root = 0;
  while (std::uint64_t{root + 1} * (root + 1) <= x) ++root;
  return root;
}

// Windows of `window` bits side by side: majpool(width, 1, group, 1, window, 1, 1, 0).
inline MajorityPool windows(std::uint32_t width, std::uint32_t group, std::uint32_t window) {
  return {.width = width, .sub_width = group, .window_width = window};
}

// 375 (P = 32), 75 (P = 32), 5 cells: the integer square root of 0 to 1023.
inline std::vector<HashtronLayer> square_root_layers() {
  return {{.neurons = 375, .premodulo = 32, .combiner = windows(375, 1, 5)},
          {.neurons = 75, .premodulo = 32, .combiner = windows(25, 3, 25)},
          {.neurons = 5, .combiner = {}}};
}
// N31: 25 (P = 1024), 5 (P = 32), 1 cell.
inline std::vector<HashtronLayer> small_layers() {
  return {{.neurons = 25, .premodulo = 1024, .combiner = windows(25, 1, 5)},
          {.neurons = 5, .premodulo = 32, .combiner = windows(5, 1, 5)},
          {.neurons = 1, .combiner = {}}};
}

// x = 0 to count - 1 with the one feature x; the value is its integer square root, or that bit of it.
inline HashtronSamples square_roots(std::uint32_t count, int bit = -1, std::uint16_t parity = 0) {
  HashtronSamples samples(1, count);
  for (std::uint32_t x = 0; x < count; ++x) {
    const std::uint32_t root = integer_sqrt(x);
    samples.set(x, std::vector{x}, static_cast<std::uint16_t>(bit < 0 ? root : root >> bit & 1), parity);
  }
  return samples;
}

// SQRT-BIT: x below 4^scale, label bit `bit` of its root, feature n = x >> (n mod 8). One in five, by hash, is held out;
// `noise` in a hundred labels of the rest are turned round.
struct Task {
  HashtronSamples train, held_out;
};
inline Task square_root_bit(std::uint32_t scale, std::uint32_t bit, std::uint32_t noise = 0,
                            std::uint32_t split_salt = 0x5eed) {
  const std::uint32_t end = 1U << (2 * scale);
  const auto is_held_out = [&](std::uint32_t x) { return hashtron_hash(x, split_salt, 5) == 0; };
  std::uint32_t held_out = 0;
  for (std::uint32_t x = 0; x < end; ++x) held_out += is_held_out(x) ? 1 : 0;
  Task task{HashtronSamples(8, end - held_out), HashtronSamples(8, held_out)};
  std::uint32_t at[2] = {};
  for (std::uint32_t x = 0; x < end; ++x) {
    std::vector<std::uint32_t> features(8);
    for (std::uint32_t n = 0; n < 8; ++n) features[n] = x >> n;
    std::uint32_t label = integer_sqrt(x) >> bit & 1;
    if (is_held_out(x)) {
      task.held_out.set(at[1]++, features, static_cast<std::uint16_t>(label));
    } else {
      if (hashtron_hash(x, 0xbad, 100) < noise) label ^= 1;
      task.train.set(at[0]++, features, static_cast<std::uint16_t>(label));
    }
  }
  return task;
}

// L0: 4 neurons, L1: 2, L2: 1 cell.
inline HashtronNetwork tiny_network() {
  std::vector<Hashtron> neurons;
  for (std::uint32_t salt : {1U, 2U, 3U, 4U, 49866U, 239353U, 2473305U})
    neurons.push_back({.program = {{salt, 2}}, .filter = {}});
  return std::move(*HashtronNetwork::make({{.neurons = 4, .premodulo = 8, .combiner = windows(4, 1, 2)},
                                           {.neurons = 2, .premodulo = 4, .combiner = windows(2, 1, 2)},
                                           {.neurons = 1, .combiner = {}}},
                                          std::move(neurons)));
}

// Random one-pair neurons, some with a filter or a longer program.
inline std::vector<Hashtron> random_neurons(Rng& rng, std::uint32_t count) {
  std::vector<Hashtron> out(count);
  for (Hashtron& neuron : out) {
    const std::uint64_t kind = rng.below(6);
    neuron.program.resize(kind == 0 ? 0 : kind == 1 ? 3 : 1);
    for (HashtronPair& pair : neuron.program)
      pair = {static_cast<std::uint32_t>(rng.next_u64()), static_cast<std::uint32_t>(kind < 3 ? 1 + rng.below(2000) : 2)};
    if (kind > 2) continue;
    std::vector<HashtronEntry> entries;
    for (std::uint32_t key = 0; key < 64; ++key)
      if (rng.below(2) == 0) entries.push_back({key, rng.below(2) == 0});
    neuron.filter = std::move(*HashtronFilter::build(entries));
  }
  return out;
}

}  // namespace weir::testing_hashtron
