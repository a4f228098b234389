// Goal: what codec writes is what docs/schemas and weir.proto say, and what it reads it reads as protoc's own code does.

#include "core/records/codec.hpp"
#include "core/records/neuron_records.hpp"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "core/base/crc32c.hpp"
#include "core/base/rng.hpp"
#include "core/records/json_text.hpp"
#include "weir.pb.h"

namespace weir {
namespace {

std::string text_of(const ByteBuffer& buffer) { return std::string(buffer.view()); }

Id text_id(std::string_view text) { return {text, false}; }
Id integer_id(std::string_view text) { return {text, true}; }

struct Row {  // Owns what an Example points to.
  std::string id, key, topic, outcome_topic;
  std::vector<float> dense, values;
  std::vector<std::uint32_t> indices;
  std::vector<std::uint64_t> label_keys;
  Example example;
};

void random_row(Rng& rng, Row& row) {
  const auto text = [&](std::uint64_t bytes_max) {
    std::string out;
    for (std::uint64_t n = rng.below(bytes_max + 1); n > 0; --n) out += static_cast<char>(' ' + rng.below(95));
    return out;
  };
  row.id = text(40);
  row.key = text(300);
  row.topic = text(20);
  row.outcome_topic = text(150);
  row.dense.assign(rng.below(40), 0.0f);
  for (float& v : row.dense) v = static_cast<float>(rng.normal());
  row.indices.assign(rng.below(40), 0);
  row.values.assign(row.indices.size(), 1.0f);
  const bool ones = rng.below(2) == 0;
  for (std::size_t i = 0; i < row.indices.size(); ++i) {
    row.indices[i] = static_cast<std::uint32_t>(rng.next_u64());
    if (!ones) row.values[i] = static_cast<float>(rng.normal());
  }
  row.label_keys.assign(rng.below(5), 0);
  for (auto& k : row.label_keys) k = rng.next_u64();
  Example& e = row.example;
  e = Example();
  e.id = {row.id, rng.below(2) == 0};
  e.has_key = rng.below(2) == 0;
  if (e.has_key) e.key = {row.key, rng.below(2) == 0};
  e.event_time = EventTime(static_cast<std::int64_t>(rng.next_u64()));
  e.source = {row.topic, PartitionId(static_cast<std::int32_t>(rng.below(100))), Offset(static_cast<std::int64_t>(rng.below(1ULL << 62)))};
  e.sample = {row.dense, row.indices, row.values};
  e.prediction.value = rng.normal();
  e.prediction.label = static_cast<double>(rng.below(2));
  e.prediction.certified = rng.below(2) == 0;
  e.prediction.duplicate = rng.below(2) == 0;
  e.prediction.has_set = rng.below(2) == 0;
  e.prediction.in_set[0] = rng.below(2) == 0;
  e.prediction.in_set[1] = rng.below(2) == 0;
  if (rng.below(2) == 0) {
    e.prediction.low = rng.normal();
    e.prediction.high = rng.normal();
  }
  e.prediction.version = ModelVersion(rng.next_u64());
  e.label_keys = row.label_keys;
  e.last_outcome = static_cast<float>(rng.normal());
  e.label = rng.normal();
  e.outcome_time = EventTime(static_cast<std::int64_t>(rng.next_u64()));
  e.outcome_source = {row.outcome_topic, PartitionId(static_cast<std::int32_t>(rng.below(100))), Offset(7)};
}

void expect_same(const Example& a, const Example& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.has_key, b.has_key);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.event_time, b.event_time);
  EXPECT_EQ(a.source, b.source);
  EXPECT_TRUE(std::ranges::equal(a.sample.dense, b.sample.dense));
  EXPECT_TRUE(std::ranges::equal(a.sample.indices, b.sample.indices));
  EXPECT_TRUE(std::ranges::equal(a.sample.values, b.sample.values));
  EXPECT_EQ(a.prediction.value, b.prediction.value);
  EXPECT_EQ(a.prediction.label, b.prediction.label);
  EXPECT_EQ(a.prediction.certified, b.prediction.certified);
  EXPECT_EQ(a.prediction.duplicate, b.prediction.duplicate);
  EXPECT_EQ(a.prediction.has_set, b.prediction.has_set);
  EXPECT_EQ(a.prediction.in_set[0], b.prediction.in_set[0]);
  EXPECT_EQ(a.prediction.in_set[1], b.prediction.in_set[1]);
  EXPECT_EQ(a.prediction.low, b.prediction.low);
  EXPECT_EQ(a.prediction.high, b.prediction.high);
  EXPECT_EQ(a.prediction.version, b.prediction.version);
  EXPECT_TRUE(std::ranges::equal(a.label_keys, b.label_keys));
  EXPECT_EQ(a.last_outcome, b.last_outcome);
  EXPECT_EQ(a.label, b.label);
  EXPECT_EQ(a.outcome_time, b.outcome_time);
  EXPECT_EQ(a.outcome_source, b.outcome_source);
}

