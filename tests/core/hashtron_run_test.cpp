// Goal: what the epic promises of a run holds in either direction. A run that is stopped after any job goes on to the same
// model and the same alerts; rollbacks keep the network; alerts are raised by what they are for and by nothing that is well;
// every flag changes what it is for.
#include "core/learning/hashtron_run.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "core/base/crc32c.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

GeneratedTask task(std::string_view name) { return *GeneratedTask::parse(name); }
std::unique_ptr<HashtronRun> fresh(const GeneratedTask& of, const HashtronRunSettings& settings) {
  auto made = HashtronRun::make(of.layers(), settings, of.samples());
  EXPECT_TRUE(made.ok()) << made.error().what;
  return std::move(*made);
}
void finish(HashtronRun& run) {
  for (std::uint32_t jobs = 0; !run.finished(); ++jobs) {
    const auto done = run.step();
    ASSERT_TRUE(done.ok()) << done.error().what;
    ASSERT_LT(jobs, 20000u);
  }
  EXPECT_FALSE(*run.step());
}
HashtronRunSettings backward(std::uint64_t seed, std::uint32_t sweeps) {
  HashtronRunSettings out;
  out.backward.seed = out.forward.seed = seed;
  out.backward.sweeps_max = sweeps;
  return out;
}
HashtronRunSettings forward(std::uint64_t seed, std::uint64_t jobs) {
  HashtronRunSettings out = backward(seed, 10);
  out.direction = TrainingDirection::kForward;
  out.forward.jobs_max = jobs;
  return out;
}

TEST(HashtronRun, StoppedAfterAnyJobItEndsInTheSameModelWithTheSameAlerts) {
  struct Case {
    const char* task;
    HashtronRunSettings settings;
  };
  HashtronRunSettings minima = forward(5, 150);  // Remembers minima and undoes jobs.
  minima.forward.redraw_after = 0;
  minima.forward.capacity_half = 4, minima.forward.capacity_full = 32;
  HashtronRunSettings pairs = forward(3, 60);
  pairs.forward.pair_layers = 3;
  for (const Case& c : {Case{"sqrt-bit:C=3,b=1,noise=20", backward(9, 8)}, Case{"sqrt-bit:C=3,b=1,noise=30", minima},
                        Case{"isalnum", backward(1, 3)}, Case{"sqrt-bit:C=3,b=2,split=0", pairs}}) {
    const GeneratedTask of = task(c.task);
    const auto unbroken = fresh(of, c.settings);
    std::vector<std::string> snapshots = {unbroken->snapshot()};
    while (*unbroken->step()) snapshots.push_back(unbroken->snapshot());
    ASSERT_GT(snapshots.size(), 3u) << c.task;
    for (std::size_t job = 0; job < snapshots.size(); ++job) {
      auto resumed = HashtronRun::resume(of.layers(), c.settings, of.samples(), snapshots[job]);
      ASSERT_TRUE(resumed.ok()) << resumed.error().what;
      ASSERT_EQ((*resumed)->snapshot(), snapshots[job]) << c.task << ", job " << job;
      while (*(*resumed)->step()) {}
      ASSERT_EQ((*resumed)->model().text(), unbroken->model().text()) << c.task << ", stopped after job " << job;
      ASSERT_EQ((*resumed)->snapshot(), unbroken->snapshot()) << c.task << ", stopped after job " << job;
    }
  }
}

