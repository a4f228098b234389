#include "core/records/neuron_records.hpp"

#include <string>
#include <type_traits>

#include "core/records/codec_pieces.hpp"

namespace weir {
namespace {

using namespace codec;

// Each field once: number, name, place. Signed numbers are sint32 and sint64, times sfixed64, a partition is an int32.
template <class Sum, class Fn>
void fields_of_sum(Sum& s, Fn&& fn) {
  fn(1, "partition", s.partition);
  fn(2, "job", s.job);
  fn(3, "sweep", s.sweep);
  fn(4, "neuron", s.neuron);
  fn(5, "sum", s.sum);
  fn(6, "n", s.n);
  fn(7, "sum_before", s.sum_before);
  fn(8, "capacity", s.capacity);
  fn(9, "salt", s.salt);
  fn(10, "correct_before", s.correct_before);
  fn(11, "correct_after", s.correct_after);
  fn(12, "keys", s.keys);
  fn(13, "votes", s.votes);
  fn(14, "vote_sum", s.vote_sum);
  fn(15, "rows", s.rows);
  fn(16, "regime", s.regime);
  fn(17, "selected_by", s.selected_by);
  fn(18, "accepted", s.accepted);
  fn(19, "clamped", s.clamped);
  fn(20, "event_time", s.event_time);
}

template <class Capacity, class Fn>
void fields_of_capacity(Capacity& c, Fn&& fn) {
  fn(1, "partition", c.partition);
  fn(2, "neuron", c.neuron);
  fn(3, "job", c.job);
  fn(4, "capacity", c.capacity);
  fn(5, "clamped", c.clamped);
  fn(6, "event_time", c.event_time);
}

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

struct Writer {
  ByteBuffer& out;
  void key(std::uint32_t field, WireType type) { out.append_varint(field << 3 | type); }
  void varint(std::uint32_t field, std::uint64_t value) {
    key(field, kVarint);
    out.append_varint(value);
  }
  void operator()(std::uint32_t field, const char*, PartitionId value) {
    varint(field, static_cast<std::uint64_t>(std::int64_t{value.value}));
  }
  void operator()(std::uint32_t field, const char*, std::uint32_t value) { varint(field, value); }
  void operator()(std::uint32_t field, const char*, std::int32_t value) { varint(field, zigzag(value) & 0xffffffffU); }
  void operator()(std::uint32_t field, const char*, std::int64_t value) { varint(field, zigzag(value)); }
  void operator()(std::uint32_t field, const char*, bool value) {
    if (value) varint(field, 1);
  }
  void operator()(std::uint32_t field, const char*, std::string_view value) {
    key(field, kBytes);
    out.append_varint_bytes(value);
  }
  void operator()(std::uint32_t field, const char*, EventTime value) {
    key(field, kFixed64);
    out.append_fixed(value.value);
  }
};

// Takes the field that `in` is at; others stay.
struct FieldReader {
  WireReader& in;
  bool taken = false;
  bool mine(std::uint32_t field, WireType type) {
    if (taken || in.field != field || !in.is(type)) return false;
    return taken = true;
  }
  void operator()(std::uint32_t field, const char*, PartitionId& value) {
    if (mine(field, kVarint)) value = PartitionId(static_cast<std::int32_t>(in.varint()));
  }
  void operator()(std::uint32_t field, const char*, std::uint32_t& value) {
    if (mine(field, kVarint)) value = static_cast<std::uint32_t>(in.varint());
  }
  void operator()(std::uint32_t field, const char*, std::int32_t& value) {
    if (mine(field, kVarint)) value = static_cast<std::int32_t>(unzigzag(in.varint() & 0xffffffffU));
  }
  void operator()(std::uint32_t field, const char*, std::int64_t& value) {
    if (mine(field, kVarint)) value = unzigzag(in.varint());
  }
  void operator()(std::uint32_t field, const char*, bool& value) {
    if (mine(field, kVarint)) value = in.varint() != 0;
  }
  void operator()(std::uint32_t field, const char*, std::string_view& value) {
    if (mine(field, kBytes)) value = in.text();
  }
  void operator()(std::uint32_t field, const char*, EventTime& value) {
    if (mine(field, kFixed64)) value = EventTime(in.fixed<std::int64_t>());
  }
};

struct JsonWriter {
  ByteBuffer& out;
  template <class T>
  void operator()(std::uint32_t field, const char* name, const T& value) {
    out.append(field == 1 ? "{\"" : ",\"");
    out.append(name);
    out.append("\":");
    if constexpr (std::is_same_v<T, bool>)
      out.append(value ? "true" : "false");
    else if constexpr (std::is_same_v<T, std::string_view>)
      json::append_string(out, value);
    else if constexpr (std::is_integral_v<T>)
      append_integer(out, value);
    else
      append_integer(out, value.value);
  }
};

}  // namespace

void encode_neuron_sum(const NeuronSum& sum, ByteBuffer& out) { fields_of_sum(sum, Writer{out}); }

bool decode_neuron_sum(std::string_view bytes, NeuronSum& out) {
  out = NeuronSum();
  WireReader in(bytes);
  while (in.next()) {
    FieldReader read{in};
    fields_of_sum(out, read);
    if (!read.taken) in.skip();
  }
  return in.ok();
}

void encode_neuron_capacity(const NeuronCapacity& capacity, ByteBuffer& out) { fields_of_capacity(capacity, Writer{out}); }

bool decode_neuron_capacity(std::string_view bytes, NeuronCapacity& out) {
  out = NeuronCapacity();
  WireReader in(bytes);
  while (in.next()) {
    FieldReader read{in};
    fields_of_capacity(out, read);
    if (!read.taken) in.skip();
  }
  return in.ok();
}

void encode_candidate(const CandidateRecord& candidate, ByteBuffer& out) {
  Writer to{out};
  to(1, "", candidate.model);
  to.key(2, kFixed64);
  out.append_fixed(candidate.loss);
  to.varint(3, candidate.examples);
}

bool decode_candidate(std::string_view bytes, CandidateRecord& out) {
  out = CandidateRecord();
  ModelVersionRecord model;
  WireReader in(bytes);
  while (in.next()) {
    if (in.field == 1 && in.is(kBytes)) {
      out.model = in.bytes();
      if (!decode_model_version(out.model, model)) in.fail();
    } else if (in.field == 2 && in.is(kFixed64)) {
      out.loss = in.fixed<double>();
    } else if (in.field == 3 && in.is(kVarint)) {
      out.examples = in.varint();
    } else {
      in.skip();
    }
  }
  return in.ok();
}

namespace codec {

bool neuron_json(Topic topic, std::string_view value, ByteBuffer& out) {
  NeuronSum sum;
  NeuronCapacity capacity;
  if (topic == Topic::kSums ? !decode_neuron_sum(value, sum) : !decode_neuron_capacity(value, capacity)) return false;
  if (topic == Topic::kSums)
    fields_of_sum(sum, JsonWriter{out});
  else
    fields_of_capacity(capacity, JsonWriter{out});
  out.append('}');
  return true;
}

}  // namespace codec
}  // namespace weir
