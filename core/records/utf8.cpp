#include "core/records/utf8.hpp"

#include <simdjson.h>

#include <cstdint>
#include <cstring>

namespace weir {
namespace {

bool is_ascii(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  std::uint64_t any = 0;
  for (; end - at >= 32; at += 32) {
    std::uint64_t word[4];
    std::memcpy(word, at, sizeof word);
    any |= word[0] | word[1] | word[2] | word[3];
  }
  for (; end - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    any |= word;
  }
  for (; at != end; ++at) any |= static_cast<unsigned char>(*at);
  return (any & 0x8080808080808080ULL) == 0;
}

// Length of the valid sequence at `at`, or 0.
std::size_t sequence(const unsigned char* at, std::size_t left) {
  const unsigned char first = at[0];
  if (first < 0x80) return 1;
  const auto next = [&](std::size_t i) { return i < left && (at[i] & 0xc0) == 0x80; };
  if (first >= 0xc2 && first <= 0xdf) return next(1) ? 2 : 0;
  if ((first & 0xf0) == 0xe0) {
    if (!next(1) || !next(2)) return 0;
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f)) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!next(1) || !next(2) || !next(3)) return 0;
    if ((first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view text) { return is_ascii(text) || simdjson::validate_utf8(text.data(), text.size()); }

std::size_t first_invalid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence(bytes + at, text.size() - at);
    if (length == 0) return at;
    at += length;
  }
  return at;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace weir
