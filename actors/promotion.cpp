#include "actors/promotion.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "actors/replay_buffer.hpp"
#include "core/base/crash_point.hpp"
#include "core/learning/hold_out.hpp"
#include "core/records/neuron_records.hpp"
#include "core/records/state_entry.hpp"

namespace weir {
namespace {
constexpr std::string_view kProgressKey = "s";
constexpr std::uint8_t kFormat = 1;
constexpr double kExcessStep = 1.0 / 200.0;
}  // namespace

Promotion::Promotion(std::shared_ptr<const ServedModel> challenger, const PromotionSettings& settings,
                     std::shared_ptr<ServedModel> served)
    : challenger_(std::move(challenger)),
      settings_(settings),
      loss_(loss_of(challenger_->model->task())),
      saves_champion_(served == nullptr),
      // As it begins: version 0, initial parameters.
      champion_(served != nullptr ? std::move(served) : std::make_shared<ServedModel>(*challenger_)),
      former_(*challenger_),
      champion_state_('p', 'h', 'b'),
      former_state_('P', 'H', 'B'),
      heard_state_('q', 'i', 'c'),
      writer_(settings.partition) {}

std::unique_ptr<Promotion> Promotion::of_candidates(const ServedModel& fresh, const PromotionSettings& settings) {
  auto heard = std::make_shared<ServedModel>(fresh);
  auto out = std::make_unique<Promotion>(heard, settings);
  out->heard_ = std::move(heard);
  return out;
}

void Promotion::publish(std::string_view name, const Example& example, Output& out) {
  writer_.append_whole(*champion_, example.outcome_time, example.outcome_source, out);
  Alert alert;
  alert.alert = name;
  alert.message = name == "promotion" ? "The learner's model is better than the one that was served, and replaces it."
                                      : "After a drift the model before is better than the one that was served, and replaces it.";
  alert.event_time = example.outcome_time;
  alert.partition = settings_.partition;
  alert.value = double(champion_->version.value);
  alert_.clear();
  write_alert(settings_.formats.of(Topic::kAlerts), alert, alert_);
  out.append(Topic::kAlerts, keyed_record(name, alert_.view(), example.outcome_time, example.outcome_source));
}

void Promotion::promote(const Example& example, Output& out) {
  crash_point("promotion.before");
  former_.parameters.assign(champion_->parameters);
  former_.version = champion_->version;
  champion_->parameters.assign(challenger_->parameters);
  champion_->version = std::max(challenger_->version, champion_->version.next());
  ++progress_.promotions;
  progress_.has_former = 1;
  progress_.recent_excess = 0.0;
  progress_.test = PairedSequentialTest();
  progress_.drift = DriftDetector();
  publish("promotion", example, out);
  crash_point("promotion.after");
}

void Promotion::roll_back(const Example& example, Output& out) {
  champion_->parameters.assign(former_.parameters);
  champion_->version = champion_->version.next();
  ++progress_.rollbacks;
  progress_.has_former = 0;  // One step back, not to and fro.
  progress_.test = PairedSequentialTest();
  publish("rollback", example, out);
}

void Promotion::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kCandidates) {
    CandidateRecord candidate;
    if (!decode_candidate(record.record.value, candidate))
      return out.fail({ErrorCode::kCorruption, "candidates, offset " + std::to_string(record.source.offset.value) + ": does not decode"});
    CHECK(heard_ != nullptr);
    const Result<bool> taken = assembly_.take(candidate.model, *heard_);
    if (!taken.ok()) return out.fail(taken.error());
    return;
  }
  if (input == InputId::kExamples) {
    const Example* example = example_of(record, scratch_, example_, out);
    if (example == nullptr) return;
    if (settings_.hold_out == 0 || is_held_out(example->sample, settings_.hold_out)) judge(*example, out);
  }
  out.emit(record);
}

void Promotion::judge(const Example& example, Output& out) {
  dirty_ = true;
  const Model& model = *champion_->model;
  const auto loss_by = [&](const ServedModel& by) {
    return loss_value(loss_, model.forward(by.parameters, example.sample), example.label);
  };
  const double champion = loss_by(*champion_);
  progress_.test.add(champion - loss_by(*challenger_), settings_.bound);
  bool lost_to_former = false;
  if (progress_.has_former != 0) {
    const double excess = std::clamp(champion - loss_by(former_), -settings_.bound, settings_.bound);
    progress_.recent_excess += kExcessStep * (excess - progress_.recent_excess);
    lost_to_former = progress_.drift.add(excess, settings_.drift) && progress_.recent_excess > 0.0;
    if (progress_.drift.count() >= settings_.horizon) progress_.has_former = 0;
  }
  if (lost_to_former) {
    roll_back(example, out);
  } else if (challenger_->version.value >= progress_.looked_at + settings_.every) {
    progress_.looked_at = challenger_->version.value;
    if (progress_.test.rejects(settings_.alpha))
      promote(example, out);
    else if (progress_.test.count() >= settings_.horizon)
      progress_.test = PairedSequentialTest();
  }
}

void Promotion::save(StateWriter& writer) {
  if (saves_champion_) champion_state_.save(*champion_, writer);
  if (heard_ != nullptr) {
    heard_state_.save(*heard_, writer);
    assembly_.save(writer);
  }
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
  if (saves_champion_) TRY(champion_state_.load(*champion_, state));
  if (heard_ != nullptr) {
    TRY(heard_state_.load(*heard_, state));
    TRY(assembly_.load(state));
  }
  TRY(former_state_.load(former_, state));
  StateEntry entry("promotion state", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kProgressKey));
  if (!found) return {};
  progress_ = entry.fixed<Progress>();
  return entry.finish();
}

}  // namespace weir
