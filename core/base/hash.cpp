#include "core/base/hash.hpp"

#include <xxhash.h>

#include <cstring>

namespace weir {

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint32_t murmur2(std::string_view bytes) {
  // Austin Appleby's MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2).
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  std::uint32_t h = 0x9747b28cU ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    std::uint32_t k;
    std::memcpy(&k, bytes.data() + i, 4);
    k *= kMultiplier;
    k ^= k >> 24;
    k *= kMultiplier;
    h = h * kMultiplier ^ k;
  }
  const auto at = [&](std::size_t j) { return std::uint32_t(static_cast<unsigned char>(bytes[i + j])); };
  switch (bytes.size() - i) {
    case 3: h ^= at(2) << 16; [[fallthrough]];
    case 2: h ^= at(1) << 8; [[fallthrough]];
    case 1: h ^= at(0); h *= kMultiplier; break;
    default: break;
  }
  h ^= h >> 13;
  h *= kMultiplier;
  h ^= h >> 15;
  return h;
}

}  // namespace weir
