// Goal: jobs vote and judge as specified; both pipelines are a function of their seed; a run that is killed after any job and
// goes on from its snapshot ends in the same model text; the guards do what they are for, and without them the text as first
// written collapses.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "core/base/crc32c.hpp"
#include "core/learning/backward_pipeline.hpp"
#include "core/learning/forward_pipeline.hpp"
#include "core/learning/hashtron_synthesis.hpp"
#include "core/learning/hashtron_trainer.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_text.hpp"
#include "tests/core/hashtron_support.hpp"

namespace weir {
namespace {

using namespace testing_hashtron;

HashtronSamples none() { return HashtronSamples(1, 0); }
// Sums that are not zero.
std::map<std::uint32_t, std::int64_t> votes(HashtronTrainer& trainer, std::uint32_t neuron) {
  std::map<std::uint32_t, std::int64_t> out;
  for (const auto& [key, sum] : trainer.tally({.neuron = neuron}, 0, trainer.n()).sums)
    if (sum != 0) out[key] = sum;
  return out;
}
using Votes = std::map<std::uint32_t, std::int64_t>;

TEST(HashtronTrainer, VotesAsTheVectorsSay) {
  const auto all = HashtronTrainer::make(tiny_network(), square_roots(16, 0), none());
  ASSERT_TRUE(all.ok()) << all.error().what;
  HashtronTrainer& trainer = **all;
  EXPECT_EQ(votes(trainer, 6), (Votes{{0, -2}, {1, 2}, {2, 2}, {3, 2}}));
  EXPECT_EQ(votes(trainer, 4), (Votes{{0, 4}}));
  EXPECT_EQ(votes(trainer, 1), (Votes{{0, -2}, {1, -2}, {3, 1}, {4, -2}, {5, 1}}));
  for (const std::uint32_t n : {0U, 2U, 3U, 5U}) {
    EXPECT_EQ(trainer.tally({.neuron = n}, 0, 16).votes, 0u) << n;
    const auto result = trainer.run({.neuron = n});
    EXPECT_TRUE(result->skipped);
    EXPECT_FALSE(result->accepted);
  }
  EXPECT_EQ(trainer.network().text(), tiny_network().text());

  const auto ten = HashtronTrainer::make(tiny_network(), square_roots(10, 0), none());
  EXPECT_EQ(votes(**ten, 1), (Votes{{0, -1}, {1, -1}, {2, 1}, {3, 1}, {4, -1}, {5, 1}, {6, 1}, {7, 1}}));
  EXPECT_EQ(votes(**ten, 4), (Votes{{2, -2}}));
  EXPECT_EQ(votes(**ten, 6), (Votes{{0, -2}}));
}

TEST(HashtronTrainer, ABucketedJobGivesTheVectorsNeuron) {
  auto network = HashtronNetwork::make({{.neurons = 1, .combiner = {}}});
  auto trainer = HashtronTrainer::make(std::move(*network), square_roots(64, 0), none());
  const HashtronJob job{.neuron = 0, .salt = 12345, .capacity = 16, .accept_always = true};
  const VoteTally tally = (*trainer)->tally(job, 0, 64);
  Votes sums;
  for (const auto& [key, sum] : tally.sums)
    if (sum != 0) sums[key] = sum;
  EXPECT_EQ(sums, (Votes{{0, -2}, {1, -2}, {4, 4}, {7, 4}, {13, 2}, {14, 2}}));
  EXPECT_EQ(tally.sum, 8);
  const auto result = (*trainer)->run(job);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->accepted);
  EXPECT_EQ((*trainer)->network().text(), "[\n[[12345,16],\"004820\"]]\n");
  EXPECT_EQ(result->correct_after, 40u);
  EXPECT_EQ((*trainer)->on_train().correct(), 40u);
  EXPECT_EQ(result->sum_after, 8);
  EXPECT_EQ((*trainer)->on_train().sum(0), 8);
  EXPECT_EQ(result->keys, 6u);

