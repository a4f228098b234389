#pragma once
// Computes each event's aggregates and crosses from what was known at its moment; learns fields from events and the label
// from examples (outcomes, once joined). [core/features]

#include <memory>
#include <vector>

#include "actors/stage.hpp"
#include "core/features/aggregates.hpp"
#include "core/features/event_parts.hpp"

namespace weir {

class Features : public Stage {
 public:
  // kConfig: what is wrong with the list. `budget_bytes`: of the entries by key that are kept in memory.
  static Result<std::unique_ptr<Features>> make(const FeatureSpec& spec, const EventSchema& schema, std::size_t budget_bytes);

  std::string_view name() const override { return "features"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override { aggregates_->save(writer); }
  Result<void> load(const StageState& state) override { return aggregates_->load(state); }
  void keys(InputId input, const RecordView& record, KeyList& out) const override;
  KeyedState* keyed() override { return &aggregates_->keyed(); }

 private:
  explicit Features(const EventSchema& schema) : parts_(schema) {}

  EventParts parts_;
  std::vector<PartSet> crosses_;
  std::unique_ptr<Aggregates> aggregates_;
  // Of the event at hand.
  std::vector<std::uint64_t> part_values_;
  std::vector<float> values_;
  std::vector<std::uint64_t> cross_hashes_;
  std::vector<std::uint64_t> label_keys_;
};

}  // namespace weir
