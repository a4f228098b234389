#include "actors/features.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/event_builder.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;

EventSchema two_fields() {
  EventSchema schema;
  FieldSpec route;
  route.name = "route";
  route.kind = FieldKind::kCategory;
  FieldSpec delay;
  delay.name = "delay";
  delay.bins = {0, 10};
  schema.fields = {route, delay};
  return schema;
}

AggregateSpec aggregate(AggregateKind kind, AggregateOf of, std::vector<std::string> by, std::string field = "") {
  AggregateSpec a;
  a.kind = kind;
  a.of = of;
  a.by = std::move(by);
  a.field = std::move(field);
  return a;
}

struct Features1 {
  explicit Features1(const FeatureSpec& spec) {
    auto made = Features::make(spec, two_fields(), 1 << 20);
    EXPECT_TRUE(made.ok());
    stage = std::move(*made);
  }
  RecordView event(EventBuilder& builder) {
    RecordView record;
    record.event = &builder.get();
    stage->process(InputId::kLogs, record, out);
    return record;
  }
  void outcome(std::int64_t time, double label, std::vector<std::uint64_t> keys) {
    Example example;
    example.outcome_time = EventTime{time};
    example.label = label;
    example.label_keys = keys;
    RecordView record;
    record.example = &example;
    stage->process(InputId::kExamples, record, out);
  }
  std::unique_ptr<Features> stage;
  KeptOutput out;
};

TEST(Features, ALabelCountsOnlyFromItsOutcomeOn) {
  FeatureSpec spec;
  spec.aggregates = {aggregate(AggregateKind::kMean, AggregateOf::kLabel, {"route"})};
  spec.last_outcome_by = {"route"};
  Features1 f(spec);
  EventBuilder first(2, 0), second(2, kHour), third(2, 2 * kHour);
  for (EventBuilder* e : {&first, &second, &third}) e->text(0, "JFK-SFO");
  const RecordView at_first = f.event(first);
  EXPECT_TRUE(std::isnan(at_first.features[0]));
  EXPECT_EQ(at_first.last_outcome, -1.0f);
  const std::vector<std::uint64_t> keys(at_first.label_keys.begin(), at_first.label_keys.end());
  EXPECT_TRUE(std::isnan(f.event(second).features[0]));
  f.outcome(kHour + 1, 1.0, keys);
  const RecordView at_third = f.event(third);
  EXPECT_EQ(at_third.features[0], 1.0f);
  EXPECT_EQ(at_third.last_outcome, 1.0f);
  EXPECT_EQ(f.out.emitted, 4);
}

TEST(Features, AFieldCountsAfterItsEventUnlessIncludeSelf) {
  FeatureSpec spec;
  spec.aggregates = {aggregate(AggregateKind::kSum, AggregateOf::kField, {"route"}, "delay"),
                     aggregate(AggregateKind::kSum, AggregateOf::kField, {"route"}, "delay")};
  spec.aggregates[1].include_self = true;
  Features1 f(spec);
  EventBuilder e(2, 0);
  e.text(0, "JFK-SFO").number(1, 5.0);
  const RecordView first = f.event(e);
  EXPECT_EQ(first.features[0], 0.0f);
  EXPECT_EQ(first.features[1], 5.0f);
  const RecordView second = f.event(e);
  EXPECT_EQ(second.features[0], 5.0f);
  EXPECT_EQ(second.features[1], 10.0f);
}

TEST(Features, ACrossWithAMissingPartIsZeroAndOthersDiffer) {
  FeatureSpec spec;
  spec.crosses = {{{"route", "delay"}}};
  Features1 f(spec);
  EventBuilder missing(2), low(2), high(2), same_bin(2);
  missing.text(0, "a");
  low.text(0, "a").number(1, 1.0);
  same_bin.text(0, "a").number(1, 9.0);
  high.text(0, "a").number(1, 11.0);
  EXPECT_EQ(f.event(missing).feature_hashes[0], 0u);
  const std::uint64_t at_low = f.event(low).feature_hashes[0];
  EXPECT_NE(at_low, 0u);
  EXPECT_EQ(f.event(same_bin).feature_hashes[0], at_low);
  EXPECT_NE(f.event(high).feature_hashes[0], at_low);
}

TEST(Features, ACrossLeavesItsNumberWithKnotsToTheEncoder) {
  EventSchema schema = two_fields();
  schema.fields[1].bins.clear();
  schema.fields[1].knots = {0, 10};
  FeatureSpec spec;
  spec.crosses = {{{"route", "delay"}}, {{"delay", "route"}}};
  auto stage = std::move(*Features::make(spec, schema, 1 << 20));
  KeptOutput out;
  const auto hash = [&](const char* route, double delay) {
    EventBuilder e(2);
    e.text(0, route).number(1, delay);
    RecordView record;
    record.event = &e.get();
    stage->process(InputId::kLogs, record, out);
    return record.feature_hashes[0];
  };
  EXPECT_EQ(hash("a", 1), hash("a", 100));
  EXPECT_NE(hash("a", 1), hash("b", 1));
  EXPECT_NE(hash("a", 1), 0u);
  schema.fields.push_back(schema.fields[1]);
  schema.fields[2].name = "other";
  for (const std::vector<std::string>& fields : std::vector<std::vector<std::string>>{{"route", "delay", "other"}, {"delay", "other"}}) {
    spec.crosses = {{fields}};
    const auto refused = Features::make(spec, schema, 1 << 20);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kConfig);
  }
}

