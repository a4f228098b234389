// A run kept piece by piece: neurons that changed, records of sums, progress. It goes on from them after any job as if it had never
// stopped, also while the samples change under it.

#include <gtest/gtest.h>

#include "core/learning/backward_pipeline.hpp"
#include "core/learning/generated_tasks.hpp"

namespace weir {
namespace {

GeneratedTask task(const char* name) { return *GeneratedTask::parse(name); }

// The samples that a stream has brought by job `job`: others every few jobs.
HashtronSamples samples_at(const GeneratedTask& task, std::uint32_t job) {
  const std::uint32_t from = job / 7 * 5;
  HashtronSamples out(task.features(), 150);
  std::vector<std::uint32_t> features(task.features());
  for (std::uint32_t s = 0; s < out.count(); ++s) {
    const std::uint32_t x = (from + s) % task.count();
    task.features_of(x, features);
    out.set(s, features, task.label(x));
  }
  return out;
}

struct Kept {
  std::vector<Hashtron> neurons;
  std::vector<SumRecord> records;
  std::string progress;
};

HashtronNetwork network_of(const GeneratedTask& task, const std::vector<Hashtron>& neurons) {
  return *HashtronNetwork::make(task.layers(), neurons);
}

void expect_the_same(const BackwardSettings& settings, std::uint32_t jobs) {
  const GeneratedTask t = task("sqrt-bit:C=4,b=2,noise=10");
  SplitMix64 chance{7, 0};
  const HashtronNetwork fresh = *fresh_network(t.layers(), chance);
  const auto begin = [&](HashtronNetwork network, std::string_view progress, SumCache sums, std::uint32_t job) {
    auto made = BackwardPipeline::go_on(std::move(network), settings, samples_at(t, job), std::move(sums), progress);
    EXPECT_TRUE(made.ok()) << made.error().what;
    return std::move(*made);
  };
  auto unbroken = begin(fresh, "", SumCache(fresh.size(), settings.ring), 0);
  Kept kept{{fresh.neurons().begin(), fresh.neurons().end()}, {}, ""};
  std::uint32_t accepted = 0;
  for (std::uint32_t job = 0; job < jobs; ++job) {
    const bool others = job % 7 == 0 && job > 0;
    if (others) {
      ASSERT_TRUE(unbroken->learn_from(samples_at(t, job)).ok());
    }
    const auto done = unbroken->step();
    ASSERT_TRUE(done.ok());

    SumCache sums(fresh.size(), settings.ring);
    for (const SumRecord& record : kept.records) ASSERT_TRUE(sums.add(record).ok());
    auto again = begin(network_of(t, kept.neurons), kept.progress, std::move(sums), job);
    if (others) {
      ASSERT_TRUE(again->learn_from(samples_at(t, job)).ok());
    }
    const auto done_again = again->step();
    ASSERT_TRUE(done_again.ok());
    ASSERT_EQ(*done == nullptr, *done_again == nullptr) << "job " << job;
    if (*done != nullptr) {
      EXPECT_EQ(**done, **done_again) << "job " << job;
      kept.records.push_back(**done_again);
      accepted += (*done)->accepted;
    }
    kept.progress = again->progress();
    kept.neurons = {again->trainer().network().neurons().begin(), again->trainer().network().neurons().end()};
    ASSERT_EQ(again->text(), unbroken->text()) << "job " << job;
    ASSERT_EQ(again->progress(), unbroken->progress()) << "job " << job;
  }
  EXPECT_GT(accepted, jobs / 10);
}

TEST(HashtronPieces, GoOnAfterEveryJob) {
  expect_the_same({.seed = 3, .sweeps_max = 0}, 120);
  expect_the_same({.seed = 4, .selection = SelectionRule::kFixed, .sweeps_max = 0}, 60);
  expect_the_same({.seed = 5, .stuck_sweeps_max = 1, .sweeps_max = 0, .ring = 2}, 120);
  BackwardSettings literal = BackwardSettings::literal();
  literal.sweeps_max = 0;
  expect_the_same(literal, 60);
}

TEST(HashtronPieces, ProgressThatIsCutOrPointsNowhereIsRefused) {
  const GeneratedTask t = task("sqrt-bit:C=4,b=2");
  SplitMix64 chance{1, 0};
  const HashtronNetwork fresh = *fresh_network(t.layers(), chance);
  auto run = *BackwardPipeline::go_on(fresh, {}, samples_at(t, 0), SumCache(fresh.size()), "");
  ASSERT_TRUE(run->step().ok());
  const std::string progress = run->progress();
  EXPECT_EQ(progress.size(), 43U);
  const auto refused = [&](std::string bytes) {
    const auto made = BackwardPipeline::go_on(fresh, {}, samples_at(t, 0), SumCache(fresh.size()), bytes);
    return !made.ok() && made.error().code == ErrorCode::kCorruption;
  };
  EXPECT_FALSE(refused(progress));
  for (std::size_t n = 1; n < progress.size(); ++n) EXPECT_TRUE(refused(progress.substr(0, n))) << n;
  EXPECT_TRUE(refused(progress + "x"));
  for (const std::size_t at : {16U, 20U, 32U}) {  // Layer, cell, phase.
    std::string bytes = progress;
    bytes[at] = 99;
    EXPECT_TRUE(refused(bytes)) << at;
  }
}

TEST(HashtronPieces, WhatIsPrescribedIsWhatTheNextJobGets) {
  const GeneratedTask t = task("sqrt-bit:C=4,b=2");
  SplitMix64 chance{1, 0};
  const HashtronNetwork fresh = *fresh_network(t.layers(), chance);
  auto run = *BackwardPipeline::go_on(fresh, {.sweeps_max = 0}, samples_at(t, 0), SumCache(fresh.size()), "");
  for (std::uint32_t n = 0; n < fresh.size(); ++n) run->prescribe(n, 17);
  int chosen = 0;
  for (int i = 0; i < 40; ++i) {
    const auto done = run->step();
    ASSERT_TRUE(done.ok());
    if (*done == nullptr) break;
    if ((*done)->selected_by == SelectedBy::kFinal || (*done)->selected_by == SelectedBy::kPhase0) continue;
    EXPECT_EQ((*done)->capacity, 17U);
    EXPECT_EQ((*done)->clamped, 0);
    ++chosen;
  }
  EXPECT_GT(chosen, 10);
  for (std::uint32_t n = 0; n < fresh.size(); ++n) run->prescribe(n, 0xffffffffU);  // Beyond what 150 samples may have.
  for (int i = 0; i < 10; ++i) {
    const auto done = run->step();
    ASSERT_TRUE(done.ok() && *done != nullptr);
    EXPECT_LE((*done)->capacity, 150U * 150U);
  }
}

}  // namespace
}  // namespace weir
