#pragma once
// Pieces of JSON text, written at a pointer into memory that the caller has made room for. Nothing here allocates.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/byte_buffer.hpp"

namespace weir::json {

inline constexpr std::size_t kIntegerBytesMax = 20;
inline constexpr std::size_t kNumberBytesMax = 32;
// Of a string of n bytes, quotes included: a control character takes six bytes.
inline constexpr std::size_t string_bytes_max(std::size_t n) { return 6 * n + 2; }

// All of these return the end of what they wrote.
template <std::size_t N>
inline char* literal(char* to, const char (&text)[N]) {
  std::memcpy(to, text, N - 1);
  return to + (N - 1);
}
inline char* raw(char* to, std::string_view text) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}
template <class Int>
inline char* integer(char* to, Int value) {
  return std::to_chars(to, to + kIntegerBytesMax, value).ptr;
}
// Shortest text that reads back as the same f64; null for NaN and infinities, which JSON cannot say.
char* number(char* to, double value);
// Quoted and escaped. REQUIRES: valid UTF-8.
char* string(char* to, std::string_view text);

// The same at the end of a buffer.
void append_string(ByteBuffer& out, std::string_view text);
void append_number(ByteBuffer& out, double value);
void append_base64(ByteBuffer& out, std::string_view bytes);  // Without quotes.

bool is_utf8(std::string_view bytes);  // RFC 3629: no overlong forms, no surrogates.
// The longest beginning of `text` of at most `bytes_max` bytes that does not cut a character. REQUIRES: valid UTF-8.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);
// Whether `text` is one JSON object and nothing else (RFC 8259; nested at most 200 deep).
bool is_object(std::string_view text);

}  // namespace weir::json
