#include "actors/normalization.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/base/rng.hpp"
#include "tests/support/event_builder.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

FieldSpec number(std::string name, Missing missing = Missing::kMean, double clip = 0.0) {
  FieldSpec field;
  field.name = std::move(name);
  field.missing = missing;
  field.clip = clip;
  return field;
}
FieldSpec category(std::string name, FieldKind kind = FieldKind::kCategory) {
  FieldSpec field;
  field.name = std::move(name);
  field.kind = kind;
  return field;
}

struct Normalized {
  std::vector<float> dense;
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  double moments_weight;
};

struct Stage1 {
  Stage1(const FeatureSpec& spec, const EventSchema& schema) {
    auto made = Normalization::make(spec, schema);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().what);
    stage = std::move(*made);
  }
  Normalized event(EventBuilder& builder, std::vector<float> features = {}, std::vector<std::uint64_t> hashes = {}) {
    RecordView record;
    record.event = &builder.get();
    record.features = features;
    record.feature_hashes = hashes;
    stage->process(InputId::kLogs, record, out);
    EXPECT_NE(record.sample, nullptr);
    EXPECT_EQ(record.sample->indices.size(), record.sample->values.size());
    return {{record.sample->dense.begin(), record.sample->dense.end()},
            {record.sample->indices.begin(), record.sample->indices.end()},
            {record.sample->values.begin(), record.sample->values.end()},
            record.moments_weight};
  }
  std::unique_ptr<Normalization> stage;
  KeptOutput out;
};

TEST(Normalization, ScalesByTheMomentsBeforeTheRecord) {
  EventSchema schema;
  schema.fields = {number("x")};
  Stage1 n({}, schema);
  const double xs[] = {1.0, 3.0, 8.0};
  EventBuilder e(1);
  EXPECT_EQ(n.event(e.number(0, xs[0])).dense[0], 0.0f) << "nothing is known yet";
  EXPECT_EQ(n.event(e.number(0, xs[1])).dense[0], 0.0f) << "one value has no deviation";
  EXPECT_FLOAT_EQ(n.event(e.number(0, xs[2])).dense[0], 6.0f) << "(8 - 2) / 1";
}

TEST(Normalization, IncludeSelfTakesTheRecordIntoItsMoments) {
  EventSchema schema;
  schema.fields = {number("x")};
  FeatureSpec spec;
  spec.scaler.include_self = true;
  Stage1 n(spec, schema);
  EventBuilder e(1);
  n.event(e.number(0, 1.0));
  EXPECT_FLOAT_EQ(n.event(e.number(0, 3.0)).dense[0], 1.0f) << "(3 - 2) / 1";
}

TEST(Normalization, CountsTheRecordsOfItsMoments) {
  EventSchema schema;
  schema.fields = {number("x"), number("y")};
  for (const bool include_self : {false, true}) {
    FeatureSpec spec;
    spec.scaler.include_self = include_self;
    Stage1 n(spec, schema);
    for (int i = 1; i <= 5; ++i) {
      EventBuilder e(2);
      if (i != 3) e.number(0, i);
      e.number(1, i);
      EXPECT_EQ(n.event(e).moments_weight, i) << "this record included, and those without an x";
    }
  }
}

TEST(Normalization, MomentsAgreeWithAWeightedRecomputation) {
  EventSchema schema;
  schema.fields = {number("x"), number("y")};
  FeatureSpec by_event, by_time;
  by_event.scaler.half_life_events = 7.0;
  by_time.scaler.half_life_us = 5'000'000;
  for (const FeatureSpec& spec : {FeatureSpec(), by_event, by_time}) {
    Stage1 n(spec, schema);
    Rng rng(7);
    std::vector<double> xs;
    std::vector<std::int64_t> times;
    std::int64_t time = 0;
    for (int i = 0; i < 200; ++i) {
      time += static_cast<std::int64_t>(rng.below(3'000'000));
      xs.push_back(rng.normal() * 3 + 100);
      times.push_back(time);
      EventBuilder e(2, time);
      n.event(e.number(0, xs.back()));
      double weights = 0, sum = 0, squares = 0;
      for (std::size_t k = 0; k < xs.size(); ++k) {
        double age = 0;
        if (spec.scaler.half_life_events > 0) age = static_cast<double>(xs.size() - 1 - k) / spec.scaler.half_life_events;
        if (spec.scaler.half_life_us > 0)
          age = static_cast<double>(time - times[k]) / static_cast<double>(spec.scaler.half_life_us);
        const double w = std::exp2(-age);
        weights += w, sum += w * xs[k];
      }
      for (std::size_t k = 0; k < xs.size(); ++k) {
        double age = 0;
        if (spec.scaler.half_life_events > 0) age = static_cast<double>(xs.size() - 1 - k) / spec.scaler.half_life_events;
        if (spec.scaler.half_life_us > 0)
          age = static_cast<double>(time - times[k]) / static_cast<double>(spec.scaler.half_life_us);
        squares += std::exp2(-age) * (xs[k] - sum / weights) * (xs[k] - sum / weights);
      }
      const auto m = n.stage->scaler().moments(0);
      ASSERT_NEAR(m.weight, weights, 1e-9 * weights);
      ASSERT_NEAR(m.mean, sum / weights, 1e-9);
      ASSERT_NEAR(m.variance, squares / weights, 1e-7);
      ASSERT_EQ(n.stage->scaler().moments(1).weight, 0.0) << "a missing value is not counted";
    }
  }
}

