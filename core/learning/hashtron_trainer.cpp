#include "core/learning/hashtron_trainer.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <string>

#include "core/base/check.hpp"
#include "core/models/hashtron_hash.hpp"
#include "core/models/hashtron_kernels.hpp"

namespace weir {
namespace {

// Few enough buckets to be counted in an array instead of being sorted.
constexpr std::uint32_t kBucketsMax = 1U << 16;
bool in_buckets(const HashtronJob& job) { return job.capacity != 0 && job.capacity <= kBucketsMax; }

Result<void> check_targets(const HashtronSamples& samples, std::uint32_t cells, const char* which) {
  for (std::uint32_t s = 0; s < samples.count(); ++s) {
    if (samples.targets()[s] >> cells == 0) continue;
    return Error{ErrorCode::kInvalidInput, std::string("hashtron trainer: sample ") + std::to_string(s) + " of those " + which +
                                               " has the value " + std::to_string(samples.targets()[s]) +
                                               ", expected one below " + std::to_string(1U << cells) + ", what " +
                                               std::to_string(cells) + " cells can give"};
  }
  return {};
}

Result<void> check_train(const HashtronSamples& samples, std::uint32_t cells) {
  if (samples.count() == 0)
    return Error{ErrorCode::kInvalidInput, "hashtron trainer: found no sample to learn from, expected one at least"};
  if (samples.count() > 0x7fffffffU)
    return Error{ErrorCode::kInvalidInput, "hashtron trainer: found more than 2147483647 samples"};
  return check_targets(samples, cells, "to learn from");
}

}  // namespace

std::uint32_t job_salt(std::uint64_t seed, std::uint32_t neuron, std::uint32_t job) {
  constexpr std::uint32_t kAll = 0xffffffffU;
  return hashtron_hash(hashtron_hash(static_cast<std::uint32_t>(seed), neuron, kAll), job, kAll);
}

Hashtron fresh_hashtron(std::uint64_t chance) {
  return {.program = {{static_cast<std::uint32_t>(chance >> 33), 2}}, .filter = {}};
}

Result<HashtronNetwork> fresh_network(const std::vector<HashtronLayer>& layers, SplitMix64& chance) {
  TRY_ASSIGN(HashtronNetwork out, HashtronNetwork::make(layers));
  for (std::uint32_t n = 0; n < out.size(); ++n) out.replace(n, fresh_hashtron(chance.next()));
  return out;
}

void VoteTally::merge(const VoteTally& other) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> both;
  both.reserve(sums.size() + other.sums.size());
  auto a = sums.begin();
  auto b = other.sums.begin();
  while (a != sums.end() || b != other.sums.end()) {
    if (b == other.sums.end() || (a != sums.end() && a->first < b->first)) {
      both.push_back(*a++);
    } else if (a == sums.end() || b->first < a->first) {
      both.push_back(*b++);
    } else {
      both.emplace_back(a->first, a->second + b->second);
      ++a;
      ++b;
    }
  }
  sums = std::move(both);
  votes += other.votes;
  sum += other.sum;
  improves |= other.improves;
}

std::vector<HashtronEntry> entries_of(const VoteTally& tally, std::uint32_t capacity, const TallyOptions& options) {
  std::vector<HashtronEntry> out;
  std::int64_t threshold = 0, keys = 0;
  for (const auto& [key, sum] : tally.sums) keys += sum != 0 ? 1 : 0;
  if (options.mean_threshold && keys > 0) threshold = tally.sum / keys;
  for (const auto& [key, sum] : tally.sums)
    if (sum != 0) out.push_back({key, sum > threshold});
  if (!options.fill || capacity == 0 || capacity > 4 * static_cast<std::uint64_t>(keys)) return out;
  std::vector<HashtronEntry> filled;
  std::size_t next = 0;
  for (std::uint32_t key = 0; key < capacity; ++key) {
    if (next < out.size() && out[next].key == key)
      filled.push_back(out[next++]);
    else
      filled.push_back({key, tally.sum > 0});
  }
  return filled;
}

