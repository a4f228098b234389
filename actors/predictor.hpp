#pragma once
// Gives each event its prediction by the model served at that moment, and switches to promoted versions between two records.

#include <memory>

#include "actors/model_topic.hpp"
#include "actors/served_model.hpp"
#include "actors/stage.hpp"

namespace weir {

// kLogs: reads RecordView::sample, sets RecordView::prediction. kModels (learning: free): adopts a whole version that is newer.
class Predictor final : public Stage {
 public:
  explicit Predictor(std::shared_ptr<ServedModel> served) : served_(std::move(served)) {}

  std::string_view name() const override { return "predictor"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;

  const ServedModel& served() const { return *served_; }

 private:
  std::shared_ptr<ServedModel> served_;
  ServedModelState state_;
  ModelAssembly assembly_;
  Prediction prediction_;
};

}  // namespace weir
