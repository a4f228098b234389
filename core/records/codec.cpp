#include "core/records/codec.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/crc32c.hpp"
#include "core/records/json_text.hpp"

namespace weir {
namespace {

using json::literal;

// --- JSON pieces ---

std::size_t id_bytes_max(const Id& id) { return json::string_bytes_max(id.text.size()); }
char* put_id(char* to, const Id& id) { return id.is_integer ? json::raw(to, id.text) : json::string(to, id.text); }

constexpr std::size_t kSourceBytes = 96;  // Without the topic's name.
// Value of a member "source".
char* put_source(char* to, const Source& source) {
  to = literal(to, "{\"topic\":");
  to = json::string(to, source.topic);
  to = literal(to, ",\"partition\":");
  to = json::integer(to, source.partition.value);
  to = literal(to, ",\"offset\":");
  to = json::integer(to, source.offset.value);
  *to++ = '}';
  return to;
}
std::size_t source_bytes_max(const Source& source) { return kSourceBytes + json::string_bytes_max(source.topic.size()); }

// --- Protobuf pieces: https://protobuf.dev/programming-guides/encoding ---

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr char tag(std::uint32_t field, WireType type) { return static_cast<char>(field << 3 | type); }  // Fields 1 to 15.

char* put_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
std::size_t varint_bytes(std::uint64_t value) {
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
char* put_bytes_field(char* to, std::uint32_t field, std::string_view bytes) {
  *to++ = tag(field, kBytes);
  to = put_varint(to, bytes.size());
  return json::raw(to, bytes);
}
char* put_bool_field(char* to, std::uint32_t field, bool value) {
  if (!value) return to;  // False is what an absent field means.
  *to++ = tag(field, kVarint);
  *to++ = 1;
  return to;
}
char* put_varint_field(char* to, std::uint32_t field, std::uint64_t value) {
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

constexpr std::size_t kFieldBytesMax = 11;  // A tag and the longest varint; also a tag and a fixed64.

// Source as field `field`: its length is known before it is written.
char* put_source_field(char* to, std::uint32_t field, const Source& source) {
  const std::size_t topic = source.topic.size();
  *to++ = tag(field, kBytes);
  to = put_varint(to, 1 + varint_bytes(topic) + topic + 5 + 9);
  to = put_bytes_field(to, 1, source.topic);
  to = put_fixed_field(to, 2, source.partition.value);
  return put_fixed_field(to, 3, source.offset.value);
}
std::size_t source_field_bytes_max(const Source& source) { return 2 * kFieldBytesMax + source.topic.size() + 5 + 9; }

char* put_prediction_field(char* to, std::uint32_t field, const Prediction& p) {
  *to++ = tag(field, kBytes);
  char* const length = to++;  // At most 5 * 9 + 5 * 2 bytes: one byte says how many.
  to = put_fixed_field(to, 1, p.value);
  to = put_fixed_field(to, 2, p.label);
  to = put_bool_field(to, 3, p.certified);
  to = put_bool_field(to, 4, p.duplicate);
  to = put_bool_field(to, 5, p.has_set);
  to = put_bool_field(to, 6, p.in_set[0]);
  to = put_bool_field(to, 7, p.in_set[1]);
  if (p.low != 0.0 || p.high != 0.0) {
    to = put_fixed_field(to, 8, p.low);
    to = put_fixed_field(to, 9, p.high);
  }
  to = put_fixed_field(to, 10, p.version.value);
  *length = static_cast<char>(to - length - 1);
  return to;
}
constexpr std::size_t kPredictionFieldBytesMax = 64;

bool all_ones(std::span<const float> values) {
  for (const float v : values)
    if (v != 1.0f) return false;
  return true;
}

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

bool read_source(std::string_view bytes, Source& out) {
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

bool read_prediction(std::string_view bytes, Prediction& out) {
  if (bytes.size() >= 18 && bytes[0] == 0x09 && bytes[9] == 0x11) {  // As we write it; what follows goes the long way.
    out.value = value_at<double>(bytes, 1);
    out.label = value_at<double>(bytes, 10);
    bytes.remove_prefix(18);
  }
  WireReader in(bytes);
  while (in.next()) {
    if (in.is(kFixed64)) {
      switch (in.field) {
        case 1: out.value = in.fixed<double>(); continue;
        case 2: out.label = in.fixed<double>(); continue;
        case 8: out.low = in.fixed<double>(); continue;
        case 9: out.high = in.fixed<double>(); continue;
        case 10: out.version = ModelVersion(in.fixed<std::uint64_t>()); continue;
        default: break;
      }
    } else if (in.is(kVarint)) {
      switch (in.field) {
        case 3: out.certified = in.varint() != 0; continue;
        case 4: out.duplicate = in.varint() != 0; continue;
        case 5: out.has_set = in.varint() != 0; continue;
        case 6: out.in_set[0] = in.varint() != 0; continue;
        case 7: out.in_set[1] = in.varint() != 0; continue;
        default: break;
      }
    }
    in.skip();
  }
  return in.ok();
}

// A repeated fixed-width field, packed or not; both may come, in any number of pieces.
template <class T>
void read_repeated(WireReader& in, ScratchArray<T>& out) {
  if (in.is(sizeof(T) == 8 ? kFixed64 : kFixed32)) {
    *out.extend(1) = in.fixed<T>();
    return;
  }
  if (!in.is(kBytes)) return in.skip();
  const std::string_view bytes = in.bytes();
  if (bytes.size() % sizeof(T) != 0) return static_cast<void>(in.fail());
  if (bytes.empty()) return;
  std::memcpy(out.extend(bytes.size() / sizeof(T)), bytes.data(), bytes.size());
}

bool read_example(std::string_view bytes, ExampleScratch& scratch, Example& out, bool& has_label) {
  out = Example();
  out.last_outcome = 0.0f;  // Protobuf's default; writers always say it.
  has_label = false;
  scratch.dense.clear();
  scratch.indices.clear();
  scratch.values.clear();
  scratch.label_keys.clear();
  WireReader in(bytes);
  while (in.next()) {
    switch (in.field) {
      case 1:
        if (!in.is(kBytes)) break;
        out.id.text = in.text();
        continue;
      case 2:
        if (!in.is(kVarint)) break;
        out.id.is_integer = in.varint() != 0;
        continue;
      case 3:
        if (!in.is(kBytes)) break;
        out.key.text = in.text();
        out.has_key = true;
        continue;
      case 4:
        if (!in.is(kVarint)) break;
        out.key.is_integer = in.varint() != 0;
        continue;
      case 5:
        if (!in.is(kFixed64)) break;
        out.event_time = EventTime(in.fixed<std::int64_t>());
        continue;
      case 6:
        if (!in.is(kBytes)) break;
        if (!read_source(in.bytes(), out.source)) in.fail();
        continue;
      case 7: read_repeated(in, scratch.dense); continue;
      case 8: read_repeated(in, scratch.indices); continue;
      case 9: read_repeated(in, scratch.values); continue;
      case 10:
        if (!in.is(kBytes)) break;
        if (!read_prediction(in.bytes(), out.prediction)) in.fail();
        continue;
      case 11: read_repeated(in, scratch.label_keys); continue;
      case 12:
        if (!in.is(kFixed32)) break;
        out.last_outcome = in.fixed<float>();
        continue;
      case 13:
        if (!in.is(kFixed64)) break;
        out.label = in.fixed<double>();
        has_label = true;
        continue;
      case 14:
        if (!in.is(kFixed64)) break;
        out.outcome_time = EventTime(in.fixed<std::int64_t>());
        continue;
      case 15:
        if (!in.is(kBytes)) break;
        if (!read_source(in.bytes(), out.outcome_source)) in.fail();
        continue;
      default: break;
    }
    in.skip();
  }
  if (!in.ok()) return false;
  const std::size_t count = scratch.indices.size();
  std::span<const float> values = scratch.values.span();
  if (values.empty()) {
    if (const std::size_t have = scratch.ones.size(); have < count) std::fill_n(scratch.ones.extend(count - have), count - have, 1.0f);
    values = scratch.ones.span().first(count);
  }
  if (values.size() != count) return false;
  out.sample = {scratch.dense.span(), scratch.indices.span(), values};
  out.label_keys = scratch.label_keys.span();
  return true;
}

// --- JSON of the Protobuf topics ---

void append_id(ByteBuffer& out, const Id& id) {
  // An integer's text comes from bytes that anybody may have written: what is not one is a string.
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::string_view digits = id.text.starts_with('-') ? id.text.substr(1) : id.text;
  if (id.is_integer && !digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit) &&
      (digits.size() == 1 || digits[0] != '0'))
    out.append(id.text);
  else
    json::append_string(out, id.text);
}
template <class Int>
void append_integer(ByteBuffer& out, Int value) {
  char* begin = out.prepare(json::kIntegerBytesMax);
  out.advance(static_cast<std::size_t>(json::integer(begin, value) - begin));
}
void append_source(ByteBuffer& out, const Source& source) {
  char* begin = out.prepare(source_bytes_max(source));
  out.advance(static_cast<std::size_t>(put_source(begin, source) - begin));
}
template <class T>
void append_array(ByteBuffer& out, std::span<const T> values) {
  out.append('[');
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out.append(',');
    char* begin = out.prepare(json::kNumberBytesMax);
    if constexpr (std::is_same_v<T, float>) {
      const bool finite = values[i] - values[i] == 0.0f;
      char* end = finite ? std::to_chars(begin, begin + json::kNumberBytesMax, values[i]).ptr : literal(begin, "null");
      out.advance(static_cast<std::size_t>(end - begin));
    } else {
      out.advance(static_cast<std::size_t>(json::integer(begin, values[i]) - begin));
    }
  }
  out.append(']');
}
std::string_view bool_text(bool value) { return value ? "true" : "false"; }

bool example_json(std::string_view value, ByteBuffer& out) {
  ExampleScratch scratch;
  Example e;
  bool has_label = false;
  if (!read_example(value, scratch, e, has_label)) return false;
  out.append("{\"id\":");
  append_id(out, e.id);
  out.append(",\"key\":");
  if (e.has_key) append_id(out, e.key);
  else out.append("null");
  out.append(",\"event_time\":");
  append_integer(out, e.event_time.value);
  out.append(",\"label\":");
  if (has_label) json::append_number(out, e.label);
  else out.append("null");
  out.append(",\"outcome_time\":");
  append_integer(out, e.outcome_time.value);
  const Prediction& p = e.prediction;
  out.append(",\"prediction\":{\"value\":");
  json::append_number(out, p.value);
  out.append(",\"label_predicted\":");
  json::append_number(out, p.label);
  out.append(",\"certified\":");
  out.append(bool_text(p.certified));
  out.append(",\"duplicate\":");
  out.append(bool_text(p.duplicate));
  if (p.has_set) {
    out.append(",\"set_has\":[");
    out.append(bool_text(p.in_set[0]));
    out.append(',');
    out.append(bool_text(p.in_set[1]));
    out.append("],\"low\":");
    json::append_number(out, p.low);
    out.append(",\"high\":");
    json::append_number(out, p.high);
  }
  out.append(",\"version\":");
  append_integer(out, p.version.value);
  out.append("},\"dense\":");
  append_array(out, e.sample.dense);
  out.append(",\"indices\":");
  append_array(out, e.sample.indices);
  out.append(",\"values\":");
  append_array(out, e.sample.values);
  out.append(",\"label_keys\":[");
  for (std::size_t i = 0; i < e.label_keys.size(); ++i) {
    out.append(i == 0 ? "\"" : ",\"");  // As text: most JSON readers keep 53 bits.
    append_integer(out, e.label_keys[i]);
    out.append('"');
  }
  out.append("],\"last_outcome\":");
  json::append_number(out, static_cast<double>(e.last_outcome));
  out.append(",\"source\":");
  append_source(out, e.source);
  out.append(",\"outcome_source\":");
  append_source(out, e.outcome_source);
  out.append('}');
  return true;
}

void append_model_version(ByteBuffer& out, const ModelVersionRecord& m) {
  out.append("{\"model_version\":\"");
  append_integer(out, m.partition.value);
  out.append('/');
  append_integer(out, m.version.value);
  out.append("\",\"kind\":");
  json::append_string(out, m.kind);
  out.append(",\"crc\":");
  append_integer(out, m.crc);
  out.append(",\"parameters\":");
  append_integer(out, m.parameters);
  out.append(",\"event_time\":");
  append_integer(out, m.event_time.value);
  if (m.parts > 0) {
    out.append(",\"file_bytes\":");
    append_integer(out, m.file_bytes);
    out.append(",\"file_crc\":");
    append_integer(out, m.file_crc);
    out.append(",\"part\":");
    append_integer(out, m.part);
    out.append(",\"parts\":");
    append_integer(out, m.parts);
    out.append(",\"part_bytes\":");
    append_integer(out, m.safetensors.size());
  }
  out.append('}');
}

bool candidate_json(std::string_view value, ByteBuffer& out) {
  ModelVersionRecord model;
  double loss = 0.0;
  std::uint64_t examples = 0;
  WireReader in(value);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) {
      if (!decode_model_version(in.bytes(), model)) in.fail();
    } else if (in.field == 2 && in.is(kFixed64)) {
      loss = in.fixed<double>();
    } else if (in.field == 3 && in.is(kVarint)) {
      examples = in.varint();
    } else {
      in.skip();
    }
  }
  if (!in.ok()) return false;
  out.append("{\"model\":");
  append_model_version(out, model);
  out.append(",\"loss\":");
  json::append_number(out, loss);
  out.append(",\"examples\":");
  append_integer(out, examples);
  out.append('}');
  return true;
}

bool metrics_json(std::string_view value, ByteBuffer& out) {
  std::string_view process;
  EventTime time;
  std::vector<MetricSample> samples;
  if (!decode_metrics(value, process, time, samples)) return false;
  out.append("{\"process\":");
  json::append_string(out, process);
  out.append(",\"time\":");
  append_integer(out, time.value);
  out.append(",\"samples\":{");
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i > 0) out.append(',');
    json::append_string(out, samples[i].name);
    out.append(':');
    json::append_number(out, samples[i].value);
  }
  out.append("}}");
  return true;
}

}  // namespace

