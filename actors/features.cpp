#include "actors/features.hpp"

#include <algorithm>
#include <array>

namespace weir {

Result<std::unique_ptr<Features>> Features::make(const FeatureSpec& spec, const EventSchema& schema, std::size_t budget_bytes) {
  std::unique_ptr<Features> f(new Features(schema));
  for (std::size_t i = 0; i < spec.crosses.size(); ++i) {
    const auto fail = [&](const std::string& what) {
      return Error{ErrorCode::kConfig, "cross " + std::to_string(i + 1) + ": " + what};
    };
    if (spec.crosses[i].fields.size() < 2) return fail("expected at least two fields");
    // A number with knots is no part of the hash: the encoder puts its weights side by side from there on.
    std::vector<std::string> hashed;
    std::string knots;
    for (const std::string& name : spec.crosses[i].fields) {
      const auto at = std::find_if(schema.fields.begin(), schema.fields.end(), [&](const FieldSpec& field) { return field.name == name; });
      if (at == schema.fields.end() || at->knots.empty()) hashed.push_back(name);
      else if (knots.empty()) knots = name;
      else return fail("'" + knots + "' and '" + name + "' both have knots");
    }
    if (hashed.empty()) return fail("expected a field without knots");
    auto set = f->parts_.add(hashed, /*numbers_need_bins=*/true);
    if (!set.ok()) return fail(set.error().what);
    if (!knots.empty()) set->seed = hash64(knots, set->seed + 1);
    f->crosses_.push_back(std::move(*set));
  }
  TRY_ASSIGN(f->aggregates_, Aggregates::make(spec, schema, f->parts_, budget_bytes));
  f->part_values_.resize(f->parts_.count());
  f->values_.resize(f->aggregates_->count());
  f->cross_hashes_.resize(f->crosses_.size());
  f->label_keys_.resize(f->aggregates_->label_key_count());
  return f;
}

void Features::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kLogs && record.event != nullptr) {
    parts_.read(*record.event, part_values_);
    for (std::size_t i = 0; i < crosses_.size(); ++i) cross_hashes_[i] = crosses_[i].combine(part_values_);
    aggregates_->event(*record.event, part_values_, values_, label_keys_, record.last_outcome);
    record.features = values_;
    record.feature_hashes = cross_hashes_;
    record.label_keys = label_keys_;
    if (const Error* error = aggregates_->keyed().error()) return out.fail(*error);
  } else if (input == InputId::kExamples && record.example != nullptr) {
    const Example& example = *record.example;
    if (example.label_keys.size() != label_keys_.size())
      return out.fail({ErrorCode::kCorruption, "example with " + std::to_string(example.label_keys.size()) +
                                                   " keys of label aggregates, expected " + std::to_string(label_keys_.size())});
    aggregates_->outcome(example.outcome_time, example.event_time, example.label, example.label_keys);
    if (const Error* error = aggregates_->keyed().error()) return out.fail(*error);
  }
  out.emit(record);
}

void Features::keys(InputId input, const RecordView& record, KeyList& out) const {
  if (input != InputId::kLogs) return;
  const Event* event = record.event;
  if (event == nullptr && record.parsed != nullptr && record.parsed->kind == ParsedKind::kEvent) event = &record.parsed->event;
  if (event == nullptr) return;
  std::array<std::uint64_t, EventParts::kPartsMax> parts;  // Not a member: another thread may be in process().
  parts_.read(*event, parts);
  aggregates_->keys(parts, out);
}

}  // namespace weir
