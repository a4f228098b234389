// JSON, one object a line, in a single strict pass: every byte is checked, nothing is skipped unread.
//
// Log lines repeat their names in the same order, so the walker remembers what came at each place of an object and compares
// that first: for a known line no name is scanned or looked up. simdjson's DOM parser alone is faster (bench/parser_bench
// measures both on the same lines), but its tape is no event yet: names, types, repeated fields, numbers' texts and strings would
// have to be taken from it in a second walk. The fuzz target holds this walker to simdjson's verdicts and values.

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/records/record_builder.hpp"

namespace weir {
namespace {

constexpr int kDepthMax = 1024;        // As simdjson has it.
constexpr std::size_t kHintBytes = 32;  // Longest remembered name, with its closing quote and colon.
constexpr std::size_t kHintsMax = 64;

// Names that mean something inside one object: the prefix that leads there is the node's own.
struct Node {
  struct Child {
    std::string name;
    SlotIndex slot = kNoSlot;
    std::int32_t node = -1;  // Declared names lie inside, if it is an object.
  };
  // A name as it came before, with `":` behind it.
  struct Hint {
    char text[kHintBytes] = {};
    std::uint32_t bytes = 0;
    SlotIndex slot = kNoSlot;
    std::int32_t node = -1;
  };
  std::vector<Child> children;  // Sorted by name.
  std::vector<Hint> hints;      // In the order in which they came.
};

// Tells eight bytes at once whether one of them is '"', '\\' or below 0x20.
std::uint64_t special_bytes(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL, kHigh = 0x8080808080808080ULL;
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t slash = word ^ (kOnes * '\\');
  const std::uint64_t below = (word - kOnes * 0x20) & ~word;
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | below) & kHigh;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class JsonLineParser final : public LineParser {
 public:
  JsonLineParser(const EventSchema& schema, LineRole role) : builder_(schema, role) { build_node(""); }

  void parse(std::string_view line, ParseArena& arena, ParsedRecord& out) override {
    std::string_view body;
    if (!builder_.begin(line, arena, out, body)) return;
    line_ = out.line.data();
    at_ = body.data();
    end_ = body.data() + body.size();
    depth_ = 0;
    walk();
    builder_.finish();
  }
  Result<void> header(std::string_view) override { return {}; }
  bool wants_header() const override { return false; }

 private:
  // A declared name "a.b" is b inside a; a name with the dot in it, as flat logs have, is the same.
  std::int32_t build_node(const std::string& prefix) {
    const auto index = nodes_.size();
    nodes_.emplace_back();
    std::vector<Node::Child> children;
    const auto child = [&](std::string_view name) -> Node::Child& {
      for (Node::Child& known : children)
        if (known.name == name) return known;
      children.push_back({std::string(name), kNoSlot, -1});
      return children.back();
    };
    std::vector<std::string> inner;
    for (std::size_t i = 0; i < builder_.names().size(); ++i) {
      const std::string& name = builder_.names()[i];
      if (name.size() <= prefix.size() || !name.starts_with(prefix)) continue;
      const std::string_view rest = std::string_view(name).substr(prefix.size());
      child(rest).slot = static_cast<SlotIndex>(i);
      for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.', dot + 1)) {
        child(rest.substr(0, dot));
        inner.emplace_back(rest.substr(0, dot));
      }
    }
    std::sort(inner.begin(), inner.end());
    inner.erase(std::unique(inner.begin(), inner.end()), inner.end());
    for (const std::string& name : inner) child(name).node = build_node(prefix + name + ".");
    std::sort(children.begin(), children.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    nodes_[index].children = std::move(children);
    nodes_[index].hints.reserve(kHintsMax);
    return static_cast<std::int32_t>(index);
  }

  bool fail(std::string_view what) { return fail_at(what, at_); }
  bool fail_at(std::string_view what, const char* at) {
    builder_.malformed(what, at - line_);
    return false;
  }
  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }

  void walk() {
    skip_blanks();
    if (at_ == end_) {
      fail("an empty line, expected a JSON object");
      return;
    }
    if (*at_ != '{') {
      fail("expected a JSON object");
      return;
    }
    if (!object(0)) return;
    skip_blanks();
    if (at_ != end_) fail("something after the end of the object");
  }

