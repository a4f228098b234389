#include "actors/gradient_trainer.hpp"

#include "actors/replay_buffer.hpp"
#include "core/records/state_entry.hpp"

namespace weir {
namespace {
constexpr std::string_view kCountersKey = "t";
constexpr std::uint8_t kFormat = 1;
}  // namespace

GradientTrainer::GradientTrainer(std::shared_ptr<ServedModel> model, const TrainerSettings& settings,
                                 std::shared_ptr<ReplayBuffer> replay)
    : model_(std::move(model)),
      settings_(settings),
      replay_(std::move(replay)),
      learner_(model_->model, settings.optimizer, model_->parameters),
      writer_(settings.partition) {}

void GradientTrainer::updated(Output& out) {
  model_->version = model_->version.next();
  if (!settings_.coupled) return;
  const auto due = [&](std::uint64_t every) { return every != 0 && model_->version.value % every == 0; };
  if (due(settings_.snapshot_every))
    writer_.append_whole(*model_, time_, source_, out);
  else if (due(settings_.crc_every))
    writer_.append_crc(*model_, time_, source_, out);
}

void GradientTrainer::replay(Output& out) {
  for (std::uint32_t i = 0; i < settings_.replay_batch; ++i) {
    CHECK(decode_example(replay_->at(replay_->draw()), replay_scratch_, replayed_));
    learner_.add(model_->parameters, replayed_.sample, replayed_.label);
  }
  if (learner_.apply_batch(model_->parameters)) updated(out);
}

void GradientTrainer::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kExamples) {
    const Example* example = example_of(record, scratch_, example_, out);
    if (example == nullptr) return;
    dirty_ = true;
    ++examples_;
    time_ = example->outcome_time;
    source_ = example->outcome_source;
    for (std::uint32_t i = 0; i < settings_.local_steps; ++i)
      if (learner_.step(model_->parameters, example->sample, example->label)) updated(out);
    if (settings_.replay_every != 0 && examples_ % settings_.replay_every == 0 && replay_ != nullptr && replay_->size() > 0)
      replay(out);
    source_ = Source();
  }
  out.emit(record);
}

std::uint64_t GradientTrainer::idle(std::uint64_t steps, Output& out) {
  if (replay_ == nullptr || replay_->size() == 0) return 0;
  for (std::uint64_t i = 0; i < steps; ++i) replay(out);
  return steps;
}

void GradientTrainer::save(StateWriter& writer) {
  learner_.optimizer().save(writer);
  if (!settings_.coupled) challenger_state_.save(*model_, writer);
  if (!dirty_) return;
  dirty_ = false;
  std::array<char, 17> value;
  value[0] = kFormat;
  std::memcpy(&value[1], &examples_, 8);
  std::memcpy(&value[9], &time_.value, 8);
  writer.put(kCountersKey, {value.data(), value.size()});
}

Result<void> GradientTrainer::load(const StageState& state) {
  TRY(learner_.optimizer().load(state));
  if (!settings_.coupled) TRY(challenger_state_.load(*model_, state));
  StateEntry entry("trainer state", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kCountersKey));
  if (!found) return {};
  examples_ = entry.fixed<std::uint64_t>();
  time_ = EventTime(entry.fixed<std::int64_t>());
  return entry.finish();
}

}  // namespace weir