TEST(HashtronRun, PairsLeaveWhatIsRightRightAndNoFilterGrows) {
  const GeneratedTask of = task("sqrt:C=4");
  HashtronRunSettings settings = forward(1, 2000);
  const auto without = fresh(of, settings);
  finish(*without);
  EXPECT_EQ(without->phase(), "all right");
  settings.forward.pair_layers = 6;
  const auto with = fresh(of, settings);
  std::uint32_t pairs = 0, accepted = 0;
  while (!with->finished()) {
    const std::vector<Hashtron> before(with->network().neurons().begin(), with->network().neurons().end());
    const bool is_pair = with->phase() == "pairs";
    const std::uint32_t accepted_before = with->accepted();
    if (!*with->step() || !is_pair) continue;
    ++pairs;
    accepted += with->accepted() > accepted_before ? 1 : 0;
    EXPECT_EQ(with->on_train().correct, 256u);
    std::uint32_t changed = 0;
    for (std::uint32_t n = 0; n < before.size(); ++n) {
      changed += before[n] == with->network().neuron(n) ? 0 : 1;
      ASSERT_LE(with->network().neuron(n).filter.bytes().size(), before[n].filter.bytes().size());
    }
    EXPECT_LE(changed, 2u);
    // What was kept up to date in part is what a full pass gives.
    const HashtronActivations full(with->network(), with->trainer().train());
    for (std::uint32_t n = 0; n < before.size(); ++n) ASSERT_EQ(with->trainer().on_train().sum(n), full.sum(n));
  }
  EXPECT_GT(pairs, 100u);
  EXPECT_GT(accepted, 0u);
  EXPECT_EQ(with->phase(), "all right");
  EXPECT_EQ(figures_of(HashtronActivations(with->model(), of.samples().train), of.samples().train).correct, 256u);
}

TEST(HashtronRun, ReportsTheBaseRateBesideItsFigures) {
  HashtronSamples samples(1, 10);  // Seven zeros, three ones; of the ones two are said, of the zeros six.
  std::vector<std::uint16_t> outputs;
  for (std::uint32_t s = 0; s < 10; ++s) {
    const std::uint16_t parity = s % 2;
    samples.set(s, std::vector{s}, s >= 7 ? 1 : 0, parity);
    outputs.push_back(static_cast<std::uint16_t>((s >= 6 && s < 9 ? 1 : 0) ^ parity));
  }
  const HashtronFigures figures = figures_of(outputs, samples);
  EXPECT_EQ(figures.count, 10u);
  EXPECT_EQ(figures.correct, 8u);
  EXPECT_DOUBLE_EQ(figures.accuracy, 0.8);
  EXPECT_DOUBLE_EQ(figures.majority, 0.7);
  EXPECT_DOUBLE_EQ(figures.balanced, (6.0 / 7 + 2.0 / 3) / 2);
  EXPECT_NEAR(figures.lift(), 0.1, 1e-12);
  EXPECT_EQ(figures_of(std::vector<std::uint16_t>{}, HashtronSamples(1, 0)).accuracy, 0.0);
}

TEST(HashtronRun, FinalCellsFirstAndEverySweepBackward) {
  for (const char* name : {"sqrt-bit:C=4,b=2,noise=20", "sqrt:C=4"}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const auto run = fresh(task(name), backward(seed, 6));
      const HashtronNetwork& net = run->network();
      std::uint32_t sweep = 0, layer = 0;
      for (std::uint32_t job = 0; *run->step(); ++job) {
        const SumRecord& r = *run->last_job();
        const std::uint32_t now = net.layer_of(r.neuron);
        if (job < net.cells()) {
          ASSERT_EQ(r.neuron, net.first(net.layers() - 1) + job) << name << ", seed " << seed;
          ASSERT_EQ(r.selected_by, SelectedBy::kPhase0);
        }
        // A rescue does phase 0 again, and belongs to its sweep's beginning.
        if (job == 0 || r.sweep != sweep) {
          ASSERT_EQ(now, net.layers() - 1) << name << ", seed " << seed << ", job " << job;
        } else {
          ASSERT_LE(now, layer) << name << ", seed " << seed << ", job " << job;
        }
        sweep = r.sweep;
        layer = now;
      }
    }
  }
}