// --- JSON ---

void write_prediction_json(const Event& event, const Prediction& p, const Source& source, TaskKind kind,
                           PartitionId partition, ByteBuffer& out, std::optional<std::uint64_t> n) {
  char* const begin = out.prepare(512 + id_bytes_max(event.id) + id_bytes_max(event.key) + source_bytes_max(source));
  char* to = literal(begin, "{\"id\":");
  to = put_id(to, event.id);
  to = literal(to, ",\"key\":");
  to = event.has_key ? put_id(to, event.key) : literal(to, "null");
  to = literal(to, ",\"event_time\":");
  to = json::integer(to, event.event_time.value);
  const bool classifies = kind == TaskKind::kClassification;
  to = classifies ? literal(to, ",\"probability\":") : literal(to, ",\"value\":");
  to = json::number(to, p.value);
  to = literal(to, ",\"label_predicted\":");
  if (classifies) *to++ = p.label != 0.0 ? '1' : '0';
  else to = json::number(to, p.label);
  to = p.certified ? literal(to, ",\"certified\":true,\"set\":") : literal(to, ",\"certified\":false,\"set\":");
  if (!p.has_set) {
    to = literal(to, "null");
  } else if (classifies) {
    *to++ = '[';
    if (p.in_set[0]) *to++ = '0';
    if (p.in_set[0] && p.in_set[1]) *to++ = ',';
    if (p.in_set[1]) *to++ = '1';
    *to++ = ']';
  } else {
    *to++ = '[';
    to = json::number(to, p.low);
    *to++ = ',';
    to = json::number(to, p.high);
    *to++ = ']';
  }
  to = literal(to, ",\"model_version\":\"");
  to = json::integer(to, partition.value);
  *to++ = '/';
  to = json::integer(to, p.version.value);
  to = literal(to, "\",\"source\":");
  to = put_source(to, source);
  if (p.duplicate) to = literal(to, ",\"duplicate\":true");
  if (n) {
    to = literal(to, ",\"n\":");
    to = json::integer(to, *n);
  }
  *to++ = '}';
  out.advance(static_cast<std::size_t>(to - begin));
}

