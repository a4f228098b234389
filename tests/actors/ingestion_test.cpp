// Goal: every line of `logs` goes on or becomes one dead letter; every outcome goes on or becomes one unjoined record.

#include "actors/ingestion.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/crc32c.hpp"
#include "core/records/json_text.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

struct CollectingOutput final : Output {
  void emit(RecordView& record) override { emitted.push_back(record); }
  void feed_back(InputId, RecordView&) override { ADD_FAILURE(); }
  void append(Topic topic, const Record& record) override {
    appended.emplace_back(topic, std::string(record.value));
    sources.push_back(record.source);
    times.push_back(record.event_time);
  }
  void fail(Error error) override { ADD_FAILURE() << error.what; }
  std::vector<RecordView> emitted;
  std::vector<std::pair<Topic, std::string>> appended;
  std::vector<Source> sources;
  std::vector<EventTime> times;
};

ParsedRecord refused(Reason reason, std::string_view detail, std::string_view line) {
  ParsedRecord parsed;
  parsed.kind = ParsedKind::kRefused;
  parsed.refusal = {reason, detail};
  parsed.line = line;
  parsed.line_bytes = line.size();
  return parsed;
}

RecordView view_of(const ParsedRecord& parsed, std::string_view topic, std::int64_t offset) {
  RecordView view;
  view.source = {topic, PartitionId(0), Offset(offset)};
  view.parsed = &parsed;
  return view;
}

TEST(Ingestion, PassesEventsAndOutcomesOn) {
  Ingestion stage;
  CollectingOutput out;
  ParsedRecord parsed;
  parsed.kind = ParsedKind::kEvent;
  RecordView event = view_of(parsed, "p.logs", 0);
  stage.process(InputId::kLogs, event, out);
  ParsedRecord outcome;
  outcome.kind = ParsedKind::kOutcome;
  RecordView second = view_of(outcome, "p.outcomes", 0);
  stage.process(InputId::kOutcomes, second, out);
  ASSERT_EQ(out.emitted.size(), 2u);
  EXPECT_EQ(out.emitted[0].event, &parsed.event);
  EXPECT_EQ(out.emitted[1].outcome, &outcome.outcome);
  EXPECT_TRUE(out.appended.empty());
  EXPECT_EQ(stage.counts().events, 1u);
  EXPECT_EQ(stage.counts().outcomes, 1u);
}

TEST(Ingestion, ARefusedLineBecomesADeadLetterWithItsSource) {
  Ingestion stage;
  CollectingOutput out;
  const ParsedRecord parsed = refused(Reason::kWrongType, "temp: found \"x\", expected a number", "{\"temp\":\"x\"}");
  RecordView view = view_of(parsed, "p.logs", 41);
  stage.process(InputId::kLogs, view, out);
  EXPECT_TRUE(out.emitted.empty());
  ASSERT_EQ(out.appended.size(), 1u);
  EXPECT_EQ(out.appended[0].first, Topic::kDeadLetters);
  EXPECT_EQ(out.appended[0].second,
            R"({"reason":"wrong_type","detail":"temp: found \"x\", expected a number","event_time":null,)"
            R"("source":{"topic":"p.logs","partition":0,"offset":41},"original":"{\"temp\":\"x\"}","length":12,"crc32c":)" +
                std::to_string(crc32c("{\"temp\":\"x\"}")) + "}");
  EXPECT_EQ(out.sources[0], (Source{"p.logs", PartitionId(0), Offset(41)}));
  EXPECT_EQ(stage.counts().dead_letters[static_cast<std::size_t>(Reason::kWrongType)], 1u);
}

TEST(Ingestion, ALongLineKeepsLengthAndCrcOfTheWhole) {
  Ingestion stage;
  CollectingOutput out;
  ParsedRecord parsed = refused(Reason::kTooLong, "10485760 bytes, at most 1048576", std::string_view("head \xe2\x82", 7));
  parsed.line_bytes = 10485760;
  parsed.line_crc = 12345;
  RecordView view = view_of(parsed, "p.logs", 3);
  stage.process(InputId::kLogs, view, out);
  ASSERT_EQ(out.appended.size(), 1u);
  EXPECT_NE(out.appended[0].second.find(R"("original":"head ","length":10485760,"crc32c":12345})"), std::string::npos)
      << "cut inside a character, it is text all the same: " << out.appended[0].second;
}

TEST(Ingestion, RefusedOutcomesAreInvalidOrHaveNoId) {
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    Ingestion stage;
    CollectingOutput out;
    const ParsedRecord parsed = refused(reason, "why", "x");
    RecordView view = view_of(parsed, "p.outcomes", 7);
    stage.process(InputId::kOutcomes, view, out);
    const bool no_id = reason == Reason::kMissingId;
    EXPECT_TRUE(out.emitted.empty());
    ASSERT_EQ(out.appended.size(), 1u);
    EXPECT_EQ(out.appended[0].first, Topic::kUnjoined) << "never a dead letter";
    EXPECT_EQ(out.appended[0].second, R"({"id":null,"reason":")" + std::string(no_id ? "no_id" : "invalid") + R"(","detail":")" +
                                          std::string(name_of(reason)) +
                                          R"(: why","label":null,"event_time":null,)"
                                          R"("source":{"topic":"p.outcomes","partition":0,"offset":7}})");
    EXPECT_EQ(stage.counts().no_id, no_id ? 1u : 0u);
    EXPECT_EQ(stage.counts().invalid, no_id ? 0u : 1u);
    EXPECT_EQ(stage.counts().refused_outcomes[i], 1u);
  }
}

TEST(Ingestion, CountsComeBackAfterARestart) {
  Ingestion stage;
  CollectingOutput out;
  ParsedRecord event;
  event.kind = ParsedKind::kEvent;
  const ParsedRecord poison = refused(Reason::kPoison, "", "x");
  for (int i = 0; i < 5; ++i) {
    RecordView view = view_of(i == 2 ? poison : event, "p.logs", i);
    stage.process(InputId::kLogs, view, out);
  }
  RecordView bad = view_of(poison, "p.outcomes", 0);
  stage.process(InputId::kOutcomes, bad, out);
  StateChanges changes;
  StateWriter writer(changes, "ingestion/", CommitId(1));
  stage.save(writer);
  EXPECT_EQ(changes.count(), 1u);
  stage.save(writer);
  EXPECT_EQ(changes.count(), 1u) << "nothing changed, nothing written";
  auto reader = std::make_shared<MapStateReader>();
  reader->apply(changes, CommitId(1));
  Ingestion again;
  ASSERT_TRUE(again.load(StageState(reader, "ingestion/")).ok());
  EXPECT_EQ(again.counts(), stage.counts());

  std::string& stored = reader->entries["ingestion/c"];
  stored[0] = 9;
  Result<void> loaded = again.load(StageState(reader, "ingestion/"));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kVersion);
  stored[0] = 1;
  stored.pop_back();
  loaded = again.load(StageState(reader, "ingestion/"));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace weir
