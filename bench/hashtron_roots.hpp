#pragma once
// The network that the benchmarks of hashtrons run: 375, 75 and 5 neurons, integer square roots of 0 to 1023.

#include <cstdint>
#include <vector>

#include "core/models/hashtron_network.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir::bench {

std::vector<HashtronLayer> roots_layers();
HashtronSamples roots_samples(std::uint32_t count);  // The task's 1,024, over and over.
const HashtronNetwork& trained_roots();              // Trained until all is right; at the first call.

}  // namespace weir::bench