  // At '{'. `node`: -1 where nothing inside is declared.
  bool object(std::int32_t node) {
    if (++depth_ >= kDepthMax) return fail("nested deeper than 1023 levels");
    ++at_;
    skip_blanks();
    if (at_ != end_ && *at_ == '}') {
      ++at_;
      --depth_;
      return true;
    }
    std::size_t hint = 0;
    while (true) {
      if (at_ == end_ || *at_ != '"') return fail("expected a field name in quotes");
      ++at_;
      SlotIndex slot = kNoSlot;
      std::int32_t child = -1;
      if (node < 0) {
        std::string_view name;
        if (!string_token(name, false) || !colon()) return false;
      } else if (!known_name(nodes_[static_cast<std::size_t>(node)], hint, slot, child)) {
        if (!new_name(nodes_[static_cast<std::size_t>(node)], hint, slot, child)) return false;
      }
      if (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') skip_blanks();
      if (!value(slot, child)) return false;
      if (at_ != end_ && *at_ == ',') [[likely]] {
        ++at_;
        if (at_ != end_ && *at_ != '"') skip_blanks();
        continue;
      }
      skip_blanks();
      if (at_ == end_) return fail("the line ends inside an object");
      if (*at_ == ',') {
        ++at_;
        skip_blanks();
        continue;
      }
      if (*at_ != '}') return fail("expected ',' or '}' after a value");
      ++at_;
      --depth_;
      return true;
    }
  }

  bool array() {
    if (++depth_ >= kDepthMax) return fail("nested deeper than 1023 levels");
    ++at_;
    skip_blanks();
    if (at_ != end_ && *at_ == ']') {
      ++at_;
      --depth_;
      return true;
    }
    while (true) {
      if (!value(kNoSlot, -1)) return false;
      skip_blanks();
      if (at_ == end_) return fail("the line ends inside an array");
      if (*at_ == ',') {
        ++at_;
        skip_blanks();
        continue;
      }
      if (*at_ != ']') return fail("expected ',' or ']' after a value");
      ++at_;
      --depth_;
      return true;
    }
  }

  static bool matches(const Node::Hint& hint, const char* at) {  // REQUIRES: kHintBytes readable at `at`.
    std::uint64_t a, b;
    if (hint.bytes >= 8) {
      if (hint.bytes > 16) return std::memcmp(hint.text, at, hint.bytes) == 0;
      std::memcpy(&a, hint.text, 8);
      std::memcpy(&b, at, 8);
      if (a != b) return false;
      std::memcpy(&a, hint.text + hint.bytes - 8, 8);
      std::memcpy(&b, at + hint.bytes - 8, 8);
      return a == b;
    }
    std::memcpy(&a, hint.text, 8);
    std::memcpy(&b, at, 8);
    return ((a ^ b) << (64 - 8 * hint.bytes)) == 0;
  }

  // The name after the quote is the one that came here before, or the one after it (a field left out).
  bool known_name(const Node& node, std::size_t& hint, SlotIndex& slot, std::int32_t& child) {
    if (static_cast<std::size_t>(end_ - at_) < kHintBytes) return false;
    for (std::size_t i = hint; i < node.hints.size() && i < hint + 2; ++i) {
      const Node::Hint& known = node.hints[i];
      if (!matches(known, at_)) continue;
      at_ += known.bytes;
      slot = known.slot;
      child = known.node;
      hint = i + 1;
      return true;
    }
    return false;
  }

  bool new_name(Node& node, std::size_t& hint, SlotIndex& slot, std::int32_t& child) {
    const char* const begin = at_;
    std::string_view name;
    if (!string_token(name, true)) return false;
    const auto written = static_cast<std::size_t>(at_ - begin);  // With the closing quote.
    const auto found = std::lower_bound(node.children.begin(), node.children.end(), name,
                                        [](const Node::Child& a, std::string_view b) { return a.name < b; });
    if (found != node.children.end() && found->name == name) {
      slot = found->slot;
      child = found->node;
    }
    const bool tight = at_ != end_ && *at_ == ':';
    if (!colon()) return false;
    if (tight && written + 1 <= kHintBytes) {
      Node::Hint fresh;
      std::memcpy(fresh.text, begin, written + 1);
      fresh.bytes = static_cast<std::uint32_t>(written + 1);
      fresh.slot = slot;
      fresh.node = child;
      if (node.hints.size() < kHintsMax) {
        node.hints.insert(node.hints.begin() + static_cast<std::ptrdiff_t>(std::min(hint, node.hints.size())), fresh);
      } else if (hint < kHintsMax) {
        node.hints[hint] = fresh;
      }
      ++hint;
    }
    return true;
  }

  bool colon() {
    skip_blanks();
    if (at_ == end_ || *at_ != ':') return fail("expected ':' after a field name");
    ++at_;
    return true;
  }

  bool value(SlotIndex slot, std::int32_t node) {
    if (at_ == end_) return fail("the line ends where a value is expected");
    switch (*at_) {
      case '"': {
        ++at_;
        std::string_view text;
        if (!string_token(text, slot != kNoSlot)) return false;
        if (slot != kNoSlot) builder_.string(slot, text);
        return true;
      }
      case '-':
        if (end_ - at_ >= 2 && at_[1] == 'I') return literal_beyond_json("-Infinity", slot);
        [[fallthrough]];
      case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
        ScannedNumber number;
        const char* const after = scan_json_number(at_, end_, number);
        if (after == nullptr) return fail("not a number as JSON writes them");
        at_ = after;
        if (slot != kNoSlot) builder_.number(slot, number);
        return true;
      }
      case 't':
        if (!literal("true")) return false;
        builder_.boolean(slot, true);
        return true;
      case 'f':
        if (!literal("false")) return false;
        builder_.boolean(slot, false);
        return true;
      case 'n':
        if (!literal("null")) return false;
        builder_.null(slot);
        return true;
      case '{':
        if (slot != kNoSlot) builder_.compound(slot, "an object");
        return object(node);
      case '[':
        if (slot != kNoSlot) builder_.compound(slot, "an array");
        return array();
      case 'N': return literal_beyond_json("NaN", slot);
      case 'I': return literal_beyond_json("Infinity", slot);
      default: return fail("expected a value");
    }
  }

