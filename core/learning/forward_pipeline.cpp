#include "core/learning/forward_pipeline.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace weir {

Result<void> ForwardSettings::check() const {
  if ((capacity_half == 0) != (capacity_full == 0))
    return Error{ErrorCode::kConfig, "forward pipeline: capacity: found " + std::to_string(capacity_half) + " at half and " +
                                         std::to_string(capacity_full) + " at full success, expected both or neither to be 0"};
  if (jobs_max == 0 || jobs_max > 0xffffffffULL)
    return Error{ErrorCode::kConfig,
                 "forward pipeline: jobs_max: found " + std::to_string(jobs_max) + ", expected 1 to 4294967295"};
  return {};
}

std::uint32_t forward_capacity(std::uint32_t success, const ForwardSettings& settings) {
  if (settings.capacity_half == 0 && settings.capacity_full == 0) return 0;
  const std::int64_t missing = 100 - std::int64_t{success};
  const std::int64_t range = std::int64_t{settings.capacity_half} - std::int64_t{settings.capacity_full};
  const std::int64_t capacity = missing * missing * range / 2500 + settings.capacity_full;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(capacity, 2, 0xffffffffLL));
}

std::uint32_t samples_measured(std::uint32_t n) {
  if (n == 0) return 0;
  constexpr double kNeeded = 2.576 * 2.576 * 0.25 / (0.01 * 0.01);
  return static_cast<std::uint32_t>(kNeeded * n / (n - 1 + kNeeded));
}

ForwardPipeline::ForwardPipeline(std::unique_ptr<HashtronTrainer> trainer, const ForwardSettings& settings)
    : settings_(settings),
      trainer_(std::move(trainer)),
      chance_{settings.seed, 0},
      accepted_(trainer_->network().size()) {
  correct_best_ = trainer_->on_train().correct();
  best_.assign(trainer_->network().neurons().begin(), trainer_->network().neurons().end());
  if (correct_best_ == trainer_->n()) phase_ = Phase::kAllRight;
}

Result<std::unique_ptr<ForwardPipeline>> ForwardPipeline::from(HashtronNetwork network, const ForwardSettings& settings,
                                                               HashtronSamples train, HashtronSamples held_out) {
  TRY(settings.check());
  TRY_ASSIGN(auto trainer, HashtronTrainer::make(std::move(network), std::move(train), std::move(held_out)));
  return std::unique_ptr<ForwardPipeline>(new ForwardPipeline(std::move(trainer), settings));
}

Result<std::unique_ptr<ForwardPipeline>> ForwardPipeline::make(const std::vector<HashtronLayer>& layers,
                                                               const ForwardSettings& settings, HashtronSamples train,
                                                               HashtronSamples held_out) {
  SplitMix64 chance{settings.seed, 0};
  TRY_ASSIGN(HashtronNetwork network, fresh_network(layers, chance));
  TRY_ASSIGN(auto out, from(std::move(network), settings, std::move(train), std::move(held_out)));
  out->chance_ = chance;
  return out;
}

std::uint32_t ForwardPipeline::success() {
  const std::span<const std::uint16_t> outputs = trainer_->on_train().outputs(), targets = trainer_->train().targets();
  const bool all = !settings_.measure_part || last_success_ == 0 || last_success_ >= 99;
  const std::uint32_t count = all ? trainer_->n() : std::max(1U, samples_measured(trainer_->n()));
  std::uint64_t correct = 0;
  for (std::uint32_t s = 0; s < count; ++s) correct += outputs[s] == targets[s] ? 1 : 0;
  return last_success_ = static_cast<std::uint32_t>(100 * correct / count);
}

// What the network predicts.
std::uint64_t ForwardPipeline::state() const {
  const std::span<const std::uint16_t> outputs = trainer_->on_train().outputs();
  return hash64({reinterpret_cast<const char*>(outputs.data()), outputs.size_bytes()});
}

