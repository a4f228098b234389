#include "actors/backward_trainer.hpp"

#include <algorithm>
#include <utility>

#include "actors/replay_buffer.hpp"
#include "core/base/check.hpp"
#include "core/base/crash_point.hpp"
#include "core/learning/hold_out.hpp"
#include "core/learning/losses.hpp"
#include "core/models/hashtron_model.hpp"
#include "core/records/state_pages.hpp"

namespace weir {
namespace {
constexpr std::string_view kProgressKey = "j";
constexpr std::string_view kAlertsKey = "w";
constexpr char kPrescribedTag = 'g';
constexpr std::uint8_t kFormat = 1;
}  // namespace

BackwardTrainer::BackwardTrainer(std::shared_ptr<ServedModel> challenger, const BackwardTrainerSettings& settings,
                                 std::shared_ptr<const ReplayBuffer> replay)
    : challenger_(std::move(challenger)),
      settings_(settings),
      replay_(std::move(replay)),
      writer_(settings.partition),
      sums_state_(network_of(challenger_->parameters).size(), settings.backward.ring),
      sums_(network_of(challenger_->parameters).size(), settings.backward.ring),
      alerts_(network_of(challenger_->parameters).size(), settings.alerts),
      prescribed_(network_of(challenger_->parameters).size()) {
  CHECK(replay_ != nullptr);
}

void BackwardTrainer::take(const Example& example) {
  dirty_ = true;
  ++counts_.examples;
  time_ = example.outcome_time;
  source_ = example.outcome_source;
  if (!is_held_out(example.sample, settings_.hold_out)) return;
  Parameters& parameters = challenger_->parameters;
  const bool answer = answer_of(parameters, example.sample);
  ++counts_.held_out;
  counts_.held_out_right += answer == (example.label > 0.5) ? 1 : 0;
  loss_ += loss_value(LossKind::kLogLoss, challenger_->model->forward(parameters, example.sample), example.label);
  ++loss_count_;
  count_answer(parameters, answer, example.label);
}

// Gives the pipeline the buffer's samples, if they are others than at its last job. False: there are too few.
Result<bool> BackwardTrainer::meet_samples() {
  if (replay_->size() == 0 || replay_->size() < settings_.samples_min) return false;
  if (pipeline_ != nullptr && learnt_from_ == replay_->seen()) return true;
  HashtronSamples samples(challenger_->model->shape().hashed, replay_->size());
  for (std::uint32_t s = 0; s < replay_->size(); ++s) {
    CHECK(decode_example(replay_->at(s), replay_scratch_, replayed_));
    if (replayed_.sample.indices.size() != samples.features())
      return Error{ErrorCode::kConfig, "the replay buffer holds a sample of " + std::to_string(replayed_.sample.indices.size()) +
                                           " features, the config describes " + std::to_string(samples.features()) +
                                           ": start with a new data directory, or set the config back"};
    samples.set(s, replayed_.sample.indices, replayed_.label > 0.5 ? 1 : 0);
  }
  const bool same = learnt_from_ == replay_->seen();  // As at its last job, before this start.
  learnt_from_ = replay_->seen();
  if (pipeline_ == nullptr) {
    const bool goes_on = !progress_.empty();
    TRY_ASSIGN(pipeline_, BackwardPipeline::go_on(network_of(challenger_->parameters), settings_.backward, samples,
                                                  std::move(sums_), progress_));
    rescues_ = pipeline_->rescues();
    for (std::uint32_t n = 0; n < prescribed_.size(); ++n)
      if (prescribed_[n] != 0) pipeline_->prescribe(n, prescribed_[n]);
    if (!goes_on || same) return true;
  }
  TRY(pipeline_->learn_from(std::move(samples)));
  return true;
}

bool BackwardTrainer::run_job(Output& out) {
  const Result<bool> met = meet_samples();
  if (!met.ok()) out.fail(met.error());
  if (!met.ok() || !*met) return false;
  const std::uint32_t sweep = pipeline_->sweep();
  const Result<const SumRecord*> done = pipeline_->step();
  if (!done.ok()) out.fail(done.error());
  if (!done.ok() || *done == nullptr) return false;
  const SumRecord record = **done;
  dirty_ = true;
  ++counts_.jobs;
  counts_.accepted += record.accepted;
  ++watched_.results[static_cast<std::size_t>(result_of(record))];
  watched_.last = record;
  watched_.layer = pipeline_->trainer().network().layer_of(record.neuron);
  progress_ = pipeline_->progress();
  const HashtronNetwork& network = pipeline_->trainer().network();
  const bool rescued = pipeline_->rescues() != rescues_;
  rescues_ = pipeline_->rescues();
  if (rescued) {
    for (std::uint32_t n = 0; n < network.size(); ++n) replace_neuron(challenger_->parameters, n, network.neuron(n));
  } else if (record.accepted != 0) {
    replace_neuron(challenger_->parameters, record.neuron, network.neuron(record.neuron));
  }
  sums_state_.added(record);
  publish_sum(record, out);
  watch(record, sweep, out);
  crash_point("job.done");
  if (!rescued && record.accepted == 0) return true;
  challenger_->version = challenger_->version.next();
  if (settings_.candidate_every != 0 && challenger_->version.value >= candidate_ + settings_.candidate_every && loss_count_ > 0) {
    writer_.append_candidate(*challenger_, loss_ / double(loss_count_), loss_count_, time_, source_, out);
    candidate_ = challenger_->version.value;
    loss_ = 0.0;
    loss_count_ = 0;
  }
  return true;
}

void BackwardTrainer::publish_sum(const SumRecord& record, Output& out) {
  value_.clear();
  encode_neuron_sum(neuron_sum_of(record, settings_.partition, time_), value_);
  const std::string key = std::to_string(record.neuron);
  out.append(Topic::kSums, keyed_record(key, value_.view(), time_, source_));
}

void BackwardTrainer::watch(const SumRecord& record, std::uint32_t sweep_before, Output& out) {
  alerts_.job_done(pipeline_->sums(), record);
  accepted_in_sweep_ = accepted_in_sweep_ || record.accepted != 0;
  const bool ended = pipeline_->finished() || pipeline_->sweep() != sweep_before;
  if (ended && sweep_before != 0) {  // Sweep 0 is phase 0.
    const HashtronTrainer& trainer = pipeline_->trainer();
    const std::vector<std::int64_t> sums = trainer.sums();
    // Of the examples held out those that still count for the score.
    const Parameters& answers = challenger_->parameters;
    HashtronFigures held_out;
    held_out.count = static_cast<std::uint32_t>(answers[0] + answers[1] + answers[2] + answers[3]);
    held_out.correct = std::min(held_out.count, static_cast<std::uint32_t>(answers[0] + answers[3]));
    alerts_.sweep_done({.job = pipeline_->jobs(),
                        .sweep = sweep_before,
                        .train = figures_of(trainer.on_train(), trainer.train()),
                        .held_out = held_out,
                        .sums = sums,
                        .constant = trainer.final_constant(),
                        .accepted = accepted_in_sweep_});
    accepted_in_sweep_ = false;
  }
  alerts_dirty_ = alerts_dirty_ || ended || record.accepted != 0;
  for (const HashtronAlerts::Event& event : alerts_.take()) {
    const std::string message = std::string(event.begins ? "Learning: " : "Learning, no longer: ") + event.what + ".";
    Alert alert;
    alert.alert = name_of(event.alert);
    alert.message = message;
    alert.event_time = time_;
    alert.partition = settings_.partition;
    alert.value = event.begins ? 1.0 : 0.0;
    value_.clear();
    write_alert(settings_.formats.of(Topic::kAlerts), alert, value_);
    out.append(Topic::kAlerts, keyed_record(alert.alert, value_.view(), time_, source_));
  }
}

void BackwardTrainer::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kCapacity) {
    NeuronCapacity capacity;
    if (!decode_neuron_capacity(record.record.value, capacity) || capacity.neuron >= prescribed_.size() || capacity.capacity == 0)
      return out.fail({ErrorCode::kCorruption, "capacity, offset " + std::to_string(record.source.offset.value) +
                                                   ": does not decode, or is of a neuron that the network does not have"});
    prescribed_[capacity.neuron] = capacity.capacity;
    heard_.push_back(capacity.neuron);
    if (pipeline_ != nullptr) pipeline_->prescribe(capacity.neuron, capacity.capacity);
    return;
  }
  if (input == InputId::kExamples) {
    const Example* example = example_of(record, scratch_, example_, out);
    if (example == nullptr) return;
    take(*example);
    if (counts_.examples % settings_.every == 0)
      for (std::uint32_t i = 0; i < settings_.jobs && run_job(out); ++i) {}
    source_ = Source();
  }
  out.emit(record);
}

