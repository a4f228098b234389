#include "core/learning/backward_pipeline.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/base/snapshot_frame.hpp"
#include "core/learning/pipeline_origin.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

constexpr SnapshotFrame kFrame = {"weirback", 1, "backward pipeline's snapshot"};

}  // namespace

BackwardSettings BackwardSettings::literal() {
  BackwardSettings out;
  out.capacity = {.gold_clamp = 10, .capacity_min = 1, .escape = false, .smoothing = {1, 0, 0}, .round_first = true};
  out.explore_every = 0;
  out.pin_final = false;
  out.rescue = false;
  out.accept_always = true;
  out.attempts = 1;
  out.stuck_sweeps_max = 0;
  out.stale_sums = true;
  return out;
}

BackwardSettings BackwardSettings::by_edge() {
  BackwardSettings out;
  out.capacity.law = false;
  out.selection = SelectionRule::kEdge;
  out.explore_every = 0;
  out.rescue = false;
  out.attempts = 1;
  out.stuck_sweeps_max = 1;
  out.sweeps_max = 0;
  return out;
}

Result<void> BackwardSettings::check() const {
  const auto wrong = [](const std::string& what) { return Error{ErrorCode::kConfig, "backward pipeline: " + what}; };
  if (attempts == 0) return wrong("attempts: found 0, expected at least 1");
  if (ring == 0) return wrong("ring: found 0, expected at least 1 record a neuron");
  if (capacity.smoothing[0] == 0) return wrong("smoothing: found a weight of 0 for the sum now, expected at least 1");
  for (const std::uint32_t weight : capacity.smoothing)
    if (weight > 1000000) return wrong("smoothing: found a weight of " + std::to_string(weight) + ", expected at most 1000000");
  if (capacity.clamp > 1000000 || capacity.gold_clamp > 1000000) return wrong("clamp: found a factor above 1000000");
  if (edge_min > kEdgeTenthsMax)
    return wrong("edge_min: found " + std::to_string(edge_min) + ", expected at most " + std::to_string(kEdgeTenthsMax) +
                 " tenths of a standard error");
  if (selection == SelectionRule::kEdge && !pin_final)
    return wrong("selection by edge: found pin_final off, expected on: the last layer has no edge to be chosen by");
  return {};
}

std::uint64_t BackwardSettings::digest() const {
  // Where a run ends is no part of what its jobs are.
  std::uint64_t out = kFrame.version;
  for (const std::uint64_t value : {seed,
                                    std::uint64_t{capacity.law},
                                    std::uint64_t{capacity.clamp},
                                    std::uint64_t{capacity.gold_clamp},
                                    std::uint64_t{capacity.capacity_min},
                                    std::uint64_t{capacity.escape},
                                    std::uint64_t{capacity.smoothing[0]},
                                    std::uint64_t{capacity.smoothing[1]},
                                    std::uint64_t{capacity.smoothing[2]},
                                    std::uint64_t{capacity.round_first},
                                    static_cast<std::uint64_t>(selection),
                                    std::uint64_t{explore_every},
                                    std::uint64_t{pin_final},
                                    std::uint64_t{rescue},
                                    std::uint64_t{accept_always},
                                    std::uint64_t{attempts},
                                    std::uint64_t{fixed_salts},
                                    std::uint64_t{stale_sums},
                                    std::uint64_t{sum_cache},
                                    std::uint64_t{ring},
                                    std::uint64_t{tally.mean_threshold},
                                    std::uint64_t{tally.fill},
                                    std::uint64_t{edge_min}})
    out = mix_hash(out, value);
  return out;
}

BackwardPipeline::BackwardPipeline(std::unique_ptr<HashtronTrainer> trainer, const BackwardSettings& settings)
    : settings_(settings),
      trainer_(std::move(trainer)),
      sums_(trainer_->network().size(), settings.ring),
      chance_{settings.seed, 0},
      prescribed_(trainer_->network().size()),
      capacities_(trainer_->network().size()),
      accepted_(trainer_->network().size()) {}

Result<std::unique_ptr<BackwardPipeline>> BackwardPipeline::around(HashtronNetwork network, const BackwardSettings& settings,
                                                                   HashtronSamples train, HashtronSamples held_out) {
  TRY(settings.check());
  TRY_ASSIGN(auto trainer, HashtronTrainer::make(std::move(network), std::move(train), std::move(held_out)));
  return std::unique_ptr<BackwardPipeline>(new BackwardPipeline(std::move(trainer), settings));
}

