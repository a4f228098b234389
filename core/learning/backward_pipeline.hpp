#pragma once
// Training from the output back to the input: jobs (core/learning/hashtron_trainer), one neuron a layer a sweep, steered by the
// sums that the neurons have.
//
// Phase 0 trains every cell of the last layer. A sweep trains the last layer, then one neuron of each layer before it, down to
// the first; each is chosen by its sum (neuron_selection) and gets its capacity from it (capacity_law). A job that makes fewer
// samples right is undone. After `attempts` jobs in a row without acceptance the next layer's turn comes; after
// `stuck_sweeps_max` sweeps without one the run has converged. A last layer that has become constant leaves no credit for
// anybody before it: then neurons that were never accepted get new salts and phase 0 is done again, once a sweep (`rescue`).
//
// Selection by edge is another way to learn, for noisy labels above all (BackwardSettings::by_edge()). Neurons before the last
// layer then vote for the target itself; the one that would add most to what the output knows is taken, and accepted only if
// that is more than chance explains. An accepted job ends the sweep: the layers behind it get used to it before another neuron
// of its layer, or of one before it, changes; until then fewer samples may be right. It ends (but for `accept_always`): in the
// first layer, whose input does not change, each accepted job gives the wanted bit at more samples; when it has ended so does
// the next layer; the last layer's jobs then make more samples right each.
//
// step() does one job. A run is a function of settings, samples and seed; stopped after any job and gone on with from its
// snapshot it ends in the same model text.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/learning/capacity_law.hpp"
#include "core/learning/hashtron_trainer.hpp"
#include "core/learning/neuron_selection.hpp"
#include "core/learning/sum_cache.hpp"

namespace weir {

struct BackwardSettings {
  std::uint64_t seed = 1;
  CapacitySettings capacity = {};
  SelectionRule selection = SelectionRule::kGold;
  std::uint32_t explore_every = 5;  // Each such pick is by chance; 0: none is.
  bool pin_final = true;            // The last layer's cells are all trained in each sweep, with N buckets.
  bool rescue = true;               // Not by edge: credit by the target has no need of it.
  bool accept_always = false;
  std::uint32_t attempts = 3;          // At least 1.
  std::uint32_t stuck_sweeps_max = 3;  // 0: goes on.
  std::uint32_t sweeps_max = 60;       // 0: goes on.
  bool fixed_salts = false;            // One salt a neuron, so that its buckets nest.
  bool stale_sums = false;             // The law sees the sum after the neuron's last job, not the one it has now.
  bool sum_cache = true;               // Off: it goes on recording, but has no influence (no smoothing, no stale sums).
  std::uint32_t ring = 32;             // Records a neuron.
  TallyOptions tally = {};
  std::uint32_t edge_min = 30;  // By edge: tenths of its standard error, at most kEdgeTenthsMax.

  // Selection by edge, without what it has no use for: law, rescue, exploration. Until it has converged.
  static BackwardSettings by_edge();
  // The text that the pipeline was first written down as, without a guard: the law everywhere, pure choice, every job accepted.
  // It ends constant on most tasks; for comparison.
  static BackwardSettings literal();
  // kConfig: names the setting.
  Result<void> check() const;
  std::uint64_t digest() const;
};

class BackwardPipeline {
 public:
  // Fresh: every neuron a one-bit hash by chance. kConfig, kInvalidInput: as in what it is made of.
  static Result<std::unique_ptr<BackwardPipeline>> make(const std::vector<HashtronLayer>& layers,
                                                        const BackwardSettings& settings, HashtronSamples train,
                                                        HashtronSamples held_out);
  // An existing model: weights stay, each neuron's capacity is the modulo of its first pair (N^2 without one), sums come from
  // one measuring pass, which is the first record of each neuron, and phase 0 comes first. `sums`: what is known of it instead,
  // from other training; jobs are then counted on from there.
  static Result<std::unique_ptr<BackwardPipeline>> migrate(HashtronNetwork network, const BackwardSettings& settings,
                                                           HashtronSamples train, HashtronSamples held_out,
                                                           const SumCache* sums = nullptr, std::uint32_t first_job = 0);
  // Where snapshot() was taken. kConfig: it is of other settings, another architecture or other samples to learn from (named).
  // kCorruption, kVersion: as SumCache::load.
  static Result<std::unique_ptr<BackwardPipeline>> resume(const std::vector<HashtronLayer>& layers,
                                                          const BackwardSettings& settings, HashtronSamples train,
                                                          HashtronSamples held_out, std::string_view snapshot);