DeadLetter dead_letter_of(const ParsedRecord& parsed, Reason reason, std::string_view detail, const Source& source) {
  const bool cut = parsed.line_bytes > parsed.line.size();
  return {reason, detail, source, parsed.time(), parsed.line, cut ? parsed.line_bytes : parsed.line.size(),
          cut ? parsed.line_crc : crc32c(parsed.line)};
}

void write_dead_letter_json(const DeadLetter& letter, ByteBuffer& out) {
  out.append("{\"reason\":");
  json::append_string(out, name_of(letter.reason));
  out.append(",\"detail\":");
  json::append_string(out, letter.detail);
  out.append(",\"event_time\":");
  if (letter.event_time) append_integer(out, letter.event_time->value);
  else out.append("null");
  out.append(",\"source\":");
  append_source(out, letter.source);
  // A head that was cut inside a character is text all the same: only its last, broken character goes.
  const std::string_view head = letter.line.substr(0, kDeadLetterBytesMax);
  std::string_view text = head;
  bool is_text = json::is_utf8(text);
  for (int i = 0; !is_text && letter.line_bytes > head.size() && i < 3 && !text.empty(); ++i) {
    text.remove_suffix(1);
    is_text = json::is_utf8(text);
  }
  if (is_text) {
    out.append(",\"original\":");
    json::append_string(out, text);
  } else {
    out.append(",\"original_base64\":\"");
    json::append_base64(out, head);
    out.append('"');
  }
  out.append(",\"length\":");
  append_integer(out, letter.line_bytes);
  out.append(",\"crc32c\":");
  append_integer(out, letter.line_crc);
  out.append('}');
}

