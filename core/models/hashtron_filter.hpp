#pragma once
// The quaternary filter: a read-only map from 32-bit numbers to bits, exact on the keys it was built from and arbitrary, but
// fixed, on all others (mostly their own lowest bit). About 3 bits a key; what a trained hashtron has learned.
//
// Bytes hold four cells of two bits, low bits first: empty, false, true, hop. A key walks from cell to cell, rotated right by
// one bit at each hop, until a cell answers; an empty one answers the rotated key's lowest bit.

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"

namespace weir {

inline constexpr std::uint32_t kHashtronHopsMax = 64;
inline constexpr std::size_t kHashtronFilterBytesMax = std::size_t{1} << 28;  // 2^30 cells: their number fits 32 bits.

struct HashtronEntry {
  std::uint32_t key = 0;
  bool answer = false;
  bool operator==(const HashtronEntry&) const = default;
};

class HashtronFilter {
 public:
  // The empty filter answers every number's lowest bit.
  HashtronFilter() = default;
  // REQUIRES: bytes.size() <= kHashtronFilterBytesMax.
  explicit HashtronFilter(std::vector<std::uint8_t> bytes);

  // The filter of these entries, a function of them alone; none give the empty filter. 0.1 to 0.3 us an entry.
  // kFull: they cannot be told apart within kHashtronFilterBytesMax. REQUIRES: keys in ascending order, each once.
  static Result<HashtronFilter> build(std::span<const HashtronEntry> entries);

  bool lookup(std::uint32_t key) const;  // At most kHashtronHopsMax cells are read.

  bool empty() const { return size_ == 0; }
  std::span<const std::uint8_t> bytes() const { return std::span(bytes_).first(size_); }
  std::uint32_t cells() const { return size_ * 4; }
  bool operator==(const HashtronFilter&) const = default;

 private:
  std::uint32_t size_ = 0;
  std::vector<std::uint8_t> bytes_;  // Zeros up to a multiple of four behind them: kernels read words.
};

}  // namespace weir
