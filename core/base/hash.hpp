#pragma once
// 64-bit hashes of bytes: the same on every machine and for ever (they are stored). XXH3 from libxxhash.

#include <cstdint>
#include <string_view>

namespace weir {

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

// Mixes two hashes into one; not commutative.
inline std::uint64_t mix_hash(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2));
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  return x;
}

// Kafka's default partitioner hash (murmur2), as the Java client has it; partition = (murmur2 & 0x7fffffff) % count.
std::uint32_t murmur2(std::string_view bytes);

}  // namespace weir