TEST(Normalization, MissingNumbersFollowTheirPolicy) {
  EventSchema schema;
  schema.fields = {number("mean"), number("zero", Missing::kZero), number("last", Missing::kLast),
                   number("mark", Missing::kIndicator)};
  Stage1 n({}, schema);
  EventBuilder e(4);
  for (const double x : {1.0, 3.0}) n.event(e.number(0, x).number(1, x).number(2, x).number(3, x));
  EventBuilder nothing(4);
  const Normalized got = n.event(nothing);
  EXPECT_EQ(got.dense, (std::vector<float>{0.0f, -2.0f, 1.0f, 0.0f}));
  EXPECT_EQ(got.indices, std::vector<std::uint32_t>{0}) << "the mark of the fourth";
  EXPECT_EQ(n.stage->scaler().moments(1).weight, 2.0) << "a stand-in is not counted";
}

TEST(Normalization, ClipsAndTakesLogitsOfAggregates) {
  EventSchema schema;
  schema.fields = {number("x", Missing::kMean, 3.0)};
  FeatureSpec spec;
  spec.aggregates.resize(1);
  spec.aggregates[0].transform = Transform::kLogit;
  Stage1 n(spec, schema);
  EventBuilder e(1);
  for (const double x : {1.0, 3.0}) n.event(e.number(0, x), {x == 1.0 ? 0.25f : 0.75f});
  const Normalized got = n.event(e.number(0, 1000.0), {0.75f});
  EXPECT_EQ(got.dense[0], 3.0f);
  EXPECT_NEAR(got.dense[1], 1.0, 1e-6);
  EXPECT_NEAR(n.stage->scaler().moments(1).variance, 8.0 / 9 * std::pow(std::log(3.0), 2), 1e-6) << "of -ln 3, ln 3, ln 3";
}

TEST(Normalization, CategoriesGetSlotsUpToTheLimitThenHashes) {
  EventSchema schema;
  schema.fields = {category("c"), category("t", FieldKind::kHashedText)};
  FeatureSpec spec;
  spec.one_hot_limit = 3;
  spec.sparse_size = 64;
  Stage1 n(spec, schema);
  std::set<std::uint32_t> slots;
  for (int i = 0; i < 20; ++i) {
    EventBuilder e(2);
    const Normalized got = n.event(e.text(0, "value" + std::to_string(i)));
    ASSERT_EQ(got.indices.size(), 1u);
    if (i < 3) {
      EXPECT_EQ(got.indices[0], static_cast<std::uint32_t>(i));
    } else {
      EXPECT_GE(got.indices[0], 3u);
    }
    EXPECT_LT(got.indices[0], 64u);
  }
  EventBuilder again(2);
  EXPECT_EQ(n.event(again.text(0, "value1")).indices[0], 1u);
  EventBuilder text(2);
  EXPECT_GE(n.event(text.text(1, "value1")).indices[0], 3u) << "texts are always hashed";
  EXPECT_EQ(n.stage->encoder().slots_used(0), 3u);
}

TEST(Normalization, BinsAndCrossesTakeTheirPositions) {
  EventSchema schema;
  schema.fields = {number("x")};
  schema.fields[0].bins = {0, 10};
  schema.fields[0].scaled = false;
  FeatureSpec spec;
  spec.crosses.resize(2);
  spec.sparse_size = 16;
  Stage1 n(spec, schema);
  const auto at = [&](double x) {
    EventBuilder e(1);
    return n.event(e.number(0, x), {}, {0, 12345}).indices;
  };
  EXPECT_EQ(at(-1).size(), 2u) << "the cross with a missing part is left out";
  EXPECT_EQ(at(-1)[0], 0u);
  EXPECT_EQ(at(0)[0], 1u);
  EXPECT_EQ(at(9.9)[0], 1u);
  EXPECT_EQ(at(10)[0], 2u);
  EXPECT_GE(at(0)[1], 3u);
  EXPECT_EQ(n.stage->shape(), (ModelShape{0, 16}));
}

