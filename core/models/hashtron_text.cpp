#include "core/models/hashtron_text.hpp"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "core/base/check.hpp"

namespace weir {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

template <class Number> void append_number(Number value, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_neuron(const Hashtron& neuron, std::string& out) {
  CHECK(neuron.bits <= 1);
  CHECK(!neuron.negate);
  out += '[';
  HashtronPair before;
  for (std::size_t i = 0; i < neuron.program.size(); ++i) {
    const HashtronPair& pair = neuron.program[i];
    out += i == 0 ? "[" : ",[";
    append_number(pair.salt ^ before.salt, out);
    out += ',';
    if (i == 0)
      append_number(pair.modulo, out);
    else
      append_number(std::int64_t{before.modulo} - std::int64_t{pair.modulo}, out);
    out += ']';
    before = pair;
  }
  if (!neuron.filter.empty()) {
    if (!neuron.program.empty()) out += ',';
    out += '"';
    for (const std::uint8_t byte : neuron.filter.bytes()) {
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    out += '"';
  }
  out += ']';
}

// Each step takes at least one byte of the text or stops, so reading ends.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Hashtron>> network() {
    std::vector<Hashtron> neurons;
    TRY(take('[', "'[' that opens the network"));
    if (!next_is(']')) {
      for (;;) {
        TRY_ASSIGN(Hashtron neuron, this->neuron());
        neurons.push_back(std::move(neuron));
        ++neuron_;
        if (next_is(']')) break;
        TRY(take(',', "',' or ']' after a neuron"));
      }
    }
    ++at_;
    skip_space();
    if (at_ != text_.size()) return wrong("nothing after the network");
    return neurons;
  }

 private:
  Result<Hashtron> neuron() {
    Hashtron out;
    TRY(take('[', "'[' that opens a neuron"));
    if (next_is(']')) return ++at_, out;
    HashtronPair before;
    for (;;) {
      if (next_is('"')) {
        TRY_ASSIGN(out.filter, filter());
        TRY(take(']', "']' after the filter"));
        return out;
      }
      TRY(take('[', "'[' that opens a pair, or '\"' that opens the filter"));
      TRY_ASSIGN(const std::int64_t salt, number(0, "the salt's difference, 0 to 4294967295"));
      TRY(take(',', "',' between a pair's numbers"));
      const std::size_t at = at_;
      const bool first = out.program.empty();
      TRY_ASSIGN(const std::int64_t fall,
                 number(first ? 0 : -kMax, first ? "a modulo, 0 to 4294967295" : "the modulo's difference"));
      TRY(take(']', "']' after a pair"));
      const std::int64_t modulo = first ? fall : std::int64_t{before.modulo} - fall;
      if (modulo < 0 || modulo > kMax)
        return at_ = at, skip_space(), wrong("a difference that leaves the modulo within 0 to 4294967295");
      before = {static_cast<std::uint32_t>(salt) ^ before.salt, static_cast<std::uint32_t>(modulo)};
      out.program.push_back(before);
      if (next_is(']')) return ++at_, out;
      TRY(take(',', "',' or ']' after a pair"));
    }
  }

  Result<HashtronFilter> filter() {
    const std::size_t begin = ++at_;
    const std::size_t end = text_.find('"', begin);
    if (end == std::string_view::npos) return at_ = text_.size(), wrong("'\"' that ends the filter");
    if ((end - begin) % 2 != 0) return at_ = end, wrong("two hex digits a byte");
    if ((end - begin) / 2 > kHashtronFilterBytesMax)
      return wrong("a filter of at most " + std::to_string(kHashtronFilterBytesMax) + " bytes");
    std::vector<std::uint8_t> bytes((end - begin) / 2);
    for (; at_ < end; ++at_) {
      const char c = text_[at_];
      const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
      const std::size_t digit = kHex.find(lower);
      if (digit == std::string_view::npos) return wrong("a hex digit");
      std::uint8_t& byte = bytes[(at_ - begin) / 2];
      byte = static_cast<std::uint8_t>(byte << 4 | digit);
    }
    ++at_;
    return HashtronFilter(std::move(bytes));
  }

  // A whole number from `least` to 2^32 - 1.
  Result<std::int64_t> number(std::int64_t least, std::string_view expected) {
    skip_space();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc{} || value < least || value > kMax) return wrong(expected);
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool next_is(char c) {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }
  Result<void> take(char c, std::string_view expected) {
    if (!next_is(c)) return wrong(expected);
    ++at_;
    return {};
  }
  Error wrong(std::string_view expected) const {
    std::string found = "its end";
    if (at_ < text_.size()) {
      const char c = text_[at_];
      const auto byte = static_cast<unsigned char>(c);
      if (byte > 0x20 && byte < 0x7f)
        found = std::string("'") + c + "'";
      else
        found = std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 15];
    }
    return {ErrorCode::kInvalidInput, "hashtron network: neuron " + std::to_string(neuron_) + ", byte " + std::to_string(at_) +
                                          ": found " + found + ", expected " + std::string(expected)};
  }

  static constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t neuron_ = 0;
};

}  // namespace

std::string to_hashtron_text(std::span<const Hashtron> neurons) {
  std::string out = "[\n";
  for (std::size_t i = 0; i < neurons.size(); ++i) {
    if (i > 0) out += ",\n";
    append_neuron(neurons[i], out);
  }
  out += "]\n";
  return out;
}

Result<std::vector<Hashtron>> parse_hashtron_text(std::string_view text) { return Parser(text).network(); }

std::string pack_hashtron_text(std::string_view text) {
  CHECK(text.size() <= kHashtronTextBytesMax);
  uLongf bytes = ::compressBound(static_cast<uLong>(text.size()));
  std::string out(bytes, '\0');
  const int done = ::compress2(reinterpret_cast<Bytef*>(out.data()), &bytes, reinterpret_cast<const Bytef*>(text.data()),
                               static_cast<uLong>(text.size()), Z_DEFAULT_COMPRESSION);
  CHECK(done == Z_OK);  // Room for the worst case was there; what is left is no memory.
  out.resize(bytes);
  return out;
}

Result<std::string> unpack_hashtron_text(std::string_view packed, std::size_t text_bytes_max) {
  const auto corrupt = [&](const std::string& what) {
    return Error{ErrorCode::kCorruption, "packed hashtron network of " + std::to_string(packed.size()) + " bytes: " + what};
  };
  if (packed.size() > std::numeric_limits<uInt>::max()) return corrupt("expected less than 4 GiB");
  z_stream stream{};
  CHECK(::inflateInit(&stream) == Z_OK);
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));  // zlib only reads it.
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  int state = Z_OK;
  // Ends: each turn takes input or gives output, both limited, or inflate() says that it could do neither (Z_BUF_ERROR).
  while (state == Z_OK && out.size() <= text_bytes_max) {
    const std::size_t before = out.size();
    out.resize(before + std::clamp<std::size_t>(before, 4096, std::size_t{1} << 24));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  const std::size_t left = stream.avail_in;
  const std::string reason = stream.msg != nullptr ? stream.msg : "";
  ::inflateEnd(&stream);
  if (out.size() > text_bytes_max)
    return corrupt("it holds more than the " + std::to_string(text_bytes_max) + " bytes allowed");
  if (state == Z_BUF_ERROR) return corrupt("cut short: its zlib stream has no end");
  if (state != Z_STREAM_END)
    return corrupt("not a whole zlib stream: " + (reason.empty() ? "zlib's code " + std::to_string(state) : reason));
  if (left != 0) return corrupt(std::to_string(left) + " bytes follow the end of its zlib stream, expected none");
  return out;
}

}  // namespace weir