Result<std::unique_ptr<BackwardPipeline>> BackwardPipeline::make(const std::vector<HashtronLayer>& layers,
                                                                 const BackwardSettings& settings, HashtronSamples train,
                                                                 HashtronSamples held_out) {
  SplitMix64 chance{settings.seed, 0};
  TRY_ASSIGN(HashtronNetwork network, fresh_network(layers, chance));
  TRY_ASSIGN(auto out, around(std::move(network), settings, std::move(train), std::move(held_out)));
  out->chance_ = chance;
  if (settings.selection == SelectionRule::kFixed)
    for (std::uint32_t l = 0; l < layers.size(); ++l) out->fixed_.push_back(out->chance_.below(layers[l].neurons));
  return out;
}

Result<std::unique_ptr<BackwardPipeline>> BackwardPipeline::migrate(HashtronNetwork network, const BackwardSettings& settings,
                                                                    HashtronSamples train, HashtronSamples held_out,
                                                                    const SumCache* sums, std::uint32_t first_job) {
  TRY_ASSIGN(auto out, around(std::move(network), settings, std::move(train), std::move(held_out)));
  if (sums != nullptr) {
    CHECK(sums->neurons() == out->trainer_->network().size());
    TRY_ASSIGN(out->sums_, sums->with_ring(settings.ring));
    out->jobs_ = first_job;
  }
  const std::uint64_t n = out->trainer_->n();
  for (std::uint32_t k = 0; k < out->capacities_.size(); ++k) {
    const Hashtron& neuron = out->trainer_->network().neuron(k);
    out->capacities_[k] = neuron.program.empty() ? std::min(n * n, kCapacityMax) : neuron.program[0].modulo;
    out->accepted_[k] = neuron.filter.empty() ? 0 : 1;
    if (sums != nullptr) continue;
    const auto sum = static_cast<std::int32_t>(out->trainer_->on_train().sum(k));
    const std::uint32_t correct = out->trainer_->on_train().correct();
    TRY(out->sums_.add({.neuron = k,
                        .sum = sum,
                        .n = out->trainer_->n(),
                        .sum_before = sum,
                        .capacity = static_cast<std::uint32_t>(out->capacities_[k]),
                        .salt = neuron.program.empty() ? 0 : neuron.program[0].salt,
                        .correct_before = correct,
                        .correct_after = correct,
                        .regime = regime_of(out->trainer_->n(), out->trainer_->magnitude(k)),
                        .selected_by = SelectedBy::kMeasured,
                        .accepted = out->accepted_[k]}));
  }
  if (settings.selection == SelectionRule::kFixed)
    for (std::uint32_t l = 0; l <= out->last(); ++l)
      out->fixed_.push_back(out->chance_.below(out->trainer_->network().layer(l).neurons));
  return out;
}

void BackwardPipeline::rescue() {
  // Neurons that were never accepted: their answers are by chance anyway.
  std::vector<std::pair<std::uint32_t, Hashtron>> redrawn;
  for (std::uint32_t n = 0; n < trainer_->network().first(last()); ++n)
    if (accepted_[n] == 0) redrawn.emplace_back(n, fresh_hashtron(chance_.next()));
  trainer_->replace(redrawn);
  cursor_.phase = Phase::kPhase0;
  cursor_.cell = 0;
  cursor_.rescued = 1;
  ++rescues_;
}

void BackwardPipeline::begin_sweep() {
  if (settings_.sweeps_max != 0 && cursor_.sweep >= settings_.sweeps_max) {
    cursor_.phase = Phase::kSweepsDone;
    return;
  }
  ++cursor_.sweep;
  cursor_.phase = Phase::kSweep;
  cursor_.layer = last();
  cursor_.cell = cursor_.failures = 0;
  cursor_.accepted = cursor_.rescued = 0;
  if (settings_.rescue && settings_.selection != SelectionRule::kEdge && trainer_->final_constant()) rescue();
}

void BackwardPipeline::end_sweep() {
  cursor_.stuck_sweeps = cursor_.accepted != 0 ? 0 : cursor_.stuck_sweeps + 1;
  if (settings_.stuck_sweeps_max != 0 && cursor_.stuck_sweeps >= settings_.stuck_sweeps_max)
    cursor_.phase = Phase::kConverged;
  else
    begin_sweep();
}

void BackwardPipeline::next_layer() {
  cursor_.failures = cursor_.cell = 0;
  if (cursor_.layer == 0)
    end_sweep();
  else
    --cursor_.layer;
}

