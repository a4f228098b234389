#include "actors/promotion.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "actors/replay_buffer.hpp"
#include "core/base/crash_point.hpp"
#include "core/records/state_entry.hpp"

namespace weir {
namespace {
constexpr std::string_view kProgressKey = "s";
constexpr std::uint8_t kFormat = 1;
constexpr double kExcessStep = 1.0 / 200.0;
}  // namespace

Promotion::Promotion(std::shared_ptr<const ServedModel> challenger, const PromotionSettings& settings)
    : challenger_(std::move(challenger)),
      settings_(settings),
      loss_(loss_of(challenger_->model->task())),
      champion_(*challenger_),  // As it begins: version 0, initial parameters.
      former_(*challenger_),
      champion_state_('p', 'h'),
      former_state_('P', 'H'),
      writer_(settings.partition) {}

void Promotion::publish(std::string_view name, const Example& example, Output& out) {
  writer_.append_whole(champion_, example.outcome_time, example.outcome_source, out);
  Alert alert;
  alert.alert = name;
  alert.message = name == "promotion" ? "The learner's model is better than the one that was served, and replaces it."
                                      : "After a drift the model before is better than the one that was served, and replaces it.";
  alert.event_time = example.outcome_time;
  alert.partition = settings_.partition;
  alert.value = double(champion_.version.value);
  alert_.clear();
  write_alert(settings_.formats.of(Topic::kAlerts), alert, alert_);
  Record record;
  record.key = name;
  record.has_key = true;
  record.value = alert_.view();
  record.event_time = example.outcome_time;
  record.source = example.outcome_source;
  out.append(Topic::kAlerts, record);
}

void Promotion::promote(const Example& example, Output& out) {
  crash_point("promotion.before");
  former_.parameters.assign(champion_.parameters);
  former_.version = champion_.version;
  champion_.parameters.assign(challenger_->parameters);
  champion_.version = std::max(challenger_->version, champion_.version.next());
  ++progress_.promotions;
  progress_.has_former = 1;
  progress_.recent_excess = 0.0;
  progress_.test = PairedSequentialTest();
  progress_.drift = DriftDetector();
  publish("promotion", example, out);
  crash_point("promotion.after");
}

void Promotion::roll_back(const Example& example, Output& out) {
  champion_.parameters.assign(former_.parameters);
  champion_.version = champion_.version.next();
  ++progress_.rollbacks;
  progress_.has_former = 0;  // One step back, not to and fro.
  progress_.test = PairedSequentialTest();
  publish("rollback", example, out);
}

void Promotion::process(InputId input, RecordView& record, Output& out) {
  if (input != InputId::kExamples) return out.emit(record);
  const Example* example = example_of(record, scratch_, example_, out);
  if (example == nullptr) return;
  dirty_ = true;
  const Model& model = *champion_.model;
  const auto loss_by = [&](const ServedModel& by) {
    return loss_value(loss_, model.forward(by.parameters, example->sample), example->label);
  };
  const double champion = loss_by(champion_);
  progress_.test.add(champion - loss_by(*challenger_), settings_.bound);
  bool lost_to_former = false;
  if (progress_.has_former != 0) {
    const double excess = std::clamp(champion - loss_by(former_), -settings_.bound, settings_.bound);
    progress_.recent_excess += kExcessStep * (excess - progress_.recent_excess);
    lost_to_former = progress_.drift.add(excess, settings_.drift) && progress_.recent_excess > 0.0;
    if (progress_.drift.count() >= settings_.horizon) progress_.has_former = 0;
  }
  if (lost_to_former) {
    roll_back(*example, out);
  } else if (challenger_->version.value >= progress_.looked_at + settings_.every) {
    progress_.looked_at = challenger_->version.value;
    if (progress_.test.rejects(settings_.alpha))
      promote(*example, out);
    else if (progress_.test.count() >= settings_.horizon)
      progress_.test = PairedSequentialTest();
  }
  out.emit(record);
}

void Promotion::save(StateWriter& writer) {
  champion_state_.save(champion_, writer);
  former_state_.save(former_, writer);
  if (!dirty_) return;
  dirty_ = false;
  static_assert(std::is_trivially_copyable_v<Progress> && sizeof(Progress) == 18 * 8);  // No padding.
  std::array<char, 1 + sizeof(Progress)> value;
  value[0] = kFormat;
  std::memcpy(&value[1], &progress_, sizeof(Progress));
  writer.put(kProgressKey, {value.data(), value.size()});
}

Result<void> Promotion::load(const StageState& state) {
  TRY(champion_state_.load(champion_, state));
  TRY(former_state_.load(former_, state));
  StateEntry entry("promotion state", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kProgressKey));
  if (!found) return {};
  progress_ = entry.fixed<Progress>();
  return entry.finish();
}

}  // namespace weir
