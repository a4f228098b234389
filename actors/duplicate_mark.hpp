#pragma once
// Marks the prediction of a second event with a known id, between predictor and gate: the gate publishes the mark, and the
// outcome join, which comes after it, does not take the event. No state of its own.

#include "actors/stage.hpp"
#include "actors/waiting_rows.hpp"

namespace weir {

class DuplicateMark final : public Stage {
 public:
  // `rows`: the outcome join of the same chain; outlives this stage's last call.
  explicit DuplicateMark(WaitingRows& rows) : rows_(rows) {}

  std::string_view name() const override { return "duplicate_mark"; }
  void process(InputId input, RecordView& record, Output& out) override {
    if (input == InputId::kLogs) record.prediction->duplicate = rows_.is_duplicate(*record.event, out);
    out.emit(record);
  }
  void save(StateWriter&) override {}
  Result<void> load(const StageState&) override { return {}; }

 private:
  WaitingRows& rows_;
};

}  // namespace weir
