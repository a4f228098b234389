#include "bench/hashtron_roots.hpp"

#include "core/learning/forward_pipeline.hpp"
#include "core/learning/generated_tasks.hpp"

namespace weir::bench {
namespace {

const GeneratedTask kRoots{.kind = GeneratedTask::Kind::kSquareRoot};

}  // namespace

std::vector<HashtronLayer> roots_layers() { return kRoots.layers(); }

HashtronSamples roots_samples(std::uint32_t count) {
  HashtronSamples out(1, count);
  for (std::uint32_t s = 0; s < count; ++s) out.set(s, std::vector{s % 1024}, kRoots.value(s % 1024));
  return out;
}

const HashtronNetwork& trained_roots() {
  static const HashtronNetwork made = [] {
    auto pipeline = std::move(*ForwardPipeline::make(roots_layers(), {.seed = 1}, roots_samples(1024), HashtronSamples(1, 0)));
    while (*pipeline->step()) {}
    return pipeline->trainer().network();
  }();
  return made;
}

}  // namespace weir::bench
