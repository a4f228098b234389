#pragma once
// Training from the input to the output, as such networks were trained before the backward pipeline: what a run falls back to,
// and what it is compared with.
//
// A path is a neuron of the first layer, by chance, then one of each further layer that reads it, then the last layer's cells,
// trained in that order. A job is kept even if it makes fewer samples right, unless the network then predicts exactly what it
// predicted in a local minimum remembered before: then it is undone and the path ends. After as many paths without a new best
// as the network has neurons, what it predicts is remembered as a minimum and the last job kept is undone; with nothing left to
// undo the run is over. It is over, too, once all samples are right: what used to come then, pairs of neurons trained together
// in an order that changed what came out, is left out. All chance comes from the seed, and salts as in the backward pipeline;
// where networks trained of old got stuck for ever, neurons that were never accepted get new salts after `redraw_after` paths
// without a new best.

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
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
  std::uint32_t redraw_after = 1;  // 0: never.
  std::uint64_t jobs_max = 1000000;
  std::uint32_t undo_max = 4096;  // Jobs that can be undone.

  Result<void> check() const;
};

std::uint32_t forward_capacity(std::uint32_t success, const ForwardSettings& settings);
// How many of n samples tell a share to a percent, at 99 % confidence.
std::uint32_t samples_measured(std::uint32_t n);

class ForwardPipeline {
 public:
  static Result<std::unique_ptr<ForwardPipeline>> make(const std::vector<HashtronLayer>& layers,
                                                       const ForwardSettings& settings, HashtronSamples train,
                                                       HashtronSamples held_out);
  // From a network that has been trained: the way back from the backward pipeline.
  static Result<std::unique_ptr<ForwardPipeline>> from(HashtronNetwork network, const ForwardSettings& settings,
                                                       HashtronSamples train, HashtronSamples held_out);

  enum class Phase : std::uint8_t { kTraining, kAllRight, kNothingLeft, kJobsDone };
  // The next job, or false if the run is over. Ends: one job.
  Result<bool> step();
  Phase phase() const { return phase_; }
  const HashtronTrainer& trainer() const { return *trainer_; }
  const HashtronJobResult& last_job() const { return last_job_; }
  std::uint32_t jobs() const { return jobs_; }
  std::uint32_t paths() const { return paths_; }
  std::uint32_t redraws() const { return redraws_; }
  std::uint32_t correct_best() const { return correct_best_; }
  const std::vector<Hashtron>& best() const { return best_; }  // The neurons that had it.

 private:
  ForwardPipeline(std::unique_ptr<HashtronTrainer> trainer, const ForwardSettings& settings);
  void choose_path();
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
  HashtronJobResult last_job_;
  std::vector<std::uint32_t> path_;  // What is left of it, the next one last.
  std::deque<std::pair<std::uint32_t, Hashtron>> undo_;
  std::set<std::uint64_t> minima_;
  std::vector<std::uint8_t> accepted_;
  std::vector<Hashtron> best_;
};

}  // namespace weir
