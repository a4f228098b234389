#pragma once
// How well a network does, and beside what: a share of right answers says little where most labels are the same.

#include <cstdint>
#include <span>

#include "core/models/hashtron_activations.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir {

struct HashtronFigures {
  std::uint32_t count = 0, correct = 0;
  double accuracy = 0.0;  // Shares, 0 to 1; of no samples 0.
  double majority = 0.0;  // What always giving the most frequent value gets right.
  double balanced = 0.0;  // Mean over the values that occur of how many of their samples are right.
  double lift() const { return accuracy - majority; }
};

// Values are what was true of the samples: their parities are undone. REQUIRES: outputs.size() == samples.count().
HashtronFigures figures_of(std::span<const std::uint16_t> outputs, const HashtronSamples& samples);
inline HashtronFigures figures_of(const HashtronActivations& activations, const HashtronSamples& samples) {
  return figures_of(activations.outputs(), samples);
}

}  // namespace weir