HashtronJob BackwardPipeline::job_of(std::uint32_t neuron, std::uint32_t capacity) const {
  return {.neuron = neuron,
          .salt = job_salt(settings_.seed, neuron, settings_.fixed_salts ? 0 : jobs_),
          .capacity = capacity,
          .options = settings_.tally,
          .credit = settings_.selection == SelectionRule::kEdge ? HashtronCredit::kTarget : HashtronCredit::kOutput,
          .edge_min = settings_.edge_min};
}

Result<const SumRecord*> BackwardPipeline::run(std::uint32_t neuron, std::uint32_t capacity, bool clamped, SelectedBy by,
                                               bool accept_always) {
  const std::uint32_t job = jobs_;
  HashtronJob next = job_of(neuron, capacity);
  next.accept_always = accept_always;
  const std::uint64_t magnitude = trainer_->magnitude(neuron);
  TRY_ASSIGN(const HashtronJobResult result, trainer_->run(next));
  ++jobs_;
  if (result.accepted) {
    capacities_[neuron] = capacity;
    accepted_[neuron] = 1;
  }
  TRY(sums_.add({.job = job,
                 .sweep = cursor_.sweep,
                 .neuron = neuron,
                 .sum = static_cast<std::int32_t>(result.sum_after),
                 .n = trainer_->n(),
                 .sum_before = static_cast<std::int32_t>(result.sum_before),
                 .capacity = capacity,
                 .salt = next.salt,
                 .correct_before = result.correct_before,
                 .correct_after = result.correct_after,
                 .keys = result.keys,
                 .votes = static_cast<std::uint32_t>(result.votes),
                 .vote_sum = result.vote_sum,
                 .rows = result.rows,
                 .regime = regime_of(trainer_->n(), magnitude),
                 .selected_by = by,
                 .accepted = result.accepted,
                 .clamped = clamped}));
  return sums_.latest(neuron);
}

CapacityChoice BackwardPipeline::capacity_of(std::uint32_t neuron, std::uint64_t magnitude) const {
  const std::uint32_t n = trainer_->n();
  std::vector<std::uint64_t> history;
  if (settings_.sum_cache) {
    history = sums_.accepted_magnitudes(neuron, n, 2);
    const SumRecord* latest = sums_.latest(neuron);
    if (settings_.stale_sums && latest != nullptr && latest->n == n) magnitude = latest->magnitude();
  }
  return next_capacity(n, magnitude, history, capacities_[neuron] == 0 ? n : capacities_[neuron], settings_.capacity);
}

// Of those that would improve, the one with the greatest edge, ties to the lowest position; of none, of all. One tally a
// neuron.
Selection BackwardPipeline::select_by_edge(std::span<const std::uint64_t> magnitudes) {
  const std::uint32_t first = trainer_->network().first(cursor_.layer);
  Selection best{0, SelectedBy::kEdge};
  HashtronEdge best_edge;
  for (std::uint32_t i = 0; i < magnitudes.size(); ++i) {
    const HashtronEdge edge = trainer_->edge(job_of(first + i, capacity_of(first + i, magnitudes[i]).capacity));
    const bool better = edge.improves() == best_edge.improves() ? compare_edges(edge, best_edge) > 0 : edge.improves();
    if (i > 0 && !better) continue;
    best.position = i;
    best_edge = edge;
  }
  return best;
}

// One neuron of the cursor's layer, by its sum or its edge.
Result<const SumRecord*> BackwardPipeline::train_chosen() {
  const HashtronNetwork& network = trainer_->network();
  const std::uint32_t first = network.first(cursor_.layer), count = network.layer(cursor_.layer).neurons, n = trainer_->n();
  std::vector<std::uint64_t> magnitudes(count);
  for (std::uint32_t i = 0; i < count; ++i) magnitudes[i] = trainer_->magnitude(first + i);
  ++picks_;
  const bool explore = settings_.explore_every != 0 && picks_ % settings_.explore_every == 0;
  Selection chosen;
  if (settings_.selection == SelectionRule::kFixed && !explore)
    chosen = {fixed_[cursor_.layer], SelectedBy::kGold};
  else if (settings_.selection == SelectionRule::kEdge && !explore)
    chosen = select_by_edge(magnitudes);
  else
    chosen = select_neuron(n, magnitudes, explore || settings_.selection == SelectionRule::kRandom, chance_);
  const std::uint32_t neuron = first + chosen.position;
  if (prescribed_[neuron] != 0) {
    const std::uint64_t most = std::max<std::uint64_t>(std::min(std::uint64_t{n} * n, kCapacityMax), settings_.capacity.capacity_min);
    const auto capacity = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(prescribed_[neuron], settings_.capacity.capacity_min, most));
    return run(neuron, capacity, capacity != prescribed_[neuron], chosen.by, settings_.accept_always);
  }
  const CapacityChoice choice = capacity_of(neuron, magnitudes[chosen.position]);
  return run(neuron, choice.capacity, choice.clamped, chosen.by, settings_.accept_always);
}