  // Filled: a bucket nobody voted in answers like the whole tally.
  EXPECT_EQ(entries_of(tally, 16, {.fill = true}).size(), 16u);
  EXPECT_EQ(entries_of(tally, 25, {.fill = true}).size(), 6u);  // More than four buckets a key.
  for (const HashtronEntry& entry : entries_of(tally, 16, {.fill = true}))
    EXPECT_EQ(entry.answer, !sums.contains(entry.key) || sums[entry.key] > 0);
  // Above the mean, which is floor(8 / 6) = 1.
  std::vector<HashtronEntry> above;
  for (const HashtronEntry& entry : entries_of(tally, 16, {.mean_threshold = true})) above.push_back(entry);
  EXPECT_EQ(above.size(), 6u);
}

// One sample's vote, from the words: d0, d1 and c, by running the whole network twice.
TEST(HashtronTrainer, VotesAsTheRulesSayForAnyNetwork) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    const bool one_cell = seed % 2 == 0;
    auto layers = square_root_layers();
    layers[0] = {.neurons = 15, .premodulo = 16, .combiner = windows(15, 1, 3)};
    layers[1] = {.neurons = 5, .premodulo = 8, .combiner = windows(5, 1, 5)};
    layers[2].neurons = one_cell ? 1 : 3;
    if (seed % 5 == 4) layers[2].combiner = windows(layers[2].neurons, 1, 1);
    const std::uint32_t total = 20 + layers[2].neurons;
    const HashtronNetwork net = std::move(*HashtronNetwork::make(layers, random_neurons(rng, total)));
    HashtronSamples samples(2, 150);
    for (std::uint32_t s = 0; s < 150; ++s)
      samples.set(s, std::vector{s, s / 3}, static_cast<std::uint16_t>(rng.below(one_cell ? 2 : 8)),
                  static_cast<std::uint16_t>(rng.below(2)));
    auto trainer = HashtronTrainer::make(net, samples, none());
    ASSERT_TRUE(trainer.ok()) << trainer.error().what;
    HashtronNetwork::Scratch scratch;
    const Hashtron never{.program = {{0, 1}}};  // Every key becomes 0, whose lowest bit is 0.
    const Hashtron always{.program = {{0, 1}},
                          .filter = std::move(*HashtronFilter::build(std::vector<HashtronEntry>{{0, true}}))};
    for (std::uint32_t n = 0; n < total; ++n) {
      const HashtronJob job{.neuron = n, .salt = 77, .capacity = n % 3 == 0 ? 0U : n % 3 == 1 ? 20U : 100000U};
      const VoteTally tally = (*trainer)->tally(job, 0, 150);
      std::vector<std::uint32_t> keys;
      (*trainer)->on_train().keys(n, keys);
      HashtronNetwork turned = net;
      Votes expected;
      bool improves = false;
      const bool last = net.is_last(net.layer_of(n)) && net.combiner(net.layers() - 1) == nullptr;
      for (std::uint32_t s = 0; s < 150; ++s) {
        const std::vector<std::uint32_t> features = {samples.feature(s, 0), samples.feature(s, 1)};
        const bool bit = net.neuron(n).bit(keys[s]);
        // A neuron that answers the other bit to this key.
        turned.replace(n, bit ? never : always);
        ASSERT_NE(turned.neuron(n).bit(keys[s]), bit);
        const std::uint16_t target = samples.targets()[s];
        const int d0 = std::popcount(static_cast<std::uint16_t>(net.predict(features, scratch) ^ target));
        const int d1 = std::popcount(static_cast<std::uint16_t>(turned.predict(features, scratch) ^ target));
        const int c = bit ? 1 : -1;
        int vote = 0;
        bool mark = false;
        if (last) {
          const int wanted = target >> (n - net.first(2)) & 1;
          vote = 2 * wanted - 1;
          mark = wanted != int(bit);
        } else if (one_cell) {
          if (d0 != d1) {
            vote = d0 == 0 ? c : -c;
            mark = d0 != 0;
          }
        } else if (d0 == 0) {
          vote = c;
        } else if (d0 != d1) {
          vote = d1 < d0 ? -c * (d0 - d1) : c * (d1 - d0);
          mark = true;
        }
        improves |= mark;
        if (vote != 0) expected[job.capacity == 0 ? keys[s] : hashtron_hash(keys[s], job.salt, job.capacity)] += vote;
      }
      ASSERT_EQ(tally.improves, improves) << "seed " << seed << ", neuron " << n;
      ASSERT_EQ(Votes(tally.sums.begin(), tally.sums.end()), expected) << "seed " << seed << ", neuron " << n;
    }
  }
}