  bool literal(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0)
      return fail("expected a value");
    at_ += word.size();
    return true;
  }
  // What some writers put where a number is none: not JSON, but where a number is declared the reason is clear.
  bool literal_beyond_json(std::string_view word, SlotIndex slot) {
    if (!builder_.takes_numbers(slot)) return fail("not a value as JSON writes them");
    if (!literal(word)) return false;
    builder_.not_finite(slot, word);
    return true;
  }

  // After the opening quote; leaves after the closing one. `keep`: `text` is wanted; unescaped in the arena if need be.
  bool string_token(std::string_view& text, bool keep) {
    const char* const begin = at_;
    const char* at = at_;
    while (true) {
      while (end_ - at >= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        const std::uint64_t special = special_bytes(word);
        if (special != 0) {
          at += __builtin_ctzll(special) >> 3;
          break;
        }
        at += 8;
      }
      if (at == end_) {
        at_ = at;
        return fail("the line ends inside a string");
      }
      if (*at == '"') {
        text = {begin, static_cast<std::size_t>(at - begin)};
        at_ = at + 1;
        return true;
      }
      if (*at == '\\') {
        at_ = at;
        return escaped_string(begin, text, keep);
      }
      if (static_cast<unsigned char>(*at) < 0x20) return fail_at("a control character inside a string", at);
      ++at;
    }
  }

  // At the first backslash of a string that began at `begin`.
  bool escaped_string(const char* begin, std::string_view& text, bool keep) {
    const char* close = at_;
    while (close != end_ && *close != '"') close += *close == '\\' && end_ - close >= 2 ? 2 : 1;
    // Unescaped text is never longer.
    char* const out = keep ? arena_bytes(builder_.arena(), static_cast<std::size_t>(close - begin)) : nullptr;
    std::size_t size = static_cast<std::size_t>(at_ - begin);
    if (keep) std::memcpy(out, begin, size);
    const auto put = [&](char c) {
      if (keep) out[size] = c;
      ++size;
    };
    while (true) {
      if (at_ == end_) return fail("the line ends inside a string");
      const char c = *at_;
      if (c == '"') {
        ++at_;
        if (keep) text = {out, size};
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character inside a string");
      if (c != '\\') {
        put(c);
        ++at_;
        continue;
      }
      const char* const escape = at_++;
      if (at_ == end_) return fail("the line ends inside a string");
      switch (*at_++) {
        case '"': put('"'); break;
        case '\\': put('\\'); break;
        case '/': put('/'); break;
        case 'b': put('\b'); break;
        case 'f': put('\f'); break;
        case 'n': put('\n'); break;
        case 'r': put('\r'); break;
        case 't': put('\t'); break;
        case 'u': {
          std::uint32_t code = 0;
          if (!unicode_escape(code)) return fail_at("expected four hexadecimal digits after \\u", escape);
          if (code >= 0xdc00 && code <= 0xdfff) return fail_at("half of a surrogate pair", escape);
          if (code >= 0xd800 && code <= 0xdbff) {
            std::uint32_t low = 0;
            if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return fail_at("half of a surrogate pair", escape);
            at_ += 2;
            if (!unicode_escape(low) || low < 0xdc00 || low > 0xdfff) return fail_at("half of a surrogate pair", escape);
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          }
          if (code < 0x80) {
            put(static_cast<char>(code));
          } else if (code < 0x800) {
            put(static_cast<char>(0xc0 | (code >> 6)));
            put(static_cast<char>(0x80 | (code & 0x3f)));
          } else if (code < 0x10000) {
            put(static_cast<char>(0xe0 | (code >> 12)));
            put(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
            put(static_cast<char>(0x80 | (code & 0x3f)));
          } else {
            put(static_cast<char>(0xf0 | (code >> 18)));
            put(static_cast<char>(0x80 | ((code >> 12) & 0x3f)));
            put(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
            put(static_cast<char>(0x80 | (code & 0x3f)));
          }
          break;
        }
        default: return fail_at("an escape that JSON does not know", escape);
      }
    }
  }
  bool unicode_escape(std::uint32_t& code) {
    if (end_ - at_ < 4) return false;
    code = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_digit(*at_++);
      if (digit < 0) return false;
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  RecordBuilder builder_;
  std::vector<Node> nodes_;  // The first is the line's own object.
  const char* line_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  int depth_ = 0;
};

}  // namespace

std::unique_ptr<LineParser> make_json_line_parser(const EventSchema& schema, LineRole role) {
  return std::make_unique<JsonLineParser>(schema, role);
}

}  // namespace weir
