#include "core/models/hashtron_hash.hpp"

#include <cstddef>

namespace weir {

std::uint32_t hashtron_string_hash(std::uint32_t seed, std::string_view text) {
  std::uint32_t hash = seed;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i + k])); };
    const std::uint32_t first = byte(0);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    std::uint32_t code_point = length == 1 ? first : first & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k) code_point = code_point << 6 | (byte(k) & 0x3f);
    hash = hashtron_hash(hash, code_point, 0xffffffffU);
    i += length;
  }
  return hash;
}

}  // namespace weir
