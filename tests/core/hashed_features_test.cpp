// Hashed features of an event: which there are, what they share, and that they are the same for ever.

#include "core/features/hashed_features.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/base/hash.hpp"
#include "tests/support/event_builder.hpp"

namespace weir {
namespace {

std::uint32_t upper(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

FieldSpec field(std::string name, FieldKind kind = FieldKind::kNumber) {
  FieldSpec out;
  out.name = std::move(name);
  out.kind = kind;
  return out;
}

EventSchema schema() {
  EventSchema out;
  FieldSpec x = field("x"), bin = field("bin"), knot = field("knot"), z = field("z"), left_out = field("left out"),
            hidden = field("hidden", FieldKind::kCategory);
  x.scaled = bin.scaled = knot.scaled = left_out.scaled = false;
  x.step = 2.0;
  x.levels = 3;
  bin.bins = knot.knots = {0, 10, 20};
  knot.levels = z.levels = 2;
  hidden.one_hot = false;
  out.fields = {x, bin, knot, z, left_out, field("shop", FieldKind::kCategory), hidden, field("text", FieldKind::kHashedText)};
  return out;
}

FeatureSpec spec() {
  FeatureSpec out;
  out.crosses.push_back({{"shop", "bin"}});
  out.aggregates.emplace_back();
  return out;
}

std::vector<std::uint32_t> encode(EventBuilder& event, double z = 0.3, double aggregate = 1.0, std::uint64_t cross = 0x1234567890abcdefULL) {
  const HashedFeatures features = *HashedFeatures::make(spec(), schema());
  std::vector<std::uint32_t> out(features.count());
  const float scaled[] = {static_cast<float>(z), 0.5f};
  const float aggregates[] = {static_cast<float>(aggregate)};
  features.encode(event.get(), scaled, aggregates, std::span(&cross, 1), out);
  return out;
}

EventBuilder usual() {
  EventBuilder event(8);
  event.number(0, 11.0).number(1, 10.0).number(2, 19.9).number(3, 1.0).number(4, 1.0).text(5, "corner").text(6, "a").text(7, "hello");
  return event;
}

TEST(HashedFeatures, AreWhatTheHeaderSays) {
  EventBuilder event = usual();
  const std::vector<std::uint32_t> found = encode(event);
  const auto salt = [](const char* name) { return upper(hash64(name)); };
  const std::vector<std::uint32_t> expected = {
      5 + salt("x"), 2 + salt("x"), 1 + salt("x"),                       // floor(11 / 2) = 5, halved twice
      2 + salt("bin"),                                                   // 0 and 10 are at or below 10
      1 + salt("knot"), 0 + salt("knot"),                                // The knot 10.
      1 + salt("z"), 0 + salt("z"),                                      // floor(4 * 0.3)
      upper(mix_hash(hash64("corner"), hash64("shop"))), upper(mix_hash(hash64("hello"), hash64("text"))), 0x12345678U,
      2 + salt("aggregate 0"), 1 + salt("aggregate 0"), 0 + salt("aggregate 0")};  // floor(4 * 0.5)
  EXPECT_EQ(found, expected);
}

TEST(HashedFeatures, AreTheSameForEver) {  // They are in stored examples, and networks are trained on them.
  EventBuilder event = usual();
  const std::vector<std::uint32_t> found = encode(event);
  EXPECT_EQ(hash64({reinterpret_cast<const char*>(found.data()), found.size() * 4}), 0x24ba5f66572453e9ULL);
}

TEST(HashedFeatures, NumbersBelowZeroAndBeyondWholeOnesHaveTheirs) {
  for (const auto& [x, q] : {std::pair{-0.1, -1}, {-2.0, -1}, {-2.1, -2}, {0.0, 0}, {1.9, 0}}) {
    EventBuilder event = usual();
    event.number(0, x);
    const std::vector<std::uint32_t> found = encode(event);
    const std::uint32_t salt = upper(hash64("x"));
    EXPECT_EQ(found[0], static_cast<std::uint32_t>(q) + salt) << x;
    EXPECT_EQ(found[1], static_cast<std::uint32_t>(q >> 1) + salt) << x;
  }
  for (const double x : {1e300, -1e300, std::numeric_limits<double>::max()}) {
    EventBuilder event = usual();
    event.number(0, x);
    EXPECT_EQ(encode(event).size(), 14U);
  }
}

TEST(HashedFeatures, WhatIsMissingIsAValueOfItsOwn) {
  EventBuilder nothing(8);
  const std::vector<std::uint32_t> found = encode(nothing, 0.0, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(found[0], upper(mix_hash(hash64("x"), 0)));
  EXPECT_EQ(found[2], upper(mix_hash(hash64("x"), 2)));
  EXPECT_EQ(found[11], upper(mix_hash(hash64("aggregate 0"), 0)));
  EventBuilder zero = usual();
  zero.number(0, 0.0);
  EXPECT_NE(encode(zero)[0], found[0]);
  EXPECT_EQ(std::set<std::uint32_t>(found.begin(), found.end() - 4).size(), 10U);  // No two of them alike.
}

TEST(HashedFeatures, StepsAndLevelsOutOfRangeAreRefused) {
  for (const auto& [step, levels] : {std::pair{-1.0, 1U}, {std::nan(""), 1U}, {1.0, 0U}, {1.0, 33U}}) {
    EventSchema s;
    s.fields.push_back(field("x"));
    s.fields[0].step = step;
    s.fields[0].levels = levels;
    const auto made = HashedFeatures::make({}, s);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, ErrorCode::kConfig);
    EXPECT_NE(made.error().what.find("'x'"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir
