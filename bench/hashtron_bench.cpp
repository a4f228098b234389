// Networks of hashtrons on one core, on the net of 375, 75 and 5 neurons (integer square roots of 0 to 1023): predictions many
// at a time and one by one, jobs with their judgement, whole trainings, what counting the sums costs of a pass and how much
// memory a neuron takes; beside a plain port that does the same in the same order, compiled without vectors. Times are the
// processor's. hashtron_scalar_bench has the same loops compiled for one lane.

#include <benchmark/benchmark.h>

#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <vector>

#include "bench/hashtron_plain.hpp"
#include "bench/hashtron_roots.hpp"
#include "core/learning/backward_pipeline.hpp"
#include "core/learning/forward_pipeline.hpp"
#include "core/learning/generated_tasks.hpp"
#include "core/learning/hashtron_run.hpp"
#include "core/models/hashtron_activations.hpp"
#include "core/models/hashtron_kernels.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

using bench::roots_layers, bench::roots_samples, bench::trained_roots;

void batch(benchmark::State& state) {
  const HashtronSamples all = roots_samples(16384);
  std::vector<std::uint16_t> out(all.count());
  for (auto _ : state) {
    predict_batch(trained_roots(), all, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * std::int64_t{all.count()} * trained_roots().size());
}
BENCHMARK(batch)->Name("hashtron/batch, neuron evaluations");

void batch_samples(benchmark::State& state) {
  const HashtronSamples all = roots_samples(16384);
  std::vector<std::uint16_t> out(all.count());
  for (auto _ : state) predict_batch(trained_roots(), all, out);
  state.SetItemsProcessed(state.iterations() * std::int64_t{all.count()});
}
BENCHMARK(batch_samples)->Name("hashtron/batch, samples");

void batch_plain(benchmark::State& state) {
  const HashtronSamples all = roots_samples(1024);
  std::vector<std::uint16_t> out(all.count());
  for (auto _ : state) {
    plain::predict_batch(trained_roots(), all, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * std::int64_t{all.count()} * trained_roots().size());
}
BENCHMARK(batch_plain)->Name("hashtron/batch, plain port, neuron evaluations");

void single(benchmark::State& state) {
  HashtronNetwork::Scratch scratch;
  std::uint32_t x = 0;
  for (auto _ : state) {
    x = (x + 617) % 1024;
    benchmark::DoNotOptimize(trained_roots().predict({&x, 1}, scratch));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(single)->Name("hashtron/single")->Unit(benchmark::kMicrosecond);

// Jobs of a path (a neuron of each hidden layer, five cells), each with its judgement over all samples.
void job(benchmark::State& state) {
  auto trainer = std::move(*HashtronTrainer::make(trained_roots(), roots_samples(1024), HashtronSamples(1, 0)));
  const std::uint32_t neurons[] = {17, 378, 450, 451, 452, 453, 454};
  std::uint32_t i = 0;
  std::vector<std::pair<std::uint32_t, Hashtron>> fresh;
  for (const std::uint32_t n : neurons) fresh.emplace_back(n, fresh_hashtron(std::uint64_t{n} << 40));
  trainer->replace(fresh);
  for (auto _ : state) {
    const auto result =
        trainer->run({.neuron = neurons[i % 7], .salt = i * 2654435761U, .capacity = 1024, .accept_always = true});
    benchmark::DoNotOptimize(result.ok());
    ++i;
  }
}
BENCHMARK(job)->Name("hashtron/job")->Unit(benchmark::kMicrosecond);

void job_plain(benchmark::State& state) {
  HashtronNetwork network = trained_roots();
  const HashtronSamples all = roots_samples(1024);
  const std::uint32_t neurons[] = {17, 378, 450, 451, 452, 453, 454};
  std::uint32_t i = 0;
  for (auto _ : state) {
    plain::job(network, all, neurons[i % 7], i * 2654435761U, 1024);
    ++i;
  }
}
BENCHMARK(job_plain)->Name("hashtron/job, plain port")->Unit(benchmark::kMicrosecond);

// From fresh neurons to all 1,024 right, each of a hundred seeds once.
void whole(benchmark::State& state) {
  std::vector<double> ms;
  std::uint32_t stuck = 0, jobs = 0;
  for (auto _ : state) {
    ms.clear();
    stuck = jobs = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      const double begin = cpu_seconds();
      auto pipeline =
          std::move(*ForwardPipeline::make(roots_layers(), {.seed = seed, .jobs_max = 5000}, roots_samples(1024), HashtronSamples(1, 0)));
      while (*pipeline->step()) {}
      ms.push_back(1e3 * (cpu_seconds() - begin));
      stuck += pipeline->phase() != ForwardPipeline::Phase::kAllRight ? 1 : 0;
      jobs += pipeline->jobs();
    }
  }
  std::ranges::sort(ms);
  state.counters["median_ms"] = ms[50];
  state.counters["slowest_ms"] = ms[99];
  state.counters["stuck_seeds"] = stuck;
  state.counters["jobs_mean"] = jobs / 100.0;
}
BENCHMARK(whole)->Name("hashtron/training to 100 %")->Iterations(1)->Unit(benchmark::kMillisecond);

// A pass over all samples that keeps every neuron's bits and counts them, and of it the counting: the same rows once more, as
// they lie in the caches right after the pass.
void sums(benchmark::State& state, std::uint32_t samples) {
  const HashtronSamples all = roots_samples(samples);
  HashtronActivations activations(trained_roots(), all);
  std::vector<std::uint32_t> ones(trained_roots().size());
  double whole = 0.0, counting = 0.0;
  for (auto _ : state) {
    const double begin = cpu_seconds();
    activations.refresh();
    const double middle = cpu_seconds();
    kernels::count_bits(activations.row(0).data(), all.words(), ones.size(), ones.data());
    benchmark::DoNotOptimize(ones.data());
    whole += middle - begin;
    counting += cpu_seconds() - middle;
  }
  state.counters["of_the_pass_%"] = 100 * counting / whole;
}
BENCHMARK_CAPTURE(sums, few, 1024)->Name("hashtron/counting sums of 1,024 samples");
BENCHMARK_CAPTURE(sums, many, 16384)->Name("hashtron/counting sums of 16,384 samples");

std::size_t allocated() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// By what the allocator has given out: a network that serves, and what training it on 1,024 samples takes beside them.
void memory(benchmark::State& state) {
  const double neurons = trained_roots().size();
  double network = 0.0, training = 0.0;
  for (auto _ : state) {
    std::size_t before = allocated();
    const auto copy = std::make_unique<HashtronNetwork>(trained_roots());
    network = double(allocated() - before) / neurons;
    const HashtronSamples all = roots_samples(1024);
    before = allocated();
    const auto activations = std::make_unique<HashtronActivations>(*copy, all);
    training = double(allocated() - before) / neurons;
  }
  state.counters["network_bytes"] = network;
  state.counters["activations_bytes"] = training;
  std::vector<Hashtron> written;
  for (std::uint32_t n = 0; n < trained_roots().size(); ++n) written.push_back(trained_roots().neuron(n));
  state.counters["text_bytes"] = double(to_hashtron_text(written).size()) / neurons;
}
BENCHMARK(memory)->Name("hashtron/memory per neuron")->Iterations(1);

// Backward beside forward, in the same run: networks of 31 neurons on 823 samples with noise, as many jobs of each. What a job
// costs that was accepted, and what a run costs for each of them, those that were not included.
void directions(benchmark::State& state) {
  const GeneratedTask task{.bit = 3, .noise = 20};
  struct Cost {
    double accepted_seconds = 0.0, seconds = 0.0;
    std::uint32_t accepted = 0, jobs = 0;
  };
  Cost costs[2];
  for (auto _ : state) {
    costs[0] = costs[1] = {};
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      HashtronRunSettings settings;
      settings.backward.seed = settings.forward.seed = seed;
      settings.forward.capacity_half = settings.forward.capacity_full = 823;
      std::uint32_t jobs = 0;
      for (const TrainingDirection direction : {TrainingDirection::kBackward, TrainingDirection::kForward}) {
        settings.direction = direction;
        if (jobs != 0) settings.forward.jobs_max = jobs;
        const SplitSamples samples = task.samples();
        Cost& cost = costs[static_cast<std::size_t>(direction)];
        // The pipelines themselves, without what HashtronRun watches.
        auto backward = std::move(*BackwardPipeline::make(task.layers(), settings.backward, samples.train, samples.held_out));
        auto forward = std::move(*ForwardPipeline::make(task.layers(), settings.forward, samples.train, samples.held_out));
        for (;;) {
          const double begin = cpu_seconds();
          bool more = false, accepted = false;
          if (direction == TrainingDirection::kBackward) {
            const SumRecord* done = *backward->step();
            more = done != nullptr;
            accepted = more && done->accepted != 0;
          } else {
            more = *forward->step();
            accepted = more && forward->sums().latest(forward->last_neurons()[0])->accepted != 0;
          }
          if (!more) break;
          const double seconds = cpu_seconds() - begin;
          cost.seconds += seconds;
          cost.accepted_seconds += accepted ? seconds : 0.0;
          cost.accepted += accepted ? 1 : 0;
          ++cost.jobs;
          ++jobs;
        }
      }
    }
  }
  const auto job = [](const Cost& cost) { return 1e6 * cost.accepted_seconds / cost.accepted; };
  const auto run = [](const Cost& cost) { return 1e6 * cost.seconds / cost.jobs; };
  const auto all = [](const Cost& cost) { return 1e6 * cost.seconds / cost.accepted; };
  state.counters["accepted_job_backward_us"] = job(costs[0]);
  state.counters["accepted_job_forward_us"] = job(costs[1]);
  state.counters["accepted_job_ratio"] = job(costs[0]) / job(costs[1]);
  state.counters["job_ratio"] = run(costs[0]) / run(costs[1]);
  state.counters["run_for_each_accepted_ratio"] = all(costs[0]) / all(costs[1]);
}
BENCHMARK(directions)->Name("hashtron/backward beside forward")->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
