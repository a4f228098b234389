// Goal: the edge of a neuron is what its definition says; training by it ends, whatever the samples; and it is worth having: on
// noisy labels it learns what the other ways to train the same network do not, in fewer bytes.
#include "core/learning/hashtron_edge.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/learning/backward_pipeline.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_text.hpp"
#include "tests/core/hashtron_support.hpp"

namespace weir {
namespace {

using namespace testing_hashtron;

HashtronSamples none() { return HashtronSamples(1, 0); }

TEST(HashtronEdge, IsNoneForAnswersByChanceAndForThoseThatRepeatTheOutput) {
  const HashtronEdge repeats{.right = 70, .wrong = 30, .halves_of_right = 140, .halves_of_wrong = 0};
  const HashtronEdge chance{.right = 70, .wrong = 30, .halves_of_right = 70, .halves_of_wrong = 30};
  const HashtronEdge knows{.right = 70, .wrong = 30, .halves_of_right = 140, .halves_of_wrong = 60};
  const HashtronEdge opposite{.right = 70, .wrong = 30};
  EXPECT_EQ(repeats.value(), 0.0);
  EXPECT_EQ(chance.value(), 0.0);
  EXPECT_EQ(knows.value(), 1.0);
  EXPECT_EQ(opposite.value(), -1.0);
  for (const HashtronEdge& edge : {repeats, chance, opposite}) EXPECT_FALSE(edge.above(0));
  EXPECT_TRUE(compare_edges(repeats, chance) == 0);
  EXPECT_TRUE(compare_edges(knows, chance) > 0);
  EXPECT_TRUE(compare_edges(opposite, chance) < 0);
  // An output that is right, or wrong, everywhere leaves none.
  for (const HashtronEdge& edge :
       {HashtronEdge{.right = 9, .halves_of_right = 18}, HashtronEdge{.wrong = 9, .halves_of_wrong = 18}}) {
    EXPECT_EQ(edge.value(), 0.0);
    EXPECT_FALSE(edge.above(0));
    EXPECT_TRUE(compare_edges(edge, repeats) == 0);
  }
}

TEST(HashtronEdge, IsComparedExactlyUpToItsBounds) {
  // Standard error sqrt(1 / 4R + 1 / 4W) = 0.05 for R = W = 200; an edge of 0.15 is three of them, not more.
  HashtronEdge edge{.right = 200, .wrong = 200, .halves_of_right = 260, .halves_of_wrong = 200};
  EXPECT_DOUBLE_EQ(edge.value(), 0.15);
  EXPECT_FALSE(edge.above(30));
  EXPECT_TRUE(edge.above(29));
  ++edge.halves_of_right;
  EXPECT_TRUE(edge.above(30));
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed);
    const auto random = [&] {
      HashtronEdge out{.right = static_cast<std::uint32_t>(1 + rng.below(500)),
                       .wrong = static_cast<std::uint32_t>(1 + rng.below(500))};
      out.halves_of_right = rng.below(2 * out.right + 1);
      out.halves_of_wrong = rng.below(2 * out.wrong + 1);
      return out;
    };
    const HashtronEdge a = random(), b = random();
    const double error = std::sqrt(0.25 / a.right + 0.25 / a.wrong), in_errors = a.value() / error;
    if (std::abs(in_errors - 2.0) > 1e-9) {
      ASSERT_EQ(a.above(20), in_errors > 2.0) << seed;
    }
    if (std::abs(a.value() - b.value()) > 1e-9) {
      ASSERT_EQ(compare_edges(a, b) > 0, a.value() > b.value()) << seed;
    }
  }
  // The greatest numbers there can be do not overflow.
  const std::uint32_t half = 0x3fffffffU;
  const HashtronEdge huge{
      .right = half, .wrong = half, .halves_of_right = 2 * std::uint64_t{half}, .halves_of_wrong = 2 * std::uint64_t{half}};
  EXPECT_EQ(huge.value(), 1.0);
  EXPECT_TRUE(huge.above(kEdgeTenthsMax));
  EXPECT_TRUE(compare_edges(huge, huge) == 0);
  EXPECT_TRUE(compare_edges(huge, edge) > 0);
}

