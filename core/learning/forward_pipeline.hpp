#pragma once
// Training from the input to the output, as such networks were trained before the backward pipeline: what a run falls back to,
// and what it is compared with.
//
// A path is a neuron of the first layer, by chance, then one of each further layer that reads it, then the last layer's cells,
// trained in that order. A job is kept even if it makes fewer samples right, unless the network then predicts exactly what it
// predicted in a local minimum remembered before: then it is undone and the path ends. After as many paths without a new best
// as the network has neurons, what it predicts is remembered as a minimum and the last job kept is undone; with nothing left to
// undo the run is over. It is over, too, once all samples are right, unless `pair_layers` is set: then so many layers, by
// chance, have their neurons trained in overlapping pairs, in an order by chance (HashtronTrainer::run_pair), which leaves what
// is right right and lets filters shrink. All chance comes from the seed, and salts as in the backward pipeline; where networks
// trained of old got stuck for ever, neurons that were never accepted get new salts after `redraw_after` paths without a new
// best.
//
// A run is a function of settings, samples and seed; stopped after any job and gone on with from its snapshot it ends in the
// same model text.

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/learning/hashtron_trainer.hpp"
#include "core/learning/neuron_selection.hpp"
#include "core/learning/sum_cache.hpp"

namespace weir {

struct ForwardSettings {
  std::uint64_t seed = 1;
  // Capacity by success in percent: (100 - success)^2 * (half - full) / 2500 + full, cut to a whole number, at least 2: `half`
  // at 50 %, `full` at 100 %. Equal: constant. Both 0: keys are used as they are.
  std::uint32_t capacity_half = 0, capacity_full = 0;
  bool mean_threshold = false;
  // As of old: while success is below 99 %, what is measured are only as many samples as tell it to a percent, from the first
  // on.
  bool measure_part = false;
  std::uint32_t redraw_after = 1;    // 0: never.
  std::uint64_t jobs_max = 1000000;  // 1 to 2^32 - 1.
  std::uint32_t undo_max = 4096;     // Jobs that can be undone.
  std::uint32_t pair_layers = 0;
  std::uint32_t ring = 32;  // Records a neuron: sums are kept as in the backward pipeline, without any influence.

  Result<void> check() const;
  std::uint64_t digest() const;  // But for jobs_max.
};

std::uint32_t forward_capacity(std::uint32_t success, const ForwardSettings& settings);
// How many of n samples tell a share to a percent, at 99 % confidence.
std::uint32_t samples_measured(std::uint32_t n);

class ForwardPipeline {
 public:
  static Result<std::unique_ptr<ForwardPipeline>> make(const std::vector<HashtronLayer>& layers,
                                                       const ForwardSettings& settings, HashtronSamples train,
                                                       HashtronSamples held_out);
  // From a network that has been trained: the way back from the backward pipeline. `sums`: what is known of it, from there;
  // jobs are counted on from `first_job`.
  static Result<std::unique_ptr<ForwardPipeline>> from(HashtronNetwork network, const ForwardSettings& settings,
                                                       HashtronSamples train, HashtronSamples held_out,
                                                       const SumCache* sums = nullptr, std::uint32_t first_job = 0);
  // Where snapshot() was taken. Errors: BackwardPipeline::resume's.
  static Result<std::unique_ptr<ForwardPipeline>> resume(const std::vector<HashtronLayer>& layers,
                                                         const ForwardSettings& settings, HashtronSamples train,
                                                         HashtronSamples held_out, std::string_view snapshot);

  enum class Phase : std::uint8_t { kTraining, kPairs, kAllRight, kNothingLeft, kJobsDone };
  // The next job, or false if the run is over. Ends: one job.
  Result<bool> step();
  bool finished() const { return phase() >= Phase::kAllRight; }
  Phase phase() const {
    return phase_ < Phase::kAllRight && jobs_ - first_job_ >= settings_.jobs_max ? Phase::kJobsDone : phase_;
  }
  const HashtronTrainer& trainer() const { return *trainer_; }
  const SumCache& sums() const { return sums_; }
  const ForwardSettings& settings() const { return settings_; }
  // Neurons of the last job: one, or the two of a pair. Their latest records are in sums(). None before the first.
  std::span<const std::uint32_t> last_neurons() const { return last_neurons_; }
  std::uint32_t jobs() const { return jobs_; }
  std::uint32_t paths() const { return paths_; }
  std::uint32_t redraws() const { return redraws_; }
  std::uint32_t correct_best() const { return correct_best_; }
  const std::vector<Hashtron>& best() const { return best_; }  // The neurons that had it.

  std::string snapshot() const;

 private:
  ForwardPipeline(std::unique_ptr<HashtronTrainer> trainer, const ForwardSettings& settings);
  Result<void> record(std::uint32_t neuron, SumRecord record);
  Result<void> train_pair();
  void choose_path();
  void choose_pairs();
  void end_path();
  void undo();
  std::uint32_t success();
  std::uint64_t state() const;

  ForwardSettings settings_;
  std::unique_ptr<HashtronTrainer> trainer_;
  SplitMix64 chance_;
  Phase phase_ = Phase::kTraining;
  std::uint32_t jobs_ = 0, paths_ = 0, redraws_ = 0, fruitless_ = 0, since_redraw_ = 0, last_success_ = 0, correct_best_ = 0;
  std::uint32_t best_before_path_ = 0;
  std::uint32_t first_job_ = 0, pair_layers_ = 0;
  SumCache sums_;
  std::vector<std::uint32_t> last_neurons_;
  std::vector<std::uint32_t> path_;  // What is left of it, the next one last; in pairs: of the layer's order.
  std::deque<std::pair<std::uint32_t, Hashtron>> undo_;
  std::set<std::uint64_t> minima_;
  std::vector<std::uint8_t> accepted_;
  std::vector<Hashtron> best_;
};

}  // namespace weir
