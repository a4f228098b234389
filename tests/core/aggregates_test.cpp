#include "core/features/aggregates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/rng.hpp"
#include "core/features/decay.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

TEST(Decay, IsTwoToTheMinusX) {
  Rng rng(1);
  for (int i = 0; i < 100000; ++i) {
    const double x = rng.uniform() * (i % 2 == 0 ? 1.0 : 900.0);
    ASSERT_NEAR(half_life_decay(x) / std::exp2(-x), 1.0, 2e-15) << x;
  }
  EXPECT_EQ(half_life_decay(0.0), 1.0);
  EXPECT_EQ(half_life_decay(1.0), 0.5);
  EXPECT_EQ(half_life_decay(5000.0), 0.0);
  EXPECT_EQ(half_life_decay(1e300), 0.0);
}

// The goal: at every moment of a random history (late events and outcomes, missing values, restarts, entries evicted) each
// feature equals what a plain pass over everything known at that moment gives.
struct Known {
  std::int64_t time;   // When it became known: of an outcome, when that came.
  std::int64_t event_time;
  std::optional<std::uint64_t> keys[3];  // Of the fields a, b and number n.
  double number = 0;
  bool has_number = false;
  double label = 0;
};

class Oracle {
 public:
  std::vector<Known> events, outcomes;

  double value(const AggregateSpec& a, const Known& now) const {
    if (!by(a, now).has_value() && !a.by.empty()) return a.prior > 0 ? mean_or(a, running_mean(a)) : fallback(a);
    std::vector<const Known*> all;  // Of this key, in the order they became known.
    for (const Known& k : a.of == AggregateOf::kLabel ? outcomes : events)
      if (by(a, k) == by(a, now)) all.push_back(&k);
    std::int64_t latest = now.time;  // Of anything so far.
    for (const auto* known : {&events, &outcomes})
      for (const Known& k : *known) latest = std::max(latest, k.time);
    std::int64_t newest = INT64_MIN;
    const auto dated = [&](const Known* k) { return a.age_from == AgeFrom::kEvent ? k->event_time : k->time; };
    for (const Known* k : all)
      if (present(a, *k)) newest = std::max(newest, bucket(a, dated(k)));
    if (a.window_us > 0) newest = std::max(newest, bucket(a, latest));
    double weight = 0, sum = 0, low = INFINITY, high = -INFINITY;
    std::optional<double> last;
    std::int64_t last_time = 0;
    for (const Known* k : all) {
      if (!present(a, *k)) continue;
      const double x = a.of == AggregateOf::kEvents ? 1.0 : a.of == AggregateOf::kLabel ? k->label : k->number;
      if (a.kind == AggregateKind::kLast) {
        if (!last || dated(k) >= last_time) last = x, last_time = dated(k);
        continue;
      }
      double w = 1.0;
      if (a.half_life_us > 0) w = std::exp2(-static_cast<double>(latest - dated(k)) / static_cast<double>(a.half_life_us));
      if (a.window_us > 0 && bucket(a, dated(k)) <= newest - 16) continue;
      weight += w, sum += w * x;
      low = std::min(low, x), high = std::max(high, x);
    }
    switch (a.kind) {
      case AggregateKind::kCount: return weight;
      case AggregateKind::kSum: return sum;
      case AggregateKind::kRate:
        return a.half_life_us > 0 ? sum * std::log(2.0) / (static_cast<double>(a.half_life_us) / 1e6)
                                  : sum / (static_cast<double>(a.window_us) / 1e6);
      case AggregateKind::kMin: return std::isinf(low) ? fallback(a) : low;
      case AggregateKind::kMax: return std::isinf(high) ? fallback(a) : high;
      case AggregateKind::kLast:
        return !last || (a.window_us > 0 && latest - last_time > a.window_us) ? fallback(a) : *last;
      case AggregateKind::kMean: break;
    }
    if (a.prior > 0)
      if (const auto mean = running_mean(a)) return (sum + a.prior * *mean) / (weight + a.prior);
    return weight > 0 ? sum / weight : fallback(a);
  }