Result<const SumRecord*> BackwardPipeline::step() {
  const HashtronNetwork& network = trainer_->network();
  const std::uint32_t n = trainer_->n();
  if (finished()) return static_cast<const SumRecord*>(nullptr);
  const std::uint32_t pinned = std::max(n, settings_.capacity.capacity_min);
  if (cursor_.phase == Phase::kPhase0) {
    TRY_ASSIGN(const SumRecord* done, run(network.first(last()) + cursor_.cell, pinned, true, SelectedBy::kPhase0, true));
    if (++cursor_.cell < network.cells()) return done;
    if (cursor_.sweep == 0) {
      begin_sweep();
    } else {  // Of a rescue: the sweep goes on.
      cursor_.phase = Phase::kSweep;
      cursor_.cell = 0;
    }
    return done;
  }
  if (cursor_.layer == last() && settings_.pin_final) {
    TRY_ASSIGN(const SumRecord* done,
               run(network.first(last()) + cursor_.cell, pinned, true, SelectedBy::kFinal, settings_.accept_always));
    cursor_.accepted |= done->accepted;
    if (++cursor_.cell == network.cells()) next_layer();
    return done;
  }
  TRY_ASSIGN(const SumRecord* done, train_chosen());
  cursor_.accepted |= done->accepted;
  if (done->accepted != 0 && settings_.selection == SelectionRule::kEdge)
    end_sweep();
  else if (done->accepted != 0 || ++cursor_.failures >= settings_.attempts)
    next_layer();
  return done;
}

// Counters, cursor, flags, how far chance is.
std::string BackwardPipeline::progress() const {
  ByteBuffer out;
  for (const std::uint32_t value :
       {jobs_, picks_, rescues_, cursor_.sweep, cursor_.layer, cursor_.cell, cursor_.failures, cursor_.stuck_sweeps})
    out.append_fixed(value);
  for (const std::uint8_t value : {static_cast<std::uint8_t>(cursor_.phase), cursor_.accepted, cursor_.rescued})
    out.append_fixed(value);
  out.append_fixed(chance_.counter);
  return std::string(out.view());
}

// False: it is cut, or points at no neuron.
bool BackwardPipeline::read(ByteReader& in, const HashtronNetwork& network, Counted& out) {
  for (std::uint32_t* value : {&out.jobs, &out.picks, &out.rescues, &out.cursor.sweep, &out.cursor.layer, &out.cursor.cell,
                               &out.cursor.failures, &out.cursor.stuck_sweeps})
    *value = in.fixed<std::uint32_t>();
  const auto phase = in.fixed<std::uint8_t>();
  out.cursor.phase = static_cast<Phase>(phase);
  out.cursor.accepted = in.fixed<std::uint8_t>();
  out.cursor.rescued = in.fixed<std::uint8_t>();
  out.chance = in.fixed<std::uint64_t>();
  return in.ok() && phase <= static_cast<std::uint8_t>(Phase::kSweepsDone) && out.cursor.layer < network.layers() &&
         out.cursor.cell < network.cells();
}

void BackwardPipeline::set(const Counted& counted) {
  cursor_ = counted.cursor;
  jobs_ = counted.jobs, picks_ = counted.picks, rescues_ = counted.rescues;
  chance_.counter = counted.chance;
  if (cursor_.phase == Phase::kSweepsDone) begin_sweep();  // There may be more of them now.
}