std::string_view name_of(UnjoinedReason reason) {
  switch (reason) {
    case UnjoinedReason::kInvalid: return "invalid";
    case UnjoinedReason::kNoId: return "no_id";
    case UnjoinedReason::kDuplicate: return "duplicate";
    case UnjoinedReason::kExpired: return "expired";
    case UnjoinedReason::kUnmatched: return "unmatched";
  }
  return "unknown";
}

void write_unjoined_json(const Unjoined& unjoined, ByteBuffer& out) {
  out.append("{\"id\":");
  if (unjoined.id) append_id(out, *unjoined.id);
  else out.append("null");
  out.append(",\"reason\":");
  json::append_string(out, name_of(unjoined.reason));
  out.append(",\"detail\":");
  json::append_string(out, unjoined.detail);
  out.append(",\"label\":");
  if (unjoined.label) json::append_number(out, *unjoined.label);
  else out.append("null");
  out.append(",\"event_time\":");
  if (unjoined.event_time) append_integer(out, unjoined.event_time->value);
  else out.append("null");
  out.append(",\"source\":");
  append_source(out, unjoined.source);
  out.append('}');
}

void write_alert_json(const Alert& alert, ByteBuffer& out) {
  out.append("{\"alert\":");
  json::append_string(out, alert.alert);
  out.append(",\"message\":");
  json::append_string(out, alert.message);
  out.append(",\"event_time\":");
  append_integer(out, alert.event_time.value);
  out.append(",\"partition\":");
  append_integer(out, alert.partition.value);
  out.append(",\"value\":");
  if (alert.value) json::append_number(out, *alert.value);
  else out.append("null");
  out.append(",\"threshold\":");
  if (alert.threshold) json::append_number(out, *alert.threshold);
  else out.append("null");
  out.append('}');
}