// What protoc's code read, as ours would give it.
void expect_same(const Example& ours, const v1::Example& theirs) {
  EXPECT_EQ(ours.id.text, theirs.id());
  EXPECT_EQ(ours.id.is_integer, theirs.id_is_integer());
  EXPECT_EQ(ours.has_key, theirs.has_key());
  EXPECT_EQ(ours.key.text, theirs.key());
  EXPECT_EQ(ours.key.is_integer, theirs.key_is_integer());
  EXPECT_EQ(ours.event_time.value, theirs.event_time_us());
  EXPECT_EQ(ours.source.topic, theirs.source().topic());
  EXPECT_EQ(ours.source.partition.value, theirs.source().partition());
  EXPECT_EQ(ours.source.offset.value, theirs.source().offset());
  const auto bits_equal = [](const auto& a, const auto& b) {
    return static_cast<std::size_t>(a.size()) == static_cast<std::size_t>(b.size()) &&
           (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(*a.data())) == 0);
  };
  EXPECT_TRUE(bits_equal(ours.sample.dense, theirs.dense()));
  EXPECT_TRUE(bits_equal(ours.sample.indices, theirs.indices()));
  if (theirs.values_size() > 0) {
    EXPECT_TRUE(bits_equal(ours.sample.values, theirs.values()));
  } else {
    for (const float v : ours.sample.values) EXPECT_EQ(v, 1.0f);
  }
  EXPECT_TRUE(bits_equal(ours.label_keys, theirs.label_keys()));
  const auto same = [](auto a, auto b) { return std::memcmp(&a, &b, sizeof(a)) == 0; };
  EXPECT_TRUE(same(ours.prediction.value, theirs.prediction().value()));
  EXPECT_TRUE(same(ours.prediction.label, theirs.prediction().label()));
  EXPECT_EQ(ours.prediction.certified, theirs.prediction().certified());
  EXPECT_EQ(ours.prediction.duplicate, theirs.prediction().duplicate());
  EXPECT_EQ(ours.prediction.has_set, theirs.prediction().has_set());
  EXPECT_EQ(ours.prediction.in_set[0], theirs.prediction().set_has_0());
  EXPECT_EQ(ours.prediction.in_set[1], theirs.prediction().set_has_1());
  EXPECT_TRUE(same(ours.prediction.low, theirs.prediction().low()));
  EXPECT_TRUE(same(ours.prediction.high, theirs.prediction().high()));
  EXPECT_EQ(ours.prediction.version.value, theirs.prediction().version());
  EXPECT_TRUE(same(ours.last_outcome, theirs.last_outcome()));
  EXPECT_TRUE(same(ours.label, theirs.label()));
  EXPECT_EQ(ours.outcome_time.value, theirs.outcome_time_us());
  EXPECT_EQ(ours.outcome_source.topic, theirs.outcome_source().topic());
  EXPECT_EQ(ours.outcome_source.partition.value, theirs.outcome_source().partition());
  EXPECT_EQ(ours.outcome_source.offset.value, theirs.outcome_source().offset());
}

