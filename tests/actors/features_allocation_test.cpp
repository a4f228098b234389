// Once warm, neither stage allocates, whatever mix of events, outcomes, saves and commits comes; nor do keyed entries that
// come and go.

#include <gtest/gtest.h>

#include "actors/features.hpp"
#include "actors/normalization.hpp"
#include "core/base/rng.hpp"
#include "tests/support/allocation_counter.hpp"

namespace weir {
namespace {

class Chain : public Output {
 public:
  void emit(RecordView& record) override {
    if (next == nullptr) return;
    Stage* stage = next;
    next = nullptr;
    stage->process(InputId::kLogs, record, *this);
  }
  void feed_back(InputId, RecordView&) override {}
  void append(Topic, const Record&) override {}
  void fail(Error error) override { FAIL() << error.what; }
  Stage* next = nullptr;
};

TEST(FeaturesAndNormalization, AllocateNothingOnceWarm) {
  EventSchema schema;
  schema.fields.resize(4);
  schema.fields[0].name = "a";
  schema.fields[0].kind = FieldKind::kCategory;
  schema.fields[1].name = "b";
  schema.fields[1].kind = FieldKind::kCategory;
  schema.fields[2].name = "x";
  schema.fields[2].bins = {0};
  schema.fields[3].name = "y";
  schema.fields[3].missing = Missing::kLast;
  FeatureSpec spec;
  for (const auto& by : std::vector<std::vector<std::string>>{{}, {"a"}, {"a", "b"}}) {
    AggregateSpec mean;
    mean.by = by;
    mean.prior = 1;
    mean.half_life_us = 1'000'000;
    mean.transform = Transform::kLogit;
    spec.aggregates.push_back(mean);
    AggregateSpec most;
    most.kind = AggregateKind::kMax;
    most.of = AggregateOf::kField;
    most.field = "x";
    most.by = by;
    most.window_us = 1'000'000;
    spec.aggregates.push_back(most);
  }
  spec.crosses = {{{"a", "b"}}};
  spec.one_hot_limit = 20;
  auto features = std::move(*Features::make(spec, schema, 1 << 20));
  auto normalization = std::move(*Normalization::make(spec, schema));
  Chain chain;
  StateChanges changes[2];
  Rng rng(1);
  std::vector<FieldValue> fields(4);
  std::vector<std::uint64_t> label_keys;
  label_keys.reserve(8);
  std::uint64_t commit = 1;
  const auto run = [&](int records) {
    for (int i = 0; i < records; ++i) {
      for (std::size_t f = 0; f < 4; ++f) {
        fields[f].missing = rng.below(8) == 0;
        fields[f].hash = 1 + rng.below(30);
        fields[f].number = rng.normal();
      }
      Event event;
      event.event_time = EventTime{static_cast<std::int64_t>(commit) * 10'000};
      event.fields = fields;
      RecordView record;
      record.event = &event;
      chain.next = normalization.get();
      features->process(InputId::kLogs, record, chain);
      Example example;
      example.label = static_cast<double>(rng.below(2));
      example.outcome_time = event.event_time;
      example.label_keys = record.label_keys;
      RecordView outcome;
      outcome.example = &example;
      features->process(InputId::kExamples, outcome, chain);
      if (i % 20 != 0) continue;
      StateChanges& to = changes[commit % 2];
      to.clear();
      StateWriter writer(to, "stage.", CommitId{commit});
      features->save(writer);
      normalization->save(writer);
      features->keyed()->committed(CommitId{commit++});
    }
  };
  run(20000);
  const std::uint64_t before = allocations_on_this_thread();
  run(20000);
  EXPECT_EQ(allocations_on_this_thread() - before, 0u);
}

TEST(KeyedStateOnceWarm, EntriesThatComeAndGoAllocateNothing) {
  KeyedState keyed(1 << 20);
  StateChanges changes;
  std::uint64_t id = 0, commit = 1;
  char key[24];
  const auto name = [&](std::uint64_t of) { return std::string_view(key, static_cast<std::size_t>(std::snprintf(key, sizeof key, "%llu", static_cast<unsigned long long>(of)))); };
  const auto run = [&](int records) {
    for (int i = 0; i < records; ++i, ++id) {
      keyed.upsert(name(id), 100 + static_cast<std::uint32_t>(id % 200));
      if (id >= 500) keyed.erase(name(id - 500));
      if (i % 30 != 0) continue;
      changes.clear();
      StateWriter writer(changes, "stage.", CommitId{commit});
      keyed.save(writer);
      keyed.committed(CommitId{commit++});
    }
  };
  run(30000);
  const std::uint64_t before = allocations_on_this_thread();
  run(30000);
  EXPECT_EQ(allocations_on_this_thread() - before, 0u);
  EXPECT_EQ(keyed.evictions(), 0u);
}

}  // namespace
}  // namespace weir
