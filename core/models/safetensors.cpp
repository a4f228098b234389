// The safetensors format: u64 header length, a JSON object {"name": {"dtype", "shape", "data_offsets"}}, the tensors' bytes.
//
// The reader is its own small JSON parser, since all it may meet is objects of strings, arrays of whole numbers and nothing
// else; whatever the format does not allow is kCorruption.

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "core/models/parameters.hpp"

namespace weir {
namespace {

constexpr std::uint64_t kHeaderBytesMax = 100'000'000;  // The format's own limit.
constexpr std::string_view kMetadataKey = "__metadata__";

void append_json_string(std::string_view text, ByteBuffer& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.append('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append('\\');
      out.append(c);
    } else if (byte < 0x20) {
      out.append("\\u00");
      out.append(kHex[byte >> 4]);
      out.append(kHex[byte & 15]);
    } else {
      out.append(c);
    }
  }
  out.append('"');
}

void append_number(std::uint64_t value, ByteBuffer& out) {
  char text[20];
  out.append({text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text)});
}

struct Tensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint32_t> shape;
  std::uint64_t elements = 0;
  std::uint64_t begin = 0, end = 0;
};

void append_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

bool valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : 4;
    if (more == 4 || text.size() - i <= more) return false;
    std::uint32_t code = more == 0 ? lead : lead & (0x3fU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6 != 2) return false;
      code = code << 6 | (next & 0x3f);
    }
    static constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (code < kLeast[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    i += more + 1;
  }
  return true;
}