HashtronTrainer::HashtronTrainer(HashtronNetwork network, HashtronSamples train, HashtronSamples held_out)
    : network_(std::move(network)),
      train_samples_(std::move(train)),
      held_out_samples_(std::move(held_out)) {
  train_.emplace(network_, train_samples_);
  held_out_.emplace(network_, held_out_samples_);
}

Result<std::unique_ptr<HashtronTrainer>> HashtronTrainer::make(HashtronNetwork network, HashtronSamples train,
                                                               HashtronSamples held_out) {
  TRY(check_train(train, network.cells()));
  TRY(check_targets(held_out, network.cells(), "held out"));
  return std::unique_ptr<HashtronTrainer>(new HashtronTrainer(std::move(network), std::move(train), std::move(held_out)));
}

bool HashtronTrainer::final_constant() const {
  for (std::uint32_t n = network_.first(network_.layers() - 1); n < network_.size(); ++n)
    if (is_constant(n)) return true;
  return false;
}

std::vector<std::int64_t> HashtronTrainer::sums() const {
  std::vector<std::int64_t> out(network_.size());
  for (std::uint32_t n = 0; n < out.size(); ++n) out[n] = train_->sum(n);
  return out;
}

Result<void> HashtronTrainer::learn_from(HashtronSamples train) {
  TRY(check_train(train, network_.cells()));
  train_samples_ = std::move(train);
  train_.emplace(network_, train_samples_);
  return {};
}

void HashtronTrainer::replace(std::span<const std::pair<std::uint32_t, Hashtron>> neurons) {
  for (const auto& [n, neuron] : neurons) network_.replace(n, neuron);
  train_->refresh();
  held_out_->refresh();
}

// Every sample's key, vote and mark.
void HashtronTrainer::collect(const HashtronJob& job) {
  const std::uint32_t count = n(), l = network_.layer_of(job.neuron);
  train_->keys(job.neuron, keys_);
  if (job.capacity != 0) kernels::hash_keys(keys_.data(), keys_.data(), keys_.size() / kSampleWord, job.salt, job.capacity);
  votes_.assign(count, 0);
  marks_.assign(count, 0);
  const std::span<const std::uint64_t> row = train_->row(job.neuron);
  const std::span<const std::uint16_t> targets = train_samples_.targets();
  const auto bit = [&](std::uint32_t s) { return static_cast<std::int32_t>(row[s / kSampleWord] >> (s % kSampleWord) & 1); };
  const bool by_target = job.credit == HashtronCredit::kTarget && !network_.is_last(l);
  if (by_target || (network_.is_last(l) && network_.combiner(l) == nullptr)) {
    const std::uint32_t j = (job.neuron - network_.first(l)) % network_.cells();
    for (std::uint32_t s = 0; s < count; ++s) {
      const std::int32_t wanted = targets[s] >> j & 1;
      votes_[s] = 2 * wanted - 1;
      marks_[s] = static_cast<char>(wanted ^ bit(s));
    }
    return;
  }
  turn(job.neuron);
  train_->begin_trial(job.neuron, row_);
  const std::span<const std::uint16_t> as_is = train_->outputs(), turned = train_->trial_outputs();
  if (network_.cells() == 1) {
    for (std::uint32_t s = 0; s < count; ++s) {
      if (as_is[s] == turned[s]) continue;
      const std::int32_t c = 2 * bit(s) - 1;
      const bool right = as_is[s] == targets[s];
      votes_[s] = right ? c : -c;
      marks_[s] = right ? 0 : 1;
    }
  } else {
    for (std::uint32_t s = 0; s < count; ++s) {
      const int d0 = std::popcount(static_cast<std::uint16_t>(as_is[s] ^ targets[s]));
      const int d1 = std::popcount(static_cast<std::uint16_t>(turned[s] ^ targets[s]));
      if (d0 != 0 && d0 == d1) continue;
      const std::int32_t c = 2 * bit(s) - 1;
      if (d0 == 0) {
        votes_[s] = c;
      } else {
        votes_[s] = c * (d1 - d0);
        marks_[s] = 1;
      }
    }
  }
  train_->drop();
}