// ln G on ln(|S| + 1), S smoothed as the law sees it, over accepted jobs whose capacity is the law's own: a test of the wiring.
TEST(HashtronRun, FollowsTheLawWithItsDefaults) {
  std::vector<std::pair<double, double>> points;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto run = fresh(task("sqrt-bit:C=5,b=2,noise=20"), backward(seed, 60));
    while (*run->step()) {
      const SumRecord& r = *run->last_job();
      if (r.selected_by == SelectedBy::kPhase0 || r.clamped != 0 || r.accepted == 0) continue;
      points.emplace_back(std::log(std::abs(r.sum_before) + 1.0), std::log(double(r.capacity)));
    }
  }
  ASSERT_GT(points.size(), 30u);
  double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
  for (const auto& [x, y] : points) mx += x / double(points.size()), my += y / double(points.size());
  for (const auto& [x, y] : points) xx += (x - mx) * (x - mx), xy += (x - mx) * (y - my), yy += (y - my) * (y - my);
  EXPECT_GT(xy * xy / (xx * yy), 0.7);
  EXPECT_LT(xy / xx, 0.0);
}

TEST(HashtronRun, KeepsTheGapSmallWhereLabelsAreNoise) {
  double train = 0, held_out = 0, lift = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto run = fresh(task("sqrt-bit:C=5,b=4,noise=20"), backward(seed, 30));
    finish(*run);
    train += run->on_train().accuracy / 10, held_out += run->on_held_out().accuracy / 10,
        lift += run->on_held_out().lift() / 10;
    EXPECT_LT(run->on_train().accuracy, 0.95) << seed;  // 82.4 % of the labels are true: more is learnt by heart.
  }
  EXPECT_GT(held_out, train - 0.05);
  EXPECT_GT(lift, 0.05);
}

TEST(HashtronRun, TheSoftRollbackGoesOnForwardWithTheSameNetwork) {
  const GeneratedTask of = task("sqrt-bit:C=4,b=2,noise=20");
  HashtronRunSettings settings = backward(4, 5);
  settings.forward.jobs_max = 40;
  const auto run = fresh(of, settings);
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(*run->step());
  const std::string before = run->network().text();
  const SumCache sums = run->sums();
  ASSERT_TRUE(run->turn_forward().ok());
  EXPECT_EQ(run->network().text(), before);
  EXPECT_EQ(run->sums(), sums);
  EXPECT_EQ(run->jobs(), 12u);
  ASSERT_TRUE(run->turn_forward().ok());  // Nothing more to turn.
  ASSERT_TRUE(*run->step());
  EXPECT_EQ(run->last_job()->job, 12u);
  EXPECT_EQ(run->last_job()->selected_by, SelectedBy::kPath);
  EXPECT_EQ(run->network().layer_of(run->last_job()->neuron), 0u);  // From the input on.
  // Stopped and gone on with, it is the same run.
  HashtronRunSettings turned = settings;
  turned.direction = TrainingDirection::kForward;
  auto resumed = HashtronRun::resume(of.layers(), turned, of.samples(), run->snapshot());
  ASSERT_TRUE(resumed.ok()) << resumed.error().what;
  finish(*run);
  finish(**resumed);
  EXPECT_EQ((*resumed)->snapshot(), run->snapshot());
  EXPECT_EQ(run->jobs(), 12u + 40u);
  EXPECT_GE(run->on_train().correct,
            figures_of(HashtronActivations(run->network(), of.samples().train), of.samples().train).correct);
}