std::uint64_t BackwardTrainer::idle(std::uint64_t steps, Output& out) {
  std::uint64_t done = 0;
  while (done < steps && run_job(out)) ++done;
  return done;
}

void BackwardTrainer::save(StateWriter& writer) {
  challenger_state_.save(*challenger_, writer);
  sums_state_.save(writer);
  for (const std::uint32_t n : heard_) save_page(writer, kPrescribedTag, n, std::span<const std::uint32_t>(prescribed_), 1);
  heard_.clear();
  if (std::exchange(alerts_dirty_, false)) {
    ByteBuffer alerts;
    alerts.append(static_cast<char>(kFormat));
    alerts_.save(alerts);
    writer.put(kAlertsKey, alerts.view());
  }
  if (!dirty_) return;
  dirty_ = false;
  ByteBuffer value;
  value.append(static_cast<char>(kFormat));
  value.append(static_cast<char>(accepted_in_sweep_ ? 1 : 0));
  for (const std::uint64_t count : {counts_.examples, counts_.held_out, counts_.held_out_right, counts_.jobs, counts_.accepted,
                                    loss_count_, candidate_, learnt_from_})
    value.append_fixed(count);
  value.append_fixed(loss_);
  value.append_fixed(time_.value);
  value.append_varint_bytes(progress_);
  writer.put(kProgressKey, value.view());
}