bool write_value_json(Topic topic, std::string_view value, ByteBuffer& out) {
  switch (topic) {
    case Topic::kExamples: return example_json(value, out);
    case Topic::kModels: {
      ModelVersionRecord record;
      if (!decode_model_version(value, record)) return false;
      append_model_version(out, record);
      return true;
    }
    case Topic::kCandidates: return candidate_json(value, out);
    case Topic::kMetrics: return metrics_json(value, out);
    case Topic::kSums:
    case Topic::kCapacity: return false;
    default: break;
  }
  if (json::is_object(value) && value.find('\n') == std::string_view::npos) {
    out.append(value);
  } else if (json::is_utf8(value)) {
    out.append("{\"line\":");
    json::append_string(out, value);
    out.append('}');
  } else {
    out.append("{\"line_base64\":\"");
    json::append_base64(out, value);
    out.append("\"}");
  }
  return true;
}

// --- Example ---

std::size_t row_bytes_max(const Example& row) {
  return 12 * kFieldBytesMax + kPredictionFieldBytesMax + row.id.text.size() + row.key.text.size() +
         source_field_bytes_max(row.source) + row.sample.dense.size_bytes() + row.sample.indices.size_bytes() +
         row.sample.values.size_bytes() + row.label_keys.size_bytes();
}

