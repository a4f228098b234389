#pragma once
// What codec.cpp and published.cpp share: pieces of JSON and of Protobuf, written at a pointer into memory that the caller has
// made room for, and a reader of Protobuf's wire format. Nothing here allocates but the append_ functions.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/records/event.hpp"
#include "core/records/json_text.hpp"
#include "core/records/record.hpp"
#include "core/records/topics.hpp"

namespace weir::codec {

using json::literal;

// --- JSON pieces ---

inline std::size_t id_bytes_max(const Id& id) { return json::string_bytes_max(id.text.size()); }
inline char* put_id(char* to, const Id& id) { return id.is_integer ? json::raw(to, id.text) : json::string(to, id.text); }

inline constexpr std::size_t kSourceBytes = 96;  // Without the topic's name.
// Value of a member "source".
inline char* put_source(char* to, const Source& source) {
  to = literal(to, "{\"topic\":");
  to = json::string(to, source.topic);
  to = literal(to, ",\"partition\":");
  to = json::integer(to, source.partition.value);
  to = literal(to, ",\"offset\":");
  to = json::integer(to, source.offset.value);
  *to++ = '}';
  return to;
}
inline std::size_t source_bytes_max(const Source& source) { return kSourceBytes + json::string_bytes_max(source.topic.size()); }

// An id that was read from bytes that anybody may have written: what is not the text of an integer is a string.
inline Id read_id(std::string_view text, bool is_integer) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  return {text, is_integer && !digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit) && (digits.size() == 1 || digits[0] != '0')};
}
inline void append_id(ByteBuffer& out, const Id& id) {
  char* begin = out.prepare(id_bytes_max(id));
  out.advance(static_cast<std::size_t>(put_id(begin, id) - begin));
}
template <class Int>
void append_integer(ByteBuffer& out, Int value) {
  char* begin = out.prepare(json::kIntegerBytesMax);
  out.advance(static_cast<std::size_t>(json::integer(begin, value) - begin));
}
inline void append_source(ByteBuffer& out, const Source& source) {
  char* begin = out.prepare(source_bytes_max(source));
  out.advance(static_cast<std::size_t>(put_source(begin, source) - begin));
}

// --- Protobuf pieces: https://protobuf.dev/programming-guides/encoding ---

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr char tag(std::uint32_t field, WireType type) { return static_cast<char>(field << 3 | type); }  // Fields 1 to 15.

inline char* put_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline std::size_t varint_bytes(std::uint64_t value) {
  std::size_t n = 1;
  for (; value >= 0x80; value >>= 7) ++n;
  return n;
}
template <class T>
char* put_fixed(char* to, T value) {
  std::memcpy(to, &value, sizeof(T));
  return to + sizeof(T);
}
template <class T>
char* put_fixed_field(char* to, std::uint32_t field, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  *to++ = tag(field, sizeof(T) == 8 ? kFixed64 : kFixed32);
  return put_fixed(to, value);
}
inline char* put_bytes_field(char* to, std::uint32_t field, std::string_view bytes) {
  *to++ = tag(field, kBytes);
  to = put_varint(to, bytes.size());
  return json::raw(to, bytes);
}
inline char* put_bool_field(char* to, std::uint32_t field, bool value) {
  if (!value) return to;  // False is what an absent field means.
  *to++ = tag(field, kVarint);
  *to++ = 1;
  return to;
}
inline char* put_varint_field(char* to, std::uint32_t field, std::uint64_t value) {
  *to++ = tag(field, kVarint);
  return put_varint(to, value);
}
template <class T>
char* put_packed_field(char* to, std::uint32_t field, std::span<const T> values) {
  if (values.empty()) return to;
  *to++ = tag(field, kBytes);
  to = put_varint(to, values.size_bytes());
  std::memcpy(to, values.data(), values.size_bytes());
  return to + values.size_bytes();
}

inline constexpr std::size_t kFieldBytesMax = 11;  // A tag and the longest varint; also a tag and a fixed64.