VoteTally HashtronTrainer::tally(const HashtronJob& job, std::uint32_t begin, std::uint32_t end) {
  CHECK(begin <= end);
  CHECK(end <= n());
  collect(job);
  VoteTally out;
  const auto count_sample = [&](std::uint32_t s) {
    ++out.votes;
    out.sum += votes_[s];
    out.improves |= marks_[s] != 0;
  };
  if (in_buckets(job)) {
    // A sum and whether anybody voted, so that sums of zero are told from none.
    buckets_.assign(2 * std::size_t{job.capacity}, 0);
    for (std::uint32_t s = begin; s < end; ++s) {
      if (votes_[s] == 0) continue;
      count_sample(s);
      buckets_[2 * std::size_t{keys_[s]}] += votes_[s];
      buckets_[2 * std::size_t{keys_[s]} + 1] = 1;
    }
    for (std::uint32_t key = 0; key < job.capacity; ++key)
      if (buckets_[2 * std::size_t{key} + 1] != 0) out.sums.emplace_back(key, buckets_[2 * std::size_t{key}]);
    return out;
  }
  order_.clear();
  for (std::uint32_t s = begin; s < end; ++s) {
    if (votes_[s] == 0) continue;
    count_sample(s);
    order_.push_back(std::uint64_t{keys_[s]} << 32 | s);
  }
  std::ranges::sort(order_);
  for (const std::uint64_t entry : order_) {
    const auto key = static_cast<std::uint32_t>(entry >> 32), s = static_cast<std::uint32_t>(entry);
    if (out.sums.empty() || out.sums.back().first != key) out.sums.emplace_back(key, 0);
    out.sums.back().second += votes_[s];
  }
  return out;
}

// Of the tally of all samples, just made: every one has voted.
HashtronEdge HashtronTrainer::edge_of(const HashtronJob& job, const VoteTally& tally) const {
  HashtronEdge out;
  const std::uint32_t j = network_.position_of(job.neuron) % network_.cells();
  const std::span<const std::uint64_t> row = train_->row(job.neuron);
  const std::span<const std::uint16_t> outputs = train_->outputs(), targets = train_samples_.targets();
  const auto add = [&](std::uint32_t s, std::int64_t sum) {
    const std::int64_t others = sum - votes_[s];
    const std::uint64_t halves = others == 0 ? 1 : (others > 0) == (votes_[s] > 0) ? 2 : 0;
    const bool wrong = ((outputs[s] ^ targets[s]) >> j & 1) != 0;
    (wrong ? out.wrong : out.right) += 1;
    (wrong ? out.halves_of_wrong : out.halves_of_right) += halves;
    out.agreement += (row[s / kSampleWord] >> (s % kSampleWord) & 1) == (votes_[s] > 0 ? 1U : 0U) ? 1 : 0;
  };
  if (in_buckets(job)) {
    for (std::uint32_t s = 0; s < n(); ++s) add(s, buckets_[2 * std::size_t{keys_[s]}]);
    return out;
  }
  auto sum = tally.sums.begin();
  for (const std::uint64_t entry : order_) {
    while (sum->first != static_cast<std::uint32_t>(entry >> 32)) ++sum;
    add(static_cast<std::uint32_t>(entry), sum->second);
  }
  return out;
}

HashtronEdge HashtronTrainer::edge(const HashtronJob& job) {
  CHECK(job.credit == HashtronCredit::kTarget);
  CHECK(!network_.is_last(network_.layer_of(job.neuron)));
  return edge_of(job, tally(job, 0, n()));
}