class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Result<void> parse(std::vector<Tensor>& tensors, SafetensorsMetadata& metadata) {
    if (text_.empty() || text_.front() != '{') return bad("the header to begin with '{'");
    bool seen_metadata = false;
    TRY(object([&](std::string name) -> Result<void> {
      if (name == kMetadataKey) {
        if (std::exchange(seen_metadata, true)) return bad("one __metadata__ only");
        return object([&](std::string key) -> Result<void> {
          std::string value;
          TRY(string(value));
          metadata.emplace_back(std::move(key), std::move(value));
          return {};
        });
      }
      tensors.emplace_back();
      tensors.back().name = std::move(name);
      return tensor(tensors.back());
    }));
    skip_space();
    if (at_ != text_.size()) return bad("nothing after the header's object");
    return {};
  }

 private:
  Error bad(std::string_view expected) const {
    return {ErrorCode::kCorruption,
            "safetensors header, byte " + std::to_string(at_) + ": expected " + std::string(expected)};
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  template <class Fn>
  Result<void> object(Fn&& member) {
    if (!take('{')) return bad("'{'");
    if (take('}')) return {};
    do {
      std::string key;
      TRY(string(key));
      if (!take(':')) return bad("':'");
      TRY(member(std::move(key)));
    } while (take(','));
    if (!take('}')) return bad("',' or '}'");
    return {};
  }

  Result<void> hex4(std::uint32_t& code) {
    if (text_.size() - at_ < 4) return bad("four hexadecimal digits");
    const char* begin = text_.data() + at_;
    const auto [end, ec] = std::from_chars(begin, begin + 4, code, 16);
    if (ec != std::errc{} || end != begin + 4) return bad("four hexadecimal digits");
    at_ += 4;
    return {};
  }

  Result<void> string(std::string& out) {
    if (!take('"')) return bad("a string");
    for (;;) {
      if (at_ >= text_.size()) return bad("the end of a string");
      const char c = text_[at_++];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) return bad("no control character in a string");
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ >= text_.size()) return bad("an escape");
      switch (text_[at_++]) {
        case '"': out += '"'; break;
        case '\\': out += '\\'; break;
        case '/': out += '/'; break;
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'u': {
          std::uint32_t code = 0;
          TRY(hex4(code));
          if (code >= 0xdc00 && code < 0xe000) return bad("no lone surrogate");
          if (code >= 0xd800 && code < 0xdc00) {
            std::uint32_t low = 0;
            if (text_.size() - at_ < 2 || text_[at_] != '\\' || text_[at_ + 1] != 'u') return bad("a low surrogate");
            at_ += 2;
            TRY(hex4(low));
            if (low < 0xdc00 || low >= 0xe000) return bad("a low surrogate");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          }
          append_utf8(code, out);
          break;
        }
        default: return bad("a known escape");
      }
    }
    if (!valid_utf8(out)) return bad("UTF-8");
    return {};
  }

  Result<void> number(std::uint64_t& out) {
    skip_space();
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    if (begin == end || *begin < '0' || *begin > '9') return bad("a whole number >= 0");
    const auto [stop, ec] = std::from_chars(begin, end, out);
    if (ec != std::errc{} || (*begin == '0' && stop != begin + 1)) return bad("a whole number >= 0");
    at_ += static_cast<std::size_t>(stop - begin);
    return {};
  }

  Result<void> numbers(std::vector<std::uint64_t>& out) {
    if (!take('[')) return bad("'['");
    if (take(']')) return {};
    do {
      std::uint64_t value = 0;
      TRY(number(value));
      out.push_back(value);
    } while (take(','));
    if (!take(']')) return bad("',' or ']'");
    return {};
  }

  Result<void> tensor(Tensor& out) {
    bool seen[3] = {false, false, false};
    TRY(object([&](std::string key) -> Result<void> {
      const int which = key == "dtype" ? 0 : key == "shape" ? 1 : key == "data_offsets" ? 2 : -1;
      if (which < 0 || std::exchange(seen[which], true)) return bad("dtype, shape and data_offsets, each once");
      if (which == 0) return string(out.dtype);
      std::vector<std::uint64_t> values;
      TRY(numbers(values));
      if (which == 2) {
        if (values.size() != 2) return bad("two data_offsets");
        out.begin = values[0];
        out.end = values[1];
        return {};
      }
      out.elements = 1;
      for (const std::uint64_t n : values) {
        if (n > std::numeric_limits<std::uint32_t>::max()) return bad("a dimension below 2^32");
        out.elements *= n;
        if (out.elements > std::numeric_limits<std::uint32_t>::max()) return bad("fewer than 2^32 elements");
        out.shape.push_back(static_cast<std::uint32_t>(n));
      }
      return {};
    }));
    if (!seen[0] || !seen[1] || !seen[2]) return bad("dtype, shape and data_offsets");
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Blocks of bytes as they stand in a file, until a model of their kind takes them.
class RawBlocks final : public OpaqueBlocks {
 public:
  void add(std::string name, std::string_view bytes) { blocks_.emplace_back(std::move(name), bytes); }
  std::uint32_t count() const override { return static_cast<std::uint32_t>(blocks_.size()); }
  std::string name(std::uint32_t block) const override { return blocks_[block].first; }
  void append(std::uint32_t block, ByteBuffer& out) const override { out.append(blocks_[block].second); }
  std::uint64_t digest() const override { return 0; }
  Result<void> set(std::uint32_t block, std::string_view bytes) override {
    blocks_[block].second = bytes;
    return {};
  }
  std::unique_ptr<OpaqueBlocks> clone() const override { return std::make_unique<RawBlocks>(*this); }

 private:
  std::vector<std::pair<std::string, std::string>> blocks_;
};

Error corrupt(std::string what) { return {ErrorCode::kCorruption, "safetensors: " + std::move(what)}; }

}  // namespace

