#pragma once
// A hashtron: a neuron that is a program of hashes followed by a filter. It maps a 32-bit feature to a bit (or to a few: an
// older use, kept for models that have it).
//
// Bit j of feature x: v = x | j << 16; for each pair of the program v = hashtron_hash(v, salt, modulo); the bit is the filter's
// answer to v, or v's lowest bit where there is no filter; `negate` turns it round. An empty program hands x on as it is.

#include <cstdint>
#include <vector>

#include "core/models/hashtron_filter.hpp"

namespace weir {

struct HashtronPair {
  std::uint32_t salt = 0;
  std::uint32_t modulo = 0;
  bool operator==(const HashtronPair&) const = default;
};

struct Hashtron {
  std::vector<HashtronPair> program = {};
  HashtronFilter filter = {};
  std::uint8_t bits =
      0;  // 0 (which means 1) to 64; more than one is meant for features below 65536: of larger ones bits are alike.
  bool negate = false;

  bool bit(std::uint32_t feature) const;              // Bit 0: what a network reads.
  std::uint64_t output(std::uint32_t feature) const;  // All bits, the first one lowest. REQUIRES: bits <= 64.
  bool operator==(const Hashtron&) const = default;
};

}  // namespace weir