char* encode_row_to(const Example& row, char* to) {
  to = put_bytes_field(to, 1, row.id.text);
  to = put_bool_field(to, 2, row.id.is_integer);
  if (row.has_key) {
    to = put_bytes_field(to, 3, row.key.text);
    to = put_bool_field(to, 4, row.key.is_integer);
  }
  to = put_fixed_field(to, 5, row.event_time.value);
  to = put_source_field(to, 6, row.source);
  to = put_packed_field(to, 7, row.sample.dense);
  to = put_packed_field(to, 8, row.sample.indices);
  if (!all_ones(row.sample.values)) to = put_packed_field(to, 9, row.sample.values);
  to = put_prediction_field(to, 10, row.prediction);
  to = put_packed_field(to, 11, row.label_keys);
  return put_fixed_field(to, 12, row.last_outcome);
}

void encode_row(const Example& row, ByteBuffer& out) {
  char* const begin = out.prepare(row_bytes_max(row));
  out.advance(static_cast<std::size_t>(encode_row_to(row, begin) - begin));
}

std::size_t outcome_bytes_max(const Source& source) { return 2 * kFieldBytesMax + source_field_bytes_max(source); }

char* encode_outcome_to(double label, EventTime event_time, const Source& source, char* to) {
  to = put_fixed_field(to, 13, label);
  to = put_fixed_field(to, 14, event_time.value);
  return put_source_field(to, 15, source);
}

void encode_outcome(double label, EventTime event_time, const Source& source, ByteBuffer& out) {
  char* const begin = out.prepare(outcome_bytes_max(source));
  out.advance(static_cast<std::size_t>(encode_outcome_to(label, event_time, source, begin) - begin));
}

void encode_example(const Example& example, ByteBuffer& out) {
  encode_row(example, out);
  encode_outcome(example.label, example.outcome_time, example.outcome_source, out);
}

bool decode_row(std::string_view bytes, ExampleScratch& scratch, Example& out) {
  bool has_label = false;
  return read_example(bytes, scratch, out, has_label);
}

bool decode_example(std::string_view bytes, ExampleScratch& scratch, Example& out) {
  bool has_label = false;
  return read_example(bytes, scratch, out, has_label) && has_label;
}

// --- ModelVersion, Metrics ---

