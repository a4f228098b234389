#pragma once
// A cache of sums as a person reads it: what each layer's neurons do, and what became of one neuron's jobs. Where the cache
// came from, a training's snapshot or a pipeline's topic, makes no difference here.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/learning/sum_cache.hpp"

namespace weir {

struct LayerSums {
  std::uint32_t layer = 0, first = 0, neurons = 0;  // Neurons are numbered through: the layer's begin at `first`.
  std::uint32_t known = 0;                          // Of which there is a record.
  std::vector<std::uint32_t> gold = {};             // Positions of those whose latest sum is in the gold zone.
  std::array<std::uint32_t, 10> margins{};          // How many have which |S| / N, in tenths.
  std::optional<SumRecord> latest = {};             // The layer's newest job.
};
// REQUIRES: the layers' sizes add up to the cache's neurons.
std::vector<LayerSums> layer_sums(const SumCache& sums, std::span<const std::uint32_t> layers);

// "LAYER.POSITION", as in 1.3, both from 0. kInvalidInput: no such neuron.
Result<std::uint32_t> parse_neuron(std::string_view text, std::span<const std::uint32_t> layers);
std::string neuron_name(std::uint32_t neuron, std::span<const std::uint32_t> layers);

// Ten characters, one a tenth from 0 to 1: how many neurons have that margin, from ' ' (none) to '#' (the most).
std::string margin_bars(const std::array<std::uint32_t, 10>& margins);
// One line of a record; `head`: the names above it.
std::string sum_record_head();
std::string sum_record_line(const SumRecord& record, std::span<const std::uint32_t> layers);

// The whole cache; with `neuron` that neuron's records instead. Text for a person, lines ended; JSON one object.
std::string sums_text(const SumCache& sums, std::span<const std::uint32_t> layers, std::optional<std::uint32_t> neuron);
std::string sums_json(const SumCache& sums, std::span<const std::uint32_t> layers, std::optional<std::uint32_t> neuron);
std::string sum_record_json(const SumRecord& record, std::span<const std::uint32_t> layers);

}  // namespace weir