TEST(ExampleCodec, ProtobufReadsWhatWeWrite) {
  Rng rng(1);
  Row row;
  ByteBuffer out;
  for (int i = 0; i < 2000; ++i) {
    random_row(rng, row);
    out.clear();
    encode_example(row.example, out);
    v1::Example theirs;
    ASSERT_TRUE(theirs.ParseFromArray(out.data(), static_cast<int>(out.size())));
    EXPECT_EQ(theirs.GetReflection()->GetUnknownFields(theirs).field_count(), 0);
    expect_same(row.example, theirs);
    ASSERT_FALSE(HasFailure()) << "example " << i;
  }
}

TEST(ExampleCodec, WeReadWhatProtobufWritesAndWhatWeWrote) {
  Rng rng(2);
  Row row;
  ByteBuffer out;
  ExampleScratch scratch;
  for (int i = 0; i < 2000; ++i) {
    random_row(rng, row);
    out.clear();
    encode_example(row.example, out);
    Example ours;
    ASSERT_TRUE(decode_example(out.view(), scratch, ours));
    expect_same(row.example, ours);
    v1::Example theirs;
    ASSERT_TRUE(theirs.ParseFromArray(out.data(), static_cast<int>(out.size())));
    const std::string bytes = theirs.SerializeAsString();
    ASSERT_TRUE(decode_example(bytes, scratch, ours));
    expect_same(row.example, ours);
    ASSERT_FALSE(HasFailure()) << "example " << i;
  }
}

TEST(ExampleCodec, ARowAndAnOutcomeMakeAnExample) {
  Rng rng(3);
  Row row;
  random_row(rng, row);
  ByteBuffer whole, parts;
  ExampleScratch scratch;
  Example ours;
  encode_example(row.example, whole);
  encode_row(row.example, parts);
  EXPECT_TRUE(decode_row(parts.view(), scratch, ours));
  EXPECT_FALSE(decode_example(parts.view(), scratch, ours)) << "no label in a row";
  encode_outcome(row.example.label, row.example.outcome_time, row.example.outcome_source, parts);
  EXPECT_EQ(whole.view(), parts.view());
}

TEST(ExampleCodec, GoldenBytes) {
  const float dense[] = {1.0f};
  const std::uint32_t indices[] = {2};
  const float values[] = {1.0f};
  const std::uint64_t keys[] = {3};
  Example e;
  e.id = integer_id("7");
  e.event_time = EventTime(1);
  e.source = {"t", PartitionId(0), Offset(5)};
  e.sample = {dense, indices, values};
  e.prediction.value = 0.5;
  e.prediction.certified = true;
  e.label_keys = keys;
  e.label = 1.0;
  e.outcome_time = EventTime(2);
  e.outcome_source = {"u", PartitionId(0), Offset(6)};
  ByteBuffer out;
  encode_example(e, out);
  const unsigned char golden[] = {
      0x0a, 1, '7', 0x10, 1,                                                              // id
      0x29, 1, 0, 0, 0, 0, 0, 0, 0,                                                       // event_time_us
      0x32, 17, 0x0a, 1, 't', 0x15, 0, 0, 0, 0, 0x19, 5, 0, 0, 0, 0, 0, 0, 0,             // source
      0x3a, 4, 0, 0, 0x80, 0x3f, 0x42, 4, 2, 0, 0, 0,                                     // dense, indices; values: all 1
      0x52, 29, 0x09, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 1,  // prediction
      0x51, 0, 0, 0, 0, 0, 0, 0, 0,
      0x5a, 8, 3, 0, 0, 0, 0, 0, 0, 0,                                                    // label_keys
      0x65, 0, 0, 0x80, 0xbf,                                                             // last_outcome
      0x69, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x71, 2, 0, 0, 0, 0, 0, 0, 0,                   // label, outcome_time_us
      0x7a, 17, 0x0a, 1, 'u', 0x15, 0, 0, 0, 0, 0x19, 6, 0, 0, 0, 0, 0, 0, 0};            // outcome_source
  EXPECT_EQ(text_of(out), std::string(reinterpret_cast<const char*>(golden), sizeof(golden)));
}