 private:
  static std::int64_t bucket(const AggregateSpec& a, std::int64_t time) {
    if (a.window_us == 0) return 0;
    return static_cast<std::int64_t>(std::floor(static_cast<double>(time) / std::ceil(static_cast<double>(a.window_us) / 16)));
  }
  static bool present(const AggregateSpec& a, const Known& k) { return a.of != AggregateOf::kField || k.has_number; }
  static double fallback(const AggregateSpec& a) { return a.default_value ? *a.default_value : NAN; }
  static double mean_or(const AggregateSpec& a, std::optional<double> mean) { return mean ? *mean : fallback(a); }
  static std::optional<std::vector<std::uint64_t>> by(const AggregateSpec& a, const Known& k) {
    std::vector<std::uint64_t> out;
    for (const std::string& name : a.by) {
      const auto& key = k.keys[name == "a" ? 0 : name == "b" ? 1 : 2];
      if (!key) return std::nullopt;
      out.push_back(*key);
    }
    return out;
  }
  std::optional<double> running_mean(const AggregateSpec& a) const {
    const auto& all = a.of == AggregateOf::kLabel ? outcomes : events;
    std::int64_t latest = INT64_MIN;
    for (const Known& k : all) latest = std::max(latest, k.time);
    double weight = 0, sum = 0;
    for (const Known& k : all) {
      if (!present(a, k)) continue;
      const double w = a.prior_half_life_us == 0
                           ? 1.0
                           : std::exp2(-static_cast<double>(latest - k.time) / static_cast<double>(a.prior_half_life_us));
      weight += w, sum += w * (a.of == AggregateOf::kLabel ? k.label : k.number);
    }
    if (weight == 0) return std::nullopt;
    return sum / weight;
  }
};

std::vector<AggregateSpec> random_aggregates(Rng& rng) {
  static const std::vector<std::vector<std::string>> kBy = {{}, {"a"}, {"a", "b"}, {"b", "n"}, {"n"}};
  std::vector<AggregateSpec> out;
  const std::uint64_t count = 1 + rng.below(14);
  while (out.size() < count) {
    AggregateSpec a;
    a.kind = static_cast<AggregateKind>(rng.below(7));
    a.of = static_cast<AggregateOf>(rng.below(3));
    if (a.of == AggregateOf::kField) a.field = "n";
    a.by = kBy[rng.below(kBy.size())];
    const std::uint64_t decay = rng.below(3);
    if (decay == 1) a.half_life_us = kSecond * static_cast<std::int64_t>(1 + rng.below(100));
    if (decay == 2) a.window_us = kSecond * static_cast<std::int64_t>(1 + rng.below(100)) + static_cast<std::int64_t>(rng.below(16));
    if (a.kind == AggregateKind::kMean && rng.below(2) == 0) {
      a.prior = 0.1 + rng.uniform() * 5;
      if (rng.below(2) == 0) a.prior_half_life_us = 30 * kSecond;
    }
    if (rng.below(2) == 0) a.default_value = rng.normal();
    if (a.of == AggregateOf::kLabel && rng.below(2) == 0) a.age_from = AgeFrom::kEvent;
    a.include_self = a.of != AggregateOf::kLabel && rng.below(3) == 0;
    // What make() refuses.
    if (a.half_life_us > 0 && (a.kind == AggregateKind::kMin || a.kind == AggregateKind::kMax || a.kind == AggregateKind::kLast)) continue;
    if (a.kind == AggregateKind::kRate && decay == 0) continue;
    if (a.of == AggregateOf::kEvents && a.kind != AggregateKind::kCount && a.kind != AggregateKind::kRate) continue;
    out.push_back(a);
  }
  return out;
}

EventSchema schema_abn() {
  EventSchema schema;
  schema.fields.resize(3);
  schema.fields[0].name = "a";
  schema.fields[0].kind = FieldKind::kCategory;
  schema.fields[1].name = "b";
  schema.fields[1].kind = FieldKind::kCategory;
  schema.fields[2].name = "n";
  schema.fields[2].bins = {-1, 0, 1};
  return schema;
}

class AggregatesAgainstHistory : public testing::TestWithParam<int> {};

