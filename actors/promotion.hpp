#pragma once
// Decides when the challenger becomes what is served, and when to go back. For learning: free, and for models that learn by jobs.
//
// On each example, before the challenger learns from it (with `hold_out`: on those alone that it never learns from), champion and challenger (and the champion before) are scored. The
// challenger is promoted when a sequential test on the paired loss differences says it is better (false alarm rate `alpha` for each
// run of at most `horizon` examples, however often one looks); looked at every `every` updates of the challenger. After a promotion the
// champion before stays in shadow for `horizon` examples; if drift makes the champion lose to it, it is published again as a new version.

#include <memory>

#include "actors/model_topic.hpp"
#include "actors/served_model.hpp"
#include "actors/stage.hpp"
#include "core/learning/losses.hpp"
#include "core/stats/drift_detector.hpp"
#include "core/stats/hypothesis_tests.hpp"

namespace weir {

struct PromotionSettings {
  std::uint64_t every = 1000;      // Updates of the challenger between two looks.
  double alpha = 0.01;
  double bound = 2.0;              // Differences of loss are clipped to ± this.
  std::uint64_t horizon = 20'000;  // Examples after which a test without a verdict starts over.
  DriftSettings drift;             // On the champion's loss less that of the one before.
  std::uint32_t hold_out = 0;      // core/learning/hold_out.hpp. 0: each example counts.
  PartitionId partition;
  ValueFormats formats;
};

// kExamples, in a chain before the trainer of `challenger`, or with kCandidates, which then is the challenger. Versions: of the
// challenger's updates, and always rising.
class Promotion final : public Stage {
 public:
  // `served`: the champion is the model that the predictor of this task serves, and saves; null: it is told on `models` alone.
  Promotion(std::shared_ptr<const ServedModel> challenger, const PromotionSettings& settings,
            std::shared_ptr<ServedModel> served = nullptr);
  // The challenger is what comes on `candidates`; `fresh` is what it is before the first one. A task of its own.
  static std::unique_ptr<Promotion> of_candidates(const ServedModel& fresh, const PromotionSettings& settings);

  std::string_view name() const override { return "promotion"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  const ServedModel& champion() const { return *champion_; }
  std::uint64_t promotions() const { return progress_.promotions; }
  std::uint64_t rollbacks() const { return progress_.rollbacks; }

 private:
  void promote(const Example& example, Output& out);
  void roll_back(const Example& example, Output& out);
  void publish(std::string_view alert, const Example& example, Output& out);

  struct Progress {
    std::uint64_t looked_at = 0;    // The challenger's version at the last look.
    std::uint64_t promotions = 0, rollbacks = 0;
    std::uint64_t has_former = 0;
    double recent_excess = 0.0;     // Champion's loss less the former's: a mean that forgets over about 200 examples.
    PairedSequentialTest test;
    DriftDetector drift;
  };

  void judge(const Example& example, Output& out);

  std::shared_ptr<const ServedModel> challenger_;
  std::shared_ptr<ServedModel> heard_;  // The challenger, where it comes on `candidates`; else null.
  PromotionSettings settings_;
  LossKind loss_;
  bool saves_champion_;
  std::shared_ptr<ServedModel> champion_;
  ServedModel former_;
  ServedModelState champion_state_, former_state_, heard_state_;
  ModelAssembly assembly_;
  Progress progress_;
  bool dirty_ = false;
  ModelWriter writer_;
  ByteBuffer alert_;
  ExampleScratch scratch_;
  Example example_;
};

}  // namespace weir