TEST(HashtronRun, TheMediumRollbackRecordsWithoutInfluence) {
  const GeneratedTask of = task("sqrt-bit:C=5,b=2,noise=20");
  std::uint32_t jobs = 0, different = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto with = fresh(of, backward(seed, 30)), without = fresh(of, backward(seed, 30));
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(*with->step());
      ASSERT_TRUE(*without->step());
    }
    ASSERT_EQ(with->snapshot(), without->snapshot());
    without->ignore_sums();
    EXPECT_EQ(with->network().text(), without->network().text());
    std::map<std::uint32_t, std::uint32_t> capacity;  // Of each neuron's last accepted job.
    for (std::uint32_t n = 0; n < without->network().size(); ++n)
      for (const SumRecord& r : without->sums().trend(n))
        if (r.accepted != 0) capacity[n] = r.capacity;
    while (*without->step()) {
      const SumRecord r = *without->last_job();
      ASSERT_EQ(*without->sums().latest(r.neuron), r);  // It is recorded,
      if (r.selected_by != SelectedBy::kFinal && r.selected_by != SelectedBy::kPhase0) {
        const auto magnitude = static_cast<std::uint64_t>(std::abs(r.sum_before));
        const std::uint64_t last = capacity.contains(r.neuron) ? capacity[r.neuron] : r.n;
        const CapacityChoice choice = next_capacity(r.n, magnitude, {}, last, without->settings().backward.capacity);
        ASSERT_EQ(r.capacity, choice.capacity);  // but what came before has no say.
        ++jobs;
      }
      if (r.accepted != 0) capacity[r.neuron] = r.capacity;
    }
    while (*with->step()) {}
    different += with->network().text() == without->network().text() ? 0 : 1;
  }
  EXPECT_GT(jobs, 200u);
  EXPECT_GT(different, 0u);
}

TEST(HashtronRun, AnExistingModelGoesOnWithItsSumsMeasured) {
  const GeneratedTask of = task("sqrt-bit:C=4,b=2");
  const auto first = fresh(of, backward(1, 20));
  finish(*first);
  for (const TrainingDirection direction : {TrainingDirection::kBackward, TrainingDirection::kForward}) {
    HashtronRunSettings settings = backward(2, 10);
    settings.direction = direction;
    settings.forward.jobs_max = 30;
    auto migrated = HashtronRun::migrate(first->model(), settings, of.samples());
    ASSERT_TRUE(migrated.ok()) << migrated.error().what;
    EXPECT_EQ((*migrated)->network().text(), first->network().text());
    if (direction == TrainingDirection::kBackward) {
      for (std::uint32_t n = 0; n < 31; ++n) {
        const SumRecord* measured = (*migrated)->sums().latest(n);
        ASSERT_NE(measured, nullptr);
        EXPECT_EQ(measured->selected_by, SelectedBy::kMeasured);
        EXPECT_EQ(measured->sum, (*migrated)->trainer().on_train().sum(n));
        EXPECT_EQ(measured->accepted, first->network().neuron(n).filter.empty() ? 0 : 1);
      }
      ASSERT_TRUE(*(*migrated)->step());
      EXPECT_EQ((*migrated)->last_job()->selected_by, SelectedBy::kPhase0);
    }
    finish(**migrated);
    EXPECT_GT(figures_of(HashtronActivations((*migrated)->model(), of.samples().train), of.samples().train).accuracy, 0.9);
  }
}

