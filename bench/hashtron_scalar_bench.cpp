// The loops of core/models over the network that hashtron_bench runs, the same source in the same order, compiled for one lane
// and without the compiler's own vectorisation (bench/CMakeLists.txt): what vectors alone are good for.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "bench/hashtron_roots.hpp"
#include "core/models/hashtron_activations.hpp"

namespace weir {
namespace {

void batch(benchmark::State& state) {
  const HashtronSamples all = bench::roots_samples(16384);
  std::vector<std::uint16_t> out(all.count());
  for (auto _ : state) {
    predict_batch(bench::trained_roots(), all, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * std::int64_t{all.count()} * bench::trained_roots().size());
}
BENCHMARK(batch)->Name("hashtron/batch, same loops, one lane, neuron evaluations");

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
