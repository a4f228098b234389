#pragma once
// key=value pairs between blanks, as logfmt has them: a value is bare or in double quotes with \" \\ \n \r \t inside.

#include <cstring>
#include <string_view>

#include "core/records/record_builder.hpp"

namespace weir {

// Walks one text. Used by the key=value format and for the messages of syslog.
class KeyValueReader {
 public:
  KeyValueReader(const char* at, const char* end, ParseArena& arena) : at_(at), end_(end), arena_(arena) {}

  enum class Step : std::uint8_t { kPair, kEnd, kWrong };
  // The next pair, or why there is none: what() says it and at() where. After kWrong, skip_word() goes on.
  Step next(std::string_view& name, std::string_view& value) {
    while (at_ != end_ && blank(*at_)) ++at_;
    if (at_ == end_) return Step::kEnd;
    word_ = at_;
    while (at_ != end_ && *at_ != '=' && *at_ != '"' && !blank(*at_)) ++at_;
    name = {word_, static_cast<std::size_t>(at_ - word_)};
    if (at_ == end_ || *at_ != '=') return wrong("expected name=value");
    if (name.empty()) return wrong("expected a name before '='");
    ++at_;
    if (at_ != end_ && *at_ == '"') return quoted(value);
    const char* const begin = at_;
    while (at_ != end_ && !blank(*at_) && *at_ != '"') ++at_;
    if (at_ != end_ && *at_ == '"') return wrong("a quote inside a value that does not begin with one");
    value = {begin, static_cast<std::size_t>(at_ - begin)};
    return Step::kPair;
  }
  void skip_word() {
    at_ = word_;
    while (at_ != end_ && !blank(*at_)) ++at_;
  }
  const char* at() const { return at_; }
  std::string_view what() const { return what_; }

 private:
  static bool blank(char c) { return c == ' ' || c == '\t'; }
  Step wrong(std::string_view what) {
    what_ = what;
    return Step::kWrong;
  }

  Step quoted(std::string_view& value) {
    const char* const open = at_++;
    const char* const begin = at_;
    bool escaped = false;
    while (at_ != end_ && *at_ != '"') {
      if (*at_ == '\\') {
        escaped = true;
        if (++at_ == end_) break;
        if (std::strchr("\"\\nrt", *at_) == nullptr || *at_ == '\0')
          return wrong("an escape other than \\\" \\\\ \\n \\r \\t");
      }
      ++at_;
    }
    if (at_ == end_) {
      at_ = open;
      return wrong("a quote that is not closed");
    }
    value = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    if (at_ != end_ && !blank(*at_)) return wrong("expected a blank after the closing quote");
    if (escaped) {
      char* const out = arena_bytes(arena_, value.size());
      std::size_t size = 0;
      for (std::size_t i = 0; i < value.size(); ++i) {
        char c = value[i];
        if (c == '\\') {
          c = value[++i];
          c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
        out[size++] = c;
      }
      value = {out, size};
    }
    return Step::kPair;
  }

  const char* at_;
  const char* end_;
  ParseArena& arena_;
  const char* word_ = nullptr;
  std::string_view what_;
};

}  // namespace weir