void encode_model_version(const ModelVersionRecord& record, ByteBuffer& out) {
  char* const begin = out.prepare(12 * kFieldBytesMax + record.kind.size() + record.safetensors.size());
  // int32 goes out sign-extended, as Protobuf wants it.
  char* to = put_varint_field(begin, 1, static_cast<std::uint64_t>(std::int64_t{record.partition.value}));
  to = put_varint_field(to, 2, record.version.value);
  to = put_bytes_field(to, 3, record.kind);
  to = put_fixed_field(to, 4, record.crc);
  to = put_varint_field(to, 5, record.parameters);
  if (record.parts > 0) {
    to = put_bytes_field(to, 6, record.safetensors);
    to = put_varint_field(to, 7, record.part);
    to = put_varint_field(to, 8, record.parts);
    to = put_fixed_field(to, 9, record.file_crc);
    to = put_varint_field(to, 10, record.file_bytes);
  }
  to = put_fixed_field(to, 11, record.event_time.value);
  out.advance(static_cast<std::size_t>(to - begin));
}

bool decode_model_version(std::string_view bytes, ModelVersionRecord& out) {
  out = ModelVersionRecord();
  WireReader in(bytes);
  while (in.next()) {
    if (in.is(kVarint)) {
      switch (in.field) {
        case 1: out.partition = PartitionId(static_cast<std::int32_t>(in.varint())); continue;
        case 2: out.version = ModelVersion(in.varint()); continue;
        case 5: out.parameters = in.varint(); continue;
        case 7: out.part = static_cast<std::uint32_t>(in.varint()); continue;
        case 8: out.parts = static_cast<std::uint32_t>(in.varint()); continue;
        case 10: out.file_bytes = in.varint(); continue;
        default: break;
      }
    } else if (in.is(kBytes)) {
      if (in.field == 3) {
        out.kind = in.text();
        continue;
      }
      if (in.field == 6) {
        out.safetensors = in.bytes();
        continue;
      }
    } else if (in.is(kFixed32)) {
      if (in.field == 4) {
        out.crc = in.fixed<std::uint32_t>();
        continue;
      }
      if (in.field == 9) {
        out.file_crc = in.fixed<std::uint32_t>();
        continue;
      }
    } else if (in.is(kFixed64) && in.field == 11) {
      out.event_time = EventTime(in.fixed<std::int64_t>());
      continue;
    }
    in.skip();
  }
  return in.ok();
}

void encode_metrics(std::string_view process, EventTime time, std::span<const MetricSample> samples, ByteBuffer& out) {
  std::size_t room = 3 * kFieldBytesMax + process.size();
  for (const MetricSample& sample : samples) room += 4 * kFieldBytesMax + sample.name.size();
  char* const begin = out.prepare(room);
  char* to = put_bytes_field(begin, 1, process);
  to = put_fixed_field(to, 2, time.value);
  for (const MetricSample& sample : samples) {
    *to++ = tag(3, kBytes);
    to = put_varint(to, 1 + varint_bytes(sample.name.size()) + sample.name.size() + 9);
    to = put_bytes_field(to, 1, sample.name);
    to = put_fixed_field(to, 2, sample.value);
  }
  out.advance(static_cast<std::size_t>(to - begin));
}

bool decode_metrics(std::string_view bytes, std::string_view& process, EventTime& time,
                    std::vector<MetricSample>& samples) {
  process = {};
  time = EventTime();
  samples.clear();
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) {
      process = in.text();
    } else if (in.field == 2 && in.is(kFixed64)) {
      time = EventTime(in.fixed<std::int64_t>());
    } else if (in.field == 3 && in.is(kBytes)) {
      MetricSample sample;
      WireReader inner(in.bytes());
      while (inner.next()) {
        if (inner.field == 1 && inner.is(kBytes)) sample.name = inner.text();
        else if (inner.field == 2 && inner.is(kFixed64)) sample.value = inner.fixed<double>();
        else inner.skip();
      }
      if (!inner.ok()) in.fail();
      samples.push_back(sample);
    } else {
      in.skip();
    }
  }
  return in.ok();
}

}  // namespace weir