// From the definition, sample by sample.
HashtronEdge naive_edge(const HashtronNetwork& net, const HashtronSamples& samples, const HashtronJob& job) {
  const std::uint32_t l = net.layer_of(job.neuron), cell = (job.neuron - net.first(l)) % net.cells();
  const HashtronActivations run(net, samples);
  std::vector<std::uint32_t> keys;
  run.keys(job.neuron, keys);
  const auto key = [&](std::uint32_t s) {
    return job.capacity == 0 ? keys[s] : hashtron_hash(keys[s], job.salt, job.capacity);
  };
  HashtronNetwork::Scratch scratch;
  HashtronEdge out;
  for (std::uint32_t s = 0; s < samples.count(); ++s) {
    const int wanted = samples.targets()[s] >> cell & 1;
    int others = 0;
    for (std::uint32_t t = 0; t < samples.count(); ++t)
      if (t != s && key(t) == key(s)) others += (samples.targets()[t] >> cell & 1) != 0 ? 1 : -1;
    const std::uint64_t halves = others == 0 ? 1 : (others > 0) == (wanted == 1) ? 2 : 0;
    const std::vector<std::uint32_t> features = {samples.feature(s, 0), samples.feature(s, 1)};
    const bool right = (net.predict(features, scratch) >> cell & 1) == wanted;
    ++(right ? out.right : out.wrong);
    (right ? out.halves_of_right : out.halves_of_wrong) += halves;
    out.agreement += int(net.neuron(job.neuron).bit(keys[s])) == wanted ? 1 : 0;
  }
  return out;
}

TEST(HashtronEdge, IsWhatItsDefinitionSaysForAnyNetwork) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    const std::vector<HashtronLayer> layers = {{.neurons = 15, .premodulo = 16, .combiner = windows(15, 1, 3)},
                                               {.neurons = 5, .premodulo = 8, .combiner = windows(5, 1, 5)},
                                               {.neurons = seed % 2 == 0 ? 1U : 3U, .combiner = {}}};
    const HashtronNetwork net = std::move(*HashtronNetwork::make(layers, random_neurons(rng, 20 + layers[2].neurons)));
    HashtronSamples samples(2, 150);
    for (std::uint32_t s = 0; s < 150; ++s)
      samples.set(s, std::vector{s % 40, s / 3}, static_cast<std::uint16_t>(rng.below(1U << layers[2].neurons)));
    auto trainer = HashtronTrainer::make(net, samples, none());
    ASSERT_TRUE(trainer.ok()) << trainer.error().what;
    for (std::uint32_t n = 0; n < 20; ++n) {
      HashtronJob job{.neuron = n,
                      .salt = 77,
                      .capacity = n % 3 == 0   ? 0U
                                  : n % 3 == 1 ? 20U
                                               : 100000U,
                      .credit = HashtronCredit::kTarget};
      const HashtronEdge expected = naive_edge(net, samples, job);
      ASSERT_EQ((*trainer)->edge(job), expected) << "seed " << seed << ", neuron " << n;
      // A job is accepted by it and by nothing else.
      for (const std::uint32_t edge_min : {0U, 15U}) {
        job.edge_min = edge_min;
        auto copy = HashtronTrainer::make(net, samples, none());
        const auto result = (*copy)->run(job);
        ASSERT_EQ(result->accepted, expected.improves() && expected.above(edge_min) && !result->skipped);
      }
    }
  }
}