TEST(Features, ALabelMayAgeFromItsEventOn) {
  FeatureSpec spec;
  spec.aggregates = {aggregate(AggregateKind::kCount, AggregateOf::kLabel, {"route"}),
                     aggregate(AggregateKind::kCount, AggregateOf::kLabel, {"route"})};
  for (AggregateSpec& a : spec.aggregates) a.half_life_us = kHour;
  spec.aggregates[1].age_from = AgeFrom::kEvent;
  Features1 f(spec);
  EventBuilder first(2, 0), second(2, 3 * kHour);
  for (EventBuilder* e : {&first, &second}) e->text(0, "JFK-SFO");
  const RecordView at_first = f.event(first);
  const std::vector<std::uint64_t> keys(at_first.label_keys.begin(), at_first.label_keys.end());
  f.outcome(2 * kHour, 1.0, keys);  // Of an event at 0.
  const RecordView at_second = f.event(second);
  EXPECT_EQ(at_second.features[0], 0.5f);
  EXPECT_EQ(at_second.features[1], 0.125f);
}

TEST(Features, KeysAreThoseOfTheEntriesThatAnEventReads) {
  FeatureSpec spec;
  spec.aggregates = {aggregate(AggregateKind::kMean, AggregateOf::kLabel, {"route"}),
                     aggregate(AggregateKind::kCount, AggregateOf::kEvents, {"delay"})};
  Features1 f(spec);
  EventBuilder e(2);
  e.text(0, "a").number(1, 3.0);
  RecordView record;
  record.event = &e.get();
  KeyList keys;
  f.stage->keys(InputId::kLogs, record, keys);
  ASSERT_EQ(keys.count(), 2u);
  const RecordView processed = f.event(e);
  f.outcome(1, 1.0, {processed.label_keys.begin(), processed.label_keys.end()});
  for (std::size_t i = 0; i < keys.count(); ++i) EXPECT_TRUE(f.stage->keyed()->find(keys.key(i)).found) << i;
}

TEST(Features, AnExampleOfOtherKeysStopsTheTask) {
  FeatureSpec spec;
  spec.aggregates = {aggregate(AggregateKind::kMean, AggregateOf::kLabel, {"route"})};
  Features1 f(spec);
  f.outcome(0, 1.0, {1, 2, 3});
  ASSERT_TRUE(f.out.failure);
  EXPECT_EQ(f.out.failure->code, ErrorCode::kCorruption);
}

TEST(Features, StateOfAnotherListIsRefused) {
  FeatureSpec spec;
  spec.aggregates = {aggregate(AggregateKind::kMean, AggregateOf::kLabel, {"route"})};
  Features1 f(spec);
  StateChanges changes;
  StateWriter writer(changes, "features.", CommitId{1});
  f.stage->save(writer);
  auto reader = std::make_shared<MapStateReader>();
  reader->apply(changes, CommitId{1});
  const StageState state(reader, "features.");
  EXPECT_TRUE(Features1(spec).stage->load(state).ok());
  spec.aggregates[0].half_life_us = kHour;
  const auto refused = Features1(spec).stage->load(state);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConfig);
}

TEST(Features, WrongListsAreNamed) {
  const auto complaint = [](AggregateSpec a) {
    FeatureSpec spec;
    spec.aggregates = {std::move(a)};
    auto made = Features::make(spec, two_fields(), 1 << 20);
    return made.ok() ? std::string() : made.error().what;
  };
  EXPECT_NE(complaint(aggregate(AggregateKind::kMean, AggregateOf::kLabel, {"rout"})).find("'rout'"), std::string::npos);
  EXPECT_NE(complaint(aggregate(AggregateKind::kSum, AggregateOf::kField, {}, "route")).find("not a number"), std::string::npos);
  EXPECT_NE(complaint(aggregate(AggregateKind::kRate, AggregateOf::kEvents, {})).find("half_life"), std::string::npos);
  EXPECT_NE(complaint(aggregate(AggregateKind::kMean, AggregateOf::kEvents, {})), "");
  AggregateSpec both = aggregate(AggregateKind::kCount, AggregateOf::kEvents, {});
  both.half_life_us = both.window_us = kHour;
  EXPECT_NE(complaint(both).find("exclude"), std::string::npos);
  AggregateSpec self = aggregate(AggregateKind::kMean, AggregateOf::kLabel, {});
  self.include_self = true;
  EXPECT_NE(complaint(self).find("include_self"), std::string::npos);
  FeatureSpec crosses;
  crosses.crosses = {{{"route"}}};
  EXPECT_FALSE(Features::make(crosses, two_fields(), 1 << 20).ok());
}

}  // namespace
}  // namespace weir