TEST(HashtronTrainer, PartialTalliesMergeInAnyOrder) {
  const Task task = square_root_bit(4, 2, 20);
  auto pipeline = BackwardPipeline::make(small_layers(), {}, task.train, task.held_out);
  ASSERT_TRUE(pipeline.ok());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE((*pipeline)->step().ok());
  auto trainer = HashtronTrainer::make((*pipeline)->trainer().network(), task.train, task.held_out);
  for (const std::uint32_t neuron : {0U, 7U, 27U, 30U}) {
    for (const std::uint32_t capacity : {0U, 50U, 1000000U}) {
      const HashtronJob job{.neuron = neuron, .salt = 5, .capacity = capacity};
      const std::uint32_t n = (*trainer)->n();
      const VoteTally whole = (*trainer)->tally(job, 0, n);
      std::vector<VoteTally> shards;
      for (std::uint32_t begin = 0; begin < n; begin += n / 4 + 1)
        shards.push_back((*trainer)->tally(job, begin, std::min(n, begin + n / 4 + 1)));
      std::vector<std::size_t> order = {0, 1, 2, 3};
      do {
        VoteTally merged;
        for (const std::size_t shard : order) merged.merge(shards[shard]);
        ASSERT_EQ(merged, whole);
      } while (std::ranges::next_permutation(order).found);
    }
  }
}

TEST(HashtronTrainer, TakesCapacitiesAtBothBounds) {
  const Task task = square_root_bit(4, 2);
  for (const std::uint32_t capacity : {1U, 2U, 0x7fffffffU, 0xffffffffU}) {
    auto pipeline = BackwardPipeline::make(small_layers(), {}, task.train, task.held_out);
    auto trainer = HashtronTrainer::make((*pipeline)->trainer().network(), task.train, task.held_out);
    const auto result = (*trainer)->run({.neuron = 30, .salt = 5, .capacity = capacity, .accept_always = true});
    ASSERT_TRUE(result.ok()) << result.error().what;
    ASSERT_TRUE(result->accepted);
    EXPECT_EQ(result->correct_after, HashtronActivations((*trainer)->network(), task.train).correct());
    // One bucket is a constant neuron that answers the more frequent label; as many as can be tell every key apart.
    if (capacity == 1) {
      EXPECT_TRUE((*trainer)->is_constant(30));
      EXPECT_EQ(result->keys, 1u);
    } else if (capacity > 2) {
      EXPECT_GT(result->keys, 10u);
    }
  }
}

TEST(HashtronTrainer, RefusesBadSamples) {
  const auto refused = [](HashtronSamples train, HashtronSamples held_out) {
    const auto made = HashtronTrainer::make(tiny_network(), std::move(train), std::move(held_out));
    EXPECT_FALSE(made.ok());
    return made.ok() ? "" : made.error().what;
  };
  EXPECT_EQ(refused(none(), none()), "hashtron trainer: found no sample to learn from, expected one at least");
  EXPECT_EQ(refused(square_roots(16), none()),
            "hashtron trainer: sample 4 of those to learn from has the value 2, expected one below 2, what 1 cells can give");
  EXPECT_EQ(refused(square_roots(4), square_roots(16)),
            "hashtron trainer: sample 4 of those held out has the value 2, expected one below 2, what 1 cells can give");
}

struct Trained {
  std::string text;
  double train = 0.0, held_out = 0.0;
  bool constant = false;
  std::uint32_t jobs = 0, rescues = 0;
  BackwardPipeline::Phase phase{};
};
Trained train(const Task& task, BackwardSettings settings, const std::vector<HashtronLayer>& layers = small_layers()) {
  auto pipeline = BackwardPipeline::make(layers, settings, task.train, task.held_out);
  EXPECT_TRUE(pipeline.ok()) << pipeline.error().what;
  while (!(*pipeline)->finished()) EXPECT_TRUE((*pipeline)->step().ok());
  EXPECT_EQ(*(*pipeline)->step(), nullptr);
  const HashtronTrainer& t = (*pipeline)->trainer();
  return {(*pipeline)->text(),
          100.0 * t.on_train().correct() / t.n(),
          100.0 * t.on_held_out().correct() / std::max(1U, task.held_out.count()),
          t.final_constant(),
          (*pipeline)->jobs(),
          (*pipeline)->rescues(),
          (*pipeline)->phase()};
}
// Every sweep to the end, one job a layer: as the figures of the specification were measured.
BackwardSettings measured(std::uint64_t seed) {
  BackwardSettings settings;
  settings.seed = seed;
  settings.attempts = 1;
  settings.stuck_sweeps_max = 0;
  return settings;
}

TEST(BackwardPipeline, SameSeedSameBytes) {
  const Task task = square_root_bit(4, 2);
  EXPECT_EQ(train(task, measured(3)).text, train(task, measured(3)).text);
  EXPECT_NE(train(task, measured(3)).text, train(task, measured(4)).text);
}

