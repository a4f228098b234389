// The capacity law, the choice of a neuron, and the cache of sums that both look at.
#include "core/learning/sum_cache.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "core/base/crc32c.hpp"
#include "core/base/rng.hpp"
#include "core/learning/capacity_law.hpp"

namespace weir {
namespace {

TEST(CapacityLaw, GivesTheOracleTable) {
  struct Row {
    std::uint64_t magnitude, capacity, rounded_first;
  };
  constexpr Row kRows[] = {{0, 1000000, 1000000}, {31, 976, 961}, {32, 918, 900}, {99, 100, 100}, {333, 8, 4},
                           {499, 4, 4},           {500, 3, 1},    {799, 1, 1},    {1000, 0, 0}};
  for (const Row& row : kRows) {
    EXPECT_EQ(law_capacity(1000, row.magnitude), row.capacity) << row.magnitude;
    EXPECT_EQ(law_capacity(1000, row.magnitude, true), row.rounded_first) << row.magnitude;
  }
  // With the floor: at least one bucket as it was first written down, two as it is.
  const CapacitySettings plain{.clamp = 0, .gold_clamp = 0, .escape = false};
  EXPECT_EQ(next_capacity(1000, 799, {}, 1000, plain).capacity, 2u);
  EXPECT_EQ(next_capacity(1000, 1000, {}, 1000, plain).capacity, 2u);
  EXPECT_TRUE(next_capacity(1000, 1000, {}, 1000, plain).clamped);
  const CapacitySettings first{.clamp = 0, .gold_clamp = 0, .capacity_min = 1, .escape = false, .round_first = true};
  EXPECT_EQ(next_capacity(1000, 1000, {}, 1000, first).capacity, 1u);
}

TEST(CapacityLaw, FitsThirtyTwoBitsForAnyNumberOfSamples) {
  EXPECT_EQ(law_capacity(65535, 0), 4294836225u);
  EXPECT_EQ(law_capacity(65536, 0), 0xffffffffu);
  EXPECT_EQ(law_capacity(0x7fffffff, 0), 0xffffffffu);
  const CapacitySettings plain{.clamp = 0, .gold_clamp = 0};
  EXPECT_EQ(next_capacity(0x7fffffff, 1, {}, 2, plain).capacity, 0xffffffffu);
  EXPECT_EQ(next_capacity(0x7fffffff, 0x7fffffff, {}, 2, plain).capacity, 0x7fffffffu);  // Escaped.
  EXPECT_EQ(next_capacity(1, 1, {}, 1, {}).capacity, 2u);
  EXPECT_EQ(next_capacity(3, 1, {}, 3, {}).capacity, 2u);
}

TEST(CapacityLaw, StepsAreLimitedMoreSoInTheGoldZone) {
  CapacitySettings settings{.escape = false};
  EXPECT_EQ(next_capacity(1000, 0, {}, 1000, settings).capacity, 10000u);  // The law says 1000000.
  EXPECT_TRUE(next_capacity(1000, 0, {}, 1000, settings).clamped);
  EXPECT_EQ(next_capacity(1000, 900, {}, 95, settings).capacity, 10u);     // The law says 1; ceil(95 / 10).
  EXPECT_EQ(next_capacity(1000, 499, {}, 1000, settings).capacity, 500u);  // Gold; the law says 4.
  EXPECT_EQ(next_capacity(1000, 99, {}, 10, settings).capacity, 20u);      // Gold; the law says 100.
  EXPECT_EQ(next_capacity(1000, 99, {}, 99, settings).capacity, 100u);
  EXPECT_FALSE(next_capacity(1000, 99, {}, 99, settings).clamped);
  settings.law = false;
  EXPECT_EQ(next_capacity(1000, 900, {}, 10, settings).capacity, 1000000u);
}

TEST(CapacityLaw, CollapsedNeuronsEscape) {
  EXPECT_EQ(next_capacity(1000, 799, {}, 2, {}).capacity, 2u);
  EXPECT_EQ(next_capacity(1000, 800, {}, 2, {}).capacity, 1000u);
  EXPECT_EQ(next_capacity(1000, 1000, {}, 2, {}).capacity, 1000u);
}

TEST(CapacityLaw, SmoothsOverWhatHistoryThereIs) {
  constexpr std::array<std::uint32_t, 3> kWeights = {3, 2, 1};
  EXPECT_EQ(smoothed_magnitude(100, {}, kWeights), 100u);
  EXPECT_EQ(smoothed_magnitude(100, std::vector<std::uint64_t>{0}, kWeights), 60u);
  EXPECT_EQ(smoothed_magnitude(100, std::vector<std::uint64_t>{50, 10}, kWeights), 68u);  // floor(410 / 6)
  EXPECT_EQ(smoothed_magnitude(100, std::vector<std::uint64_t>{50, 10, 999}, kWeights), 68u);
  EXPECT_EQ(smoothed_magnitude(100, std::vector<std::uint64_t>{50, 10}, {1, 0, 0}), 100u);
}

TEST(CapacityLaw, RootsAreExact) {
  for (std::uint64_t x = 0; x < 2000; ++x) {
    const std::uint64_t root = integer_sqrt(x);
    EXPECT_TRUE(root * root <= x && (root + 1) * (root + 1) > x) << x;
  }
  EXPECT_EQ(integer_sqrt(~std::uint64_t{0}), 0xffffffffu);
  EXPECT_EQ(integer_sqrt(0xfffffffe00000001ULL), 0xffffffffu);
  EXPECT_EQ(integer_sqrt(0xfffffffe00000000ULL), 0xfffffffeu);
}

TEST(GoldZone, GivesTheOracle) {
  EXPECT_TRUE(in_gold_zone(1000, 32));
  EXPECT_TRUE(in_gold_zone(1000, 799));
  EXPECT_FALSE(in_gold_zone(1000, 31));
  EXPECT_FALSE(in_gold_zone(1000, 800));
  EXPECT_EQ(gold_middle_q16(1000), 27250615u);
  for (std::uint32_t n = 0; n <= 4; ++n)  // As odd or even as N: nothing is left.
    for (std::uint64_t magnitude = n % 2; magnitude <= n; magnitude += 2)
      EXPECT_FALSE(in_gold_zone(n, magnitude)) << n << ", " << magnitude;
}

TEST(NeuronSelection, TakesTheMiddleOfTheGoldZoneThenItsEdgesThenAny) {
  SplitMix64 chance{1};
  using Magnitudes = std::vector<std::uint64_t>;
  const auto chosen = [&](const Magnitudes& magnitudes, std::uint32_t n = 1000) {
    return select_neuron(n, magnitudes, false, chance);
  };
  // The middle is 415.8.
  EXPECT_EQ(chosen({0, 400, 430, 1000}).position, 2u);
  EXPECT_EQ(chosen({0, 400, 430, 1000}).by, SelectedBy::kGold);
  EXPECT_EQ(chosen({430, 430}).position, 0u);  // A tie.
  EXPECT_EQ(chosen({0, 10, 30, 820, 1000}).position, 2u);
  EXPECT_EQ(chosen({0, 10, 30, 820, 1000}).by, SelectedBy::kModerate);
  EXPECT_EQ(chosen({0, 10, 801, 1000}).position, 2u);
  EXPECT_EQ(chance.counter, 0u);  // No chance so far.
  EXPECT_EQ(chosen({0, 1000, 0}).by, SelectedBy::kExplore);
  EXPECT_EQ(chosen({4, 2, 0}, 4).by, SelectedBy::kModerate);  // N too small for a zone: no error.
  EXPECT_EQ(chosen({1}, 1).by, SelectedBy::kExplore);
  std::map<std::uint32_t, int> seen;
  for (int i = 0; i < 1000; ++i) ++seen[select_neuron(1000, Magnitudes{430, 0, 0, 0}, true, chance).position];
  ASSERT_EQ(seen.size(), 4u);
  for (const auto& [_, count] : seen) EXPECT_GT(count, 180);
}

TEST(SplitMix64, IsAFunctionOfSeedAndCounter) {
  SplitMix64 a{1234567};  // The published vector of this generator.
  EXPECT_EQ(a.next(), 6457827717110365317u);
  EXPECT_EQ(a.next(), 3203168211198807973u);
  SplitMix64 b{1234567, 1};
  EXPECT_EQ(b.next(), 3203168211198807973u);
}

SumRecord record(std::uint32_t neuron, std::uint32_t job, std::int32_t sum, bool accepted = true, std::uint32_t n = 1000) {
  return {
      .job = job, .neuron = neuron, .sum = sum, .n = n, .sum_before = static_cast<std::int32_t>(n % 2), .accepted = accepted};
}

TEST(SumCache, IsARingANeuron) {  // Beside a plain model of it.
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Rng rng(seed);
    const auto ring = static_cast<std::uint32_t>(1 + rng.below(6));
    SumCache cache(5, ring);
    std::vector<std::deque<SumRecord>> plain(5);
    for (std::uint32_t job = 0; job < 60; ++job) {
      const SumRecord r = record(static_cast<std::uint32_t>(rng.below(5)), job,
                                 static_cast<std::int32_t>(2 * rng.below(1001)) - 1000, rng.below(2) == 0);
      ASSERT_TRUE(cache.add(r).ok());
      plain[r.neuron].push_back(r);
      if (plain[r.neuron].size() > ring) plain[r.neuron].pop_front();
      for (std::uint32_t n = 0; n < 5; ++n) {
        ASSERT_EQ(cache.trend(n), std::vector(plain[n].begin(), plain[n].end()));
        ASSERT_EQ(cache.latest(n) == nullptr, plain[n].empty());
        if (!plain[n].empty()) {
          ASSERT_EQ(*cache.latest(n), plain[n].back());
        }
        std::vector<std::uint64_t> accepted;
        for (auto it = plain[n].rbegin(); it != plain[n].rend() && accepted.size() < 2; ++it)
          if (it->accepted != 0) accepted.push_back(it->magnitude());
        ASSERT_EQ(cache.accepted_magnitudes(n, 1000, 2), accepted);
      }
    }
    const auto back = SumCache::load(cache.snapshot());
    ASSERT_TRUE(back.ok()) << back.error().what;
    EXPECT_EQ(*back, cache);
    EXPECT_EQ(back->snapshot(), cache.snapshot());
  }
}

TEST(SumCache, TellsALayersGoldAndMargins) {
  SumCache cache(6);
  const std::int32_t sums[] = {0, -400, 900, 1000, 500};
  for (std::uint32_t n = 0; n < 5; ++n) ASSERT_TRUE(cache.add(record(n, n, sums[n])).ok());
  EXPECT_EQ(cache.gold(0, 6), (std::vector<std::uint32_t>{1, 4}));
  EXPECT_EQ(cache.gold(2, 4), std::vector<std::uint32_t>());
  EXPECT_EQ(cache.margins(0, 6), (std::array<std::uint32_t, 10>{1, 0, 0, 0, 1, 1, 0, 0, 0, 2}));
}

TEST(SumCache, RefusesAPoisonedSum) {
  SumCache cache(2);
  EXPECT_EQ(cache.add(record(0, 7, 1002)).error().what,
            "sum cache: found neuron 0, job 7: a sum of 1002 over 1000 samples, expected one within and as odd or even as "
            "their number");
  EXPECT_FALSE(cache.add(record(0, 7, -1002)).ok());
  EXPECT_FALSE(cache.add(record(0, 7, 3)).ok());
  EXPECT_FALSE(cache.add(record(2, 7, 0)).ok());
  SumRecord odd = record(0, 0, 0);
  odd.sum_before = -2147483647 - 1;
  EXPECT_FALSE(cache.add(odd).ok());
  EXPECT_EQ(cache.latest(0), nullptr);
}

TEST(SumCache, RefusesEveryCutAndFlippedBitOfASnapshot) {
  SumCache cache(3, 4);
  for (std::uint32_t job = 0; job < 7; ++job) ASSERT_TRUE(cache.add(record(job % 2, job, 10)).ok());
  const std::string whole = cache.snapshot();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const auto cut = SumCache::load(std::string_view(whole).substr(0, bytes));
    ASSERT_FALSE(cut.ok()) << bytes;
    EXPECT_TRUE(cut.error().code == ErrorCode::kCorruption) << cut.error().what;
  }
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(SumCache::load(damaged).ok()) << bit;
  }
  // With a checksum that is right: still only what can be.
  for (std::size_t bit = 0; bit < 8 * (whole.size() - 4); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const std::uint32_t crc = crc32c(std::string_view(damaged).substr(0, damaged.size() - 4));
    damaged.replace(damaged.size() - 4, 4, reinterpret_cast<const char*>(&crc), 4);
    const auto read = SumCache::load(damaged);
    if (read.ok()) {
      EXPECT_EQ(read->snapshot(), damaged) << bit;
    }
  }
}