// Source as field `field`: its length is known before it is written.
inline char* put_source_field(char* to, std::uint32_t field, const Source& source) {
  const std::size_t topic = source.topic.size();
  *to++ = tag(field, kBytes);
  to = put_varint(to, 1 + varint_bytes(topic) + topic + 5 + 9);
  to = put_bytes_field(to, 1, source.topic);
  to = put_fixed_field(to, 2, source.partition.value);
  return put_fixed_field(to, 3, source.offset.value);
}
inline std::size_t source_field_bytes_max(const Source& source) { return 2 * kFieldBytesMax + source.topic.size() + 5 + 9; }

// Reads tags and values as protoc's parser does: longer varints than it accepts are malformed, groups too.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  bool ok() const { return ok_; }

  // False at the end or when malformed.
  [[gnu::always_inline]] bool next() {
    if (at_ == end_) return false;
    std::uint64_t word;
    const auto first = static_cast<unsigned char>(*at_);
    if (first < 0x80) {
      word = first;
      ++at_;
    } else if (!varint(word, 5)) {
      return false;
    }
    field = static_cast<std::uint32_t>(word) >> 3;
    type = static_cast<std::uint32_t>(word) & 7;
    return (field != 0 && word <= 0xffffffffULL) || fail();
  }
  bool is(WireType wanted) const { return type == wanted; }

  [[gnu::always_inline]] std::uint64_t varint() {
    std::uint64_t value = 0;
    varint(value, 10);
    return value;
  }
  template <class T>
  [[gnu::always_inline]] T fixed() {
    T value{};
    if (static_cast<std::size_t>(end_ - at_) < sizeof(T)) return fail(), value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  [[gnu::always_inline]] std::string_view bytes() {
    std::uint64_t size = 0;
    if (!varint(size, 5)) return {};
    if (size > static_cast<std::uint64_t>(end_ - at_)) return fail(), std::string_view();
    const std::string_view out(at_, static_cast<std::size_t>(size));
    at_ += size;
    return out;
  }
  [[gnu::always_inline]] std::string_view text() {
    const std::string_view out = bytes();
    if (!json::is_utf8(out)) fail();
    return out;
  }
  void skip() {
    switch (type) {
      case kVarint: varint(); return;
      case kFixed64: fixed<std::uint64_t>(); return;
      case kBytes: bytes(); return;
      case kFixed32: fixed<std::uint32_t>(); return;
      default: fail();
    }
  }
  bool fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  std::uint32_t field = 0;
  std::uint32_t type = 0;

 private:
  bool varint(std::uint64_t& value, int bytes_max) {
    value = 0;
    for (int i = 0; i < bytes_max; ++i) {
      if (at_ == end_) return fail();
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= std::uint64_t(byte & 0x7f) << (7 * i);
      if (byte < 0x80) return true;
    }
    return fail();
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

template <class T>
T value_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

inline bool read_source(std::string_view bytes, Source& out) {
  // As we write it: topic, partition, offset. Everything else goes the long way.
  const std::size_t topic = bytes.size() - 16;
  if (bytes.size() >= 16 && topic < 0x80 && bytes[0] == 0x0a && static_cast<std::size_t>(bytes[1]) == topic &&
      bytes[2 + topic] == 0x15 && bytes[7 + topic] == 0x19) {
    out.topic = bytes.substr(2, topic);
    out.partition = PartitionId(value_at<std::int32_t>(bytes, 3 + topic));
    out.offset = Offset(value_at<std::int64_t>(bytes, 8 + topic));
    return json::is_utf8(out.topic);
  }
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) out.topic = in.text();
    else if (in.field == 2 && in.is(kFixed32)) out.partition = PartitionId(in.fixed<std::int32_t>());
    else if (in.field == 3 && in.is(kFixed64)) out.offset = Offset(in.fixed<std::int64_t>());
    else in.skip();
  }
  return in.ok();
}

// --- Between the files ---

// The JSON of a Protobuf value on a topic that is for you (published.cpp). False, with nothing appended, for any other topic, and
// for bytes that are not of its message: JSON, too.
bool published_json(Topic topic, std::string_view value, ByteBuffer& out);

// The JSON of `sums` and `capacity` (neuron_records.cpp). False, with nothing appended, if malformed.
bool neuron_json(Topic topic, std::string_view value, ByteBuffer& out);

}  // namespace weir::codec
