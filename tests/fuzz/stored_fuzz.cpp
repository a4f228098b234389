// What is read back from disk and from our own topics: any bytes are decoded or refused, never read past their end, and what was
// decoded comes back the same once it is written again. The CRCs before these bytes are left out: they would stop every mutation.
#include <algorithm>
#include <string>
#include <vector>

#include "core/records/codec.hpp"
#include "storage/embedded_keys.hpp"
#include "storage/positions.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace weir;

struct Copy {
  std::string key, value, topic;
  std::int64_t event_time, partition, offset;
  bool has_key, erases;
  bool operator==(const Copy&) const = default;
};

// The records of a stored batch; false if it is refused.
bool read(std::string_view body, BatchHeader& header, std::vector<Copy>& out) {
  ByteBuffer unpacked;
  std::string_view records;
  if (!decode_batch(body, header, records, unpacked)) return false;
  BatchHeader alone;
  FUZZ_CHECK(decode_batch_header(body, alone));
  FUZZ_CHECK(alone.count == header.count && alone.append_time_us == header.append_time_us && alone.bytes_before == header.bytes_before);
  RecordBatch batch;
  batch.assign(records, header.count, Offset(0), header.append_time_us);
  return batch.for_each([&](Offset, const Record& r) {
    out.push_back({std::string(r.key), std::string(r.value), std::string(r.source.topic), r.event_time.value, r.source.partition.value,
                   r.source.offset.value, r.has_key, r.erases});
  });
}

void write(const std::vector<Copy>& copies, const BatchHeader& header, ByteBuffer& out) {
  ByteBuffer records;
  for (const Copy& copy : copies) {
    Record record;
    record.key = copy.key;
    record.value = copy.value;
    record.has_key = copy.has_key;
    record.erases = copy.erases;
    record.event_time = EventTime(copy.event_time);
    record.source = {copy.topic, PartitionId(static_cast<std::int32_t>(copy.partition)), Offset(copy.offset)};
    encode_record(record, records);
  }
  append_batch(header, records.view(), out);
}

void batch(std::string_view body) {
  BatchHeader header;
  std::vector<Copy> first;
  if (!read(body, header, first)) return;
  // A source without a topic is none.
  for (Copy& copy : first)
    if (copy.topic.empty()) copy.partition = copy.offset = 0;
  ByteBuffer again;
  write(first, header, again);
  BatchHeader second_header;
  std::vector<Copy> second;
  FUZZ_CHECK(read(again.view(), second_header, second));
  for (Copy& copy : second)
    if (copy.topic.empty()) copy.partition = copy.offset = 0;
  FUZZ_CHECK(second == first && second_header.count == header.count && second_header.append_time_us == header.append_time_us);
}

// The input cut into values, so that large batches that pack well are written, too.
void values(std::string_view text) {
  std::vector<Copy> copies;
  while (!text.empty() && copies.size() < 500) {
    const std::size_t bytes = std::min<std::size_t>(text.size() - 1, static_cast<unsigned char>(text[0]));
    const std::string value(text.substr(1, bytes));
    for (int i = 0; i < 1 + text[0] % 40; ++i) copies.push_back({value, value + std::to_string(i), "t", i, i, i, i % 2 == 0, i % 5 == 0});
    text.remove_prefix(1 + bytes);
  }
  for (Copy& copy : copies)
    if (!copy.has_key) copy.key.clear();
  if (copies.empty()) return;
  ByteBuffer stored;
  const BatchHeader header{static_cast<std::uint32_t>(copies.size()), 1, 2};
  write(copies, header, stored);
  BatchHeader found;
  std::vector<Copy> back;
  FUZZ_CHECK(read(stored.view(), found, back));
  FUZZ_CHECK(back == copies && found.count == header.count && found.bytes_before == 2);
}

template <class Entry>
void entry(std::string_view body) {
  Entry first, second;
  if (!decode(body, first)) return;
  const std::string again = encode(first);
  FUZZ_CHECK(decode(again, second));
  FUZZ_CHECK(encode(second) == again);
}