Result<HashtronJobResult> HashtronTrainer::run(const HashtronJob& job) {
  CHECK(job.neuron < network_.size());
  HashtronJobResult out;
  const std::uint32_t rows_before = train_->rows_done();
  out.correct_before = out.correct_after = train_->correct();
  out.sum_before = out.sum_after = train_->sum(job.neuron);
  const VoteTally votes = tally(job, 0, n());
  out.votes = votes.votes;
  out.vote_sum = votes.sum;
  const std::uint32_t l = network_.layer_of(job.neuron);
  TallyOptions options = job.options;
  // It would take away the bias of a cell, or of a neuron that learns one.
  if (network_.is_last(l) || job.credit == HashtronCredit::kTarget) options.mean_threshold = false;
  const std::vector<HashtronEntry> entries = entries_of(votes, job.capacity, options);
  out.keys = static_cast<std::uint32_t>(entries.size());
  if (!votes.improves || entries.empty()) {
    out.skipped = true;
    out.rows = train_->rows_done() - rows_before;
    return out;
  }
  bool has_edge = false;  // Asked before the keys are used for anything else.
  if (job.credit == HashtronCredit::kTarget && !network_.is_last(l)) {
    const HashtronEdge edge = edge_of(job, votes);
    has_edge = edge.improves() && edge.above(job.edge_min);
  }
  Hashtron neuron;
  if (job.capacity != 0) neuron.program.push_back({job.salt, job.capacity});
  TRY_ASSIGN(neuron.filter, HashtronFilter::build(entries));

  // The keys are hashed already: only the filter is left to ask.
  const Hashtron last_step{.program = {}, .filter = neuron.filter};
  answers_to(last_step, keys_, n());
  train_->begin_trial(job.neuron, row_);
  out.correct_after = train_->trial_correct();
  std::uint32_t ones = 0;
  kernels::count_bits(row_.data(), row_.size(), 1, &ones);
  out.sum_after = 2 * std::int64_t{ones} - n();
  out.accepted = job.accept_always || (job.credit == HashtronCredit::kOutput ? out.correct_after >= out.correct_before
                                       : network_.is_last(l)                 ? out.correct_after > out.correct_before
                                                                             : has_edge);
  if (out.accepted) {
    train_->adopt();
    network_.replace(job.neuron, std::move(neuron));
    put_on_held_out(job.neuron);
  } else {
    train_->drop();
  }
  out.rows = train_->rows_done() - rows_before;
  return out;
}

// Into row_: what a neuron answers to each of `count` samples' keys.
void HashtronTrainer::answers_to(const Hashtron& neuron, const std::vector<std::uint32_t>& keys, std::uint32_t count) {
  row_.resize(keys.size() / kSampleWord);
  room_.resize(keys.size());
  hashtron_bits(neuron, keys.data(), row_.size(), room_.data(), row_.data());
  if (count % kSampleWord != 0) row_.back() &= (std::uint64_t{1} << count % kSampleWord) - 1;
}

// Into row_: the neuron's bits, turned round.
void HashtronTrainer::turn(std::uint32_t neuron) {
  const std::span<const std::uint64_t> row = train_->row(neuron);
  row_.assign(row.begin(), row.end());
  for (std::uint64_t& word : row_) word = ~word;
  if (n() % kSampleWord != 0) row_.back() &= (std::uint64_t{1} << n() % kSampleWord) - 1;
}

// A neuron that the network has already.
void HashtronTrainer::put_on_held_out(std::uint32_t neuron) {
  if (held_out_samples_.count() == 0) return;
  held_out_->keys(neuron, keys_);
  answers_to(network_.neuron(neuron), keys_, held_out_samples_.count());
  held_out_->begin_trial(neuron, row_);
  held_out_->adopt();
}

