#pragma once
// Decides which predictions Weir stands behind, and publishes all of them: topics `predictions` and, under `drop`, `abstained`.


#include "actors/stage.hpp"
#include "core/records/codec.hpp"
#include "core/solvers/conformal_gate.hpp"

namespace weir {

struct GateSettings {
  enum class Kind : std::uint8_t { kConformal, kOff };  // kOff: every prediction is certified, without a set.
  enum class Policy : std::uint8_t { kFlag, kBaseRate, kDrop };
  Kind kind = Kind::kConformal;
  // What becomes of a prediction that is not certified. kFlag: published as it is, `certified` false. kBaseRate: the same with the
  // mean label so far for its value. kDrop: goes to `abstained` instead.
  Policy policy = Policy::kFlag;
  ConformalSettings conformal;
  bool count = false;  // Publishes RecordView::moments_weight, too.
  TaskKind task = TaskKind::kClassification;
  PartitionId partition;  // Of the model: versions are named by it.
  ValueFormats formats;
};

// kLogs: completes RecordView::prediction, passes it on, then publishes it (a later stage may mark it as a duplicate).
// kExamples: learns its coverage from the outcome.
class Gate final : public Stage {
 public:
  explicit Gate(const GateSettings& settings);

  std::string_view name() const override { return "gate"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  const ConformalGate::Counts& counts() const { return conformal_.counts(); }
  // Since it was made; no part of the state.
  struct Published {
    std::uint64_t predicted = 0;  // On `predictions`.
    std::uint64_t abstained = 0;  // Not certified, wherever it went.
  };
  const Published& published() const { return published_; }
  // Of labels so far; of classes with half a count of each ahead, so that it is never a certainty. A regression's is their mean.
  double base_rate() const {
    if (settings_.task == TaskKind::kClassification) return (label_sum_ + 0.5) / (double(labels_) + 1.0);
    return labels_ > 0 ? label_sum_ / double(labels_) : 0.0;
  }
  // The model's own value of a published prediction, before a fallback took its place.
  double model_value(const Prediction& published) const;

 private:
  void publish(const RecordView& record, Topic topic, Output& out);

  GateSettings settings_;
  ConformalGate conformal_;
  std::uint64_t labels_ = 0;
  double label_sum_ = 0.0;
  bool dirty_ = false;
  Published published_;
  ByteBuffer value_;
  ExampleScratch scratch_;
  Example example_;
};

}  // namespace weir