void ForwardPipeline::choose_path() {
  const HashtronNetwork& network = trainer_->network();
  path_.clear();
  std::uint32_t position = chance_.below(network.layer(0).neurons);
  for (std::uint32_t l = 0; !network.is_last(l); ++l) {
    path_.push_back(network.first(l) + position);
    const Combiner& combiner = *network.combiner(l);
    const std::uint32_t next = network.layer(l + 1).neurons;
    std::vector<std::uint32_t> readers;  // Neurons of the next layer that read this one; cells all read feature 0.
    for (const std::uint32_t term : combiner.terms_of_input(position))
      std::ranges::copy_if(combiner.features_of_term(term), std::back_inserter(readers),
                           [&](std::uint32_t m) { return m < next; });
    if (readers.empty())
      position = chance_.below(next);
    else
      position = readers[chance_.below(static_cast<std::uint32_t>(readers.size()))];
  }
  const std::uint32_t last = network.layers() - 1;
  if (network.combiner(last) != nullptr)
    path_.push_back(network.first(last) + position);
  else
    for (std::uint32_t j = 0; j < network.cells(); ++j) path_.push_back(network.first(last) + j);
  std::ranges::reverse(path_);
  best_before_path_ = correct_best_;
}

void ForwardPipeline::undo() {
  auto last = std::move(undo_.back());
  undo_.pop_back();
  trainer_->replace(std::span(&last, 1));
}

void ForwardPipeline::end_path() {
  path_.clear();
  ++paths_;
  if (correct_best_ > best_before_path_) {
    fruitless_ = since_redraw_ = 0;
    return;
  }
  ++since_redraw_;
  if (settings_.redraw_after != 0 && since_redraw_ >= settings_.redraw_after) {
    since_redraw_ = 0;
    std::vector<std::pair<std::uint32_t, Hashtron>> redrawn;
    const std::uint32_t hidden = trainer_->network().first(trainer_->network().layers() - 1);
    for (std::uint32_t n = 0; n < hidden; ++n)
      if (accepted_[n] == 0) redrawn.emplace_back(n, fresh_hashtron(chance_.next()));
    if (!redrawn.empty()) {
      trainer_->replace(redrawn);
      ++redraws_;
    }
  }
  if (++fruitless_ <= trainer_->network().size()) return;
  fruitless_ = 0;
  minima_.insert(state());
  if (undo_.empty())
    phase_ = Phase::kNothingLeft;
  else
    undo();
}

Result<bool> ForwardPipeline::step() {
  if (phase_ != Phase::kTraining) return false;
  if (path_.empty()) choose_path();
  const std::uint32_t neuron = path_.back();
  path_.pop_back();
  const std::uint32_t capacity = forward_capacity(success(), settings_);
  const Hashtron before = trainer_->network().neuron(neuron);
  TRY_ASSIGN(last_job_, trainer_->run({.neuron = neuron,
                                       .salt = job_salt(settings_.seed, neuron, jobs_),
                                       .capacity = capacity,
                                       .accept_always = true,
                                       .options = {.mean_threshold = settings_.mean_threshold}}));
  ++jobs_;
  if (last_job_.accepted) {
    accepted_[neuron] = 1;
    undo_.emplace_back(neuron, before);
    if (undo_.size() > settings_.undo_max) undo_.pop_front();
    if (!minima_.empty() && minima_.contains(state())) {
      undo();
      path_.clear();
    }
  }
  const std::uint32_t correct = trainer_->on_train().correct();
  if (correct > correct_best_) {
    correct_best_ = correct;
    best_.assign(trainer_->network().neurons().begin(), trainer_->network().neurons().end());
  }
  if (correct == trainer_->n())
    phase_ = Phase::kAllRight;
  else if (jobs_ >= settings_.jobs_max)
    phase_ = Phase::kJobsDone;
  else if (path_.empty())
    end_path();
  return true;
}

}  // namespace weir