using Indices = std::vector<std::uint32_t>;
using Values = std::vector<float>;

TEST(Normalization, KnotsShareAWeightOfOneBetweenTwoNeighbours) {
  EventSchema schema;
  schema.fields = {number("x", Missing::kIndicator)};
  schema.fields[0].knots = {-10, 0, 5, 25};
  schema.fields[0].scaled = false;
  Stage1 n({}, schema);
  const auto at = [&](double x) {
    EventBuilder e(1);
    return n.event(e.number(0, x));
  };
  for (const double x : {-1e308, -11.0, -10.0}) EXPECT_EQ(at(x).indices, (Indices{0})) << x;
  for (const double x : {25.0, 26.0, 1e308}) EXPECT_EQ(at(x).indices, (Indices{3})) << x;
  EXPECT_EQ(at(0).indices, (Indices{1}));
  EXPECT_EQ(at(0).values, (Values{1}));
  EXPECT_EQ(at(-7.5).indices, (Indices{0, 1}));
  EXPECT_EQ(at(-7.5).values, (Values{0.75f, 0.25f}));
  EXPECT_EQ(at(20).indices, (Indices{2, 3}));
  EXPECT_EQ(at(20).values, (Values{0.25f, 0.75f}));
  EventBuilder missing(1);
  EXPECT_EQ(n.event(missing).indices, (Indices{4})) << "its own mark alone";
  // A line through the knots' values, whatever the number.
  const double weights[] = {3, -1, 4, 0.5};
  Rng rng(1);
  for (int i = 0; i < 10000; ++i) {
    const double x = -12 + 40 * rng.uniform();
    const Normalized sample = at(x);
    double got = 0, expected = weights[0];
    for (std::size_t k = 0; k < sample.indices.size(); ++k) got += weights[sample.indices[k]] * static_cast<double>(sample.values[k]);
    for (std::size_t k = 1; k < 4; ++k) {
      const double low = schema.fields[0].knots[k - 1], high = schema.fields[0].knots[k];
      expected += (weights[k] - weights[k - 1]) * std::min(std::max((x - low) / (high - low), 0.0), 1.0);
    }
    ASSERT_NEAR(got, expected, 1e-6) << x;
  }
}

TEST(Normalization, ACrossWithKnotsTakesARunOfPositions) {
  EventSchema schema;
  schema.fields = {number("x"), category("c")};
  schema.fields[0].knots = {0, 10, 20};
  schema.fields[0].scaled = false;
  schema.fields[1].one_hot = false;
  FeatureSpec spec;
  spec.crosses = {{{"c", "x"}}};
  spec.sparse_size = 32;
  Stage1 n(spec, schema);
  const auto at = [&](double x, std::uint64_t cross) {
    EventBuilder e(2);
    return n.event(e.number(0, x), {}, {cross});
  };
  Rng rng(2);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t cross = rng.below(UINT64_MAX) | 1;
    const Indices first = at(0, cross).indices, between = at(14, cross).indices, last = at(20, cross).indices;
    ASSERT_EQ(between, (Indices{1, 2, first[1] + 1, first[1] + 2}));
    ASSERT_EQ(last, (Indices{2, first[1] + 2}));
    ASSERT_GE(first[1], 3u) << "never where something else has its place";
    ASSERT_LT(last[1], 32u);
  }
  EXPECT_EQ(at(14, 7).values, (Values{0.6f, 0.4f, 0.6f, 0.4f}));
  EXPECT_EQ(at(14, 0).indices.size(), 2u) << "the cross is left out where its category is missing,";
  EventBuilder missing(2);
  EXPECT_EQ(n.event(missing, {}, {7}).indices.size(), 0u) << "and where its number is";
}

TEST(Normalization, WrongKnotsAreConfigErrors) {
  for (const std::vector<double>& knots : std::vector<std::vector<double>>{{1}, {1, 1}, {2, 1}, {1, NAN}, {0, 1e200}}) {
    EventSchema schema;
    schema.fields = {number("x")};
    schema.fields[0].knots = knots;
    EXPECT_FALSE(Normalization::make({}, schema).ok());
    schema.fields[0].knots = {1, 2};
    EXPECT_TRUE(Normalization::make({}, schema).ok());
    schema.fields[0].bins = {1};
    EXPECT_FALSE(Normalization::make({}, schema).ok());
  }
}