TEST(BackwardPipeline, GoesBackwardTheFinalCellsFirst) {
  Task task{square_roots(256), none()};
  auto layers = square_root_layers();
  layers[2].neurons = 4;
  auto pipeline = BackwardPipeline::make(layers, {}, task.train, task.held_out);
  std::uint32_t expected_layer = 2, last_sweep = 0;
  for (int i = 0; i < 60 && !(*pipeline)->finished(); ++i) {
    const auto job = (*pipeline)->step();
    ASSERT_TRUE(job.ok());
    const HashtronNetwork& net = (*pipeline)->trainer().network();
    const std::uint32_t layer = net.layer_of((*job)->neuron);
    EXPECT_EQ((*job)->job, static_cast<std::uint32_t>(i));
    if (i < 4) {
      EXPECT_EQ((*job)->selected_by, SelectedBy::kPhase0);
      EXPECT_EQ(net.position_of((*job)->neuron), static_cast<std::uint32_t>(i));
      EXPECT_EQ((*job)->capacity, 256u);
      EXPECT_TRUE((*job)->accepted != 0 || (*job)->keys == 0 || (*job)->correct_after == (*job)->correct_before);
      continue;
    }
    if ((*job)->sweep != last_sweep) {
      EXPECT_EQ(layer, 2u);
      last_sweep = (*job)->sweep;
    } else {
      EXPECT_TRUE(layer == expected_layer || layer + 1 == expected_layer) << i;
    }
    expected_layer = layer;
  }
}

TEST(BackwardPipeline, NeverAcceptsAJobThatMakesFewerRight) {
  const Task task = square_root_bit(4, 2, 20);
  auto pipeline = BackwardPipeline::make(small_layers(), measured(1), task.train, task.held_out);
  std::uint32_t correct = 0, rejected = 0;
  while (!(*pipeline)->finished()) {
    const auto before = (*pipeline)->text();
    const auto job = (*pipeline)->step();
    if ((*job)->selected_by != SelectedBy::kPhase0) {
      EXPECT_GE((*pipeline)->trainer().on_train().correct(), correct);
    }
    correct = (*pipeline)->trainer().on_train().correct();
    if ((*job)->accepted == 0) {
      ++rejected;
      EXPECT_EQ((*pipeline)->text(), before);
    }
  }
  EXPECT_GT(rejected, 10u);
  // What is kept up to date in part is what a full pass gives.
  const HashtronTrainer& t = (*pipeline)->trainer();
  const HashtronActivations full(t.network(), t.train());
  EXPECT_EQ(t.on_train().correct(), full.correct());
  for (std::uint32_t n = 0; n < t.network().size(); ++n) EXPECT_EQ(t.on_train().sum(n), full.sum(n));
  EXPECT_EQ(t.on_held_out().correct(), HashtronActivations(t.network(), task.held_out).correct());
}

TEST(BackwardPipeline, KilledAfterAnyJobItEndsInTheSameModel) {
  Task task = square_root_bit(3, 1, 20);
  for (const SelectionRule rule : {SelectionRule::kGold, SelectionRule::kFixed, SelectionRule::kEdge}) {
    BackwardSettings settings = rule == SelectionRule::kEdge ? BackwardSettings::by_edge() : measured(9);
    settings.seed = 9;
    settings.sweeps_max = rule == SelectionRule::kEdge ? 0 : 8;
    settings.edge_min = 0;  // More jobs.
    settings.attempts = 3;
    settings.selection = rule;
    auto unbroken = BackwardPipeline::make(small_layers(), settings, task.train, task.held_out);
    std::vector<std::string> snapshots = {(*unbroken)->snapshot()};
    while (!(*unbroken)->finished()) {
      ASSERT_TRUE((*unbroken)->step().ok());
      snapshots.push_back((*unbroken)->snapshot());
    }
    ASSERT_GT(snapshots.size(), 20u);
    for (std::size_t job = 0; job < snapshots.size(); ++job) {
      auto resumed = BackwardPipeline::resume(small_layers(), settings, task.train, task.held_out, snapshots[job]);
      ASSERT_TRUE(resumed.ok()) << resumed.error().what;
      ASSERT_EQ((*resumed)->snapshot(), snapshots[job]) << job;
      while (!(*resumed)->finished()) ASSERT_TRUE((*resumed)->step().ok());
      ASSERT_EQ((*resumed)->text(), (*unbroken)->text()) << "killed after job " << job;
      ASSERT_EQ((*resumed)->snapshot(), snapshots.back()) << "killed after job " << job;
    }
  }
}

