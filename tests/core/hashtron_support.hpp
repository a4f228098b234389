#pragma once
// Networks and tasks that tests of hashtrons share.

#include <cstdint>
#include <vector>

#include "core/base/rng.hpp"
#include "core/learning/capacity_law.hpp"
#include "core/learning/generated_tasks.hpp"
#include "core/models/hashtron_network.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir::testing_hashtron {

// Windows of `window` bits side by side: majpool(width, 1, group, 1, window, 1, 1, 0).
inline MajorityPool windows(std::uint32_t width, std::uint32_t group, std::uint32_t window) {
  return {.width = width, .sub_width = group, .window_width = window};
}

// 375, 75 and 5 neurons, for whole square roots; and 25, 5 and 1.
inline std::vector<HashtronLayer> square_root_layers() {
  return GeneratedTask{.kind = GeneratedTask::Kind::kSquareRoot}.layers();
}
inline std::vector<HashtronLayer> small_layers() { return GeneratedTask{}.layers(); }

// x = 0 to count - 1 with the one feature x; the value is its integer square root, or that bit of it.
inline HashtronSamples square_roots(std::uint32_t count, int bit = -1, std::uint16_t parity = 0) {
  HashtronSamples samples(1, count);
  for (std::uint32_t x = 0; x < count; ++x) {
    const std::uint32_t root = integer_sqrt(x);
    samples.set(x, std::vector{x}, static_cast<std::uint16_t>(bit < 0 ? root : root >> bit & 1), parity);
  }
  return samples;
}

using Task = SplitSamples;
inline Task square_root_bit(std::uint32_t scale, std::uint32_t bit, std::uint32_t noise = 0, std::uint32_t split = 0x5eed) {
  return GeneratedTask{.scale = scale, .bit = bit, .noise = noise, .split = split}.samples();
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