// Any bytes: nothing is read out of bounds (address sanitizer, exact-size copies), and what we accept protoc accepts and
// understands the same way; what it accepts and we refuse has a group or values that do not match their indices.
TEST(ExampleCodec, AgreesWithProtobufOnDamagedBytes) {
  const google::protobuf::LogSilencer silence;  // It prints a line for each string that is not UTF-8.
  Rng rng(4);
  Row row;
  ByteBuffer out;
  ExampleScratch scratch;
  int accepted = 0, refused = 0;
  for (int i = 0; i < 30000; ++i) {
    random_row(rng, row);
    out.clear();
    encode_example(row.example, out);
    std::string bytes = text_of(out);
    switch (rng.below(4)) {
      case 0: bytes.resize(rng.below(bytes.size())); break;
      case 1: bytes.insert(rng.below(bytes.size()), 1, static_cast<char>(rng.next_u64())); break;
      case 2: bytes.erase(rng.below(bytes.size()), 1 + rng.below(8)); break;
      default: break;
    }
    for (std::uint64_t flips = rng.below(4); flips > 0 && !bytes.empty(); --flips)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next_u64());
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    Example ours;
    const bool we = decode_row({exact.get(), bytes.size()}, scratch, ours);
    v1::Example theirs;
    const bool they = theirs.ParseFromString(bytes);
    if (we) {
      ++accepted;
      ASSERT_TRUE(they) << i;
      expect_same(ours, theirs);
      ASSERT_FALSE(HasFailure()) << "bytes " << i;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(ModelVersionCodec, ComesBackInParts) {
  std::string file(2 * kPartBytesMax + 17, 'x');
  for (std::size_t i = 0; i < file.size(); ++i) file[i] = static_cast<char>(i * 31);
  ModelVersionRecord record;
  record.partition = PartitionId(3);
  record.version = ModelVersion(10000);
  record.kind = "logistic";
  record.crc = 0xdeadbeef;
  record.parameters = 500;
  record.event_time = EventTime(-5);
  std::string together;
  std::uint32_t parts = 0;
  for_each_part(record, file, crc32c(file), [&](const ModelVersionRecord& part) {
    ByteBuffer out;
    encode_model_version(part, out);
    EXPECT_LT(out.size(), kPartBytesMax + 100);
    ModelVersionRecord ours;
    ASSERT_TRUE(decode_model_version(out.view(), ours));
    EXPECT_EQ(ours.part, parts++);
    EXPECT_EQ(ours.parts, 3u);
    EXPECT_EQ(ours.kind, "logistic");
    EXPECT_EQ(ours.version, record.version);
    EXPECT_EQ(ours.file_crc, crc32c(file));
    EXPECT_EQ(ours.file_bytes, file.size());
    EXPECT_EQ(ours.event_time, record.event_time);
    together += ours.safetensors;
    v1::ModelVersion theirs;
    ASSERT_TRUE(theirs.ParseFromArray(out.data(), static_cast<int>(out.size())));
    EXPECT_EQ(theirs.partition(), 3);
    EXPECT_EQ(theirs.crc(), record.crc);
    EXPECT_EQ(theirs.parameters(), 500u);
    EXPECT_EQ(theirs.safetensors(), ours.safetensors);
    EXPECT_EQ(theirs.part(), ours.part);
    EXPECT_EQ(theirs.event_time_us(), -5);
    ModelVersionRecord again;
    const std::string bytes = theirs.SerializeAsString();
    ASSERT_TRUE(decode_model_version(bytes, again));
    EXPECT_EQ(again.crc, record.crc);
    EXPECT_EQ(again.partition, record.partition);
  });
  EXPECT_EQ(parts, 3u);
  EXPECT_EQ(together, file);
}

TEST(MetricsCodec, BothDirections) {
  const MetricSample samples[] = {{"weir_events_total", 5.0}, {"weir_lag{topic=\"logs\"}", -0.5}};
  ByteBuffer out;
  encode_metrics("host-1", EventTime(9), samples, out);
  v1::Metrics theirs;
  ASSERT_TRUE(theirs.ParseFromArray(out.data(), static_cast<int>(out.size())));
  EXPECT_EQ(theirs.process(), "host-1");
  EXPECT_EQ(theirs.time_us(), 9);
  ASSERT_EQ(theirs.samples_size(), 2);
  EXPECT_EQ(theirs.samples(1).name(), samples[1].name);
  EXPECT_EQ(theirs.samples(1).value(), -0.5);
  std::string_view process;
  EventTime time;
  std::vector<MetricSample> ours;
  const std::string bytes = theirs.SerializeAsString();
  ASSERT_TRUE(decode_metrics(bytes, process, time, ours));
  EXPECT_EQ(process, "host-1");
  EXPECT_EQ(time, EventTime(9));
  ASSERT_EQ(ours.size(), 2u);
  EXPECT_EQ(ours[0].name, samples[0].name);
  EXPECT_EQ(ours[0].value, 5.0);
  EXPECT_FALSE(decode_metrics(bytes.substr(0, bytes.size() - 1), process, time, ours));
}

// --- JSON ---

struct JsonCase {
  Event event;
  Prediction prediction;
  Source source{"flights.logs", PartitionId(0), Offset(12)};
};

std::string prediction_json(const JsonCase& c, TaskKind kind, std::optional<std::uint64_t> n = std::nullopt) {
  ByteBuffer out;
  write_prediction(ValueFormat::kJson, c.event, c.prediction, c.source, kind, PartitionId(2), out, n);
  return text_of(out);
}

TEST(PredictionJson, Classification) {
  JsonCase c;
  c.event.id = integer_id("17");
  c.event.event_time = EventTime(1357035300000000);
  c.prediction.value = 0.1;
  c.prediction.certified = true;
  c.prediction.has_set = true;
  c.prediction.in_set[0] = true;
  c.prediction.version = ModelVersion(41);
  EXPECT_EQ(prediction_json(c, TaskKind::kClassification),
            R"({"id":17,"key":null,"event_time":1357035300000000,"probability":0.1,"label_predicted":0,"certified":true,)"
            R"("set":[0],"model_version":"2/41","source":{"topic":"flights.logs","partition":0,"offset":12}})");
  c.event.key = text_id("EWR");
  c.event.has_key = true;
  c.prediction.in_set[1] = true;
  c.prediction.label = 1.0;
  c.prediction.certified = false;
  c.prediction.duplicate = true;
  EXPECT_EQ(prediction_json(c, TaskKind::kClassification, 3),
            R"({"id":17,"key":"EWR","event_time":1357035300000000,"probability":0.1,"label_predicted":1,"certified":false,)"
            R"("set":[0,1],"model_version":"2/41","source":{"topic":"flights.logs","partition":0,"offset":12},)"
            R"("duplicate":true,"n":3})");
}

TEST(PredictionJson, RegressionAndGateOff) {
  JsonCase c;
  c.event.id = text_id("a");
  c.prediction.value = 12.25;
  c.prediction.label = 12.25;
  EXPECT_EQ(prediction_json(c, TaskKind::kRegression),
            R"({"id":"a","key":null,"event_time":0,"value":12.25,"label_predicted":12.25,"certified":false,"set":null,)"
            R"("model_version":"2/0","source":{"topic":"flights.logs","partition":0,"offset":12}})");
  c.prediction.has_set = true;
  c.prediction.low = -1e300;
  c.prediction.high = 0.3;
  EXPECT_NE(prediction_json(c, TaskKind::kRegression).find(R"("set":[-1e+300,0.3])"), std::string::npos);
}

TEST(PredictionJson, EscapesWhatJsonWants) {
  JsonCase c;
  const std::string id = "q\"b\\n\nt\tz\x01\x1f caf\xc3\xa9 long enough for whole words \x7f";
  c.event.id = text_id(id);
  EXPECT_EQ(prediction_json(c, TaskKind::kClassification).substr(0, 80),
            "{\"id\":\"q\\\"b\\\\n\\nt\\tz\\u0001\\u001f caf\xc3\xa9 long enough for whole words \x7f\",\"key\":null");
}

TEST(PredictionJson, WorstCaseFitsTheRoomMadeForIt) {
  JsonCase c;
  const std::string nasty(256, '\x01');
  c.event.id = text_id(nasty);
  c.event.key = text_id(nasty);
  c.event.has_key = true;
  c.source.topic = nasty;
  c.source.partition = PartitionId(std::numeric_limits<std::int32_t>::min());
  c.source.offset = Offset(std::numeric_limits<std::int64_t>::min());
  c.event.event_time = EventTime(std::numeric_limits<std::int64_t>::min());
  c.prediction.value = c.prediction.label = c.prediction.low = c.prediction.high = -2.2250738585072014e-308;
  c.prediction.has_set = c.prediction.duplicate = true;
  c.prediction.version = ModelVersion(~0ULL);
  const std::string text = prediction_json(c, TaskKind::kRegression, ~0ULL);
  EXPECT_TRUE(json::is_object(text));
  EXPECT_LE(text.size(), 512 + 3 * json::string_bytes_max(256) + 96);
}

TEST(DeadLetterJson, TextAndOtherBytes) {
  ByteBuffer out;
  DeadLetter letter{Reason::kWrongType, "temp: \"x\"", {"f.logs", PartitionId(1), Offset(9)}, EventTime(5), "{\"a\":1}", 7, 77};
  write_dead_letter(ValueFormat::kJson, letter, out);
  EXPECT_EQ(text_of(out),
            R"({"reason":"wrong_type","detail":"temp: \"x\"","event_time":5,"source":{"topic":"f.logs","partition":1,"offset":9},)"
            R"("original":"{\"a\":1}","length":7,"crc32c":77})");
  out.clear();
  letter.event_time.reset();
  letter.line = std::string_view("\xff\x00\x01\x02", 4);
  letter.line_bytes = 4;
  write_dead_letter(ValueFormat::kJson, letter, out);
  EXPECT_NE(text_of(out).find(R"("event_time":null,)"), std::string::npos);
  EXPECT_NE(text_of(out).find(R"("original_base64":"/wABAg==","length":4)"), std::string::npos);
}

TEST(DeadLetterJson, KeepsAtMost64KiBAndCutsNoCharacter) {
  std::string line;
  for (int i = 0; i < 50000; ++i) line += "\xe2\x82\xac";  // Euro signs: 64 KiB falls inside one.
  ParsedRecord parsed;
  parsed.line = line;
  parsed.line_bytes = line.size();
  const DeadLetter letter = dead_letter_of(parsed, Reason::kMalformed, "", {"t", PartitionId(0), Offset(0)});
  EXPECT_EQ(letter.line_crc, crc32c(line));
  ByteBuffer out;
  write_dead_letter(ValueFormat::kJson, letter, out);
  const std::string text = text_of(out);
  EXPECT_TRUE(json::is_object(text));
  EXPECT_NE(text.find("\"original\":\""), std::string::npos);
  EXPECT_NE(text.find("\"length\":150000"), std::string::npos);
  EXPECT_LT(text.size(), 66000u);
  EXPECT_GT(text.size(), 65530u);
}

TEST(UnjoinedJson, WithAndWithoutAnId) {
  ByteBuffer out;
  write_unjoined(ValueFormat::kJson, {integer_id("5"), UnjoinedReason::kExpired, "", 1.0, EventTime(3), {"f.outcomes", PartitionId(0), Offset(2)}}, out);
  EXPECT_EQ(text_of(out), R"({"id":5,"reason":"expired","detail":"","label":1,"event_time":3,)"
                          R"("source":{"topic":"f.outcomes","partition":0,"offset":2}})");
  out.clear();
  write_unjoined(ValueFormat::kJson, {std::nullopt, UnjoinedReason::kInvalid, "label: NaN", std::nullopt, std::nullopt, {"o", PartitionId(0), Offset(2)}}, out);
  EXPECT_EQ(text_of(out), R"({"id":null,"reason":"invalid","detail":"label: NaN","label":null,"event_time":null,)"
                          R"("source":{"topic":"o","partition":0,"offset":2}})");
}

TEST(ValueJson, RendersEveryTopicAsOneObject) {
  Rng rng(6);
  Row row;
  ByteBuffer in, out;
  for (int i = 0; i < 200; ++i) {
    random_row(rng, row);
    in.clear();
    out.clear();
    encode_example(row.example, in);
    ASSERT_TRUE(write_value_json(Topic::kExamples, in.view(), out));
    EXPECT_TRUE(json::is_object(out.view())) << out.view();
  }
  in.clear();
  out.clear();
  ModelVersionRecord record;
  record.kind = "logistic";
  record.version = ModelVersion(4);
  encode_model_version(record, in);
  ASSERT_TRUE(write_value_json(Topic::kModels, in.view(), out));
  EXPECT_EQ(text_of(out), R"({"model_version":"0/4","kind":"logistic","crc":0,"parameters":0,"event_time":0})");
  v1::Candidate candidate;
  candidate.mutable_model()->set_kind("gru");
  candidate.set_loss(0.5);
  candidate.set_examples(3);
  out.clear();
  ASSERT_TRUE(write_value_json(Topic::kCandidates, candidate.SerializeAsString(), out));
  EXPECT_NE(text_of(out).find(R"(},"loss":0.5,"examples":3})"), std::string::npos);
  const auto line = [&](std::string_view value) {
    out.clear();
    EXPECT_TRUE(write_value_json(Topic::kLogs, value, out));
    return text_of(out);
  };
  EXPECT_EQ(line("{\"id\": 1}"), "{\"id\": 1}");
  EXPECT_EQ(line("{\"id\": 1"), R"({"line":"{\"id\": 1"})");
  EXPECT_EQ(line("a,b"), R"({"line":"a,b"})");
  EXPECT_EQ(line("\xff"), R"({"line_base64":"/w=="})");
  out.clear();
  EXPECT_FALSE(write_value_json(Topic::kExamples, "\x0a\x7f", out));
  EXPECT_TRUE(out.empty());
}

TEST(Codec, SumsCapacitiesAndCandidatesAreWhatProtocReads) {
  NeuronSum sum{.partition = PartitionId(3), .job = 70000, .sweep = 5, .neuron = 30, .sum = -417, .n = 823, .sum_before = 5, .capacity = 4000000000U,
                .salt = 0xffffffffU, .correct_before = 600, .correct_after = 601, .keys = 9, .votes = 40, .vote_sum = -12345678901, .rows = 2,
                .regime = "gold", .selected_by = "explore", .accepted = true, .clamped = false, .event_time = EventTime(-7)};
  ByteBuffer bytes, json;
  encode_neuron_sum(sum, bytes);
  v1::Sums sums;
  ASSERT_TRUE(sums.ParseFromString(text_of(bytes)));
  EXPECT_EQ(sums.partition(), 3);
  EXPECT_EQ(sums.job(), 70000U);
  EXPECT_EQ(sums.sum(), -417);
  EXPECT_EQ(sums.sum_before(), 5);
  EXPECT_EQ(sums.capacity(), 4000000000U);
  EXPECT_EQ(sums.salt(), 0xffffffffU);
  EXPECT_EQ(sums.vote_sum(), -12345678901);
  EXPECT_EQ(sums.regime(), "gold");
  EXPECT_EQ(sums.selected_by(), "explore");
  EXPECT_TRUE(sums.accepted());
  EXPECT_FALSE(sums.clamped());
  EXPECT_EQ(sums.event_time_us(), -7);
  NeuronSum back;
  const std::string written = sums.SerializeAsString();  // What is decoded looks into it.
  ASSERT_TRUE(decode_neuron_sum(written, back));
  EXPECT_EQ(back, sum);
  sums.set_sum(std::numeric_limits<std::int32_t>::min());
  ASSERT_TRUE(decode_neuron_sum(sums.SerializeAsString(), back));
  EXPECT_EQ(back.sum, std::numeric_limits<std::int32_t>::min());
  ASSERT_TRUE(write_value_json(Topic::kSums, bytes.view(), json));
  EXPECT_TRUE(json::is_object(json.view())) << json.view();
  EXPECT_NE(text_of(json).find(R"({"partition":3,"job":70000,)"), std::string::npos) << json.view();
  EXPECT_NE(text_of(json).find(R"("regime":"gold","selected_by":"explore","accepted":true,"clamped":false,"event_time":-7})"), std::string::npos);

  const NeuronCapacity capacity{.partition = PartitionId(1), .neuron = 2, .job = 3, .capacity = 1500, .clamped = true, .event_time = EventTime(9)};
  bytes.clear();
  encode_neuron_capacity(capacity, bytes);
  v1::Capacity oracle;
  ASSERT_TRUE(oracle.ParseFromString(text_of(bytes)));
  EXPECT_EQ(oracle.neuron(), 2U);
  EXPECT_EQ(oracle.capacity(), 1500U);
  NeuronCapacity capacity_back;
  ASSERT_TRUE(decode_neuron_capacity(oracle.SerializeAsString(), capacity_back));
  EXPECT_EQ(capacity_back, capacity);
  json.clear();
  ASSERT_TRUE(write_value_json(Topic::kCapacity, bytes.view(), json));
  EXPECT_EQ(text_of(json), R"({"partition":1,"neuron":2,"job":3,"capacity":1500,"clamped":true,"event_time":9})");

  ModelVersionRecord version;
  version.kind = "hashtron";
  version.version = ModelVersion(12);
  ByteBuffer model;
  encode_model_version(version, model);
  bytes.clear();
  encode_candidate({model.view(), 0.25, 40}, bytes);
  v1::Candidate candidate;
  ASSERT_TRUE(candidate.ParseFromString(text_of(bytes)));
  EXPECT_EQ(candidate.model().kind(), "hashtron");
  EXPECT_EQ(candidate.loss(), 0.25);
  EXPECT_EQ(candidate.examples(), 40U);
  CandidateRecord candidate_back;
  ASSERT_TRUE(decode_candidate(bytes.view(), candidate_back));
  EXPECT_EQ(candidate_back.model, model.view());

  for (const char* bad : {"\x0a\x7f", "\x80", "\x08", "\xff\xff\xff\xff\xff\xff"}) {
    EXPECT_FALSE(decode_neuron_sum(bad, back));
    EXPECT_FALSE(decode_neuron_capacity(bad, capacity_back));
    EXPECT_FALSE(decode_candidate(bad, candidate_back));
    json.clear();
    EXPECT_FALSE(write_value_json(Topic::kSums, bad, json));
    EXPECT_TRUE(json.empty());
  }
}

TEST(JsonText, KnowsAnObject) {
  for (const char* good : {"{}", " {\"a\":[1,-0.5e+3,true,null,{\"b\":\"\\u00e9\\n\"}]} ", "{\"a\":0}"})
    EXPECT_TRUE(json::is_object(good)) << good;
  for (const char* bad : {"", "[]", "{", "{}x", "{\"a\"}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":+1}", "{\"a\":NaN}", "{\"a\":1,}",
                          "{a:1}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":tru}", "{\"\xff\":1}"})
    EXPECT_FALSE(json::is_object(bad)) << bad;
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i) deep += '[';
  EXPECT_FALSE(json::is_object(deep));
}

TEST(JsonText, Utf8) {
  for (const char* good : {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf", "eight bytes and \xc3\xa9 more than eight"})
    EXPECT_TRUE(json::is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xe2\x82", "\xe2\x28\xa1", "12345678\xff"})
    EXPECT_FALSE(json::is_utf8(bad)) << bad;
  EXPECT_EQ(json::utf8_prefix("a\xe2\x82\xac", 3), "a");
  EXPECT_EQ(json::utf8_prefix("a\xe2\x82\xac", 4), "a\xe2\x82\xac");
}

}  // namespace
}  // namespace weir