TEST(BackwardPipeline, RefusesSnapshotsOfOtherRunsAndDamagedOnes) {
  const Task task = square_root_bit(3, 1), other = square_root_bit(3, 0);
  auto pipeline = BackwardPipeline::make(small_layers(), {}, task.train, task.held_out);
  ASSERT_TRUE((*pipeline)->step().ok());
  const std::string whole = (*pipeline)->snapshot();
  const auto refused = [&](const std::vector<HashtronLayer>& layers, const BackwardSettings& settings,
                           const HashtronSamples& samples, std::string_view bytes) {
    const auto made = BackwardPipeline::resume(layers, settings, samples, task.held_out, bytes);
    EXPECT_FALSE(made.ok());
    return made.ok() ? Error{} : made.error();
  };
  EXPECT_NE(refused(small_layers(), {.seed = 2}, task.train, whole).what.find("other settings"), std::string::npos);
  EXPECT_NE(refused(square_root_layers(), {}, task.train, whole).what.find("other layers"), std::string::npos);
  EXPECT_NE(refused(small_layers(), {}, other.train, whole).what.find("other samples"), std::string::npos);
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 7)
    EXPECT_EQ(refused(small_layers(), {}, task.train, std::string_view(whole).substr(0, bytes)).code, ErrorCode::kCorruption)
        << bytes;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    const Error error = refused(small_layers(), {}, task.train, damaged);
    EXPECT_TRUE(error.code == ErrorCode::kCorruption || error.code == ErrorCode::kVersion) << at << ": " << error.what;
    // With a checksum that is right nothing but an error, or a state that can be, may come of it.
    const std::uint32_t crc = crc32c(std::string_view(damaged).substr(0, damaged.size() - 4));
    damaged.replace(damaged.size() - 4, 4, reinterpret_cast<const char*>(&crc), 4);
    auto made = BackwardPipeline::resume(small_layers(), {}, task.train, task.held_out, damaged);
    if (made.ok()) {
      ASSERT_TRUE((*made)->step().ok()) << at;
    }
  }
}

TEST(BackwardPipeline, LearnsWhatABaseRateCannot) {
  // Ten seeds a task; the bounds are the means of a hundred less three to four standard errors of ten.
  struct Row {
    std::uint32_t bit, noise;
    double train, held_out;
  };
  for (const Row& row : {Row{4, 0, 95, 93}, Row{3, 0, 95, 91}, Row{2, 0, 92, 85}, Row{3, 20, 82, 71}}) {
    const Task task = square_root_bit(5, row.bit, row.noise);
    ASSERT_EQ(task.train.count(), 823u);
    ASSERT_EQ(task.held_out.count(), 201u);
    double trained = 0, held_out = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const Trained run = train(task, measured(seed));
      trained += run.train / 10;
      held_out += run.held_out / 10;
      EXPECT_FALSE(run.constant) << "bit " << row.bit << ", seed " << seed;
      EXPECT_EQ(run.phase, BackwardPipeline::Phase::kSweepsDone);
    }
    EXPECT_GT(trained, row.train) << "bit " << row.bit << ", noise " << row.noise;
    EXPECT_GT(held_out, row.held_out) << "bit " << row.bit << ", noise " << row.noise;
  }
}

TEST(BackwardPipeline, TheTextAsFirstWrittenCollapses) {
  const Task task = square_root_bit(5, 4);
  std::uint32_t constant = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    BackwardSettings settings = BackwardSettings::literal();
    settings.seed = seed;
    const Trained run = train(task, settings);
    constant += run.constant ? 1 : 0;
    EXPECT_NEAR(run.train, 74.8, 0.1);
  }
  EXPECT_EQ(constant, 5u);
}

TEST(BackwardPipeline, FollowsTheLaw) {  // ln G on ln(|S| + 1) over jobs whose capacity is the law's own: a test of the wiring.
  const Task task = square_root_bit(5, 3, 20);
  std::vector<std::pair<double, double>> points;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    BackwardSettings settings = measured(seed);
    settings.capacity.smoothing = {1, 0, 0};
    auto pipeline = BackwardPipeline::make(small_layers(), settings, task.train, task.held_out);
    while (!(*pipeline)->finished()) {
      const SumRecord r = **(*pipeline)->step();
      if (r.selected_by == SelectedBy::kPhase0 || r.clamped != 0 || r.accepted == 0) continue;
      points.emplace_back(std::log(std::abs(r.sum_before) + 1.0), std::log(double(r.capacity)));
    }
  }
  ASSERT_GT(points.size(), 20u);
  double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
  for (const auto& [x, y] : points) mx += x / double(points.size()), my += y / double(points.size());
  for (const auto& [x, y] : points) xx += (x - mx) * (x - mx), xy += (x - mx) * (y - my), yy += (y - my) * (y - my);
  EXPECT_NEAR(xy / xx, -2.0, 0.1);
  EXPECT_GT(xy * xy / (xx * yy), 0.95);
}

