// The core loop on parsed rows, one core: scale -> predict -> learn, 20 numbers a row; then the same with 20 one-hot inputs more, and
// each part alone.

#include <benchmark/benchmark.h>

#include <vector>

#include "core/base/math.hpp"
#include "core/base/rng.hpp"
#include "core/features/scaler.hpp"
#include "core/learning/learner.hpp"
#include "core/solvers/conformal_gate.hpp"

namespace weir {
namespace {

using Kind = OptimizerSettings::Kind;
constexpr std::uint32_t kDense = 20;
constexpr std::uint32_t kSparse = 1 << 14;
constexpr std::size_t kRows = 4096;

struct Rows {
  std::vector<double> numbers;
  std::vector<std::uint32_t> indices;  // kOneHot a row, not in order: as hashed crosses come.
  std::vector<double> labels;
  static constexpr std::size_t kOneHot = 20;
  Rows() {
    Rng rng(1);
    for (std::size_t row = 0; row < kRows; ++row) {
      double z = 0.0;
      for (std::uint32_t i = 0; i < kDense; ++i) {
        numbers.push_back(3.0 + 2.0 * rng.normal());
        z += (i % 2 == 0 ? 0.3 : -0.3) * numbers.back();
      }
      for (std::size_t i = 0; i < kOneHot; ++i) indices.push_back(static_cast<std::uint32_t>(rng.below(i < 10 ? 64 : kSparse)));
      labels.push_back(rng.uniform() < math::sigmoid(z) ? 1.0 : 0.0);
    }
  }
};
const Rows& rows() {
  static const Rows made;
  return made;
}

struct Loop {
  explicit Loop(Kind kind, Learner::Path path = Learner::Path::kFastest)
      : model(std::move(*make_model({"logistic", {kDense, kSparse}}))),
        scaler(std::vector<Scaler::Input>(kDense), ScalerSpec()),
        parameters([&] {
          Rng rng(1);
          return model->initial(rng);
        }()),
        learner(model, settings(kind), parameters, path) {}
  static OptimizerSettings settings(Kind kind) {
    OptimizerSettings s;
    s.kind = kind;
    s.learning_rate = 0.05;
    return s;
  }
  double row(std::size_t i, bool sparse) {
    const Rows& all = rows();
    std::copy_n(all.numbers.data() + i * kDense, kDense, scaler.values().data());
    scaler.scale(EventTime(time += 1000), dense);
    Sample sample;
    sample.dense = {dense, kDense};
    if (sparse) {
      sample.indices = {all.indices.data() + i * Rows::kOneHot, Rows::kOneHot};
      sample.values = ones;
    }
    const double score = model->forward(parameters, sample);
    learner.step_scored(parameters, sample, all.labels[i], score);
    return math::sigmoid(score);
  }
  std::shared_ptr<const Model> model;
  Scaler scaler;
  Parameters parameters;
  Learner learner;
  std::int64_t time = 0;
  float dense[kDense] = {};
  std::vector<float> ones = std::vector<float>(Rows::kOneHot, 1.0f);
};

void run(benchmark::State& state, Kind kind, bool sparse, Learner::Path path = Learner::Path::kFastest) {
  Loop loop(kind, path);
  rows();
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(loop.row(i, sparse));
    i = (i + 1) % kRows;
  }
  state.SetItemsProcessed(state.iterations());
}

void core_loop(benchmark::State& state) { run(state, Kind::kAdaGrad, false); }
void core_loop_sgd(benchmark::State& state) { run(state, Kind::kSgd, false); }
void core_loop_ftrl(benchmark::State& state) { run(state, Kind::kFtrl, false); }
void core_loop_one_hot(benchmark::State& state) { run(state, Kind::kAdaGrad, true); }
void core_loop_general_path(benchmark::State& state) { run(state, Kind::kAdaGrad, true, Learner::Path::kGeneral); }

void scale_only(benchmark::State& state) {
  Loop loop(Kind::kSgd);
  std::size_t i = 0;
  for (auto _ : state) {
    std::copy_n(rows().numbers.data() + i * kDense, kDense, loop.scaler.values().data());
    loop.scaler.scale(EventTime(loop.time += 1000), loop.dense);
    benchmark::DoNotOptimize(loop.dense);
    i = (i + 1) % kRows;
  }
  state.SetItemsProcessed(state.iterations());
}

void forward_only(benchmark::State& state) {
  Loop loop(Kind::kSgd);
  Sample sample;
  sample.dense = {loop.dense, kDense};
  for (auto _ : state) {
    benchmark::DoNotOptimize(loop.dense);
    benchmark::DoNotOptimize(math::sigmoid(loop.model->forward(loop.parameters, sample)));
  }
  state.SetItemsProcessed(state.iterations());
}

void gate_complete_and_update(benchmark::State& state) {
  ConformalGate gate(TaskKind::kClassification, ConformalSettings());
  Rng rng(1);
  std::vector<std::pair<double, double>> pairs;
  for (std::size_t i = 0; i < kRows; ++i) {
    const double p = math::sigmoid(3.0 * rng.normal());
    pairs.emplace_back(p, rng.uniform() < p ? 1.0 : 0.0);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    Prediction prediction;
    prediction.value = pairs[i].first;
    gate.complete(prediction);
    gate.update(prediction, prediction.value, pairs[i].second);
    benchmark::DoNotOptimize(prediction);
    i = (i + 1) % kRows;
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(core_loop);
BENCHMARK(core_loop_sgd);
BENCHMARK(core_loop_ftrl);
BENCHMARK(core_loop_one_hot);
BENCHMARK(core_loop_general_path);
BENCHMARK(scale_only);
BENCHMARK(forward_only);
BENCHMARK(gate_complete_and_update);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