TEST(HashtronRun, EachFlagHasItsEffect) {
  const GeneratedTask of = task("sqrt-bit:C=5,b=4,noise=20");
  const auto text = [&](const HashtronRunSettings& settings) {
    const auto run = fresh(of, settings);
    finish(*run);
    EXPECT_LE(run->sums().trend(0).size(), settings.backward.ring);
    return run->network().text();
  };
  const std::string plain = text(backward(3, 25));
  EXPECT_EQ(text(backward(3, 25)), plain);
  using Change = std::function<void(HashtronRunSettings&)>;
  const std::pair<const char*, Change> changes[] = {
      {"seed", [](auto& s) { s.backward.seed = 4; }},
      {"direction", [](auto& s) { s.direction = TrainingDirection::kForward, s.forward.jobs_max = 60; }},
      {"literal", [](auto& s) { s.backward = BackwardSettings::literal(), s.backward.sweeps_max = 25, s.backward.seed = 3; }},
      {"sum_cache", [](auto& s) { s.backward.sum_cache = false; }},
      {"selection random", [](auto& s) { s.backward.selection = SelectionRule::kRandom; }},
      {"selection fixed", [](auto& s) { s.backward.selection = SelectionRule::kFixed; }},
      {"selection edge", [](auto& s) { s.backward = BackwardSettings::by_edge(), s.backward.seed = 3; }},
      {"law", [](auto& s) { s.backward.capacity.law = false; }},
      {"clamp", [](auto& s) { s.backward.capacity.clamp = 2; }},
      {"gold_clamp", [](auto& s) { s.backward.capacity.gold_clamp = 10; }},
      {"min", [](auto& s) { s.backward.capacity.capacity_min = 64; }},
      {"smoothing",
       [](auto& s) {
         s.backward.capacity.smoothing = {1, 0, 0};
       }},
      {"round_first", [](auto& s) { s.backward.capacity.round_first = true; }},
      {"explore_every", [](auto& s) { s.backward.explore_every = 2; }},
      {"pin_final", [](auto& s) { s.backward.pin_final = false; }},
      {"accept", [](auto& s) { s.backward.accept_always = true; }},
      {"attempts", [](auto& s) { s.backward.attempts = 1; }},
      {"fixed_salts", [](auto& s) { s.backward.fixed_salts = true; }},
      {"stale_sums", [](auto& s) { s.backward.stale_sums = true; }},
      {"threshold", [](auto& s) { s.backward.tally.mean_threshold = true; }},
      {"fill", [](auto& s) { s.backward.tally.fill = true; }},
      {"sweeps", [](auto& s) { s.backward.sweeps_max = 5; }},
  };
  for (const auto& [name, change] : changes) {
    HashtronRunSettings settings = backward(3, 25);
    change(settings);
    EXPECT_NE(text(settings), plain) << name;
  }
  // Retention changes nothing but what is kept, as long as smoothing finds its two last accepted jobs.
  HashtronRunSettings kept = backward(3, 25);
  kept.backward.ring = 64;
  EXPECT_EQ(text(kept), plain);
  // Rescue has its effect where phase 0 leaves the cell constant.
  std::uint32_t rescued = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    HashtronRunSettings settings = backward(seed, 15);
    const auto with = fresh(task("sqrt-bit:C=5,b=4"), settings);
    settings.backward.rescue = false;
    const auto without = fresh(task("sqrt-bit:C=5,b=4"), settings);
    finish(*with);
    finish(*without);
    EXPECT_FALSE(with->trainer().final_constant());
    rescued += with->rescues() > 0 && with->network().text() != without->network().text() ? 1 : 0;
  }
  EXPECT_GT(rescued, 0u);
  // Escape, where a neuron has collapsed: without it, it gets no buckets again.
  EXPECT_EQ(next_capacity(1000, 900, {}, 4, {}).capacity, 1000u);
  EXPECT_LT(next_capacity(1000, 900, {}, 4, {.escape = false}).capacity, 10u);
}

TEST(HashtronRun, CachesOfAHundredAndFortyNetworksFitIntoAHundredMegabytes) {
  std::size_t bytes = 0;
  for (int network = 0; network < 140; ++network) {
    SumCache cache(241);
    for (std::uint32_t n = 0; n < 241; ++n)
      for (std::uint32_t job = 0; job < 40; ++job) ASSERT_TRUE(cache.add({.job = job, .neuron = n, .sum = 2, .n = 10}).ok());
    bytes += cache.bytes();
  }
  EXPECT_LT(bytes, 100'000'000u);
  EXPECT_GT(bytes, 140u * 241 * 32 * kSumRecordBytes - 1);
}

