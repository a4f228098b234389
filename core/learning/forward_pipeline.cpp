#include "core/learning/forward_pipeline.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/base/snapshot_frame.hpp"
#include "core/learning/pipeline_origin.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

constexpr SnapshotFrame kFrame = {"weirforw", 1, "forward pipeline's snapshot"};

}  // namespace

Result<void> ForwardSettings::check() const {
  if ((capacity_half == 0) != (capacity_full == 0))
    return Error{ErrorCode::kConfig, "forward pipeline: capacity: found " + std::to_string(capacity_half) + " at half and " +
                                         std::to_string(capacity_full) + " at full success, expected both or neither to be 0"};
  if (jobs_max == 0 || jobs_max > 0xffffffffULL)
    return Error{ErrorCode::kConfig,
                 "forward pipeline: jobs_max: found " + std::to_string(jobs_max) + ", expected 1 to 4294967295"};
  if (ring == 0) return Error{ErrorCode::kConfig, "forward pipeline: ring: found 0, expected at least 1 record a neuron"};
  return {};
}

std::uint64_t ForwardSettings::digest() const {
  std::uint64_t out = kFrame.version;
  for (const std::uint64_t value : {seed, std::uint64_t{capacity_half}, std::uint64_t{capacity_full},
                                    std::uint64_t{mean_threshold}, std::uint64_t{measure_part}, std::uint64_t{redraw_after},
                                    std::uint64_t{undo_max}, std::uint64_t{pair_layers}, std::uint64_t{ring}})
    out = mix_hash(out, value);
  return out;
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
      sums_(trainer_->network().size(), settings.ring),
      accepted_(trainer_->network().size()) {
  correct_best_ = trainer_->on_train().correct();
  best_.assign(trainer_->network().neurons().begin(), trainer_->network().neurons().end());
  if (correct_best_ == trainer_->n()) phase_ = settings_.pair_layers > 0 ? Phase::kPairs : Phase::kAllRight;
}

Result<std::unique_ptr<ForwardPipeline>> ForwardPipeline::from(HashtronNetwork network, const ForwardSettings& settings,
                                                               HashtronSamples train, HashtronSamples held_out,
                                                               const SumCache* sums, std::uint32_t first_job) {
  TRY(settings.check());
  TRY_ASSIGN(auto trainer, HashtronTrainer::make(std::move(network), std::move(train), std::move(held_out)));
  auto out = std::unique_ptr<ForwardPipeline>(new ForwardPipeline(std::move(trainer), settings));
  if (sums != nullptr) {
    CHECK(sums->neurons() == out->trainer_->network().size());
    TRY_ASSIGN(out->sums_, sums->with_ring(settings.ring));
    for (std::uint32_t n = 0; n < sums->neurons(); ++n)
      out->accepted_[n] = out->trainer_->network().neuron(n).filter.empty() ? 0 : 1;
  }
  out->first_job_ = out->jobs_ = first_job;
  return out;
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

Result<void> ForwardPipeline::record(std::uint32_t neuron, SumRecord record) {
  record.job = jobs_;
  record.sweep = paths_;
  record.neuron = neuron;
  record.n = trainer_->n();
  record.selected_by = SelectedBy::kPath;
  const std::int64_t before = record.sum_before;
  record.regime = regime_of(record.n, static_cast<std::uint64_t>(before < 0 ? -before : before));
  last_neurons_.push_back(neuron);
  return sums_.add(record);
}

// The neurons of a layer in an order by chance, for as long as there are layers to do and the layer has no two.
void ForwardPipeline::choose_pairs() {
  while (pair_layers_ < settings_.pair_layers && path_.size() < 2) {
    ++pair_layers_;
    const HashtronNetwork& network = trainer_->network();
    const std::uint32_t l = chance_.below(network.layers()), count = network.layer(l).neurons;
    path_.clear();
    for (std::uint32_t i = 0; i < count; ++i) path_.push_back(network.first(l) + i);
    for (std::uint32_t i = count; i > 1; --i) std::swap(path_[i - 1], path_[chance_.below(i)]);
  }
}

Result<void> ForwardPipeline::train_pair() {
  const std::uint32_t first = path_.back();
  path_.pop_back();
  const std::uint32_t second = path_.back();
  const std::uint32_t capacity = forward_capacity(100, settings_);
  const HashtronPairJob job{.neurons = {first, second},
                            .salts = {job_salt(settings_.seed, first, jobs_), job_salt(settings_.seed, second, jobs_)},
                            .capacity = capacity};
  TRY_ASSIGN(const HashtronPairResult result, trainer_->run_pair(job));
  for (std::size_t i = 0; i < 2; ++i) {
    TRY(record(job.neurons[i], {.sum = static_cast<std::int32_t>(result.sums_after[i]),
                                .sum_before = static_cast<std::int32_t>(result.sums_before[i]),
                                .capacity = capacity,
                                .salt = job.salts[i],
                                .correct_before = result.correct_before,
                                .correct_after = result.correct_after,
                                .keys = result.keys[i],
                                .rows = result.rows,
                                .accepted = result.accepted}));
  }
  if (result.accepted) best_.assign(trainer_->network().neurons().begin(), trainer_->network().neurons().end());
  return {};
}

Result<bool> ForwardPipeline::step() {
  if (finished()) return false;
  last_neurons_.clear();
  if (phase_ == Phase::kPairs) {
    choose_pairs();
    if (path_.size() < 2) {
      phase_ = Phase::kAllRight;
      return false;
    }
    TRY(train_pair());
    ++jobs_;
    return true;
  }
  if (path_.empty()) choose_path();
  const std::uint32_t neuron = path_.back();
  path_.pop_back();
  const std::uint32_t capacity = forward_capacity(success(), settings_);
  const Hashtron before = trainer_->network().neuron(neuron);
  const std::uint32_t salt = job_salt(settings_.seed, neuron, jobs_);
  TRY_ASSIGN(const HashtronJobResult job, trainer_->run({.neuron = neuron,
                                                         .salt = salt,
                                                         .capacity = capacity,
                                                         .accept_always = true,
                                                         .options = {.mean_threshold = settings_.mean_threshold}}));
  bool accepted = job.accepted;
  bool path_ends = path_.empty();
  if (job.accepted) {
    accepted_[neuron] = 1;
    undo_.emplace_back(neuron, before);
    if (undo_.size() > settings_.undo_max) undo_.pop_front();
    if (!minima_.empty() && minima_.contains(state())) {
      undo();
      path_.clear();
      path_ends = true;
      accepted = false;
    }
  }
  TRY(record(neuron, {.sum = static_cast<std::int32_t>(job.sum_after),
                      .sum_before = static_cast<std::int32_t>(job.sum_before),
                      .capacity = capacity,
                      .salt = salt,
                      .correct_before = job.correct_before,
                      .correct_after = job.correct_after,
                      .keys = job.keys,
                      .votes = static_cast<std::uint32_t>(job.votes),
                      .vote_sum = job.vote_sum,
                      .rows = job.rows,
                      .accepted = accepted}));
  ++jobs_;
  const std::uint32_t correct = trainer_->on_train().correct();
  if (correct > correct_best_) {
    correct_best_ = correct;
    best_.assign(trainer_->network().neurons().begin(), trainer_->network().neurons().end());
  }
  if (correct == trainer_->n()) {
    phase_ = settings_.pair_layers > 0 ? Phase::kPairs : Phase::kAllRight;
    path_.clear();
  } else if (path_ends) {
    end_path();
  }
  return true;
}

// magic, version, digests of settings, architecture and samples, counters, phase, chance, path, flags, weights as text, the
// best and those that can be undone likewise, minima, sums, CRC.
std::string ForwardPipeline::snapshot() const {
  const std::span<const Hashtron> neurons = trainer_->network().neurons();
  ByteBuffer out = kFrame.begin();
  append_origin(settings_.digest(), *trainer_, out);
  for (const std::uint32_t value : {jobs_, paths_, redraws_, fruitless_, since_redraw_, last_success_, correct_best_,
                                    best_before_path_, first_job_, pair_layers_})
    out.append_fixed(value);
  out.append_fixed(static_cast<std::uint8_t>(phase_));
  out.append_fixed(chance_.counter);
  out.append_varint(path_.size());
  for (const std::uint32_t neuron : path_) out.append_fixed(neuron);
  for (const std::uint8_t accepted : accepted_) out.append_fixed(accepted);
  out.append_varint_bytes(trainer_->network().text());
  // Most of the time the best is what it has now.
  const bool is_best = std::ranges::equal(best_, neurons);
  out.append_varint_bytes(is_best ? std::string() : to_hashtron_text(best_));
  std::vector<Hashtron> before;
  for (const auto& [neuron, was] : undo_) before.push_back(was);
  out.append_varint(undo_.size());
  for (const auto& [neuron, was] : undo_) out.append_fixed(neuron);
  out.append_varint_bytes(to_hashtron_text(before));
  out.append_varint(minima_.size());
  for (const std::uint64_t minimum : minima_) out.append_fixed(minimum);
  out.append_varint_bytes(sums_.snapshot());
  return SnapshotFrame::end(std::move(out));
}

Result<std::unique_ptr<ForwardPipeline>> ForwardPipeline::resume(const std::vector<HashtronLayer>& layers,
                                                                 const ForwardSettings& settings, HashtronSamples train,
                                                                 HashtronSamples held_out, std::string_view snapshot) {
  const auto corrupt = [&](const std::string& what) { return kFrame.corrupt(snapshot, what); };
  TRY_ASSIGN(ByteReader in, kFrame.open(snapshot));

  TRY_ASSIGN(const HashtronNetwork network, HashtronNetwork::make(layers));
  TRY(check_origin(in, "forward pipeline", settings.digest(), network, train));
  std::uint32_t counters[10];
  for (std::uint32_t& value : counters) value = in.fixed<std::uint32_t>();
  const auto phase = in.fixed<std::uint8_t>();
  const auto chance_counter = in.fixed<std::uint64_t>();
  // What is counted is no longer than what is left of the snapshot, so every loop ends.
  const auto read_neurons = [&](std::vector<std::uint32_t>& out) {
    const std::uint64_t count = in.varint();
    if (count > in.left() / 4) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      out.push_back(in.fixed<std::uint32_t>());
      if (out.back() >= network.size()) return false;
    }
    return true;
  };
  std::vector<std::uint32_t> path, undone;
  if (!read_neurons(path)) return corrupt("its path names a neuron that does not exist");
  std::vector<std::uint8_t> accepted(network.size());
  for (std::uint8_t& flag : accepted) flag = in.fixed<std::uint8_t>();
  const std::string_view text = in.varint_bytes(), best = in.varint_bytes();
  if (!read_neurons(undone)) return corrupt("its list of jobs to undo names a neuron that does not exist");
  const std::string_view before = in.varint_bytes();
  const std::uint64_t minima_count = in.varint();
  if (minima_count > in.left() / 8) return corrupt("it has more minima than bytes");
  std::set<std::uint64_t> minima;
  for (std::uint64_t i = 0; i < minima_count; ++i) minima.insert(in.fixed<std::uint64_t>());
  const std::string_view sums = in.varint_bytes();
  if (!in.finished()) return corrupt("it ends before its end, or goes on behind it");
  if (phase > static_cast<std::uint8_t>(Phase::kNothingLeft)) return corrupt("its phase does not exist");
  if (counters[0] < counters[8]) return corrupt("it has done fewer jobs than it began with");
  if (static_cast<Phase>(phase) == Phase::kPairs)  // A layer's, each once.
    for (const std::uint32_t neuron : path)
      if (network.layer_of(neuron) != network.layer_of(path[0]) || std::ranges::count(path, neuron) != 1)
        return corrupt("its pairs are not those of a layer");

  TRY_ASSIGN(std::vector<Hashtron> neurons, parse_hashtron_text(text));
  TRY_ASSIGN(HashtronNetwork trained, HashtronNetwork::make(layers, std::move(neurons)));
  TRY_ASSIGN(std::vector<Hashtron> undo, parse_hashtron_text(before));
  if (undo.size() != undone.size()) return corrupt("its list of jobs to undo has another length than their neurons");
  TRY_ASSIGN(const SumCache cache, SumCache::load(sums));
  if (cache.neurons() != trained.size() || cache.ring() != settings.ring) return corrupt("its sums are of another network");
  std::vector<Hashtron> best_neurons(trained.neurons().begin(), trained.neurons().end());
  if (!best.empty()) {
    TRY_ASSIGN(best_neurons, parse_hashtron_text(best));
    if (best_neurons.size() != trained.size()) return corrupt("its best network has another number of neurons");
  }
  TRY_ASSIGN(auto out, from(std::move(trained), settings, std::move(train), std::move(held_out)));
  out->sums_ = cache;
  out->chance_.counter = chance_counter;
  out->jobs_ = counters[0], out->paths_ = counters[1], out->redraws_ = counters[2], out->fruitless_ = counters[3];
  out->since_redraw_ = counters[4], out->last_success_ = counters[5], out->correct_best_ = counters[6];
  out->best_before_path_ = counters[7], out->first_job_ = counters[8], out->pair_layers_ = counters[9];
  out->phase_ = static_cast<Phase>(phase);
  out->path_ = std::move(path);
  out->accepted_ = std::move(accepted);
  out->best_ = std::move(best_neurons);
  for (std::size_t i = 0; i < undo.size(); ++i) out->undo_.emplace_back(undone[i], std::move(undo[i]));
  out->minima_ = std::move(minima);
  return out;
}

}  // namespace weir