TEST_P(AggregatesAgainstHistory, AgreeAtEveryMoment) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  FeatureSpec spec;
  spec.aggregates = random_aggregates(rng);
  if (rng.below(2) == 0) spec.last_outcome_by = {"a", "b"};
  const EventSchema schema = schema_abn();
  EventParts parts(schema);
  const auto fresh = [&] {
    parts = EventParts(schema);
    auto made = Aggregates::make(spec, schema, parts, 1 << 16);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().what);
    return std::move(*made);
  };
  auto aggregates = fresh();
  auto reader = std::make_shared<MapStateReader>();
  ASSERT_TRUE(aggregates->load(StageState(reader, "f.")).ok());

  Oracle oracle;
  struct Waiting {
    Known known;
    std::vector<std::uint64_t> label_keys;
  };
  std::vector<Waiting> waiting;
  const bool late_ones = GetParam() % 3 != 0;
  std::int64_t clock = rng.below(2) == 0 ? -500 * kSecond : 1'357'000'000 * kSecond;
  const std::uint64_t variety = 1 + rng.below(6);
  std::uint64_t commit = 1;
  for (int step = 0; step < 250; ++step) {
    clock += static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(rng.below(20) == 0 ? 300 * kSecond : 4 * kSecond)));
    const std::int64_t late = late_ones && rng.below(3) == 0 ? static_cast<std::int64_t>(rng.below(60 * kSecond)) : 0;
    if (rng.below(5) < 3) {
      Known now{clock - late, clock - late, {}, 0, false, 0};
      std::vector<FieldValue> fields(3);
      for (std::size_t f = 0; f < 2; ++f) {
        if (rng.below(10) == 0) continue;
        now.keys[f] = rng.below(variety);
        fields[f].missing = false;
        fields[f].hash = hash64(std::to_string(*now.keys[f]));
      }
      if (rng.below(6) != 0) {
        now.number = rng.normal();
        now.has_number = true;
        now.keys[2] = bin_of(schema.fields[2].bins, now.number);
        fields[2].missing = false;
        fields[2].number = now.number;
      }
      Event event;
      event.event_time = EventTime{now.time};
      event.fields = fields;
      std::vector<std::uint64_t> part_values(parts.count());
      parts.read(event, part_values);
      std::vector<float> got(spec.aggregates.size());
      std::vector<std::uint64_t> label_keys(aggregates->label_key_count());
      float last_outcome = 0;
      // include_self first adds the event; running means behind priors come after all reads.
      std::vector<double> expected(spec.aggregates.size());
      for (std::size_t i = 0; i < expected.size(); ++i)
        if (!spec.aggregates[i].include_self) expected[i] = oracle.value(spec.aggregates[i], now);
      Oracle with_self = oracle;
      with_self.events.push_back(now);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        AggregateSpec a = spec.aggregates[i];
        if (!a.include_self) continue;
        if (a.prior == 0) {
          expected[i] = with_self.value(a, now);
          continue;
        }
        // (sum + prior * mean before) / (weight + prior), from the plain sum and weight with the event.
        AggregateSpec mean = a;
        mean.prior = 0;
        mean.default_value.reset();
        AggregateSpec count = mean;
        count.kind = AggregateKind::kCount;
        AggregateSpec running = a;
        running.by = {};
        running.half_life_us = running.prior_half_life_us;
        running.window_us = 0;
        running.prior = 0;
        running.default_value.reset();
        const Oracle& known = a.by.empty() ? with_self : oracle;  // Without a key it is the running mean's own entry.
        const double before = known.value(running, now);
        AggregateSpec keyless = a;
        const bool has_key = std::all_of(a.by.begin(), a.by.end(), [&](const std::string& f) {
          return now.keys[f == "a" ? 0 : f == "b" ? 1 : 2].has_value();
        });
        if (!has_key) {
          keyless.prior = 0;
          expected[i] = std::isnan(before) ? oracle.value(keyless, now) : before;
        } else if (std::isnan(before)) {
          keyless.prior = 0;
          expected[i] = with_self.value(keyless, now);
        } else {
          const double w = with_self.value(count, now);
          const double m = with_self.value(mean, now);
          expected[i] = ((w > 0 ? w * m : 0) + a.prior * before) / (w + a.prior);
        }
      }
      aggregates->event(event, part_values, got, label_keys, last_outcome);
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(expected[i])) {
          ASSERT_TRUE(std::isnan(got[i])) << "aggregate " << i << " at step " << step << ", seed " << GetParam();
        } else {
          ASSERT_NEAR(got[i], expected[i], 1e-4 * std::max(1.0, std::abs(expected[i])))
              << "aggregate " << i << " (kind " << int(spec.aggregates[i].kind) << " of " << int(spec.aggregates[i].of)
              << ") at step " << step << ", seed " << GetParam();
        }
      }
      if (!spec.last_outcome_by.empty()) {
        AggregateSpec last;
        last.kind = AggregateKind::kLast;
        last.by = spec.last_outcome_by;
        last.default_value = -1;
        ASSERT_EQ(last_outcome, static_cast<float>(oracle.value(last, now)));
      }
      oracle.events.push_back(now);
      waiting.push_back({now, label_keys});
    } else if (!waiting.empty()) {
      const std::size_t i = rng.below(waiting.size());
      Waiting row = waiting[i];
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
      row.known.label = static_cast<double>(rng.below(2));
      row.known.time = clock - late;  // When the outcome came, not when the event was.
      aggregates->outcome(EventTime{row.known.time}, EventTime{row.known.event_time}, row.known.label, row.label_keys);
      oracle.outcomes.push_back(row.known);
    }
    if (rng.below(20) == 0) {
      StateChanges changes;
      StateWriter writer(changes, "f.", CommitId{commit});
      aggregates->save(writer);
      reader->apply(changes, CommitId{commit});
      aggregates->keyed().committed(CommitId{commit++});
      if (rng.below(3) == 0) {
        aggregates = fresh();
        ASSERT_TRUE(aggregates->load(StageState(reader, "f.")).ok());
      }
    }
  }
  EXPECT_EQ(aggregates->keyed().error(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AggregatesAgainstHistory, testing::Range(0, 150));

TEST(Aggregates, AWindowCountsAllOfFifteenSixteenthsAndNothingBeyondItself) {
  EventSchema schema = schema_abn();
  FeatureSpec spec;
  spec.aggregates.resize(1);
  spec.aggregates[0].kind = AggregateKind::kCount;
  spec.aggregates[0].of = AggregateOf::kEvents;
  spec.aggregates[0].window_us = 160 * kSecond;
  EventParts parts(schema);
  auto made = Aggregates::make(spec, schema, parts, 1 << 16);
  ASSERT_TRUE(made.ok());
  Rng rng(5);
  std::vector<std::int64_t> times;
  std::int64_t time = 0;
  std::vector<FieldValue> fields(3);
  for (int i = 0; i < 3000; ++i) {
    time += static_cast<std::int64_t>(rng.below(4 * kSecond));
    Event event;
    event.event_time = EventTime{time};
    event.fields = fields;
    float got = 0, last = 0;
    (*made)->event(event, {}, {&got, 1}, {}, last);
    const auto younger_than = [&](std::int64_t age) {
      return static_cast<float>(std::count_if(times.begin(), times.end(), [&](std::int64_t t) { return time - t < age; }));
    };
    ASSERT_GE(got, younger_than(150 * kSecond));
    ASSERT_LE(got, younger_than(160 * kSecond));
    times.push_back(time);
  }
}

TEST(Aggregates, EntriesOfDifferentFieldsNeverMeet) {  // Even for equal values.
  EventSchema schema = schema_abn();
  FeatureSpec spec;
  spec.aggregates.resize(2);
  for (auto& a : spec.aggregates) {
    a.kind = AggregateKind::kCount;
    a.of = AggregateOf::kEvents;
  }
  spec.aggregates[0].by = {"a"};
  spec.aggregates[1].by = {"b"};
  EventParts parts(schema);
  auto made = Aggregates::make(spec, schema, parts, 1 << 16);
  ASSERT_TRUE(made.ok());
  std::vector<FieldValue> fields(3);
  fields[0].missing = fields[1].missing = false;
  float got[2], last = 0;
  for (int i = 0; i < 10; ++i) {
    fields[0].hash = 77;
    fields[1].hash = i % 2 == 0 ? 77 : 78;
    Event event;
    event.fields = fields;
    std::uint64_t values[2];
    parts.read(event, values);
    (*made)->event(event, values, got, {}, last);
    EXPECT_EQ(got[0], static_cast<float>(i));
    EXPECT_EQ(got[1], static_cast<float>(i / 2));
  }
}

}  // namespace
}  // namespace weir