TEST(HashtronRun, RefusesASnapshotThatIsNone) {
  const GeneratedTask of = task("sqrt-bit:C=3,b=1");
  for (const HashtronRunSettings& settings : {backward(1, 4), forward(1, 20)}) {
    const auto run = fresh(of, settings);
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(*run->step());
    const std::string whole = run->snapshot();
    const auto resume = [&](std::string_view bytes) { return HashtronRun::resume(of.layers(), settings, of.samples(), bytes); };
    ASSERT_TRUE(resume(whole).ok());
    for (std::size_t bytes = 0; bytes < whole.size(); bytes += 5)
      ASSERT_EQ(resume(std::string_view(whole).substr(0, bytes)).error().code, ErrorCode::kCorruption) << bytes;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      const auto refused = resume(damaged);
      ASSERT_FALSE(refused.ok()) << at;
      ASSERT_TRUE(refused.error().code == ErrorCode::kCorruption || refused.error().code == ErrorCode::kVersion) << at;
      // With checksums that are right nothing but an error, or a state that can be, may come of it.
      const std::uint32_t crc = crc32c(std::string_view(damaged).substr(0, damaged.size() - 4));
      damaged.replace(damaged.size() - 4, 4, reinterpret_cast<const char*>(&crc), 4);
      if (auto made = resume(damaged); made.ok()) {
        ASSERT_TRUE((*made)->step().ok()) << at;
      }
    }
    HashtronRunSettings other = settings;
    other.direction =
        settings.direction == TrainingDirection::kBackward ? TrainingDirection::kForward : TrainingDirection::kBackward;
    EXPECT_EQ(HashtronRun::resume(of.layers(), other, of.samples(), whole).error().code, ErrorCode::kConfig);
    other = settings;
    other.backward.seed = other.forward.seed = 7;
    EXPECT_NE(HashtronRun::resume(of.layers(), other, of.samples(), whole).error().what.find("other settings"),
              std::string::npos);
    EXPECT_NE(HashtronRun::resume(task("sqrt:C=3").layers(), settings, of.samples(), whole).error().what.find("other layers"),
              std::string::npos);
    EXPECT_NE(HashtronRun::resume(of.layers(), settings, task("sqrt-bit:C=3,b=2").samples(), whole)
                  .error()
                  .what.find("other samples"),
              std::string::npos);
  }
}

// Alerts --------------------------------------------------------------------------------------------------------------------

SumRecord accepted_job(std::uint32_t neuron, std::uint32_t job, std::uint32_t capacity) {
  return {.job = job, .neuron = neuron, .sum = 2, .n = 10, .capacity = capacity, .accepted = 1};
}
HashtronFigures figures(std::uint32_t correct, std::uint32_t count) {
  HashtronFigures out{.count = count, .correct = correct};
  out.accuracy = count == 0 ? 0.0 : double(correct) / count;
  return out;
}
bool raised(const HashtronAlerts& alerts, HashtronAlert alert) { return alerts.active(alert) && alerts.begun(alert) == 1; }

TEST(HashtronAlerts, OscillationIsFourChangesInTurnByAFactorOfTwo) {
  const auto trend = [](std::vector<std::uint32_t> capacities) {
    std::vector<SumRecord> out;
    for (const std::uint32_t capacity : capacities)
      out.push_back(accepted_job(0, static_cast<std::uint32_t>(out.size()), capacity));
    return out;
  };
  EXPECT_TRUE(oscillates(trend({10, 20, 10, 20, 10})));
  EXPECT_TRUE(oscillates(trend({1, 1, 100, 10, 1000, 3, 4000000000})));
  EXPECT_FALSE(oscillates(trend({10, 20, 10, 20})));      // Three changes.
  EXPECT_FALSE(oscillates(trend({10, 20, 40, 20, 40})));  // Two go up one after the other.
  EXPECT_FALSE(oscillates(trend({10, 20, 11, 20, 10})));  // By less than two, in between.
  EXPECT_FALSE(oscillates(trend({10, 20, 10, 20, 20})));  // The last one is none.
  std::vector<SumRecord> rejected = trend({10, 20, 10, 20, 10});
  rejected.back().accepted = 0;
  EXPECT_FALSE(oscillates(rejected));

  HashtronAlerts alerts(2, {});
  SumCache sums(2);
  std::uint32_t job = 0;
  for (const std::uint32_t capacity : {10U, 20U, 10U, 20U, 10U}) {
    EXPECT_FALSE(alerts.active(HashtronAlert::kOscillation));
    ASSERT_TRUE(sums.add(accepted_job(1, job, capacity)).ok());
    alerts.job_done(sums, accepted_job(1, job++, capacity));
  }
  EXPECT_TRUE(raised(alerts, HashtronAlert::kOscillation));
  EXPECT_EQ(alerts.oscillating(), 1u);
  ASSERT_TRUE(sums.add(accepted_job(1, job, 11)).ok());
  alerts.job_done(sums, accepted_job(1, job, 11));
  EXPECT_FALSE(alerts.active(HashtronAlert::kOscillation));
  const auto events = alerts.take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(events[0].begins);
  EXPECT_EQ(events[0].what, "the capacity of neuron 1 goes up and down, now 10");
  EXPECT_FALSE(events[1].begins);
  EXPECT_TRUE(alerts.take().empty());
}

