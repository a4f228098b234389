#pragma once
// How a gradient changes parameters: SGD (momentum, Nesterov), Adam, AdamW, AdaGrad, FTRL-proximal (equations:
// docs/learning.md, optimizer_rules.hpp). In place, on the gradient's coordinates only; moments are f64.
//
// A step that would make a parameter or a moment non-finite is not taken: everything stays as it was, bit for bit.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/learning/schedules.hpp"
#include "core/models/model.hpp"
#include "core/models/parameters.hpp"
#include "core/records/state.hpp"

namespace weir {

struct OptimizerSettings {
  enum class Kind : std::uint8_t { kSgd, kAdam, kAdamW, kAdaGrad, kFtrl };
  enum class Clip : std::uint8_t { kOff, kNorm, kValue };

  Kind kind = Kind::kAdaGrad;
  double learning_rate = 0.05;   // FTRL: alpha.
  double momentum = 0.0;         // SGD.
  bool nesterov = false;         // SGD.
  double beta1 = 0.9;            // Adam, AdamW.
  double beta2 = 0.999;          // Adam, AdamW.
  double epsilon = 1e-8;         // Adam, AdamW, AdaGrad.
  double l1 = 0.0;               // FTRL.
  double l2 = 0.0;               // Added to the gradient as l2 theta; AdamW: the decoupled decay; FTRL: lambda 2.
  double ftrl_beta = 1.0;        // FTRL.
  double initial_sum = 0.0;      // AdaGrad: the sum of squares before the first step.
  Clip clip = Clip::kNorm;
  double clip_at = 5.0;          // Largest norm, or largest magnitude of one coordinate.
  ScheduleSettings schedule;

  // Other settings for one block of the parameters. AdamW does not decay a block named "bias" unless it has its own entry.
  struct Group {
    std::string block;
    double rate_factor = 1.0;
    double l2 = 0.0;
    bool operator==(const Group&) const = default;
  };
  std::vector<Group> groups;
  bool operator==(const OptimizerSettings&) const = default;
};

// kConfig names the setting, what was found and what was expected.
Result<void> check(const OptimizerSettings& settings);

class Optimizer {
 public:
  // REQUIRES: settings that check() accepts. `like`: the shape of the parameters it will be given.
  Optimizer(const OptimizerSettings& settings, const Parameters& like);

  // One step. False: it was not finite and was not taken; refused() counts it. Clips `gradient` in place.
  // REQUIRES: a finished gradient.
  bool apply(Gradient& gradient, Parameters& parameters);

  const OptimizerSettings& settings() const { return settings_; }
  std::uint64_t steps() const { return steps_; }      // Taken. The schedule and Adam's correction go by it.
  std::uint64_t refused() const { return refused_; }
  int slots() const { return slots_; }
  std::span<const double> moments(int slot) const { return moments_[static_cast<std::size_t>(slot)]; }

  void save(StateWriter& writer);  // Pages that changed, under the tags 'M', 'N', and 'o'.
  Result<void> load(const StageState& state);

 private:
  friend class FusedStep;
  struct Range {  // A block's settings.
    std::uint32_t begin, end;
    double rate_factor;
    double decay;
  };
  double rate() const { return settings_.learning_rate * schedule_factor(settings_.schedule, steps_); }
  template <class Rule>
  bool apply_rule(const Gradient& gradient, Parameters& parameters, const Rule& rule);

  OptimizerSettings settings_;
  int slots_ = 0;
  std::array<std::vector<double>, 2> moments_;
  std::vector<char> dirty_;  // By page of kPageFloats coordinates.
  std::vector<Range> ranges_;
  std::uint64_t steps_ = 0;
  std::uint64_t refused_ = 0;
  bool counters_dirty_ = false;
  std::vector<float> new_values_;                     // Scratch: the step is computed, checked, then written.
  std::array<std::vector<double>, 2> new_moments_;
};

}  // namespace weir
