#pragma once
// The hash that hashtrons are made of: one 32-bit number to another, chosen by a salt, cut to [0, modulo). Exact on every
// machine.
//
// For a fixed salt, number to mixed() is a bijection of 32-bit numbers, and the cut divides its range into `modulo` intervals
// of the same length. So hashing with the same salt and k times the modulo splits every bucket into k:
//   hashtron_hash(n, s, P) == hashtron_hash(n, s, k * P) / k
// Salts below a few hundred only shift the number; use 32-bit salts where bucketings shall differ.

#include <cstdint>
#include <string_view>

namespace weir {

// Left shifts drop what leaves 32 bits, right shifts are logical.
constexpr std::uint32_t hashtron_mix(std::uint32_t n, std::uint32_t salt) {
  std::uint32_t m = n - salt;
  m ^= m << 2;
  m ^= m << 3;
  m ^= m >> 5;
  m ^= m >> 7;
  m ^= m << 11;
  m ^= m << 13;
  m ^= m >> 17;
  m ^= m << 19;
  return m + salt;
}

// In [0, modulo); 0 for modulo 0.
constexpr std::uint32_t hashtron_hash(std::uint32_t n, std::uint32_t salt, std::uint32_t modulo) {
  return static_cast<std::uint32_t>((std::uint64_t{hashtron_mix(n, salt)} * modulo) >> 32);
}

// A text's code points, one after the other, from `seed`. The empty text gives the seed.
// REQUIRES: is_utf8(text).
std::uint32_t hashtron_string_hash(std::uint32_t seed, std::string_view text);

}  // namespace weir
