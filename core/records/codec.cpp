#include "core/records/codec.hpp"

#include <algorithm>
#include <cstring>

#include "core/records/codec_pieces.hpp"
#include "core/records/neuron_records.hpp"

namespace weir {

using namespace codec;

namespace {

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
  append_id(out, read_id(e.id.text, e.id.is_integer));
  out.append(",\"key\":");
  if (e.has_key) append_id(out, read_id(e.key.text, e.key.is_integer));
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
  CandidateRecord candidate;
  if (!decode_candidate(value, candidate) || !decode_model_version(candidate.model, model)) return false;
  out.append("{\"model\":");
  append_model_version(out, model);
  out.append(",\"loss\":");
  json::append_number(out, candidate.loss);
  out.append(",\"examples\":");
  append_integer(out, candidate.examples);
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
    case Topic::kCapacity: return neuron_json(topic, value, out);
    default: break;
  }
  if (published_json(topic, value, out)) return true;
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