TEST(BackwardPipeline,
     RescuesAConstantLastLayer) {  // Three labels of four are one: phase 0 alone often leaves the cell constant.
  const Task task = square_root_bit(5, 4);
  std::uint32_t rescued = 0, constant = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    BackwardSettings settings = measured(seed);
    settings.sweeps_max = 20;
    const Trained with = train(task, settings);
    rescued += with.rescues > 0 ? 1 : 0;
    EXPECT_FALSE(with.constant) << seed;
    settings.rescue = false;
    constant += train(task, settings).constant ? 1 : 0;
  }
  EXPECT_GT(rescued, 0u);
  EXPECT_GT(constant, 0u);
}

TEST(BackwardPipeline, EndsOnDegenerateTasks) {
  const auto samples = [](std::uint32_t count, auto&& label) {
    HashtronSamples out(1, count);
    for (std::uint32_t x = 0; x < count; ++x) out.set(x, std::vector{x}, static_cast<std::uint16_t>(label(x)));
    return out;
  };
  const auto runs = [&](HashtronSamples train_on, bool literal) {
    BackwardSettings settings = literal ? BackwardSettings::literal() : BackwardSettings{};
    settings.sweeps_max = 40;
    const Trained run = train({std::move(train_on), none()}, settings);
    EXPECT_NE(run.phase, BackwardPipeline::Phase::kSweep);
    EXPECT_LT(run.jobs, 1000u);
    return run;
  };
  for (const bool literal : {false, true}) {
    for (const std::uint32_t n : {1U, 2U, 3U, 4U, 5U})
      runs(samples(n, [](std::uint32_t x) { return x & 1; }), literal);                    // No gold zone up to 4.
    EXPECT_EQ(runs(samples(100, [](std::uint32_t) { return 1; }), literal).train, 100.0);  // All labels equal.
    EXPECT_EQ(runs(samples(100, [](std::uint32_t) { return 0; }), literal).train, 100.0);
    runs(samples(100, [](std::uint32_t x) { return hashtron_hash(x, 99, 100) < 65; }),
         literal);  // Labels that no feature tells of.
  }
  HashtronSamples same(1, 50);  // One feature, both labels.
  for (std::uint32_t s = 0; s < 50; ++s) same.set(s, std::vector{7U}, s & 1);
  EXPECT_EQ(runs(same, false).train, 50.0);
}

TEST(BackwardPipeline, ConvergesWhenNothingIsAcceptedAnyMore) {
  BackwardSettings settings;
  settings.sweeps_max = 0;
  const Trained run = train({square_roots(16, 0), none()}, settings);
  EXPECT_EQ(run.phase, BackwardPipeline::Phase::kConverged);
}

TEST(BackwardPipeline, MigratesAnExistingModel) {
  const Task task = square_root_bit(4, 2);
  auto first = BackwardPipeline::make(small_layers(), measured(1), task.train, task.held_out);
  while (!(*first)->finished()) ASSERT_TRUE((*first)->step().ok());
  auto neurons = parse_hashtron_text((*first)->text());
  auto network = HashtronNetwork::make(small_layers(), std::move(*neurons));
  auto migrated = BackwardPipeline::migrate(std::move(*network), measured(2), task.train, task.held_out);
  ASSERT_TRUE(migrated.ok());
  EXPECT_EQ((*migrated)->text(), (*first)->text());
  EXPECT_EQ((*migrated)->trainer().on_train().correct(), (*first)->trainer().on_train().correct());
  EXPECT_EQ((**(*migrated)->step()).selected_by, SelectedBy::kPhase0);
  while (!(*migrated)->finished()) ASSERT_TRUE((*migrated)->step().ok());
  EXPECT_GT((*migrated)->trainer().on_train().correct(), 190u);
}

TEST(BackwardPipeline, LearnsFromOtherSamplesAsTheStreamGoesOn) {
  const Task task = square_root_bit(4, 2), other = square_root_bit(4, 3, 0, 0x5eee);
  BackwardSettings settings;
  settings.sweeps_max = 0;
  auto pipeline = BackwardPipeline::make(small_layers(), settings, task.train, task.held_out);
  while (!(*pipeline)->finished()) ASSERT_TRUE((*pipeline)->step().ok());
  EXPECT_EQ((*pipeline)->phase(), BackwardPipeline::Phase::kConverged);
  const std::uint32_t jobs = (*pipeline)->jobs();
  EXPECT_FALSE((*pipeline)->learn_from(square_roots(16)).ok());
  EXPECT_TRUE((*pipeline)->finished());  // Nothing has changed.
  ASSERT_TRUE((*pipeline)->learn_from(other.train).ok());
  EXPECT_EQ((*pipeline)->trainer().n(), other.train.count());
  const std::uint32_t before = (*pipeline)->trainer().on_train().correct();
  while (!(*pipeline)->finished()) ASSERT_TRUE((*pipeline)->step().ok());
  EXPECT_GT((*pipeline)->jobs(), jobs);
  EXPECT_GT((*pipeline)->trainer().on_train().correct(), before);
}

