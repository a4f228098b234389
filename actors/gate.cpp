#include "actors/gate.hpp"

#include "actors/replay_buffer.hpp"
#include "core/records/state_entry.hpp"

namespace weir {
namespace {
constexpr std::string_view kStateKey = "b";
constexpr std::uint8_t kFormat = 1;
}  // namespace

Gate::Gate(const GateSettings& settings) : settings_(settings), conformal_(settings.task, settings.conformal) {}

// For classification `low` holds the model's probability; a regression's set lies evenly around the model's value.
double Gate::model_value(const Prediction& published) const {
  if (published.certified || settings_.policy != GateSettings::Policy::kBaseRate) return published.value;
  if (settings_.task == TaskKind::kClassification) return published.low;
  return published.low + 0.5 * (published.high - published.low);
}

void Gate::publish(const RecordView& record, Topic topic, Output& out) {
  const Event& event = *record.event;
  value_.clear();
  std::optional<std::uint64_t> n;
  if (settings_.count) n = static_cast<std::uint64_t>(record.moments_weight);
  write_prediction(settings_.formats.of(topic), event, *record.prediction, record.source, settings_.task, settings_.partition, value_, n);
  out.append(topic, keyed_record(event.id.text, value_.view(), event.event_time, record.source));
}

void Gate::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kExamples) {
    const Example* example = example_of(record, scratch_, example_, out);
    if (example == nullptr) return;
    dirty_ = true;
    ++labels_;
    label_sum_ += example->label;
    if (settings_.kind == GateSettings::Kind::kConformal)
      conformal_.update(example->prediction, model_value(example->prediction), example->label);
  }
  if (input != InputId::kLogs || record.prediction == nullptr || record.event == nullptr) return out.emit(record);

  Prediction& prediction = *record.prediction;
  const bool classification = settings_.task == TaskKind::kClassification;
  Topic topic = Topic::kPredictions;
  if (settings_.kind == GateSettings::Kind::kOff) {
    prediction.certified = true;
  } else {
    conformal_.complete(prediction);
    if (!prediction.certified && settings_.policy == GateSettings::Policy::kDrop) topic = Topic::kAbstained;
    if (!prediction.certified && settings_.policy == GateSettings::Policy::kBaseRate) {
      if (classification || !prediction.has_set) prediction.low = prediction.high = prediction.value;
      prediction.value = base_rate();
      prediction.label = classification ? (prediction.value >= 0.5 ? 1.0 : 0.0) : prediction.value;
    }
  }
  out.emit(record);
  published_.predicted += topic == Topic::kPredictions;
  published_.abstained += !prediction.certified;
  publish(record, topic, out);
}

void Gate::save(StateWriter& writer) {
  conformal_.save(writer);
  if (!dirty_) return;
  dirty_ = false;
  std::array<char, 17> value;
  value[0] = kFormat;
  std::memcpy(&value[1], &labels_, 8);
  std::memcpy(&value[9], &label_sum_, 8);
  writer.put(kStateKey, {value.data(), value.size()});
}

Result<void> Gate::load(const StageState& state) {
  TRY(conformal_.load(state));
  StateEntry entry("gate state", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kStateKey));
  if (!found) return {};
  labels_ = entry.fixed<std::uint64_t>();
  label_sum_ = entry.fixed<double>();
  return entry.finish();
}

}  // namespace weir
