#include "core/learning/fused_step.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/finite.hpp"
#include "core/learning/gradient_clip.hpp"
#include "core/learning/optimizer_rules.hpp"
#include "core/learning/update_kernels.hpp"

namespace weir {
namespace {

constexpr int kSeenLog2 = 11;
constexpr std::size_t kSeenBits = std::size_t(1) << kSeenLog2;

}  // namespace

using Kind = OptimizerSettings::Kind;

bool FusedStep::supports(const Model& model, const OptimizerSettings& s) {
  if (model.linear() == nullptr || !s.groups.empty()) return false;
  return (s.kind == Kind::kSgd && s.momentum == 0.0) || s.kind == Kind::kAdaGrad || s.kind == Kind::kFtrl;
}

// Fills indices_ and the sparse part of gradient_: distinct indices, each where it came first, repeats summed as they come.
std::size_t FusedStep::merge_sparse(const LinearLayout& layout, const Sample& sample, double dscore) {
  const std::size_t count = sample.indices.size();
  float* out = gradient_.data() + layout.dense + 1;
  std::uint64_t seen[kSeenBits / 64] = {};  // Hashed indices: a bit that is not set yet says "new" without a search.
  std::size_t to = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t index = layout.sparse + sample.indices[i];
    const auto g = static_cast<float>(dscore * double(sample.values[i]));
    const std::uint32_t hash = index * 0x9e3779b1U >> (32 - kSeenLog2);
    const std::uint64_t bit = std::uint64_t(1) << (hash % 64);
    if ((seen[hash / 64] & bit) != 0) [[unlikely]] {
      std::size_t at = 0;
      while (at < to && indices_[at] != index) ++at;
      if (at < to) {
        out[at] += g;
        continue;
      }
    }
    seen[hash / 64] |= bit;
    indices_[to] = index;
    out[to++] = g;
  }
  return to;
}

template <class Rule>
bool FusedStep::update(const LinearLayout& layout, std::size_t sparse, Optimizer& optimizer, Parameters& parameters,
                       const Rule& rule) {
  const std::size_t dense = layout.dense + 1;  // With the bias, which follows.
  const std::size_t count = dense + sparse;
  float* theta = parameters.data();
  double* m = Rule::kSlots > 0 ? optimizer.moments_[0].data() : nullptr;
  double* n = Rule::kSlots > 1 ? optimizer.moments_[1].data() : nullptr;
  float* values = values_.data();
  double* first = first_.data();
  double* second = second_.data();
  const float* g = gradient_.data();
  kernels::update(kernels::Run{dense, theta, g, m, n, values, first, second}, rule);
  if (sparse > 0) {  // Brought together first: then they are a run, too.
    float* old = old_values_.data();
    double* old_first = old_first_.data();
    double* old_second = old_second_.data();
    for (std::size_t i = 0; i < sparse; ++i) {
      const std::uint32_t at = indices_[i];
      old[i] = theta[at];
      if constexpr (Rule::kSlots > 0) old_first[i] = m[at];
      if constexpr (Rule::kSlots > 1) old_second[i] = n[at];
    }
    kernels::update(kernels::Run{sparse, old, g + dense, old_first, old_second, values + dense, first + dense, second + dense}, rule);
  }
  if (!all_finite(std::span<const float>(values, count))) return false;
  if (Rule::kSlots > 0 && !all_finite(std::span<const double>(first, count))) return false;
  if (Rule::kSlots > 1 && !all_finite(std::span<const double>(second, count))) return false;

  char* dirty = parameters.dirty_flags();
  std::memcpy(theta, values, dense * sizeof(float));
  if constexpr (Rule::kSlots > 0) std::memcpy(m, first, dense * sizeof(double));
  if constexpr (Rule::kSlots > 1) std::memcpy(n, second, dense * sizeof(double));
  const std::size_t pages = (dense + Parameters::kPageFloats - 1) / Parameters::kPageFloats;
  std::memset(dirty, 1, pages);
  std::memset(optimizer.dirty_.data(), 1, pages);
  for (std::size_t i = 0; i < sparse; ++i) {
    const std::uint32_t at = indices_[i];
    theta[at] = values[dense + i];
    if constexpr (Rule::kSlots > 0) m[at] = first[dense + i];
    if constexpr (Rule::kSlots > 1) n[at] = second[dense + i];
    dirty[at / Parameters::kPageFloats] = 1;
    optimizer.dirty_[at / Parameters::kPageFloats] = 1;
  }
  return true;
}

bool FusedStep::step(const LinearLayout& layout, const Sample& sample, double dscore, Optimizer& optimizer,
                     Parameters& parameters) {
  const std::size_t most = layout.dense + 1 + sample.indices.size();
  if (gradient_.size() < most) {
    gradient_.resize(most);
    values_.resize(most);
    first_.resize(most);
    second_.resize(most);
    old_values_.resize(most);
    old_first_.resize(most);
    old_second_.resize(most);
    indices_.resize(most);
  }
  const float* __restrict x = sample.dense.data();
  float* __restrict g = gradient_.data();
  for (std::size_t i = 0; i < layout.dense; ++i) g[i] = static_cast<float>(dscore * double(x[i]));
  g[layout.dense] = static_cast<float>(dscore);
  const std::size_t sparse = merge_sparse(layout, sample, dscore);

  const OptimizerSettings& s = optimizer.settings_;
  const std::span<float> gradient(g, layout.dense + 1 + sparse);
  optimizer.counters_dirty_ = true;
  bool taken = all_finite(std::span<const float>(gradient));
  if (taken) {
    clip(gradient, s.clip, s.clip_at);
    switch (s.kind) {
      case Kind::kSgd: taken = update(layout, sparse, optimizer, parameters, rules::Sgd{optimizer.rate(), s.l2}); break;
      case Kind::kAdaGrad:
        taken = update(layout, sparse, optimizer, parameters, rules::AdaGrad{optimizer.rate(), s.l2, s.epsilon});
        break;
      case Kind::kFtrl:
        taken = update(layout, sparse, optimizer, parameters, rules::Ftrl{optimizer.rate(), s.ftrl_beta, s.l1, s.l2});
        break;
      default: CHECK(false);
    }
  }
  ++(taken ? optimizer.steps_ : optimizer.refused_);
  return taken;
}

}  // namespace weir