TEST(BackwardPipeline, ARunGoesOnForMoreSweeps) {
  const Task task = square_root_bit(3, 1, 20);
  BackwardSettings settings = measured(5);
  settings.sweeps_max = 4;
  auto first = BackwardPipeline::make(small_layers(), settings, task.train, task.held_out);
  while (!(*first)->finished()) ASSERT_TRUE((*first)->step().ok());
  settings.sweeps_max = 9;
  auto resumed = BackwardPipeline::resume(small_layers(), settings, task.train, task.held_out, (*first)->snapshot());
  ASSERT_TRUE(resumed.ok()) << resumed.error().what;
  while (!(*resumed)->finished()) ASSERT_TRUE((*resumed)->step().ok());
  EXPECT_EQ((*resumed)->sweep(), 9u);
  EXPECT_EQ((*resumed)->text(), train(task, settings).text);
}

TEST(BackwardPipeline, ChecksItsSettings) {
  const Task task = square_root_bit(3, 1);
  const auto refused = [&](const BackwardSettings& settings) {
    const auto made = BackwardPipeline::make(small_layers(), settings, task.train, task.held_out);
    EXPECT_FALSE(made.ok());
    return made.ok() ? "" : made.error().what;
  };
  EXPECT_EQ(refused({.attempts = 0}), "backward pipeline: attempts: found 0, expected at least 1");
  EXPECT_EQ(refused({.ring = 0}), "backward pipeline: ring: found 0, expected at least 1 record a neuron");
  EXPECT_EQ(refused({.capacity = {.smoothing = {0, 1, 1}}}),
            "backward pipeline: smoothing: found a weight of 0 for the sum now, expected at least 1");
  EXPECT_EQ(refused({.edge_min = 1001}),
            "backward pipeline: edge_min: found 1001, expected at most 1000 tenths of a standard error");
  EXPECT_EQ(
      refused({.selection = SelectionRule::kEdge, .pin_final = false}),
      "backward pipeline: selection by edge: found pin_final off, expected on: the last layer has no edge to be chosen by");
}

TEST(ForwardPipeline, GetsEveryRunOfTheSquareRootsRight) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    auto pipeline = ForwardPipeline::make(square_root_layers(), {.seed = seed}, square_roots(1024), none());
    ASSERT_TRUE(pipeline.ok());
    while (*(*pipeline)->step()) ASSERT_LT((*pipeline)->jobs(), 500u) << "stuck, seed " << seed;
    EXPECT_EQ((*pipeline)->phase(), ForwardPipeline::Phase::kAllRight);
    EXPECT_EQ((*pipeline)->trainer().on_train().correct(), 1024u);
    EXPECT_GE((*pipeline)->jobs(), 5u);
  }
}

TEST(ForwardPipeline, SameSeedSameBytesAndAlwaysAnEnd) {
  const Task task = square_root_bit(3, 1, 30);
  const auto text = [&](std::uint64_t seed, bool part) {
    auto pipeline = ForwardPipeline::make(
        small_layers(),
        {.seed = seed, .capacity_half = 8, .capacity_full = 64, .measure_part = part, .redraw_after = 0, .jobs_max = 3000},
        task.train, task.held_out);
    while (*(*pipeline)->step()) {}
    EXPECT_NE((*pipeline)->phase(), ForwardPipeline::Phase::kTraining);
    return to_hashtron_text((*pipeline)->best());
  };
  EXPECT_EQ(text(1, false), text(1, false));
  EXPECT_NE(text(1, false), text(2, false));
  EXPECT_EQ(text(1, true), text(1, true));
}

TEST(ForwardPipeline, CapacityFollowsSuccess) {
  const ForwardSettings settings{.capacity_half = 32, .capacity_full = 1024};
  EXPECT_EQ(forward_capacity(50, settings), 32u);
  EXPECT_EQ(forward_capacity(100, settings), 1024u);
  EXPECT_EQ(forward_capacity(75, settings), 776u);
  EXPECT_EQ(forward_capacity(0, settings), 2u);
  EXPECT_EQ(forward_capacity(0, {}), 0u);
  EXPECT_EQ(samples_measured(1024), 964u);
  EXPECT_EQ(samples_measured(1), 1u);
}