Result<void> BackwardTrainer::load(const StageState& state) {
  TRY(challenger_state_.load(*challenger_, state));
  TRY(sums_state_.load(state, sums_));
  TRY(load_pages(state, kPrescribedTag, std::span<std::uint32_t>(prescribed_), 1));
  std::string bytes;
  TRY_ASSIGN(const bool found, state.get(kProgressKey, bytes));
  if (!found) return {};
  ByteReader reader(bytes);
  const auto format = reader.fixed<std::uint8_t>();
  if (reader.ok() && format > kFormat)
    return Error{ErrorCode::kVersion, "trainer state of " + state.prefix() + ": format " + std::to_string(format) +
                                          ", this program knows " + std::to_string(kFormat)};
  accepted_in_sweep_ = reader.fixed<std::uint8_t>() != 0;
  for (std::uint64_t* count : {&counts_.examples, &counts_.held_out, &counts_.held_out_right, &counts_.jobs, &counts_.accepted,
                               &loss_count_, &candidate_, &learnt_from_})
    *count = reader.fixed<std::uint64_t>();
  loss_ = reader.fixed<double>();
  time_ = EventTime(reader.fixed<std::int64_t>());
  progress_ = reader.varint_bytes();
  if (!reader.finished() || format != kFormat)
    return Error{ErrorCode::kCorruption, "trainer state of " + state.prefix() + ": malformed"};
  TRY_ASSIGN(const bool watched, state.get(kAlertsKey, bytes));
  if (!watched) return {};
  ByteReader alerts(bytes);
  if (alerts.fixed<std::uint8_t>() != kFormat || !alerts_.load(alerts) || !alerts.finished())
    return Error{ErrorCode::kCorruption, "trainer alerts of " + state.prefix() + ": malformed"};
  return {};
}

}  // namespace weir
