#include "actors/predictor.hpp"

#include "core/base/crash_point.hpp"
#include "core/learning/losses.hpp"

namespace weir {

void Predictor::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kModels) {
    const Result<bool> adopted = assembly_.take(record.record.value, *served_);
    if (!adopted) return out.fail(adopted.error());
    if (*adopted) crash_point("model.adopted");
    return;
  }
  if (input == InputId::kLogs && record.sample != nullptr) {
    const Model& model = *served_->model;
    prediction_ = Prediction();
    prediction_.value = link(model.task(), model.forward(served_->parameters, *record.sample));
    prediction_.label = model.task() == TaskKind::kClassification ? (prediction_.value >= 0.5 ? 1.0 : 0.0) : prediction_.value;
    prediction_.version = served_->version;
    record.prediction = &prediction_;
  }
  out.emit(record);
}

void Predictor::save(StateWriter& writer) {
  state_.save(*served_, writer);
  assembly_.save(writer);
}

Result<void> Predictor::load(const StageState& state) {
  TRY(state_.load(*served_, state));
  return assembly_.load(state);
}

}  // namespace weir
