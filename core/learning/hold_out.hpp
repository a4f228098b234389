#pragma once
// Which labelled samples nobody learns from: the figures that a candidate is judged by are theirs alone.
//
// By a hash of the sample's hashed features, so that an input is held out for good, however often it comes: a network that has it
// by heart from another time gains nothing by that. Samples that look the same are on the same side.

#include <cstdint>
#include <string_view>

#include "core/base/hash.hpp"
#include "core/records/event.hpp"

namespace weir {

// One in `one_in`; 0: none.
inline bool is_held_out(const Sample& sample, std::uint32_t one_in) {
  if (one_in == 0) return false;
  const std::string_view bytes(reinterpret_cast<const char*>(sample.indices.data()), sample.indices.size_bytes());
  return ((hash64(bytes, 0x5eed) >> 32) * one_in) >> 32 == 0;
}

}  // namespace weir
