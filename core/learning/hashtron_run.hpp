#pragma once
// One training of a network of hashtrons, in either direction, watched: its figures, its sums, its alerts. What `weir train
// hashtron` runs.
//
// A run is a function of layers, settings and samples; stopped after any job and gone on with from its snapshot it ends in the
// same model text and has raised the same alerts.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/learning/backward_pipeline.hpp"
#include "core/learning/forward_pipeline.hpp"
#include "core/learning/generated_tasks.hpp"
#include "core/learning/hashtron_alerts.hpp"
#include "core/learning/hashtron_figures.hpp"

namespace weir {

enum class TrainingDirection : std::uint8_t { kBackward, kForward };

struct HashtronRunSettings {
  TrainingDirection direction = TrainingDirection::kBackward;
  BackwardSettings backward = {};
  ForwardSettings forward = {};
  HashtronAlertSettings alerts = {};

  Result<void> check() const;  // Of both directions: a run may be turned.
};

class HashtronRun {
 public:
  // A fresh network. Errors: those of the direction's pipeline.
  static Result<std::unique_ptr<HashtronRun>> make(const std::vector<HashtronLayer>& layers,
                                                   const HashtronRunSettings& settings, SplitSamples samples);
  // An existing model: BackwardPipeline::migrate, or ForwardPipeline::from.
  static Result<std::unique_ptr<HashtronRun>> migrate(HashtronNetwork network, const HashtronRunSettings& settings,
                                                      SplitSamples samples);
  // Where snapshot() was taken. kConfig: of other settings, layers or samples. kCorruption, kVersion: no snapshot of ours.
  static Result<std::unique_ptr<HashtronRun>> resume(const std::vector<HashtronLayer>& layers,
                                                     const HashtronRunSettings& settings, SplitSamples samples,
                                                     std::string_view snapshot);

  // The next job; false if the run is over. Ends: one job.
  Result<bool> step();
  bool finished() const;
  // Why it is over, or what it is at: "phase 0", "sweep", "converged", …
  std::string_view phase() const;

  // The soft rollback: the same network goes on forward. Nothing happens if it does already.
  Result<void> turn_forward();
  // The medium one: sums are recorded, but have no influence. Forward they never have.
  void ignore_sums();
  // A run that had done its sweeps (backward) or jobs (forward) goes on if there are more.
  void set_sweeps_max(std::uint32_t sweeps_max);

  const HashtronRunSettings& settings() const { return settings_; }
  const HashtronTrainer& trainer() const;
  const HashtronNetwork& network() const { return trainer().network(); }
  const SumCache& sums() const;
  HashtronAlerts& alerts() { return alerts_; }
  const HashtronAlerts& alerts() const { return alerts_; }
  std::uint32_t jobs() const;
  std::uint32_t sweep() const;                          // Forward: paths.
  std::uint32_t accepted() const { return accepted_; }  // Jobs.
  std::uint32_t rescues() const;                        // Backward; forward: how often salts were drawn anew.
  const SumRecord* last_job() const { return last_; }   // Null before the first, and after resume().
  HashtronFigures on_train() const { return figures_of(trainer().on_train(), trainer().train()); }
  HashtronFigures on_held_out() const { return figures_of(trainer().on_held_out(), trainer().held_out()); }
  // What comes of it: backward the network as it is, forward the best that it has been.
  HashtronNetwork model() const;

  std::string snapshot() const;

 private:
  HashtronRun(const HashtronRunSettings& settings, std::unique_ptr<BackwardPipeline> backward,
              std::unique_ptr<ForwardPipeline> forward);
  void end_sweep(std::uint32_t sweep);

  HashtronRunSettings settings_;
  std::unique_ptr<BackwardPipeline> backward_;  // One of the two.
  std::unique_ptr<ForwardPipeline> forward_;
  HashtronAlerts alerts_;
  const SumRecord* last_ = nullptr;
  std::uint32_t accepted_ = 0;
  bool accepted_in_sweep_ = false;
};

}  // namespace weir