TEST(SumCache, StaysWithinItsMemory) {  // 140 networks of 241 neurons, all rings full.
  SumCache cache(140 * 241);
  for (std::uint32_t n = 0; n < cache.neurons(); ++n)
    for (std::uint32_t job = 0; job < 40; ++job) ASSERT_TRUE(cache.add(record(n, job, 0)).ok());
  EXPECT_LE(cache.bytes(), 140u * 241u * (32 * kSumRecordBytes + 32));
  EXPECT_LT(cache.bytes(), 100'000'000u);
}

TEST(JobResult, TellsWhyAJobWasUndone) {
  EXPECT_EQ(result_of({.correct_before = 5, .correct_after = 3, .accepted = 1}), JobResult::kAccepted);  // Always accepted: phase 0.
  EXPECT_EQ(result_of({.correct_before = 5, .correct_after = 4}), JobResult::kWorse);
  EXPECT_EQ(result_of({.correct_before = 5, .correct_after = 5}), JobResult::kNoGain);  // Nobody voted for a change.
  EXPECT_EQ(result_of({.correct_before = 5, .correct_after = 6}), JobResult::kNoGain);  // By edge: not above its error.
  EXPECT_EQ(name_of(JobResult::kNoGain), "no_gain");
}

TEST(SumCache, CountsWhatItRemembers) {
  SumCache cache(3, 2);
  EXPECT_EQ(cache.records(), 0u);
  for (std::uint32_t job = 0; job < 5; ++job) ASSERT_TRUE(cache.add({.job = job, .neuron = job % 2, .sum = 1, .n = 3, .sum_before = 1}).ok());
  EXPECT_EQ(cache.records(), 4u);  // Two of the first neuron's three, two of the second's.
}

}  // namespace
}  // namespace weir
