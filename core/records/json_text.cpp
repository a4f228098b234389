#include "core/records/json_text.hpp"

#include <array>
#include <cmath>

namespace weir::json {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kTops = 0x8080808080808080ULL;

// Not zero if one of eight bytes is a quote, a backslash or a control character; a false alarm only costs time.
std::uint64_t needs_escape(std::uint64_t w) {
  const std::uint64_t quote = w ^ (kOnes * '"');
  const std::uint64_t slash = w ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | ((w - kOnes * 0x20) & ~w)) & kTops;
}

char* escaped(char* to, unsigned char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"': return literal(to, "\\\"");
    case '\\': return literal(to, "\\\\");
    case '\n': return literal(to, "\\n");
    case '\r': return literal(to, "\\r");
    case '\t': return literal(to, "\\t");
    default: break;
  }
  if (c >= 0x20) {
    *to = static_cast<char>(c);
    return to + 1;
  }
  to = literal(to, "\\u00");
  *to++ = kHex[c >> 4];
  *to++ = kHex[c & 15];
  return to;
}

// Walks a JSON text; each function returns false where it is not what its name says.
class Checker {
 public:
  explicit Checker(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool whole_object() {
    space();
    if (at_ == end_ || *at_ != '{') return false;
    if (!value(0)) return false;
    space();
    return at_ == end_;
  }

 private:
  static constexpr int kDepthMax = 200;

  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view text) {
    if (static_cast<std::size_t>(end_ - at_) < text.size() || std::string_view(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  bool digits() {
    const char* begin = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != begin;
  }
  bool number_text() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool string_text() {
    if (!take('"')) return false;
    while (at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_++);
      if (c == '"') return true;
      if (c < 0x20) return false;
      if (c != '\\') continue;
      if (at_ == end_) return false;
      const char e = *at_++;
      if (e == 'u') {
        for (int i = 0; i < 4; ++i, ++at_)
          if (at_ == end_ || !(is_digit(*at_) || (*at_ >= 'a' && *at_ <= 'f') || (*at_ >= 'A' && *at_ <= 'F'))) return false;
      } else if (std::string_view("\"\\/bfnrt").find(e) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }
  bool value(int depth) {
    if (depth > kDepthMax || at_ == end_) return false;
    switch (*at_) {
      case '"': return string_text();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      case '{': return members(depth);
      case '[': return elements(depth);
      default: return number_text();
    }
  }
  bool members(int depth) {
    ++at_;
    space();
    if (take('}')) return true;
    for (;;) {
      space();
      if (!string_text()) return false;
      space();
      if (!take(':')) return false;
      space();
      if (!value(depth + 1)) return false;
      space();
      if (take('}')) return true;
      if (!take(',')) return false;
    }
  }
  bool elements(int depth) {
    ++at_;
    space();
    if (take(']')) return true;
    for (;;) {
      space();
      if (!value(depth + 1)) return false;
      space();
      if (take(']')) return true;
      if (!take(',')) return false;
    }
  }

  const char* at_;
  const char* end_;
};

}  // namespace

char* number(char* to, double value) {
  if (!std::isfinite(value)) return literal(to, "null");
  return std::to_chars(to, to + kNumberBytesMax, value).ptr;
}

char* string(char* to, std::string_view text) {
  *to++ = '"';
  const char* at = text.data();
  std::size_t left = text.size();
  while (left >= 8) {
    std::uint64_t w;
    std::memcpy(&w, at, 8);
    if (needs_escape(w) == 0) {
      std::memcpy(to, &w, 8);
      to += 8;
    } else {
      for (int i = 0; i < 8; ++i) to = escaped(to, static_cast<unsigned char>(at[i]));
    }
    at += 8;
    left -= 8;
  }
  for (; left > 0; --left) to = escaped(to, static_cast<unsigned char>(*at++));
  *to++ = '"';
  return to;
}

void append_string(ByteBuffer& out, std::string_view text) {
  char* begin = out.prepare(string_bytes_max(text.size()));
  out.advance(static_cast<std::size_t>(string(begin, text) - begin));
}

void append_number(ByteBuffer& out, double value) {
  char* begin = out.prepare(kNumberBytesMax);
  out.advance(static_cast<std::size_t>(number(begin, value) - begin));
}

void append_base64(ByteBuffer& out, std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char* const begin = out.prepare((bytes.size() + 2) / 3 * 4);
  char* to = begin;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = bytes.size() - i;
    const auto byte = [&](std::size_t k) { return k < have ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i + k])) : 0U; };
    const std::uint32_t word = byte(0) << 16 | byte(1) << 8 | byte(2);
    *to++ = kDigits[word >> 18];
    *to++ = kDigits[word >> 12 & 63];
    *to++ = have > 1 ? kDigits[word >> 6 & 63] : '=';
    *to++ = have > 2 ? kDigits[word & 63] : '=';
  }
  out.advance(static_cast<std::size_t>(to - begin));
}

bool is_utf8(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* const end = at + bytes.size();
  if (bytes.size() <= 64) {  // Ids, keys, topic names: nearly always ASCII.
    const std::size_t n = bytes.size();
    std::uint64_t tops = 0, w = 0;
    if (n >= 8) {
      for (std::size_t i = 0; i + 8 <= n; i += 8) {
        std::memcpy(&w, at + i, 8);
        tops |= w;
      }
      std::memcpy(&w, end - 8, 8);
      tops |= w;
    } else {
      for (std::size_t i = 0; i < n; ++i) tops |= at[i];
    }
    if ((tops & kTops) == 0) return true;
  }
  while (at != end) {
    while (end - at >= 8) {
      std::uint64_t w;
      std::memcpy(&w, at, 8);
      if ((w & kTops) != 0) break;
      at += 8;
    }
    if (at == end) break;
    const unsigned char c = *at++;
    if (c < 0x80) continue;
    // The second byte's bounds keep overlong forms, surrogates and what lies above U+10FFFF out.
    int more;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
      more = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
      more = 2;
      if (c == 0xe0) low = 0xa0;
      if (c == 0xed) high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
      more = 3;
      if (c == 0xf0) low = 0x90;
      if (c == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (end - at < more) return false;
    if (*at < low || *at > high) return false;
    for (int i = 1; i < more; ++i)
      if ((at[i] & 0xc0) != 0x80) return false;
    at += more;
  }
  return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t n = bytes_max;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) --n;
  return text.substr(0, n);
}

bool is_object(std::string_view text) { return Checker(text).whole_object() && is_utf8(text); }

}  // namespace weir::json
