#pragma once
// Learns from examples: one step on each outcome, and a replay batch every n of them.
//
// coupled: changes the model that is served, between two records; every update is a version, told on `models` (CRC every
// `crc_every`, whole every `snapshot_every` updates). free: changes a challenger of its own, which promotion compares.

#include <memory>

#include "actors/model_topic.hpp"
#include "actors/served_model.hpp"
#include "actors/stage.hpp"
#include "core/learning/learner.hpp"
#include "core/learning/replay_buffer.hpp"

namespace weir {

struct TrainerSettings {
  OptimizerSettings optimizer;
  std::uint32_t local_steps = 1;     // On each outcome.
  std::uint32_t replay_every = 0;    // Outcomes between two replay batches; 0: none.
  std::uint32_t replay_batch = 32;
  bool coupled = true;
  std::uint64_t crc_every = 1000;    // Coupled; in updates. 0: never.
  std::uint64_t snapshot_every = 10000;
  PartitionId partition;
};

class GradientTrainer final : public Stage {
 public:
  // `model`: what is served (coupled), or the challenger (free), which this stage saves. `replay`: may be null; then idle() does
  // nothing and there are no replay batches. REQUIRES: optimizer settings that check() accepts.
  GradientTrainer(std::shared_ptr<ServedModel> model, const TrainerSettings& settings, std::shared_ptr<ReplayBuffer> replay);

  std::string_view name() const override { return "gradient_trainer"; }
  void process(InputId input, RecordView& record, Output& out) override;
  std::uint64_t idle(std::uint64_t steps, Output& out) override;  // Replay batches, one a step.
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  std::uint64_t examples() const { return examples_; }
  std::uint64_t refused_steps() const { return learner_.optimizer().refused(); }

 private:
  void replay(Output& out);
  void updated(Output& out);

  std::shared_ptr<ServedModel> model_;
  TrainerSettings settings_;
  std::shared_ptr<ReplayBuffer> replay_;
  Learner learner_;
  ModelWriter writer_;
  ServedModelState challenger_state_;
  std::uint64_t examples_ = 0;
  EventTime time_;              // Of the newest outcome: the time of what is emitted.
  bool dirty_ = false;
  Source source_;               // Of the record at hand; empty in an idle turn.
  ExampleScratch scratch_, replay_scratch_;
  Example example_, replayed_;
};

}  // namespace weir
