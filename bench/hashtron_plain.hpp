#pragma once
// The same network, the same order of work, without vectors: what the benchmarks hold core/models/hashtron_activations against.
// Compiled without the compiler's own vectorisation (bench/CMakeLists.txt).

#include <cstdint>
#include <span>

#include "core/models/hashtron_network.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir::plain {

// Neuron by neuron over 512 samples, layer by layer.
void predict_batch(const HashtronNetwork& network, const HashtronSamples& samples, std::span<std::uint16_t> out);

// One job as it was done of old: every sample forward to the neuron's layer, twice on to the end; votes by key in an ordered
// map; the filter; all samples forward once more to judge it; kept if no fewer are right. For nets without add modes.
void job(HashtronNetwork& network, const HashtronSamples& samples, std::uint32_t neuron, std::uint32_t salt,
         std::uint32_t capacity);

}  // namespace weir::plain