TEST(HashtronEdge, ANeuronThatOnlyRemembersHasNone) {
  // Each key has one sample: trained, the neuron would be right at all of them, and knows nothing of any other.
  auto trainer =
      HashtronTrainer::make(std::move(*HashtronNetwork::make(small_layers())), square_root_bit(5, 2, 20).train, none());
  const HashtronJob job{.neuron = 0, .salt = 5, .capacity = 677329, .credit = HashtronCredit::kTarget};
  const HashtronEdge edge = (*trainer)->edge(job);
  EXPECT_LT(std::abs(edge.value()), 0.05);
  EXPECT_FALSE(edge.above(30));
  const HashtronEdge other = (*trainer)->edge({.neuron = 4, .salt = 5, .capacity = 677329, .credit = HashtronCredit::kTarget});
  EXPECT_GT(other.value(), 0.5);  // It reads x >> 4, which tells the bit.
  EXPECT_TRUE(other.above(30));
}

struct Trained {
  double train = 0, held_out = 0, filter_bytes = 0, zlib_bytes = 0;
};
Trained train(const GeneratedTask& task, BackwardSettings settings, std::uint64_t seed) {
  auto [train, held_out] = task.samples();
  settings.seed = seed;
  auto pipeline = BackwardPipeline::make(task.layers(), settings, std::move(train), std::move(held_out));
  EXPECT_TRUE(pipeline.ok()) << pipeline.error().what;
  while (!(*pipeline)->finished()) EXPECT_TRUE((*pipeline)->step().ok());
  const HashtronTrainer& t = (*pipeline)->trainer();
  Trained out{100.0 * t.on_train().correct() / t.n(), 100.0 * t.on_held_out().correct() / t.on_held_out().samples()};
  for (const Hashtron& neuron : t.network().neurons()) out.filter_bytes += double(neuron.filter.bytes().size());
  out.zlib_bytes = double(pack_hashtron_text((*pipeline)->text()).size());
  return out;
}

// The claim of bench/learning/hashtron.cpp (rows 3, 4 and 10) on its first seeds: at least 3 points more held out than the
// better of the two rows, in no more bytes than the smaller. Measured: 14 to 24 points more, a third of the filters' bytes.
TEST(TrainingByEdge, LearnsFromNoisyLabelsWhatTheOtherRowsDoNot) {
  constexpr std::uint64_t kSeeds = 6;
  for (const std::uint32_t bit : {4U, 3U, 2U}) {
    const GeneratedTask task{.bit = bit, .noise = 20};
    BackwardSettings row3;
    row3.attempts = 1;
    row3.stuck_sweeps_max = 0;
    BackwardSettings row4 = row3;
    row4.capacity.law = false;
    Trained sums[3];
    const BackwardSettings rows[3] = {row3, row4, BackwardSettings::by_edge()};
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed)
      for (int row = 0; row < 3; ++row) {
        const Trained one = train(task, rows[row], seed);
        sums[row].held_out += one.held_out / kSeeds;
        sums[row].filter_bytes += one.filter_bytes / kSeeds;
        sums[row].zlib_bytes += one.zlib_bytes / kSeeds;
      }
    EXPECT_GT(sums[2].held_out, 3.0 + std::max(sums[0].held_out, sums[1].held_out)) << "bit " << bit;
    EXPECT_GT(sums[2].held_out, 96.0) << "bit " << bit;
    EXPECT_LE(sums[2].filter_bytes, std::min(sums[0].filter_bytes, sums[1].filter_bytes)) << "bit " << bit;
    EXPECT_LE(sums[2].zlib_bytes, std::min(sums[0].zlib_bytes, sums[1].zlib_bytes)) << "bit " << bit;
  }
}

// The case that is known to fail: no other way to train gets above chance there; one window alone gives 77 % at most.
TEST(TrainingByEdge, GetsMoreOfTheMajorityThanOneWindowTells) {
  const GeneratedTask task{.kind = GeneratedTask::Kind::kMajority, .scale = 6};
  double held_out = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) held_out += train(task, BackwardSettings::by_edge(), seed).held_out / 4;
  EXPECT_GT(held_out, 77.0);
}