void order(std::string_view bytes) {
  ByteReader reader(bytes);
  Order written;
  std::vector<OrderEntry> runs, back;
  OrderEntry found;
  while (next_order_entry(reader, found)) {
    FUZZ_CHECK(found.count > 0);
    if (found.count > 1000) return;
    if (found.kind == OrderKind::kSteps) found.input = InputId::kLogs;
    if (found.kind != OrderKind::kRecords) found.partition = kOwnPartition;  // Only feedback, which is neither waited for nor parsed, has another.
    if (!runs.empty() && runs.back().kind == found.kind && runs.back().input == found.input && runs.back().partition == found.partition) runs.back().count += found.count;
    else runs.push_back(found);
    for (std::uint64_t i = 0; i < found.count; ++i) {
      if (found.kind == OrderKind::kRecords) written.records(found.input, 1, found.partition);
      else if (found.kind == OrderKind::kSteps) written.steps(1);
      else if (found.kind == OrderKind::kIdle) written.idle(found.input);
      else written.poison(found.input);
    }
  }
  ByteReader again(written.bytes());
  while (next_order_entry(again, found)) back.push_back(found);
  FUZZ_CHECK(again.finished() && back == runs);
}

void entries(std::string_view body) {
  entry<FormatEntry>(body);
  entry<TopicSpec>(body);
  entry<PartitionEntry>(body);
  entry<TaskEntry>(body);
  entry<OrderOfCommit>(body);
  order(body);
  for (const ColumnFamily family : {ColumnFamily::kLog, ColumnFamily::kState, ColumnFamily::kMeta}) {
    FUZZ_CHECK(is_utf8(describe_entry(family, body)));
    const auto opened = unseal(family, "k", body);
    FUZZ_CHECK(opened.ok() || is_utf8(opened.error().what));
    const std::string sealed = seal("k", body);
    const auto whole = unseal(family, "k", sealed);
    FUZZ_CHECK(whole.ok() && *whole == body);
  }
}

// A message that is for you: what was read comes back the same once it is written again, and the formats print alike.
template <class T, class Write>
void published(Topic topic, std::string_view bytes, bool (*decode)(std::string_view, T&), Write&& write) {
  T read;
  if (!decode(bytes, read)) return;
  ByteBuffer protobuf, json, printed, printed_again;
  write(ValueFormat::kProtobuf, read, protobuf);
  write(ValueFormat::kJson, read, json);
  T again;
  FUZZ_CHECK(decode(protobuf.view(), again));
  FUZZ_CHECK(is_utf8(json.view()) && json.view().find('\n') == std::string_view::npos);
  FUZZ_CHECK(write_value_json(topic, protobuf.view(), printed) && printed.view() == json.view());
  FUZZ_CHECK(reason_in(topic, protobuf.view()) == reason_in(topic, json.view()) || topic == Topic::kPredictions || topic == Topic::kAlerts);
  if (!bytes.starts_with('{')) FUZZ_CHECK(write_value_json(topic, bytes, printed_again) && printed_again.view() == json.view());
}
void published(std::string_view bytes) {
  published<PublishedPrediction>(Topic::kPredictions, bytes, decode_prediction, [](ValueFormat format, const PublishedPrediction& p, ByteBuffer& out) {
    write_prediction(format, p.event, p.prediction, p.source, p.kind, p.partition, out, p.n);
  });
  published<DeadLetter>(Topic::kDeadLetters, bytes, decode_dead_letter, write_dead_letter);
  published<Unjoined>(Topic::kUnjoined, bytes, decode_unjoined, write_unjoined);
  published<Alert>(Topic::kAlerts, bytes, decode_alert, write_alert);
  prediction_facts(bytes);
}

// Protobuf of the topics `examples` and `models`, and what `tail` prints of any topic.
void messages(std::string_view bytes) {
  static ExampleScratch scratch;
  Example example;
  if (decode_row(bytes, scratch, example)) {
    FUZZ_CHECK(example.sample.indices.size() == example.sample.values.size());
    FUZZ_CHECK(is_utf8(example.id.text) && is_utf8(example.key.text));
  }
  if (decode_example(bytes, scratch, example)) {
    ByteBuffer again;
    encode_example(example, again);
    ExampleScratch second_scratch;
    Example second;
    FUZZ_CHECK(decode_example(again.view(), second_scratch, second));
    FUZZ_CHECK(second.id == example.id && second.source.offset == example.source.offset);
  }
  ModelVersionRecord version;
  if (decode_model_version(bytes, version)) FUZZ_CHECK(version.safetensors.size() <= bytes.size());
  for (std::size_t topic = 0; topic < kTopicCount; ++topic) {
    ByteBuffer json;
    if (!write_value_json(static_cast<Topic>(topic), bytes, json)) FUZZ_CHECK(json.empty());
    else FUZZ_CHECK(json.view().find('\n') == std::string_view::npos || topic > 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: batch(body); break;
    case 1: values(body); break;
    case 2: entries(body); break;
    case 3: messages(body); break;
    default: published(body);
  }
  return 0;
}
