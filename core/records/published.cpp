// The records that are for you: predictions, dead letters, outcomes that met nothing, alerts; in JSON and in Protobuf.
#include <array>
#include <charconv>

#include "core/base/crc32c.hpp"
#include "core/records/codec.hpp"
#include "core/records/codec_pieces.hpp"

namespace weir {

using namespace codec;

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

DeadLetter dead_letter_of(const ParsedRecord& parsed, Reason reason, std::string_view detail, const Source& source) {
  const bool cut = parsed.line_bytes > parsed.line.size();
  return {reason, detail, source, parsed.time(), parsed.line, cut ? parsed.line_bytes : parsed.line.size(),
          cut ? parsed.line_crc : crc32c(parsed.line)};
}

namespace {

// --- JSON ---

void prediction_json(const Event& event, const Prediction& p, const Source& source, TaskKind kind, PartitionId partition,
                     ByteBuffer& out, std::optional<std::uint64_t> n) {
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

void dead_letter_json(const DeadLetter& letter, ByteBuffer& out) {
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

void unjoined_json(const Unjoined& unjoined, ByteBuffer& out) {
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

void alert_json(const Alert& alert, ByteBuffer& out) {
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

// --- Protobuf ---

// A message says every number, also where it is 0, and leaves out what is false or not there: the same record, the same bytes.

char* put_int32_field(char* to, std::uint32_t field, std::int32_t value) {
  return put_varint_field(to, field, static_cast<std::uint64_t>(std::int64_t{value}));  // Sign-extended, as Protobuf wants it.
}

char* put_set_field(char* to, std::uint32_t field, const Prediction& p, TaskKind kind) {
  std::array<double, 2> values{};
  std::size_t count = 0;
  if (kind == TaskKind::kClassification) {
    if (p.in_set[0]) values[count++] = 0.0;
    if (p.in_set[1]) values[count++] = 1.0;
  } else {
    values = {p.low, p.high};
    count = 2;
  }
  *to++ = tag(field, kBytes);
  *to++ = static_cast<char>(count == 0 ? 0 : 2 + 8 * count);
  return put_packed_field(to, 1, std::span<const double>(values.data(), count));
}
constexpr std::size_t kSetFieldBytesMax = 4 + 16;

void encode_prediction(const Event& event, const Prediction& p, const Source& source, TaskKind kind, PartitionId partition,
                       ByteBuffer& out, std::optional<std::uint64_t> n) {
  char* const begin = out.prepare(14 * kFieldBytesMax + kSetFieldBytesMax + event.id.text.size() + event.key.text.size() +
                                  source_field_bytes_max(source));
  char* to = put_bytes_field(begin, 1, event.id.text);
  to = put_bool_field(to, 2, event.id.is_integer);
  if (event.has_key) {
    to = put_bytes_field(to, 3, event.key.text);
    to = put_bool_field(to, 4, event.key.is_integer);
  }
  to = put_fixed_field(to, 5, event.event_time.value);
  to = put_source_field(to, 6, source);
  to = put_fixed_field(to, kind == TaskKind::kClassification ? 7 : 8, p.value);
  to = put_fixed_field(to, 9, p.label);
  to = put_bool_field(to, 10, p.certified);
  if (p.has_set) to = put_set_field(to, 11, p, kind);
  to = put_int32_field(to, 12, partition.value);
  to = put_varint_field(to, 13, p.version.value);
  to = put_bool_field(to, 14, p.duplicate);
  if (n) to = put_varint_field(to, 15, *n);
  out.advance(static_cast<std::size_t>(to - begin));
}

void encode_dead_letter(const DeadLetter& letter, ByteBuffer& out) {
  const std::string_view head = letter.line.substr(0, kDeadLetterBytesMax);
  const std::string_view reason = name_of(letter.reason);
  char* const begin = out.prepare(7 * kFieldBytesMax + reason.size() + letter.detail.size() + source_field_bytes_max(letter.source) + head.size());
  char* to = put_bytes_field(begin, 1, reason);
  to = put_bytes_field(to, 2, letter.detail);
  if (letter.event_time) to = put_fixed_field(to, 3, letter.event_time->value);
  to = put_source_field(to, 4, letter.source);
  to = put_bytes_field(to, 5, head);
  to = put_varint_field(to, 6, letter.line_bytes);
  to = put_fixed_field(to, 7, letter.line_crc);
  out.advance(static_cast<std::size_t>(to - begin));
}

void encode_unjoined(const Unjoined& unjoined, ByteBuffer& out) {
  const std::string_view reason = name_of(unjoined.reason);
  char* const begin = out.prepare(7 * kFieldBytesMax + (unjoined.id ? unjoined.id->text.size() : 0) + reason.size() +
                                  unjoined.detail.size() + source_field_bytes_max(unjoined.source));
  char* to = begin;
  if (unjoined.id) {
    to = put_bytes_field(to, 1, unjoined.id->text);
    to = put_bool_field(to, 2, unjoined.id->is_integer);
  }
  to = put_bytes_field(to, 3, reason);
  to = put_bytes_field(to, 4, unjoined.detail);
  if (unjoined.label) to = put_fixed_field(to, 5, *unjoined.label);
  if (unjoined.event_time) to = put_fixed_field(to, 6, unjoined.event_time->value);
  to = put_source_field(to, 7, unjoined.source);
  out.advance(static_cast<std::size_t>(to - begin));
}

void encode_alert(const Alert& alert, ByteBuffer& out) {
  char* const begin = out.prepare(6 * kFieldBytesMax + alert.alert.size() + alert.message.size());
  char* to = put_bytes_field(begin, 1, alert.alert);
  to = put_bytes_field(to, 2, alert.message);
  to = put_fixed_field(to, 3, alert.event_time.value);
  to = put_int32_field(to, 4, alert.partition.value);
  if (alert.value) to = put_fixed_field(to, 5, *alert.value);
  if (alert.threshold) to = put_fixed_field(to, 6, *alert.threshold);
  out.advance(static_cast<std::size_t>(to - begin));
}

// The numbers of a Set, in any number of pieces.
struct SetValues {
  std::array<double, 2> values{};
  std::size_t count = 0;  // Also those beyond two.
  void add(double value) {
    if (count < values.size()) values[count] = value;
    ++count;
  }
};
bool read_set(std::string_view bytes, SetValues& out) {
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kFixed64)) {
      out.add(in.fixed<double>());
    } else if (in.field == 1 && in.is(kBytes)) {
      const std::string_view packed = in.bytes();
      if (packed.size() % sizeof(double) != 0) return false;
      for (std::size_t at = 0; at < packed.size(); at += sizeof(double)) out.add(value_at<double>(packed, at));
    } else {
      in.skip();
    }
  }
  return in.ok();
}
bool fit_set(const SetValues& set, TaskKind kind, Prediction& out) {
  out.has_set = true;
  if (kind == TaskKind::kRegression) {
    out.low = set.values[0];
    out.high = set.values[1];
    return set.count == 2;
  }
  if (set.count > 2) return false;
  for (std::size_t i = 0; i < set.count; ++i) {
    if (set.values[i] != 0.0 && set.values[i] != 1.0) return false;
    bool& in_set = out.in_set[set.values[i] == 0.0 ? 0 : 1];
    if (in_set) return false;  // Twice.
    in_set = true;
  }
  return true;
}

template <class Enum>
std::optional<Enum> reason_by_name(std::string_view name, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  return std::nullopt;
}

bool is_json(std::string_view value) { return value.starts_with('{'); }

// What stands behind the first `name` in JSON that we wrote; inside a text of yours its quotes would be escaped.
std::string_view behind(std::string_view json, std::string_view name) {
  const std::size_t at = json.find(name);
  return at == std::string_view::npos ? std::string_view() : json.substr(at + name.size());
}
template <class Int>
bool take_integer(std::string_view& text, Int& out, char end) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || at == text.data() + text.size() || *at != end) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  return true;
}

}  // namespace

