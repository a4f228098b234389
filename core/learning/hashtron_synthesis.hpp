#pragma once
// A hashtron by search: a program of hashes alone, without a filter, that tells two sets of numbers apart. How such networks
// were made before filters; exact, but costly from a few hundred numbers on.
//
// Each step looks for a salt under which the two sets' images stay apart and some of them fall together, and goes on with the
// images, until {0} and {1} are left. Salts are tried in ascending order of the nonce on one thread: the same sets give the
// same program.

#include <cstdint>
#include <span>

#include "core/base/result.hpp"
#include "core/models/hashtron.hpp"

namespace weir {

struct SynthesisSettings {
  std::uint32_t factor = 1;         // The first modulo is L^2 / factor, L the larger set's size.
  std::uint32_t subtractor = 1;     // How fast the modulo falls.
  std::uint32_t nonces_max = 1000;  // Salts tried for one modulo.
  std::uint32_t retries = 3;        // Attempts with a new beginning; also steps in which the first modulo shrinks.
};

// A program whose output is false for one set's numbers and true for the other's.
// kInvalidInput: both sets are empty, a number is in both, a setting is 0, or the numbers are too many. kNotFound: no program
// was found; try more nonces, or use a filter.
Result<Hashtron> synthesize_hashtron(std::span<const std::uint32_t> falses, std::span<const std::uint32_t> trues,
                                     const SynthesisSettings& settings = {});

}  // namespace weir