void append_safetensors(const Parameters& parameters, std::span<const std::pair<std::string, std::string>> metadata,
                        ByteBuffer& out) {
  const std::size_t at = out.size();
  const std::size_t begin = at + 8;
  out.append_fixed<std::uint64_t>(0);
  out.append('{');
  if (!metadata.empty()) {
    append_json_string(kMetadataKey, out);
    out.append(":{");
    for (std::size_t i = 0; i < metadata.size(); ++i) {
      if (i > 0) out.append(',');
      append_json_string(metadata[i].first, out);
      out.append(':');
      append_json_string(metadata[i].second, out);
    }
    out.append('}');
  }
  const auto append_tensor = [&](std::string_view name, std::string_view dtype, std::span<const std::uint32_t> shape,
                                 std::uint64_t from, std::uint64_t to) {
    if (out.size() > begin + 1) out.append(',');
    append_json_string(name, out);
    out.append(":{\"dtype\":\"");
    out.append(dtype);
    out.append("\",\"shape\":[");
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (i > 0) out.append(',');
      append_number(shape[i], out);
    }
    out.append("],\"data_offsets\":[");
    append_number(from, out);
    out.append(',');
    append_number(to, out);
    out.append("]}");
  };
  for (const Parameters::Block& block : parameters.blocks())
    append_tensor(block.name, "F32", block.shape, std::uint64_t(block.begin) * 4, (std::uint64_t(block.begin) + block.size) * 4);
  const std::span<const float> values = parameters.values();
  ByteBuffer bytes;
  for (std::uint32_t block = 0; block < parameters.opaque_count(); ++block) {
    const std::size_t from = bytes.size();
    parameters.opaque()->append(block, bytes);
    const auto size = static_cast<std::uint32_t>(bytes.size() - from);
    append_tensor(parameters.opaque()->name(block), "U8", std::span(&size, 1), values.size_bytes() + from,
                  values.size_bytes() + bytes.size());
  }
  out.append('}');
  while ((out.size() - begin) % 8 != 0) out.append(' ');  // The tensors begin on a multiple of eight bytes.
  out.set_fixed<std::uint64_t>(at, out.size() - begin);
  out.append({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  out.append(bytes.view());
}

std::string to_safetensors(const Parameters& parameters, std::span<const std::pair<std::string, std::string>> metadata) {
  ByteBuffer out;
  append_safetensors(parameters, metadata, out);
  return std::string(out.view());
}

Result<Parameters> from_safetensors(std::string_view bytes, SafetensorsMetadata* metadata_out) {
  if (bytes.size() < 8) return corrupt(std::to_string(bytes.size()) + " bytes, expected at least 8");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > kHeaderBytesMax || header_bytes > bytes.size() - 8)
    return corrupt("a header of " + std::to_string(header_bytes) + " bytes in " + std::to_string(bytes.size()));
  const std::string_view data = bytes.substr(8 + header_bytes);

  std::vector<Tensor> tensors;
  SafetensorsMetadata metadata;
  TRY(HeaderParser(bytes.substr(8, header_bytes)).parse(tensors, metadata));

  std::vector<const std::string*> names;
  for (const Tensor& tensor : tensors) names.push_back(&tensor.name);
  std::sort(names.begin(), names.end(), [](const std::string* a, const std::string* b) { return *a < *b; });
  for (std::size_t i = 1; i < names.size(); ++i)
    if (*names[i - 1] == *names[i]) return corrupt("tensor '" + *names[i] + "' twice");

  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const Tensor& a, const Tensor& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t at = 0, values_end = 0;
  bool bytes_begun = false;
  for (const Tensor& tensor : tensors) {
    const bool numbers = tensor.dtype == "F32";
    if (!numbers && tensor.dtype != "U8")
      return Error{ErrorCode::kInvalidInput, "safetensors: tensor '" + tensor.name + "' is " + tensor.dtype + ", expected F32 or U8"};
    if (numbers && bytes_begun)
      return Error{ErrorCode::kInvalidInput, "safetensors: tensor '" + tensor.name + "' is F32 behind one of U8, expected those before these"};
    bytes_begun = !numbers;
    const std::uint64_t tensor_bytes = tensor.elements * (numbers ? sizeof(float) : 1);
    if (tensor.begin != at || tensor.end < tensor.begin || tensor.end > data.size())
      return corrupt("tensor '" + tensor.name + "' at [" + std::to_string(tensor.begin) + ", " + std::to_string(tensor.end) +
                     "), expected to begin at " + std::to_string(at) + " and end within " + std::to_string(data.size()));
    if (tensor.end - tensor.begin != tensor_bytes)
      return corrupt("tensor '" + tensor.name + "' has " + std::to_string(tensor.end - tensor.begin) + " bytes, its shape " +
                     std::to_string(tensor_bytes));
    at = tensor.end;
    if (numbers) values_end = at;
  }
  if (at != data.size()) return corrupt(std::to_string(data.size() - at) + " bytes after the last tensor");
  if (values_end / sizeof(float) > std::numeric_limits<std::uint32_t>::max()) return corrupt("more than 2^32 values");

  Parameters out;
  auto raw = std::make_unique<RawBlocks>();
  for (Tensor& tensor : tensors) {
    if (tensor.dtype == "F32")
      out.add_block(std::move(tensor.name), std::move(tensor.shape));
    else
      raw->add(std::move(tensor.name), data.substr(tensor.begin, tensor.end - tensor.begin));
  }
  if (values_end != 0) std::memcpy(out.mutable_values().data(), data.data(), values_end);
  if (raw->count() != 0) out.set_opaque(std::move(raw));
  if (!out.finite()) return Error{ErrorCode::kInvalidInput, "safetensors: a value is not finite"};
  if (metadata_out != nullptr) *metadata_out = std::move(metadata);
  return out;
}

}  // namespace weir