// --- Either ---

void write_prediction(ValueFormat format, const Event& event, const Prediction& prediction, const Source& source, TaskKind kind,
                      PartitionId partition, ByteBuffer& out, std::optional<std::uint64_t> n) {
  if (format == ValueFormat::kProtobuf) encode_prediction(event, prediction, source, kind, partition, out, n);
  else prediction_json(event, prediction, source, kind, partition, out, n);
}
void write_dead_letter(ValueFormat format, const DeadLetter& letter, ByteBuffer& out) {
  if (format == ValueFormat::kProtobuf) encode_dead_letter(letter, out);
  else dead_letter_json(letter, out);
}
void write_unjoined(ValueFormat format, const Unjoined& unjoined, ByteBuffer& out) {
  if (format == ValueFormat::kProtobuf) encode_unjoined(unjoined, out);
  else unjoined_json(unjoined, out);
}
void write_alert(ValueFormat format, const Alert& alert, ByteBuffer& out) {
  if (format == ValueFormat::kProtobuf) encode_alert(alert, out);
  else alert_json(alert, out);
}

bool decode_prediction(std::string_view bytes, PublishedPrediction& out) {
  out = PublishedPrediction();
  Prediction& p = out.prediction;
  std::string_view id, key;
  bool id_is_integer = false, key_is_integer = false, predicted = false;
  SetValues set;
  bool has_set = false;
  WireReader in(bytes);
  while (in.next()) {
    if (in.is(kBytes)) {
      switch (in.field) {
        case 1: id = in.text(); continue;
        case 3:
          key = in.text();
          out.event.has_key = true;
          continue;
        case 6:
          if (!read_source(in.bytes(), out.source)) in.fail();
          continue;
        case 11:
          has_set = true;
          if (!read_set(in.bytes(), set)) in.fail();
          continue;
        default: break;
      }
    } else if (in.is(kFixed64)) {
      switch (in.field) {
        case 5: out.event.event_time = EventTime(in.fixed<std::int64_t>()); continue;
        case 7:
        case 8:  // One of the two: the last one holds.
          out.kind = in.field == 7 ? TaskKind::kClassification : TaskKind::kRegression;
          p.value = in.fixed<double>();
          predicted = true;
          continue;
        case 9: p.label = in.fixed<double>(); continue;
        default: break;
      }
    } else if (in.is(kVarint)) {
      switch (in.field) {
        case 2: id_is_integer = in.varint() != 0; continue;
        case 4: key_is_integer = in.varint() != 0; continue;
        case 10: p.certified = in.varint() != 0; continue;
        case 12: out.partition = PartitionId(static_cast<std::int32_t>(in.varint())); continue;
        case 13: p.version = ModelVersion(in.varint()); continue;
        case 14: p.duplicate = in.varint() != 0; continue;
        case 15: out.n = in.varint(); continue;
        default: break;
      }
    }
    in.skip();
  }
  if (!in.ok() || !predicted) return false;
  out.event.id = read_id(id, id_is_integer);
  out.event.key = read_id(key, key_is_integer);
  return !has_set || fit_set(set, out.kind, p);
}

