#include "actors/normalization.hpp"

#include <cmath>
#include <limits>
#include <string>

namespace weir {
namespace {
constexpr std::string_view kScalerKey = "scaler";
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
}  // namespace

Result<std::unique_ptr<Normalization>> Normalization::make(const FeatureSpec& spec, const EventSchema& schema, bool hashed) {
  const ScalerSpec& scaler = spec.scaler;
  if (!(scaler.half_life_events >= 0) || !std::isfinite(scaler.half_life_events) || scaler.half_life_us < 0 ||
      !(scaler.aggregate_clip >= 0))
    return Error{ErrorCode::kConfig, "scaler: half-lives and clip are numbers >= 0"};
  if (scaler.half_life_events > 0 && scaler.half_life_us > 0)
    return Error{ErrorCode::kConfig, "scaler: a half-life in events and one in time exclude each other"};
  std::vector<Scaler::Input> inputs;
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t f = 0; f < schema.fields.size(); ++f) {
    const FieldSpec& field = schema.fields[f];
    if (field.kind != FieldKind::kNumber || !field.scaled) continue;
    numbers.push_back(f);
    inputs.push_back({field.clip, field.missing});
  }
  std::vector<std::uint32_t> logits;
  for (std::uint32_t a = 0; a < spec.aggregates.size(); ++a) {
    if (spec.aggregates[a].transform == Transform::kLogit) logits.push_back(static_cast<std::uint32_t>(inputs.size()));
    inputs.push_back({scaler.aggregate_clip, Missing::kMean});
  }
  TRY_ASSIGN(SparseEncoder encoder, SparseEncoder::make(spec, schema));
  std::unique_ptr<Normalization> n(new Normalization(Scaler(inputs, scaler), std::move(encoder)));
  n->numbers_ = std::move(numbers);
  n->logits_ = std::move(logits);
  n->aggregate_count_ = spec.aggregates.size();
  n->cross_count_ = spec.crosses.size();
  n->dense_.resize(inputs.size());
  n->hashed_ = hashed;
  if (hashed) {
    TRY_ASSIGN(n->hashes_, HashedFeatures::make(spec, schema));
  }
  n->indices_.resize(hashed ? n->hashes_.count() : n->encoder_.entries_max());
  n->sparse_.assign(n->indices_.size(), 1.0f);
  return n;
}

ModelShape Normalization::shape() const {
  if (hashed_) return {.dense = 0, .sparse = 0, .hashed = hashes_.count()};
  return {static_cast<std::uint32_t>(dense_.size()), encoder_.entries_max() == 0 ? 0 : encoder_.size()};
}

void Normalization::process(InputId input, RecordView& record, Output& out) {
  if (input != InputId::kLogs || record.event == nullptr) return out.emit(record);
  const Event& event = *record.event;
  CHECK(record.features.size() == aggregate_count_);
  CHECK(record.feature_hashes.size() == cross_count_);
  const std::span<double> x = scaler_.values();
  std::size_t at = 0;
  for (const std::uint32_t field : numbers_) {
    const FieldValue& value = event.fields[field];
    x[at++] = value.missing ? kNan : value.number;
  }
  for (std::size_t a = 0; a < aggregate_count_; ++a) x[at + a] = static_cast<double>(record.features[a]);
  scaler_.take_logits(logits_);
  scaler_.scale(event.event_time, dense_);
  changed_ = true;
  if (hashed_) {
    hashes_.encode(event, dense_, record.features, record.feature_hashes, indices_);
    sample_ = {{}, indices_, sparse_};
  } else {
    const std::uint32_t n = encoder_.encode(event, record.feature_hashes, indices_.data(), sparse_.data());
    sample_ = {dense_, {indices_.data(), n}, {sparse_.data(), n}};
  }
  record.sample = &sample_;
  record.moments_weight = scaler_.weight_max();
  out.emit(record);
}

void Normalization::save(StateWriter& writer) {
  if (!changed_) return;
  changed_ = false;
  writer.put(kScalerKey, scaler_.page());
  encoder_.save(writer);
}

Result<void> Normalization::load(const StageState& state) {
  std::string page;
  TRY_ASSIGN(const bool known, state.get(kScalerKey, page));
  if (known) TRY(scaler_.load(page));
  changed_ = false;
  return encoder_.load(state);
}

}  // namespace weir