  // For who keeps a run piece by piece, as a task does from job to job: the neurons that changed, the records of sums() and
  // progress(), 43 bytes. From these it goes on as if it had never stopped; without progress (an empty text) it begins, with the
  // neurons as they are. kConfig: settings. kCorruption: no progress of such a network.
  static Result<std::unique_ptr<BackwardPipeline>> go_on(HashtronNetwork network, const BackwardSettings& settings,
                                                         HashtronSamples train, SumCache sums, std::string_view progress);
  std::string progress() const;
  // From now on the neuron's jobs get this capacity, within the bounds, and not the law's: the law is worked out elsewhere.
  void prescribe(std::uint32_t neuron, std::uint32_t capacity) { prescribed_[neuron] = capacity; }

  enum class Phase : std::uint8_t { kPhase0, kSweep, kConverged, kSweepsDone };
  // The next job, or null if the run is over. Ends: one job, after at most one rescue. Errors: as HashtronTrainer::run.
  Result<const SumRecord*> step();
  bool finished() const { return cursor_.phase >= Phase::kConverged; }
  Phase phase() const { return cursor_.phase; }

  // Other samples from the next job on, as the stream goes on; a run that had converged goes on. Sums over another number of
  // samples have no say in the capacity. Errors: as HashtronTrainer::make.
  Result<void> learn_from(HashtronSamples train);

  // From the next job on the cache has influence, or goes on recording without: BackwardSettings::sum_cache.
  void use_sums(bool use) { settings_.sum_cache = use; }
  // As BackwardSettings::sweeps_max: a run that had done its sweeps goes on if there are more.
  void set_sweeps_max(std::uint32_t sweeps_max);

  const HashtronTrainer& trainer() const { return *trainer_; }
  const SumCache& sums() const { return sums_; }
  const BackwardSettings& settings() const { return settings_; }
  std::uint32_t jobs() const { return jobs_; }
  std::uint32_t sweep() const { return cursor_.sweep; }  // From 1; 0 in the first phase 0.
  std::uint32_t rescues() const { return rescues_; }
  std::string text() const { return trainer_->network().text(); }

  std::string snapshot() const;

 private:
  struct Cursor {
    Phase phase = Phase::kPhase0;
    std::uint32_t sweep = 0;
    std::uint32_t layer = 0;     // Of the sweep.
    std::uint32_t cell = 0;      // Of phase 0, and of a pinned last layer.
    std::uint32_t failures = 0;  // In a row in this layer.
    std::uint32_t stuck_sweeps = 0;
    std::uint8_t accepted = 0;  // In this sweep.
    std::uint8_t rescued = 0;   // In this sweep.
  };
  struct Counted {
    Cursor cursor;
    std::uint32_t jobs = 0, picks = 0, rescues = 0;
    std::uint64_t chance = 0;
  };
  static bool read(ByteReader& in, const HashtronNetwork& network, Counted& out);
  void set(const Counted& counted);
  BackwardPipeline(std::unique_ptr<HashtronTrainer> trainer, const BackwardSettings& settings);
  static Result<std::unique_ptr<BackwardPipeline>> around(HashtronNetwork network, const BackwardSettings& settings,
                                                          HashtronSamples train, HashtronSamples held_out);
  Result<const SumRecord*> run(std::uint32_t neuron, std::uint32_t capacity, bool clamped, SelectedBy by, bool accept_always);
  Result<const SumRecord*> train_chosen();
  Selection select_by_edge(std::span<const std::uint64_t> magnitudes);
  CapacityChoice capacity_of(std::uint32_t neuron, std::uint64_t magnitude) const;
  HashtronJob job_of(std::uint32_t neuron, std::uint32_t capacity) const;
  void next_layer();
  void begin_sweep();
  void end_sweep();
  void rescue();
  std::uint32_t last() const { return trainer_->network().layers() - 1; }

  BackwardSettings settings_;
  std::unique_ptr<HashtronTrainer> trainer_;
  SumCache sums_;
  SplitMix64 chance_;
  Cursor cursor_;
  std::uint32_t jobs_ = 0, picks_ = 0, rescues_ = 0;
  std::vector<std::uint32_t> prescribed_;  // 0: the law's own.
  std::vector<std::uint64_t> capacities_;  // Of each neuron's last accepted job; 0: never trained.
  std::vector<std::uint8_t> accepted_;     // Whether a neuron ever had one.
  std::vector<std::uint32_t> fixed_;       // SelectionRule::kFixed: each layer's neuron.
};

}  // namespace weir