TEST(Normalization, ASparseBlockTooSmallIsAConfigError) {
  EventSchema schema;
  schema.fields = {category("c")};
  FeatureSpec spec;
  spec.sparse_size = 256;
  const auto made = Normalization::make(spec, schema);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kConfig);
  schema.fields.push_back(number("x"));
  schema.fields[0].one_hot = false;
  schema.fields[1].knots = {1, 2, 3, 4, 5};
  spec.crosses = {{{"c", "x"}}};
  spec.sparse_size = 8;
  EXPECT_FALSE(Normalization::make(spec, schema).ok()) << "a cross needs room for all its knots";
  spec.sparse_size = 16;
  EXPECT_TRUE(Normalization::make(spec, schema).ok());
  spec.sparse_size = 1000;
  EXPECT_FALSE(Normalization::make(spec, schema).ok());
}

TEST(Normalization, RestartEqualsNoRestart) {
  EventSchema schema;
  schema.fields = {number("x"), number("y", Missing::kLast), category("c"), category("d")};
  FeatureSpec spec;
  spec.one_hot_limit = 5;
  spec.scaler.half_life_us = 1000;
  Stage1 whole(spec, schema);
  Stage1 restarted(spec, schema);
  auto reader = std::make_shared<MapStateReader>();
  Rng rng(3);
  for (int i = 1; i < 500; ++i) {
    EventBuilder e(4, i * 40);
    e.number(0, rng.normal()).text(2, std::to_string(rng.below(8))).text(3, std::to_string(rng.below(4)));
    if (rng.below(2) == 0) e.number(1, rng.normal());
    const Normalized a = whole.event(e);
    const Normalized b = restarted.event(e);
    ASSERT_EQ(a.dense, b.dense);
    ASSERT_EQ(a.indices, b.indices);
    ASSERT_EQ(a.moments_weight, b.moments_weight);
    if (rng.below(30) != 0) continue;
    StateChanges changes;
    const CommitId commit{static_cast<std::uint64_t>(i)};
    StateWriter writer(changes, "normalization.", commit);
    restarted.stage->save(writer);
    reader->apply(changes, commit);
    restarted = Stage1(spec, schema);
    ASSERT_TRUE(restarted.stage->load(StageState(reader, "normalization.")).ok());
  }
}

TEST(Normalization, NothingInAnEventGivesANonFiniteSample) {  // Extremes in any order, every policy.
  EventSchema schema;
  schema.fields = {number("a"), number("b", Missing::kZero), number("c", Missing::kLast), number("d", Missing::kIndicator, 5.0),
                   number("constant")};
  schema.fields[1].knots = {-1e100, -1, 0, 5e-324, 1e100};
  const double extremes[] = {1e308,  -1e308, 5e-324, -5e-324, 2.2e-308, 0.0,   -0.0, 1.0,
                             1e100,  -1e100, 1e-200, 1e-100,  1e15,     1 + 1e-15, 3.0, 1.7976931348623157e308};
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    FeatureSpec spec;
    spec.aggregates.resize(3);
    spec.aggregates[1].transform = Transform::kLogit;
    spec.scaler.include_self = rng.below(2) == 0;
    spec.scaler.aggregate_clip = rng.below(2) == 0 ? 0.0 : 10.0;
    if (rng.below(3) == 0) spec.scaler.half_life_events = 0.01 + rng.uniform() * 10;
    else if (rng.below(2) == 0) spec.scaler.half_life_us = 1 + static_cast<std::int64_t>(rng.below(1'000'000));
    Stage1 n(spec, schema);
    const std::uint64_t variety = 1 + rng.below(16);
    for (int i = 0; i < 400; ++i) {
      EventBuilder e(5, rng.below(50) == 0 ? INT64_MAX : rng.below(50) == 0 ? INT64_MIN + 1 : static_cast<std::int64_t>(rng.below(1'000'000'000)));
      for (std::size_t f = 0; f < 4; ++f)
        if (rng.below(5) != 0) e.number(f, extremes[rng.below(variety)]);
      e.number(4, 0.1);
      std::vector<float> features(3);
      for (float& x : features)
        x = rng.below(4) == 0 ? std::nanf("") : static_cast<float>(std::clamp(extremes[rng.below(variety)], -3e38, 3e38));
      const Normalized got = n.event(e, features);
      for (const float x : got.dense) {
        ASSERT_TRUE(std::isfinite(x)) << "seed " << seed << ", record " << i;
        ASSERT_LE(std::abs(x), Scaler::kBound);
      }
      ASSERT_EQ(got.dense[4], 0.0f) << "a constant column says nothing";
      ASSERT_LE(std::abs(got.dense[3]), 5.0f);
    }
  }
}

}  // namespace
}  // namespace weir