Result<std::unique_ptr<BackwardPipeline>> BackwardPipeline::go_on(HashtronNetwork network, const BackwardSettings& settings,
                                                                  HashtronSamples train, SumCache sums,
                                                                  std::string_view progress) {
  ByteReader in(progress);
  Counted counted;
  if (!progress.empty() && !(read(in, network, counted) && in.finished()))
    return Error{ErrorCode::kCorruption, "backward pipeline: its progress of " + std::to_string(progress.size()) +
                                             " bytes is cut, or points at no neuron"};
  CHECK(sums.neurons() == network.size());
  HashtronSamples none(train.features(), 0);
  TRY_ASSIGN(auto out, around(std::move(network), settings, std::move(train), std::move(none)));
  out->sums_ = std::move(sums);
  const HashtronNetwork& own = out->trainer_->network();
  for (std::uint32_t n = 0; n < own.size(); ++n) {  // A job that was accepted leaves one pair and a filter, nothing else does.
    if (own.neuron(n).filter.empty() || own.neuron(n).program.empty()) continue;
    out->capacities_[n] = own.neuron(n).program[0].modulo;
    out->accepted_[n] = 1;
  }
  if (settings.selection == SelectionRule::kFixed)
    for (std::uint32_t l = 0; l <= out->last(); ++l) out->fixed_.push_back(out->chance_.below(own.layer(l).neurons));
  if (!progress.empty()) out->set(counted);
  return out;
}

// magic, version, digests of settings, architecture and samples, counters, cursor, capacities, flags, weights as text, sums,
// CRC.
std::string BackwardPipeline::snapshot() const {
  ByteBuffer out = kFrame.begin();
  append_origin(settings_.digest(), *trainer_, out);
  out.append(progress());
  for (std::uint32_t n = 0; n < trainer_->network().size(); ++n) {
    out.append_varint(capacities_[n]);
    out.append_fixed(accepted_[n]);
  }
  for (const std::uint32_t position : fixed_) out.append_fixed(position);
  out.append_varint_bytes(trainer_->network().text());
  out.append_varint_bytes(sums_.snapshot());
  return SnapshotFrame::end(std::move(out));
}

Result<std::unique_ptr<BackwardPipeline>> BackwardPipeline::resume(const std::vector<HashtronLayer>& layers,
                                                                   const BackwardSettings& settings, HashtronSamples train,
                                                                   HashtronSamples held_out, std::string_view snapshot) {
  const auto corrupt = [&](const std::string& what) { return kFrame.corrupt(snapshot, what); };
  TRY_ASSIGN(ByteReader in, kFrame.open(snapshot));

  TRY_ASSIGN(HashtronNetwork network, HashtronNetwork::make(layers));
  TRY(check_origin(in, "backward pipeline", settings.digest(), network, train));
  Counted counted;
  const bool in_bounds = read(in, network, counted);
  std::vector<std::uint64_t> capacities(network.size());
  std::vector<std::uint8_t> accepted(network.size());
  for (std::uint32_t n = 0; n < network.size(); ++n) {
    capacities[n] = in.varint();
    accepted[n] = in.fixed<std::uint8_t>();
  }
  std::vector<std::uint32_t> fixed(settings.selection == SelectionRule::kFixed ? network.layers() : 0);
  for (std::uint32_t& position : fixed) position = in.fixed<std::uint32_t>();
  const std::string_view text = in.varint_bytes(), sums = in.varint_bytes();
  if (!in.finished()) return corrupt("it ends before its end, or goes on behind it");
  if (!in_bounds) return corrupt("its cursor points at no neuron");
  for (std::uint32_t l = 0; l < fixed.size(); ++l)
    if (fixed[l] >= network.layer(l).neurons) return corrupt("it names a neuron that does not exist");

  TRY_ASSIGN(std::vector<Hashtron> neurons, parse_hashtron_text(text));
  TRY_ASSIGN(HashtronNetwork trained, HashtronNetwork::make(layers, std::move(neurons)));
  TRY_ASSIGN(SumCache cache, SumCache::load(sums));
  if (cache.neurons() != trained.size() || cache.ring() != settings.ring) return corrupt("its sums are of another network");
  TRY_ASSIGN(auto out, around(std::move(trained), settings, std::move(train), std::move(held_out)));
  out->sums_ = std::move(cache);
  out->capacities_ = std::move(capacities);
  out->accepted_ = std::move(accepted);
  out->fixed_ = std::move(fixed);
  out->set(counted);
  return out;
}

void BackwardPipeline::set_sweeps_max(std::uint32_t sweeps_max) {
  settings_.sweeps_max = sweeps_max;
  if (cursor_.phase == Phase::kSweepsDone) begin_sweep();
}

Result<void> BackwardPipeline::learn_from(HashtronSamples train) {
  TRY(trainer_->learn_from(std::move(train)));
  if (cursor_.phase == Phase::kConverged) {
    cursor_.stuck_sweeps = 0;
    begin_sweep();
  }
  return {};
}

}  // namespace weir