bool decode_dead_letter(std::string_view bytes, DeadLetter& out) {
  out = DeadLetter();
  std::string_view reason;
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) reason = in.text();
    else if (in.field == 2 && in.is(kBytes)) out.detail = in.text();
    else if (in.field == 3 && in.is(kFixed64)) out.event_time = EventTime(in.fixed<std::int64_t>());
    else if (in.field == 4 && in.is(kBytes)) {
      if (!read_source(in.bytes(), out.source)) in.fail();
    } else if (in.field == 5 && in.is(kBytes)) out.line = in.bytes();
    else if (in.field == 6 && in.is(kVarint)) out.line_bytes = in.varint();
    else if (in.field == 7 && in.is(kFixed32)) out.line_crc = in.fixed<std::uint32_t>();
    else in.skip();
  }
  const auto known = reason_by_name<Reason>(reason, kReasonCount);
  out.reason = known.value_or(Reason::kMalformed);
  return in.ok() && known;
}

bool decode_unjoined(std::string_view bytes, Unjoined& out) {
  out = Unjoined();
  std::string_view id, reason;
  bool has_id = false, id_is_integer = false;
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) {
      id = in.text();
      has_id = true;
    } else if (in.field == 2 && in.is(kVarint)) id_is_integer = in.varint() != 0;
    else if (in.field == 3 && in.is(kBytes)) reason = in.text();
    else if (in.field == 4 && in.is(kBytes)) out.detail = in.text();
    else if (in.field == 5 && in.is(kFixed64)) out.label = in.fixed<double>();
    else if (in.field == 6 && in.is(kFixed64)) out.event_time = EventTime(in.fixed<std::int64_t>());
    else if (in.field == 7 && in.is(kBytes)) {
      if (!read_source(in.bytes(), out.source)) in.fail();
    } else in.skip();
  }
  if (has_id) out.id = read_id(id, id_is_integer);
  const auto known = reason_by_name<UnjoinedReason>(reason, kUnjoinedReasonCount);
  out.reason = known.value_or(UnjoinedReason::kInvalid);
  return in.ok() && known;
}

