#pragma once
// The loops that networks of hashtrons spend their time in, by SIMD target (core/base/simd.hpp), written with Highway.
//
// Integers only, so every target gives the same bits. Samples come in words of 64 (kSampleWord): bit s of word w is that of
// sample 64 * w + s. `words` counts words, keys and features are 64 * words numbers.

#include <cstddef>
#include <cstdint>

#include "core/base/simd.hpp"

namespace weir::kernels {

// out[i] = hashtron_hash(in[i], salt, modulo). In place is fine.
extern const SimdKernel<const std::uint32_t* /*in*/, std::uint32_t* /*out*/, std::size_t /*words*/, std::uint32_t /*salt*/,
                        std::uint32_t /*modulo*/>
    hash_keys;

// Bit s = bit hashtron_hash(in[s], salt, modulo) of `table`, which has `modulo` bits. REQUIRES: modulo > 0.
extern const SimdKernel<const std::uint32_t* /*in*/, std::size_t /*words*/, std::uint32_t /*salt*/, std::uint32_t /*modulo*/,
                        const std::uint32_t* /*table*/, std::uint64_t* /*out*/>
    hash_table_bits;

// Bit s = the lowest bit of keys[s].
extern const SimdKernel<const std::uint32_t* /*keys*/, std::size_t /*words*/, std::uint64_t* /*out*/> low_bits;

// Bit s = the answer of the filter (HashtronFilter: its bytes padded to words, its number of cells) to keys[s].
// REQUIRES: cells > 0.
extern const SimdKernel<const std::uint32_t* /*keys*/, std::size_t /*words*/, const std::uint32_t* /*filter*/,
                        std::uint32_t /*cells*/, std::uint64_t* /*out*/>
    filter_bits;

// out[r] = the bits that are set in row r of `count` rows of `words` words each, one behind the other.
extern const SimdKernel<const std::uint64_t* /*rows*/, std::size_t /*words*/, std::size_t /*count*/, std::uint32_t* /*out*/>
    count_bits;

// out[s] = the sum over rows r of (bit s of rows[r], from its word `first` on) << shifts[r].
extern const SimdKernel<const std::uint64_t* const* /*rows*/, const std::uint32_t* /*shifts*/, std::size_t /*rows*/,
                        std::size_t /*first*/, std::size_t /*words*/, std::uint32_t* /*out*/>
    sum_bits;

// One sample: bits[i] = 0 or 1, bit hashtron_hash(features[i], i, modulo) of neuron i's table of table_words words. The
// arrays hold `count` entries, and room for more up to a multiple of 16. REQUIRES: modulo > 0, table_words * count < 2^31.
extern const SimdKernel<const std::uint32_t* /*features*/, std::size_t /*count*/, std::uint32_t /*modulo*/,
                        const std::uint32_t* /*tables*/, std::uint32_t /*table_words*/, std::uint8_t* /*bits*/>
    layer_bits;

}  // namespace weir::kernels
