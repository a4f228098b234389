// Goal: what is for you says the same in both formats: Protobuf's own code reads what we write and the other way round, and what
// `tail` prints of it is, byte for byte, the JSON that would have been written instead. (schemas_test holds that against the schemas.)
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/crc32c.hpp"
#include "core/base/rng.hpp"
#include "core/records/codec.hpp"
#include "core/records/json_text.hpp"
#include "weir.pb.h"

namespace weir {
namespace {

constexpr std::array kFormats = {ValueFormat::kJson, ValueFormat::kProtobuf};

// Owns what a record's views point to.
struct Texts {
  std::string id, key, topic, detail, line;
};

std::string random_text(Rng& rng, std::uint64_t pieces_max) {
  static constexpr const char* kPieces[] = {"a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xf0\x9f\x9a\x80", " ", "{", "\"reason\":\"x\"", "7"};
  std::string out;
  for (std::uint64_t n = rng.below(pieces_max + 1); n > 0; --n) out += kPieces[rng.below(std::size(kPieces))];
  return out;
}
Id random_id(Rng& rng, std::string& storage) {
  const bool integer = rng.below(2) == 0;
  storage = integer ? std::to_string(static_cast<std::int64_t>(rng.next_u64()) / 10) : random_text(rng, 40);
  return {storage, integer};
}
EventTime random_time(Rng& rng) { return EventTime(static_cast<std::int64_t>(rng.next_u64())); }
Source random_source(Rng& rng, std::string& topic) {
  topic = random_text(rng, rng.below(2) == 0 ? 5 : 100);
  return {topic, PartitionId(static_cast<std::int32_t>(rng.below(300))), Offset(static_cast<std::int64_t>(rng.below(1ULL << 62)))};
}
std::optional<double> random_number(Rng& rng) {
  if (rng.below(3) == 0) return std::nullopt;
  return rng.below(4) == 0 ? 0.0 : rng.normal() * 1e10;
}

PublishedPrediction random_prediction(Rng& rng, Texts& texts) {
  PublishedPrediction r;
  r.event.id = random_id(rng, texts.id);
  r.event.has_key = rng.below(2) == 0;
  if (r.event.has_key) r.event.key = random_id(rng, texts.key);
  r.event.event_time = random_time(rng);
  r.source = random_source(rng, texts.topic);
  r.kind = rng.below(2) == 0 ? TaskKind::kClassification : TaskKind::kRegression;
  r.partition = PartitionId(static_cast<std::int32_t>(rng.below(256)));
  Prediction& p = r.prediction;
  p.value = r.kind == TaskKind::kClassification ? rng.uniform() : rng.normal() * 1e3;
  p.label = r.kind == TaskKind::kClassification ? static_cast<double>(rng.below(2)) : p.value;
  p.certified = rng.below(2) == 0;
  p.duplicate = rng.below(4) == 0;
  p.has_set = rng.below(3) != 0;
  if (p.has_set && r.kind == TaskKind::kClassification) {
    p.in_set[0] = rng.below(2) == 0;
    p.in_set[1] = rng.below(2) == 0;
  } else if (p.has_set) {
    p.low = p.value - rng.uniform();
    p.high = p.value + rng.uniform();
  }
  p.version = ModelVersion(rng.below(2) == 0 ? rng.below(100) : rng.next_u64());
  if (rng.below(3) == 0) r.n = rng.next_u64();
  return r;
}
void write(ValueFormat format, const PublishedPrediction& r, ByteBuffer& out) {
  write_prediction(format, r.event, r.prediction, r.source, r.kind, r.partition, out, r.n);
}
DeadLetter random_dead_letter(Rng& rng, Texts& texts) {
  DeadLetter r;
  r.reason = static_cast<Reason>(rng.below(kReasonCount));
  texts.detail = random_text(rng, 30);
  r.detail = texts.detail;
  r.source = random_source(rng, texts.topic);
  if (rng.below(2) == 0) r.event_time = random_time(rng);
  texts.line = random_text(rng, 200);
  if (rng.below(3) == 0)
    for (std::uint64_t n = rng.below(40); n > 0; --n) texts.line += static_cast<char>(rng.next_u64());
  if (rng.below(50) == 0)  // Beyond what is kept, a character across the cut.
    while (texts.line.size() < kDeadLetterBytesMax + 100) texts.line += "\xe2\x82\xac";
  r.line = texts.line;
  r.line_bytes = texts.line.size() + (rng.below(4) == 0 ? rng.below(1 << 20) : 0);
  r.line_crc = crc32c(texts.line);
  return r;
}
Unjoined random_unjoined(Rng& rng, Texts& texts) {
  Unjoined r;
  if (rng.below(3) != 0) r.id = random_id(rng, texts.id);
  r.reason = static_cast<UnjoinedReason>(rng.below(kUnjoinedReasonCount));
  texts.detail = random_text(rng, 30);
  r.detail = texts.detail;
  r.label = random_number(rng);
  if (rng.below(2) == 0) r.event_time = random_time(rng);
  r.source = random_source(rng, texts.topic);
  return r;
}
Alert random_alert(Rng& rng, Texts& texts) {
  texts.detail = random_text(rng, 30);
  return {rng.below(2) == 0 ? "drift" : "rollback", texts.detail, random_time(rng), PartitionId(static_cast<std::int32_t>(rng.below(256))),
          random_number(rng), random_number(rng)};
}

// One random record of a topic, in both formats.
struct Written {
  std::array<std::string, 2> bytes;
};
Written random_record(Rng& rng, Topic topic) {
  Texts texts;
  Written out;
  const auto both = [&](const auto& record, const auto& writer) {
    for (std::size_t i = 0; i < kFormats.size(); ++i) {
      ByteBuffer buffer;
      writer(kFormats[i], record, buffer);
      out.bytes[i] = buffer.view();
    }
  };
  switch (topic) {
    case Topic::kDeadLetters: both(random_dead_letter(rng, texts), write_dead_letter); break;
    case Topic::kUnjoined: both(random_unjoined(rng, texts), write_unjoined); break;
    case Topic::kAlerts: both(random_alert(rng, texts), write_alert); break;
    default: both(random_prediction(rng, texts), [](ValueFormat f, const PublishedPrediction& r, ByteBuffer& o) { write(f, r, o); });
  }
  return out;
}

std::unique_ptr<google::protobuf::Message> message_of(Topic topic) {
  switch (topic) {
    case Topic::kDeadLetters: return std::make_unique<v1::DeadLetter>();
    case Topic::kUnjoined: return std::make_unique<v1::Unjoined>();
    case Topic::kAlerts: return std::make_unique<v1::Alert>();
    default: return std::make_unique<v1::PublishedPrediction>();
  }
}

std::string json_of(Topic topic, std::string_view value) {
  ByteBuffer out;
  EXPECT_TRUE(write_value_json(topic, value, out));
  return std::string(out.view());
}

std::vector<Topic> chosen_topics() {
  std::vector<Topic> out;
  for (const TopicTraits& traits : topic_table())
    if (traits.has_choice()) out.push_back(traits.topic);
  return out;
}

class Published : public testing::TestWithParam<Topic> {};

TEST_P(Published, ProtobufReadsWhatWeWriteAndWeWhatItWrites) {
  const Topic topic = GetParam();
  EXPECT_EQ(traits_of(topic).message, message_of(topic)->GetDescriptor()->full_name());
  Rng rng(1);
  for (int i = 0; i < 2000; ++i) {
    const auto [json, protobuf] = random_record(rng, topic).bytes;
    const auto theirs = message_of(topic);
    ASSERT_TRUE(theirs->ParseFromString(protobuf)) << json;
    EXPECT_EQ(theirs->GetReflection()->GetUnknownFields(*theirs).field_count(), 0) << json;
    // Its bytes leave out zeros that ours say: still the same record.
    EXPECT_EQ(json_of(topic, theirs->SerializeAsString()), json) << "record " << i;
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(Published, WhatIsPrintedOfProtobufIsTheJsonThatWouldHaveBeenWritten) {
  Rng rng(2);
  for (int i = 0; i < 2000; ++i) {
    const auto [json, protobuf] = random_record(rng, GetParam()).bytes;
    ASSERT_EQ(json_of(GetParam(), protobuf), json) << "record " << i;
    EXPECT_NE(protobuf[0], '{') << "what tells the formats apart";
    EXPECT_EQ(json[0], '{');
    EXPECT_EQ(reason_in(GetParam(), protobuf), reason_in(GetParam(), json)) << json;
    const auto facts = prediction_facts(protobuf), facts_of_json = prediction_facts(json);
    const bool predictions = GetParam() == Topic::kPredictions || GetParam() == Topic::kAbstained;
    ASSERT_EQ(facts_of_json.has_value(), predictions);
    if (!predictions) continue;
    ASSERT_TRUE(facts.has_value());
    EXPECT_EQ(facts->version, facts_of_json->version);
    EXPECT_EQ(facts->partition, facts_of_json->partition);
    EXPECT_EQ(facts->certified, facts_of_json->certified);
    EXPECT_EQ(facts->classification, facts_of_json->classification);
  }
}

// A newer program's fields, of every wire type, before and behind ours.
TEST_P(Published, SkipsFieldsItDoesNotKnow) {
  Rng rng(3);
  const std::string unknown("\x80\x01\x05" "\x89\x01" "12345678" "\x92\x01\x03" "abc" "\x9d\x01" "1234", 3 + 2 + 8 + 3 + 3 + 2 + 4);
  for (int i = 0; i < 200; ++i) {
    const auto [json, protobuf] = random_record(rng, GetParam()).bytes;
    const auto theirs = message_of(GetParam());
    ASSERT_TRUE(theirs->ParseFromString(unknown + protobuf));
    EXPECT_EQ(theirs->GetReflection()->GetUnknownFields(*theirs).field_count(), 4);
    EXPECT_EQ(json_of(GetParam(), unknown + protobuf), json);
    EXPECT_EQ(json_of(GetParam(), protobuf + unknown), json);
  }
}

// Any bytes: nothing is read out of bounds (address sanitizer, exact-size copies), and what we accept protoc accepts and
// understands the same way.
TEST_P(Published, AgreesWithProtobufOnDamagedBytes) {
  const google::protobuf::LogSilencer silence;  // It prints a line for each string that is not UTF-8.
  Rng rng(4);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = random_record(rng, GetParam()).bytes[1];
    switch (rng.below(4)) {
      case 0: bytes.resize(rng.below(bytes.size())); break;
      case 1: bytes.insert(rng.below(bytes.size()), 1, static_cast<char>(rng.next_u64())); break;
      case 2: bytes.erase(rng.below(bytes.size()), 1 + rng.below(8)); break;
      default: break;
    }
    for (std::uint64_t flips = rng.below(3); flips > 0 && !bytes.empty(); --flips) bytes[rng.below(bytes.size())] = static_cast<char>(rng.next_u64());
    if (bytes.starts_with('{')) continue;
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    const std::string_view damaged(exact.get(), bytes.size());
    const std::string json = json_of(GetParam(), damaged);
    EXPECT_TRUE(json::is_object(json)) << json;
    if (json.starts_with("{\"line")) {
      ++refused;
      continue;
    }
    ++accepted;
    const auto theirs = message_of(GetParam());
    ASSERT_TRUE(theirs->ParseFromString(bytes)) << json;
    EXPECT_EQ(json_of(GetParam(), theirs->SerializeAsString()), json) << i;
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

INSTANTIATE_TEST_SUITE_P(Topics, Published, testing::ValuesIn(chosen_topics()), [](const auto& info) {
  std::string name(short_name(info.param));
  std::erase(name, '-');
  return name;
});

template <std::size_t N>
std::string bytes_of(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}

TEST(PublishedBytes, Golden) {
  ByteBuffer out;
  PublishedPrediction r;
  r.event.id = {"7", true};
  r.event.key = {"k", false};
  r.event.has_key = true;
  r.event.event_time = EventTime(1);
  r.source = {"t", PartitionId(2), Offset(5)};
  r.partition = PartitionId(2);
  r.prediction.value = 0.5;
  r.prediction.label = 1.0;
  r.prediction.certified = r.prediction.has_set = r.prediction.duplicate = true;
  r.prediction.in_set[1] = true;
  r.prediction.version = ModelVersion(300);
  r.n = 3;
  write(ValueFormat::kProtobuf, r, out);
  const unsigned char classification[] = {
      0x0a, 1, '7', 0x10, 1, 0x1a, 1, 'k',                                                            // id, id_is_integer, key
      0x29, 1, 0, 0, 0, 0, 0, 0, 0,                                                                   // event_time_us
      0x32, 17, 0x0a, 1, 't', 0x15, 2, 0, 0, 0, 0x19, 5, 0, 0, 0, 0, 0, 0, 0,                         // source
      0x39, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0x49, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x50, 1,                // probability, label_predicted, certified
      0x5a, 10, 0x0a, 8, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f,                                                // set
      0x60, 2, 0x68, 0xac, 2, 0x70, 1, 0x78, 3};                                                      // partition, version, duplicate, n
  EXPECT_EQ(out.view(), bytes_of(classification));
  out.clear();
  r = PublishedPrediction();
  r.kind = TaskKind::kRegression;
  r.event.id = {"a", false};
  r.prediction.has_set = true;
  r.prediction.high = 1.0;
  write(ValueFormat::kProtobuf, r, out);
  const unsigned char regression[] = {
      0x0a, 1, 'a', 0x29, 0, 0, 0, 0, 0, 0, 0, 0,                                                     // id, event_time_us
      0x32, 16, 0x0a, 0, 0x15, 0, 0, 0, 0, 0x19, 0, 0, 0, 0, 0, 0, 0, 0,                              // source
      0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0x49, 0, 0, 0, 0, 0, 0, 0, 0,                                     // value, label_predicted
      0x5a, 18, 0x0a, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x60, 0, 0x68, 0};    // set, partition, version
  EXPECT_EQ(out.view(), bytes_of(regression));
  out.clear();
  write_dead_letter(ValueFormat::kProtobuf, {Reason::kPoison, "d", {"t", PartitionId(0), Offset(5)}, EventTime(-1), "\xff{", 300, 7}, out);
  const unsigned char letter[] = {0x0a, 6, 'p', 'o', 'i', 's', 'o', 'n', 0x12, 1, 'd', 0x19, 255, 255, 255, 255, 255, 255, 255, 255,
                                  0x22, 17, 0x0a, 1, 't', 0x15, 0, 0, 0, 0, 0x19, 5, 0, 0, 0, 0, 0, 0, 0,
                                  0x2a, 2, 0xff, '{', 0x30, 0xac, 2, 0x3d, 7, 0, 0, 0};
  EXPECT_EQ(out.view(), bytes_of(letter));
  out.clear();
  write_unjoined(ValueFormat::kProtobuf, {Id{"7", true}, UnjoinedReason::kNoId, "", 0.0, EventTime(0), {"t", PartitionId(0), Offset(5)}}, out);
  const unsigned char unjoined[] = {0x0a, 1, '7', 0x10, 1, 0x1a, 5, 'n', 'o', '_', 'i', 'd', 0x22, 0, 0x29, 0, 0, 0, 0, 0, 0, 0, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0,
                                    0x3a, 17, 0x0a, 1, 't', 0x15, 0, 0, 0, 0, 0x19, 5, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(out.view(), bytes_of(unjoined));
  out.clear();
  write_alert(ValueFormat::kProtobuf, {"drift", "m", EventTime(2), PartitionId(1), 1.0, std::nullopt}, out);
  const unsigned char alert[] = {0x0a, 5, 'd', 'r', 'i', 'f', 't', 0x12, 1, 'm', 0x19, 2, 0, 0, 0, 0, 0, 0, 0, 0x20, 1, 0x29, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f};
  EXPECT_EQ(out.view(), bytes_of(alert));
}

// docs/formats.md shows one prediction in both formats.
TEST(PublishedBytes, AreThoseOfTheDocs) {
  std::ifstream file(WEIR_FORMATS_PAGE);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  PublishedPrediction r;
  r.event.id = {"105", true};
  r.event.event_time = EventTime(1357042440000000);
  r.source = {"logs", PartitionId(0), Offset(104)};
  r.prediction.value = 0.25;
  r.prediction.certified = r.prediction.has_set = r.prediction.in_set[0] = true;
  r.prediction.version = ModelVersion(12);
  ByteBuffer json, protobuf;
  write(ValueFormat::kJson, r, json);
  write(ValueFormat::kProtobuf, r, protobuf);
  EXPECT_NE(page.find("\n" + std::string(json.view()) + "\n"), std::string::npos) << json.view();
  const std::size_t begin = page.find("```\n", page.find("The same as Protobuf:")) + 4;
  std::istringstream shown(page.substr(begin, page.find("```", begin) - begin));
  std::string bytes;
  for (std::string line; std::getline(shown, line);) {
    std::erase(line, ' ');
    for (std::size_t i = 0; i + 1 < std::min(line.find('#'), line.size()); i += 2) bytes += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
  }
  EXPECT_EQ(bytes, protobuf.view());
}

TEST(PublishedBytes, WorstCaseFitsTheRoomMadeForIt) {
  const std::string nasty(256, '\x01'), topic(300, 't');
  PublishedPrediction r;
  r.event.id = {nasty, true};
  r.event.key = {nasty, true};
  r.event.has_key = true;
  r.source = {"", PartitionId(-1), Offset(-1)};
  r.partition = PartitionId(-1);
  r.kind = TaskKind::kRegression;
  r.prediction.certified = r.prediction.has_set = r.prediction.duplicate = true;
  r.prediction.version = ModelVersion(~0ULL);
  r.n = ~0ULL;
  // Rooms are powers of two: one of these lengths leaves none to spare, and the address sanitizer sees what is written beyond.
  for (std::size_t bytes = 200; bytes > 0; --bytes) {
    r.source.topic = std::string_view(topic).substr(0, bytes);
    ByteBuffer out;
    write(ValueFormat::kProtobuf, r, out);
    PublishedPrediction back;
    ASSERT_TRUE(decode_prediction(out.view(), back));
    EXPECT_EQ(back.partition, r.partition);
    EXPECT_EQ(back.n, r.n);
    EXPECT_EQ(back.source, r.source);
    EXPECT_FALSE(back.event.id.is_integer) << "no integer's text: printed as a string";
  }
}

TEST(PublishedBytes, RefusesWhatTheSchemaDoesNotSay) {
  const auto refused = [](const google::protobuf::Message& message, Topic topic) {
    const std::string bytes = message.SerializeAsString();
    return json_of(topic, bytes).starts_with("{\"line");
  };
  v1::PublishedPrediction p;
  p.set_id("a");
  EXPECT_TRUE(refused(p, Topic::kPredictions)) << "neither probability nor value";
  p.set_probability(0.5);
  EXPECT_FALSE(refused(p, Topic::kPredictions));
  p.mutable_set()->add_values(1.0);
  EXPECT_FALSE(refused(p, Topic::kPredictions));
  p.mutable_set()->add_values(1.0);
  EXPECT_TRUE(refused(p, Topic::kPredictions)) << "a label twice";
  p.mutable_set()->set_values(1, 2.0);
  EXPECT_TRUE(refused(p, Topic::kPredictions)) << "no label";
  p.set_value(3.0);
  EXPECT_FALSE(refused(p, Topic::kPredictions)) << "an interval";
  p.mutable_set()->add_values(3.0);
  EXPECT_TRUE(refused(p, Topic::kPredictions)) << "three ends of an interval";
  v1::DeadLetter letter;
  letter.set_reason("malformd");
  EXPECT_TRUE(refused(letter, Topic::kDeadLetters));
  letter.set_reason("malformed");
  EXPECT_FALSE(refused(letter, Topic::kDeadLetters));
  v1::Unjoined unjoined;
  EXPECT_TRUE(refused(unjoined, Topic::kUnjoined));
  unjoined.set_reason("expired");
  EXPECT_FALSE(refused(unjoined, Topic::kUnjoined));
  v1::Alert alert;
  alert.set_partition(3);
  EXPECT_TRUE(refused(alert, Topic::kAlerts));
  EXPECT_FALSE(prediction_facts("{\"id\":1}").has_value());
  EXPECT_FALSE(prediction_facts("{\"model_version\":\"0/x\"}").has_value());
  EXPECT_FALSE(prediction_facts("").has_value());
  EXPECT_EQ(reason_in(Topic::kDeadLetters, "anything"), "");
}

}  // namespace
}  // namespace weir
