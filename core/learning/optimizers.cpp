#include "core/learning/optimizers.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/learning/gradient_clip.hpp"
#include "core/learning/optimizer_rules.hpp"
#include "core/base/finite.hpp"
#include "core/records/state_entry.hpp"
#include "core/records/state_pages.hpp"

namespace weir {
namespace {

using Kind = OptimizerSettings::Kind;
constexpr char kMomentTags[2] = {'M', 'N'};
constexpr std::string_view kCountersKey = "o";
constexpr std::uint8_t kFormat = 1;

Error bad(std::string_view name, double found, std::string_view expected) {
  return {ErrorCode::kConfig,
          "optimizer " + std::string(name) + ": found " + std::to_string(found) + ", expected " + std::string(expected)};
}

int slots_of(const OptimizerSettings& s) {
  switch (s.kind) {
    case Kind::kSgd: return s.momentum > 0.0 ? rules::Momentum::kSlots : rules::Sgd::kSlots;
    case Kind::kAdam:
    case Kind::kAdamW: return rules::Adam::kSlots;
    case Kind::kAdaGrad: return rules::AdaGrad::kSlots;
    case Kind::kFtrl: return rules::Ftrl::kSlots;
  }
  return 0;
}

template <class Rule>
Rule with(Rule rule, double rate_factor, double decay) {
  if constexpr (requires { rule.rate; }) {
    rule.rate *= rate_factor;
    rule.decay = decay;
  } else {
    rule.alpha *= rate_factor;
    rule.l2 = decay;
  }
  return rule;
}

}  // namespace

Result<void> check(const OptimizerSettings& s) {
  const auto at_least_0 = [](double x) { return is_finite(x) && x >= 0.0; };
  const auto above_0 = [](double x) { return is_finite(x) && x > 0.0; };
  if (!above_0(s.learning_rate)) return bad("learning_rate", s.learning_rate, "above 0");
  if (!(s.momentum >= 0.0 && s.momentum < 1.0)) return bad("momentum", s.momentum, "0 to below 1");
  if (s.nesterov && s.momentum == 0.0) return bad("momentum", s.momentum, "above 0 with nesterov");
  if (!(s.beta1 >= 0.0 && s.beta1 < 1.0)) return bad("beta1", s.beta1, "0 to below 1");
  if (!(s.beta2 >= 0.0 && s.beta2 < 1.0)) return bad("beta2", s.beta2, "0 to below 1");
  if (!above_0(s.epsilon)) return bad("epsilon", s.epsilon, "above 0");
  if (!at_least_0(s.l1)) return bad("l1", s.l1, "at least 0");
  if (!at_least_0(s.l2)) return bad("l2", s.l2, "at least 0");
  if (!at_least_0(s.ftrl_beta)) return bad("ftrl_beta", s.ftrl_beta, "at least 0");
  if (s.kind == Kind::kFtrl && s.ftrl_beta == 0.0 && s.l2 == 0.0) return bad("ftrl_beta", 0.0, "above 0 where l2 is 0");
  if (!at_least_0(s.initial_sum)) return bad("initial_sum", s.initial_sum, "at least 0");
  if (s.clip != OptimizerSettings::Clip::kOff && !above_0(s.clip_at)) return bad("clip", s.clip_at, "above 0");
  for (const OptimizerSettings::Group& group : s.groups) {
    if (!above_0(group.rate_factor)) return bad("rate_factor of " + group.block, group.rate_factor, "above 0");
    if (!at_least_0(group.l2)) return bad("l2 of " + group.block, group.l2, "at least 0");
  }
  return check(s.schedule);
}

Optimizer::Optimizer(const OptimizerSettings& settings, const Parameters& like)
    : settings_(settings), slots_(slots_of(settings)), dirty_(like.dirty_pages().size(), 0) {
  CHECK(check(settings).ok());
  for (int slot = 0; slot < slots_; ++slot)
    moments_[static_cast<std::size_t>(slot)].assign(like.size(), settings_.kind == Kind::kAdaGrad ? settings_.initial_sum : 0.0);
  for (const Parameters::Block& block : like.blocks()) {
    const auto group = std::find_if(settings_.groups.begin(), settings_.groups.end(),
                                    [&](const OptimizerSettings::Group& g) { return g.block == block.name; });
    const double decay = settings_.kind == Kind::kAdamW && block.name == "bias" ? 0.0 : settings_.l2;
    if (group == settings_.groups.end())
      ranges_.push_back({block.begin, block.begin + block.size, 1.0, decay});
    else
      ranges_.push_back({block.begin, block.begin + block.size, group->rate_factor, group->l2});
  }
}

template <class Rule>
bool Optimizer::apply_rule(const Gradient& gradient, Parameters& parameters, const Rule& rule) {
  const std::span<const std::uint32_t> indices = gradient.indices();
  const std::span<const float> values = gradient.values();
  const std::size_t count = indices.size();
  if (new_values_.size() < count) {
    new_values_.resize(count);
    for (int slot = 0; slot < slots_; ++slot) new_moments_[static_cast<std::size_t>(slot)].resize(count);
  }
  float* theta = parameters.data();
  bool finite = true;
  std::size_t i = 0;
  while (i < count) {  // A run of one block's coordinates at a time.
    auto range = ranges_.begin();
    while (indices[i] >= range->end) ++range;
    const Rule own = with(rule, range->rate_factor, range->decay);
    for (; i < count && indices[i] >= range->begin && indices[i] < range->end; ++i) {
      const std::uint32_t at = indices[i];
      float& out = new_values_[i];
      if constexpr (Rule::kSlots == 0) {
        out = static_cast<float>(own(double(theta[at]), double(values[i])));
      } else if constexpr (Rule::kSlots == 1) {
        double& a = new_moments_[0][i];
        a = moments_[0][at];
        out = static_cast<float>(own(double(theta[at]), double(values[i]), a));
        finite &= is_finite(a);
      } else {
        double& a = new_moments_[0][i];
        double& b = new_moments_[1][i];
        a = moments_[0][at];
        b = moments_[1][at];
        out = static_cast<float>(own(double(theta[at]), double(values[i]), a, b));
        finite &= is_finite(a);
        finite &= is_finite(b);
      }
      finite &= is_finite(out);
    }
  }
  if (!finite) return false;
  char* dirty = parameters.dirty_flags();
  for (i = 0; i < count; ++i) {
    const std::uint32_t at = indices[i];
    theta[at] = new_values_[i];
    for (int slot = 0; slot < Rule::kSlots; ++slot)
      moments_[static_cast<std::size_t>(slot)][at] = new_moments_[static_cast<std::size_t>(slot)][i];
    dirty[at / Parameters::kPageFloats] = 1;
    dirty_[at / Parameters::kPageFloats] = 1;
  }
  return true;
}

bool Optimizer::apply(Gradient& gradient, Parameters& parameters) {
  const OptimizerSettings& s = settings_;
  counters_dirty_ = true;
  bool taken = gradient.finite();
  if (taken) {
    clip(gradient.values(), s.clip, s.clip_at);
    switch (s.kind) {
      case Kind::kSgd:
        taken = s.momentum > 0.0
                    ? apply_rule(gradient, parameters, rules::Momentum{rate(), s.l2, s.momentum, s.nesterov})
                    : apply_rule(gradient, parameters, rules::Sgd{rate(), s.l2});
        break;
      case Kind::kAdam:
      case Kind::kAdamW: {
        const double t = double(steps_ + 1);
        taken = apply_rule(gradient, parameters,
                           rules::Adam{rate(), s.l2, s.beta1, s.beta2, s.epsilon, 1.0 - math::pow(s.beta1, t),
                                       1.0 - math::pow(s.beta2, t), s.kind == Kind::kAdamW});
        break;
      }
      case Kind::kAdaGrad:
        taken = apply_rule(gradient, parameters, rules::AdaGrad{rate(), s.l2, s.epsilon});
        break;
      case Kind::kFtrl:
        taken = apply_rule(gradient, parameters, rules::Ftrl{rate(), s.ftrl_beta, s.l1, s.l2});
        break;
    }
  }
  ++(taken ? steps_ : refused_);
  return taken;
}

void Optimizer::save(StateWriter& writer) {
  for_each_dirty(dirty_, [&](std::uint32_t page) {
    for (int slot = 0; slot < slots_; ++slot)
      save_page(writer, kMomentTags[slot], page, moments(slot), Parameters::kPageFloats);
  });
  std::fill(dirty_.begin(), dirty_.end(), 0);
  if (!counters_dirty_) return;
  counters_dirty_ = false;
  std::array<char, 18> value;
  value[0] = kFormat;
  value[1] = static_cast<char>(settings_.kind);
  std::memcpy(&value[2], &steps_, 8);
  std::memcpy(&value[10], &refused_, 8);
  writer.put(kCountersKey, {value.data(), value.size()});
}

Result<void> Optimizer::load(const StageState& state) {
  StateEntry entry("optimizer state", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kCountersKey));
  if (!found) return {};
  const auto kind = static_cast<Kind>(entry.fixed<std::uint8_t>());
  const auto steps = entry.fixed<std::uint64_t>();
  const auto refused = entry.fixed<std::uint64_t>();
  TRY(entry.finish());
  if (kind != settings_.kind)
    return Error{ErrorCode::kConfig,
                 entry.what() + " was written by another optimizer: start with a new data directory, or set it back"};
  steps_ = steps;
  refused_ = refused;
  for (int slot = 0; slot < slots_; ++slot)
    TRY(load_pages(state, kMomentTags[slot], std::span<double>(moments_[static_cast<std::size_t>(slot)]),
                   Parameters::kPageFloats));
  return {};
}

}  // namespace weir