std::string outputs(const Hashtron& neuron, std::uint32_t count) {
  std::string out;
  for (std::uint32_t x = 0; x < count; ++x) out += neuron.bit(x) ? '1' : '0';
  return out;
}

TEST(HashtronSynthesis, GivesTheVectors) {
  const auto parity = synthesize_hashtron(std::vector<std::uint32_t>{0, 3, 5, 6}, std::vector<std::uint32_t>{1, 2, 4, 7});
  ASSERT_TRUE(parity.ok()) << parity.error().what;
  EXPECT_EQ(to_hashtron_text(std::vector{*parity}), "[\n[[9,16],[9,7],[2,5],[8,2]]]\n");
  EXPECT_EQ(outputs(*parity, 8), "01101001");

  std::vector<std::uint32_t> sets[2];
  for (std::uint32_t x = 0; x < 16; ++x) sets[integer_sqrt(x) & 1].push_back(x);
  const auto root = synthesize_hashtron(sets[0], sets[1]);
  ASSERT_TRUE(root.ok()) << root.error().what;
  EXPECT_EQ(to_hashtron_text(std::vector{*root}),
            "[\n[[324,100],[2,19],[1,19],[1,17],[6,14],[3,12],[2,7],[4,5],[1,4],[0,1]]]\n");
}

TEST(HashtronSynthesis, TellsLettersFromOtherBytes) {
  std::vector<std::uint32_t> sets[2];
  for (std::uint32_t x = 0; x < 256; ++x)
    sets[(x >= '0' && x <= '9') || (x >= 'A' && x <= 'Z') || (x >= 'a' && x <= 'z')].push_back(x);
  ASSERT_EQ(sets[0].size(), 194u);
  const auto neuron = synthesize_hashtron(sets[0], sets[1]);
  ASSERT_TRUE(neuron.ok()) << neuron.error().what;
  EXPECT_EQ(neuron->program.size(), 107u);
  // 194^2, shrunk by a quarter until bytes that lie side by side fall together at all.
  EXPECT_EQ(neuron->program[0].modulo, 8930u);
  for (const std::uint32_t x : sets[0]) EXPECT_FALSE(neuron->bit(x)) << x;
  for (const std::uint32_t x : sets[1]) EXPECT_TRUE(neuron->bit(x)) << x;
}

TEST(HashtronSynthesis, IsExactOnRandomSetsOrSaysThatItFoundNone) {
  std::uint32_t found = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    std::vector<std::uint32_t> sets[2];
    const auto count = static_cast<std::uint32_t>(1 + rng.below(100));
    for (std::uint32_t x = 0; x < count; ++x) sets[seed < 4 ? seed % 2 : rng.below(2)].push_back(x * 7919);
    const auto neuron = synthesize_hashtron(sets[0], sets[1]);
    if (!neuron.ok()) {
      EXPECT_EQ(neuron.error().code, ErrorCode::kNotFound);
      continue;
    }
    ++found;
    for (const std::uint32_t x : sets[0]) ASSERT_FALSE(neuron->bit(x)) << "seed " << seed;
    for (const std::uint32_t x : sets[1]) ASSERT_TRUE(neuron->bit(x)) << "seed " << seed;
    EXPECT_EQ(*synthesize_hashtron(sets[0], sets[1]), *neuron);
  }
  EXPECT_GT(found, 30u);
}

TEST(HashtronSynthesis, RefusesWhatCannotBe) {
  const auto refused = [](const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b,
                          const SynthesisSettings& settings = {}) {
    const auto made = synthesize_hashtron(a, b, settings);
    EXPECT_FALSE(made.ok());
    return made.ok() ? Error{} : made.error();
  };
  EXPECT_EQ(refused({}, {}).what, "hashtron synthesis: found two empty sets, expected a number in one of them at least");
  EXPECT_EQ(refused({1, 2, 3}, {5, 3}).what, "hashtron synthesis: found 3 in both sets, expected each number in one");
  EXPECT_EQ(refused({1}, {2}, {.factor = 0}).what, "hashtron synthesis: found a setting of 0, expected at least 1");
  std::vector<std::uint32_t> many(10000);
  for (std::uint32_t i = 0; i < many.size(); ++i) many[i] = i;
  EXPECT_EQ(refused(many, {99999}).code, ErrorCode::kInvalidInput);
  many.resize(512);
  std::vector<std::uint32_t> half[2];
  for (const std::uint32_t x : many) half[hashtron_hash(x, 1234567, 2)].push_back(x);
  const Error none = refused(half[0], half[1], {.nonces_max = 5});
  EXPECT_EQ(none.code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace weir