Result<HashtronPairResult> HashtronTrainer::run_pair(const HashtronPairJob& job) {
  const auto [p, q] = job.neurons;
  CHECK(p != q);
  CHECK(network_.layer_of(p) == network_.layer_of(q));
  HashtronPairResult out;
  const std::uint32_t rows_before = train_->rows_done(), count = n();
  out.correct_before = out.correct_after = train_->correct();
  std::array<std::vector<std::uint64_t>, 2> rows;
  std::array<std::vector<std::uint32_t>, 2> keys;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint32_t neuron = job.neurons[i];
    rows[i].assign(train_->row(neuron).begin(), train_->row(neuron).end());
    out.sums_before[i] = out.sums_after[i] = train_->sum(neuron);
    train_->keys(neuron, keys[i]);
    if (job.capacity != 0)
      kernels::hash_keys(keys[i].data(), keys[i].data(), keys[i].size() / kSampleWord, job.salts[i], job.capacity);
  }

  // What the network gives with neither, the first, the second and both turned.
  std::array<std::vector<std::uint16_t>, 4> outputs;
  const auto keep = [](std::span<const std::uint16_t> from, std::vector<std::uint16_t>& to) {
    to.assign(from.begin(), from.end());
  };
  keep(train_->outputs(), outputs[0]);
  for (std::size_t i = 0; i < 2; ++i) {
    turn(job.neurons[i]);
    train_->begin_trial(job.neurons[i], row_);
    keep(train_->trial_outputs(), outputs[1 + i]);
    train_->drop();
  }
  turn(p);
  train_->begin_trial(p, row_);
  train_->adopt();  // For a moment: neurons of one layer do not read each other.
  turn(q);
  train_->begin_trial(q, row_);
  keep(train_->trial_outputs(), outputs[3]);
  train_->drop();
  train_->begin_trial(p, rows[0]);
  train_->adopt();

  std::array<std::map<std::uint32_t, bool>, 2> written;
  for (std::uint32_t s = 0; s < count; ++s) {
    for (std::size_t turned = 0; turned < 4; ++turned) {
      if (outputs[turned][s] != train_samples_.targets()[s]) continue;
      std::array<bool, 2> answers{};
      bool fits = true;
      for (std::size_t i = 0; i < 2; ++i) {
        answers[i] = ((rows[i][s / kSampleWord] >> (s % kSampleWord) & 1) != 0) != ((turned >> i & 1) != 0);
        const auto before = written[i].find(keys[i][s]);
        fits = fits && (before == written[i].end() || before->second == answers[i]);
      }
      if (!fits) continue;
      for (std::size_t i = 0; i < 2; ++i) written[i].emplace(keys[i][s], answers[i]);
      break;
    }
  }

  std::array<Hashtron, 2> made;
  bool grown = false;
  for (std::size_t i = 0; i < 2; ++i) {
    std::vector<HashtronEntry> entries;
    for (const auto& [key, answer] : written[i]) entries.push_back({key, answer});
    out.keys[i] = static_cast<std::uint32_t>(entries.size());
    if (job.capacity != 0) made[i].program.push_back({job.salts[i], job.capacity});
    TRY_ASSIGN(made[i].filter, HashtronFilter::build(entries));
    grown = grown || made[i].filter.bytes().size() > network_.neuron(job.neurons[i]).filter.bytes().size();
  }
  if (!grown) {
    for (std::size_t i = 0; i < 2; ++i) {
      answers_to({.program = {}, .filter = made[i].filter}, keys[i], count);
      train_->begin_trial(job.neurons[i], row_);
      out.correct_after = train_->trial_correct();
      train_->adopt();
      out.sums_after[i] = train_->sum(job.neurons[i]);
    }
    out.accepted = out.correct_after >= out.correct_before;
    for (std::size_t i = 0; i < 2; ++i) {
      if (out.accepted) {
        network_.replace(job.neurons[i], std::move(made[i]));
        put_on_held_out(job.neurons[i]);
      } else {
        train_->begin_trial(job.neurons[i], rows[i]);
        train_->adopt();
      }
    }
  }
  out.rows = train_->rows_done() - rows_before;
  return out;
}

}  // namespace weir