TEST(HashtronAlerts, ConditionsAtTheEndOfASweepBeginAndEnd) {
  std::vector<std::int64_t> sums = {0, 100};
  std::uint32_t sweep = 0;
  const auto after = [&](HashtronAlerts& alerts, HashtronFigures train, HashtronFigures held_out, bool constant,
                         bool accepted) {
    alerts.sweep_done({.job = 3 * ++sweep,
                       .sweep = sweep,
                       .train = train,
                       .held_out = held_out,
                       .sums = sums,
                       .constant = constant,
                       .accepted = accepted});
  };
  const auto moving = [&] { sums[0] += 50; };
  {  // Memorisation: above 95 %, and more than ten points less held out.
    HashtronAlerts alerts(2, {});
    after(alerts, figures(950, 1000), figures(10, 100), false, true), moving();
    EXPECT_FALSE(alerts.active(HashtronAlert::kMemorisation));
    after(alerts, figures(951, 1000), figures(86, 100), false, true), moving();
    EXPECT_FALSE(alerts.active(HashtronAlert::kMemorisation));  // It has learnt what it says.
    after(alerts, figures(951, 1000), figures(85, 100), false, true), moving();
    EXPECT_TRUE(raised(alerts, HashtronAlert::kMemorisation));
    after(alerts, figures(990, 1000), figures(95, 100), false, true), moving();
    EXPECT_FALSE(alerts.active(HashtronAlert::kMemorisation));
    after(alerts, figures(990, 1000), figures(0, 0), false, true), moving();  // Nothing speaks against it.
    EXPECT_TRUE(alerts.active(HashtronAlert::kMemorisation));
    HashtronAlerts alone(2, {.gap = 0});
    after(alone, figures(960, 1000), figures(96, 100), false, true);
    EXPECT_TRUE(raised(alone, HashtronAlert::kMemorisation));
  }
  {  // Stagnation: three sweeps in which nothing moved by more than N / 100.
    HashtronAlerts alerts(2, {});
    for (int i = 0; i < 3; ++i) {
      after(alerts, figures(800, 1000), figures(80, 100), false, true);
      EXPECT_FALSE(alerts.active(HashtronAlert::kStagnation)) << i;
      sums[1] += 10;
    }
    after(alerts, figures(800, 1000), figures(80, 100), false, true);
    EXPECT_TRUE(raised(alerts, HashtronAlert::kStagnation));
    sums[1] -= 11;
    after(alerts, figures(800, 1000), figures(80, 100), false, true);
    EXPECT_FALSE(alerts.active(HashtronAlert::kStagnation));
  }
  {  // Stuck: three sweeps without an accepted job, and something is wrong still.
    HashtronAlerts alerts(2, {});
    for (const bool accepted : {false, false, true, false, false}) {
      after(alerts, figures(800, 1000), figures(80, 100), false, accepted), moving();
      EXPECT_FALSE(alerts.active(HashtronAlert::kStuck));
    }
    after(alerts, figures(1000, 1000), figures(80, 100), false, false), moving();
    EXPECT_FALSE(alerts.active(HashtronAlert::kStuck));
    after(alerts, figures(999, 1000), figures(80, 100), false, false), moving();
    EXPECT_TRUE(raised(alerts, HashtronAlert::kStuck));
    after(alerts, figures(999, 1000), figures(80, 100), false, true), moving();
    EXPECT_FALSE(alerts.active(HashtronAlert::kStuck));
  }
  {  // Constant, and its state is kept.
    HashtronAlerts alerts(2, {}), copy(2, {}), other(3, {});
    after(alerts, figures(748, 1000), figures(75, 100), true, true);
    EXPECT_TRUE(raised(alerts, HashtronAlert::kConstant));
    ByteBuffer bytes;
    alerts.save(bytes);
    ByteReader in(bytes.view()), cut(bytes.view().substr(1)), again(bytes.view());
    EXPECT_TRUE(copy.load(in));
    EXPECT_TRUE(raised(copy, HashtronAlert::kConstant));
    EXPECT_FALSE(copy.load(cut));
    EXPECT_FALSE(other.load(again));
    EXPECT_TRUE(raised(copy, HashtronAlert::kConstant));
  }
}