TEST(TrainingByEdge, FindsNothingWhereThereIsNothing) {
  double lift = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const GeneratedTask task{.kind = GeneratedTask::Kind::kPrior};
    const auto samples = task.samples();
    std::uint32_t ones = 0;
    for (const std::uint16_t target : samples.train.targets()) ones += target;
    const Trained run = train(task, BackwardSettings::by_edge(), seed);
    lift += (run.train - 100.0 * ones / samples.train.count()) / 6;
  }
  EXPECT_LT(lift, 5.0);  // Training at random gets 30 points above the base rate here, all by memory.
}

TEST(TrainingByEdge, AlwaysEndsAndEachJobBeforeTheLastLayerAgreesMoreWithTheTarget) {
  const auto run = [](HashtronSamples samples, std::uint32_t edge_min) {
    BackwardSettings settings = BackwardSettings::by_edge();
    settings.edge_min = edge_min;
    auto pipeline = BackwardPipeline::make(small_layers(), settings, std::move(samples), none());
    ASSERT_TRUE(pipeline.ok()) << pipeline.error().what;
    const HashtronTrainer& t = (*pipeline)->trainer();
    const auto agreement = [&](std::uint32_t neuron) {
      std::uint32_t out = 0;
      for (std::uint32_t s = 0; s < t.n(); ++s)
        out += (t.on_train().row(neuron)[s / 64] >> (s % 64) & 1) == t.train().targets()[s];
      return out;
    };
    while (!(*pipeline)->finished()) {
      std::vector<std::uint32_t> before;
      for (std::uint32_t n = 0; n < 30; ++n) before.push_back(agreement(n));
      const auto job = (*pipeline)->step();
      ASSERT_TRUE(job.ok()) << job.error().what;
      if ((*job)->accepted != 0 && (*job)->neuron < 30) {
        EXPECT_EQ((*job)->selected_by, SelectedBy::kEdge);
        EXPECT_GT(agreement((*job)->neuron), before[(*job)->neuron]);
      }
      ASSERT_LT((*pipeline)->jobs(), 2000u);
    }
    EXPECT_EQ((*pipeline)->phase(), BackwardPipeline::Phase::kConverged);
  };
  const auto samples = [](std::uint32_t n, auto label) {
    HashtronSamples out(1, n);
    for (std::uint32_t s = 0; s < n; ++s) out.set(s, std::vector{s}, static_cast<std::uint16_t>(label(s)));
    return out;
  };
  for (const std::uint32_t edge_min : {0U, 30U}) {
    for (const std::uint32_t n : {1U, 2U, 3U, 4U, 5U, 64U}) run(samples(n, [](std::uint32_t x) { return x & 1; }), edge_min);
    run(samples(100, [](std::uint32_t) { return 1; }), edge_min);
    run(samples(100, [](std::uint32_t) { return 0; }), edge_min);
    run(samples(300, [](std::uint32_t x) { return hashtron_hash(x, 99, 100) < 65; }), edge_min);
    run(square_root_bit(4, 1, 30).train, edge_min);
    HashtronSamples same(1, 50);  // One feature, both labels.
    for (std::uint32_t s = 0; s < 50; ++s) same.set(s, std::vector{7U}, s & 1);
    run(std::move(same), edge_min);
  }
}

TEST(TrainingByEdge, SeveralCellsShareTheNeurons) {
  // Whole roots in five bits: neuron i learns bit i mod 5.
  const GeneratedTask task = *GeneratedTask::parse("sqrt:C=4");
  auto layers = small_layers();
  layers[2].neurons = 4;
  auto pipeline = BackwardPipeline::make(layers, BackwardSettings::by_edge(), task.samples().train, none());
  ASSERT_TRUE(pipeline.ok());
  while (!(*pipeline)->finished()) {
    const auto job = (*pipeline)->step();
    ASSERT_TRUE(job.ok());
    ASSERT_LT((*pipeline)->jobs(), 2000u);
  }
  EXPECT_EQ((*pipeline)->phase(), BackwardPipeline::Phase::kConverged);
}

}  // namespace
}  // namespace weir