bool decode_alert(std::string_view bytes, Alert& out) {
  out = Alert();
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) out.alert = in.text();
    else if (in.field == 2 && in.is(kBytes)) out.message = in.text();
    else if (in.field == 3 && in.is(kFixed64)) out.event_time = EventTime(in.fixed<std::int64_t>());
    else if (in.field == 4 && in.is(kVarint)) out.partition = PartitionId(static_cast<std::int32_t>(in.varint()));
    else if (in.field == 5 && in.is(kFixed64)) out.value = in.fixed<double>();
    else if (in.field == 6 && in.is(kFixed64)) out.threshold = in.fixed<double>();
    else in.skip();
  }
  return in.ok() && !out.alert.empty();
}

std::optional<PredictionFacts> prediction_facts(std::string_view value) {
  PredictionFacts out;
  if (!is_json(value)) {
    PublishedPrediction read;
    if (!decode_prediction(value, read)) return std::nullopt;
    return PredictionFacts{read.kind == TaskKind::kClassification, read.prediction.certified, read.partition, read.prediction.version};
  }
  std::string_view version = behind(value, "\"model_version\":\"");
  if (!take_integer(version, out.partition.value, '/')) return std::nullopt;
  if (!take_integer(version, out.version.value, '"')) return std::nullopt;
  out.classification = !behind(value, "\"probability\":").empty();
  out.certified = behind(value, "\"certified\":").starts_with("true");
  return out;
}

std::string_view reason_in(Topic topic, std::string_view value) {
  if (is_json(value)) {
    const std::string_view text = behind(value, "\"reason\":\"");
    return text.substr(0, text.find('"'));
  }
  if (topic == Topic::kDeadLetters) {
    DeadLetter letter;
    if (decode_dead_letter(value, letter)) return name_of(letter.reason);
  } else if (topic == Topic::kUnjoined) {
    Unjoined unjoined;
    if (decode_unjoined(value, unjoined)) return name_of(unjoined.reason);
  }
  return {};
}

bool codec::published_json(Topic topic, std::string_view value, ByteBuffer& out) {
  if (is_json(value)) return false;
  switch (topic) {
    case Topic::kPredictions:
    case Topic::kAbstained: {
      PublishedPrediction read;
      if (!decode_prediction(value, read)) return false;
      prediction_json(read.event, read.prediction, read.source, read.kind, read.partition, out, read.n);
      return true;
    }
    case Topic::kDeadLetters: {
      DeadLetter letter;
      if (!decode_dead_letter(value, letter)) return false;
      dead_letter_json(letter, out);
      return true;
    }
    case Topic::kUnjoined: {
      Unjoined unjoined;
      if (!decode_unjoined(value, unjoined)) return false;
      unjoined_json(unjoined, out);
      return true;
    }
    case Topic::kAlerts: {
      Alert alert;
      if (!decode_alert(value, alert)) return false;
      alert_json(alert, out);
      return true;
    }
    default: return false;
  }
}

}  // namespace weir