TEST(HashtronAlerts, RunsThatGoWrongRaiseTheirs) {
  // By heart: whole roots, of which those held out share no key.
  const auto by_heart = fresh(task("sqrt:C=5,split=0x5eed"), forward(1, 200));
  finish(*by_heart);
  EXPECT_TRUE(by_heart->alerts().active(HashtronAlert::kMemorisation));
  EXPECT_LT(by_heart->on_held_out().accuracy, 0.2);
  // The text as first written collapses to a constant cell.
  HashtronRunSettings literal = backward(1, 30);
  literal.backward = BackwardSettings::literal();
  literal.backward.sweeps_max = 30;
  const auto collapsed = fresh(task("sqrt-bit:C=5,b=4"), literal);
  finish(*collapsed);
  EXPECT_TRUE(collapsed->alerts().active(HashtronAlert::kConstant));
  EXPECT_NEAR(collapsed->on_held_out().lift(), 0.0, 0.01);
  EXPECT_DOUBLE_EQ(collapsed->on_held_out().balanced, 0.5);
  // One feature, both labels: nothing can be accepted, nothing moves.
  HashtronSamples same(1, 50);
  for (std::uint32_t s = 0; s < 50; ++s) same.set(s, std::vector{7U}, s & 1);
  HashtronRunSettings endless = backward(1, 8);
  endless.backward.stuck_sweeps_max = 0;
  endless.backward.rescue = false;  // It would draw new salts in every sweep.
  auto stuck = HashtronRun::make(task("sqrt-bit").layers(), endless, {same, HashtronSamples(1, 0)});
  ASSERT_TRUE(stuck.ok());
  finish(**stuck);
  EXPECT_TRUE((*stuck)->alerts().active(HashtronAlert::kConstant));
  EXPECT_TRUE((*stuck)->alerts().active(HashtronAlert::kStagnation));
  EXPECT_TRUE((*stuck)->alerts().active(HashtronAlert::kStuck));
}

TEST(HashtronAlerts, HealthyRunsRaiseNone) {
  for (const char* name : {"sqrt-bit:C=5,b=4,noise=20", "sqrt-bit:C=5,b=3,noise=20", "sqrt-bit:C=5,b=2,noise=20"}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      HashtronRunSettings settings = backward(seed, 16);  // While it still learns.
      const auto run = fresh(task(name), settings);
      std::uint32_t constant_at_first = 0;
      while (*run->step())
        if (run->sweep() <= 4) constant_at_first = run->alerts().begun(HashtronAlert::kConstant);
      for (const HashtronAlert alert : kHashtronAlerts) {
        // A cell that phase 0 leaves constant is rescued within the first sweeps.
        const std::uint32_t expected = alert == HashtronAlert::kConstant ? constant_at_first : 0;
        EXPECT_EQ(run->alerts().begun(alert), expected) << name << ", seed " << seed << ": " << name_of(alert);
        EXPECT_FALSE(run->alerts().active(alert)) << name << ", seed " << seed << ": " << name_of(alert);
      }
    }
  }
}

}  // namespace
}  // namespace weir
