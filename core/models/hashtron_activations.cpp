#include "core/models/hashtron_activations.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/check.hpp"
#include "core/models/hashtron_kernels.hpp"

namespace weir {
namespace {

constexpr std::size_t kTile = 8;  // Words worked on at a time: 512 samples, whose features stay in the first cache.
constexpr std::size_t kTileSamples = kTile * kSampleWord;

using Row = const std::uint64_t*;

// Samples' words, and where the bits of neurons and terms lie: word w of the samples is word w - offset of a row.
struct View {
  const HashtronNetwork& network;
  const HashtronSamples& samples;
  const std::vector<Row>& rows;
  const std::vector<std::vector<Row>>& term_rows;
  std::size_t offset;
};

std::uint64_t tail_mask(const HashtronSamples& samples) {
  const std::uint32_t left = samples.count() % kSampleWord;
  return left == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
}

void add_rows(const View& view, std::uint32_t l, std::uint32_t m, std::size_t word, std::size_t words, std::uint32_t* out) {
  thread_local std::vector<Row> rows;
  thread_local std::vector<std::uint32_t> shifts;
  rows.clear();
  shifts.clear();
  for (const CombinerPart& part : view.network.combiner(l)->parts(m)) {
    rows.push_back(view.term_rows[l][part.term]);
    shifts.push_back(part.shift);
  }
  kernels::sum_bits(rows.data(), shifts.data(), rows.size(), word - view.offset, words, out);
}

// Feature i of layer l, before its premodulo; in `room`, or where the samples have it. Ends: one layer up at each step.
const std::uint32_t* features(const View& view, std::uint32_t l, std::uint32_t i, std::size_t word, std::size_t words,
                              std::uint32_t* room) {
  const HashtronAdd add = view.network.layer(l).add;
  const std::size_t count = words * kSampleWord;
  if (l == 0) {
    const std::uint32_t* row = view.samples.row(i).data() + word * kSampleWord;
    if (add == HashtronAdd::kNone) return row;
    std::copy_n(row, count, room);
  } else {
    add_rows(view, l - 1, i, word, words, room);
  }
  if (add == HashtronAdd::kSample) {
    const std::uint32_t* more = view.samples.row(i + view.network.sample_offset(l)).data() + word * kSampleWord;
    for (std::size_t s = 0; s < count; ++s) room[s] += more[s];
  }
  if (add == HashtronAdd::kLayer) {
    std::uint32_t before_room[kTileSamples];
    const std::uint32_t* before = features(view, l - 1, i, word, words, before_room);
    for (std::size_t s = 0; s < count; ++s) room[s] += before[s];
  }
  return room;
}

// The features of the neuron that was worked out last: cells share theirs.
struct Shared {
  std::uint32_t layer = ~0U, feature = 0;
  std::size_t word = 0;
  const std::uint32_t* found = nullptr;
  std::uint32_t room[kTileSamples];

  const std::uint32_t* get(const View& view, std::uint32_t l, std::uint32_t i, std::size_t w, std::size_t words) {
    const std::uint32_t wanted = view.network.feature_of(l, i);
    if (layer != l || feature != wanted || word != w) {
      layer = l, feature = wanted, word = w;
      found = features(view, l, wanted, w, words, room);
    }
    return found;
  }
};

void write_neuron(const View& view, Shared& shared, std::uint32_t l, std::uint32_t i, std::size_t word, std::size_t words,
                  std::uint64_t* out) {
  const HashtronLayer& layer = view.network.layer(l);
  const std::uint32_t n = view.network.first(l) + i;
  const std::uint32_t* in = shared.get(view, l, i, word, words);
  if (view.network.table_words(l) != 0) {
    kernels::hash_table_bits(in, words, i, layer.premodulo, view.network.table(l, i), out);
  } else {
    std::uint32_t keys[kTileSamples];
    if (layer.premodulo != 0) {
      kernels::hash_keys(in, keys, words, i, layer.premodulo);
      in = keys;
    }
    hashtron_bits(view.network.neuron(n), in, words, keys, out);
  }
  if (word + words == view.samples.words()) out[words - 1] &= tail_mask(view.samples);
}

void write_term(const View& view, std::uint32_t l, const CombinerTerm& term, std::size_t word, std::size_t words,
                std::uint64_t* out) {
  const std::span<const std::uint32_t> inputs = view.network.combiner(l)->inputs_of(term);
  const std::size_t at = word - view.offset;
  const auto row = [&](std::size_t i) { return view.rows[view.network.first(l) + inputs[i]] + at; };
  switch (term.kind) {
    case CombinerTerm::Kind::kInput: std::copy_n(row(0), words, out); break;
    case CombinerTerm::Kind::kParity:
      std::fill_n(out, words, 0);
      for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::size_t w = 0; w < words; ++w) out[w] ^= row(i)[w];
      break;
    case CombinerTerm::Kind::kAll:
      std::fill_n(out, words, ~std::uint64_t{0});
      for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::size_t w = 0; w < words; ++w) out[w] &= row(i)[w];
      break;
    case CombinerTerm::Kind::kFirstAndRestEqual:
      for (std::size_t w = 0; w < words; ++w) out[w] = row(0)[w] & ~(row(1)[w] ^ row(2)[w]);
      break;
    case CombinerTerm::Kind::kMajority: {
      // 2T - n > bias, that is T >= least. Counters lie across: bit s of plane p is bit p of sample s's count.
      const std::int64_t n = static_cast<std::int64_t>(inputs.size());
      const std::int64_t least = (n + term.bias + 2) >= 0 ? (n + term.bias + 2) / 2 : 0;
      if (least > n || least <= 0) {
        std::fill_n(out, words, least > n ? 0 : ~std::uint64_t{0});
        break;
      }
      const int planes = std::bit_width(static_cast<std::uint64_t>(n));
      for (std::size_t w = 0; w < words; ++w) {
        std::uint64_t count[32] = {};
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          std::uint64_t carry = row(i)[w];
          for (int p = 0; p < planes && carry != 0; ++p) {
            const std::uint64_t both = count[p] & carry;
            count[p] ^= carry;
            carry = both;
          }
        }
        // Compared from the lowest plane up: at the end whether the count is at least `least`.
        std::uint64_t enough = ~std::uint64_t{0};
        for (int p = 0; p < planes; ++p) enough = (least >> p & 1) != 0 ? count[p] & enough : count[p] | enough;
        out[w] = enough;
      }
      break;
    }
  }
}

void write_outputs(const View& view, std::size_t word, std::size_t words, std::uint16_t* out) {
  const HashtronNetwork& network = view.network;
  const std::uint32_t l = network.layers() - 1;
  std::uint32_t sums[kTileSamples];
  if (network.combiner(l) == nullptr) {
    Row rows[kHashtronCellsMax];
    std::uint32_t places[kHashtronCellsMax];
    for (std::uint32_t j = 0; j < network.cells(); ++j) {
      rows[j] = view.rows[network.first(l) + j];
      places[j] = j;
    }
    kernels::sum_bits(rows, places, network.cells(), word - view.offset, words, sums);
    for (std::size_t s = 0; s < words * kSampleWord; ++s) out[s] = static_cast<std::uint16_t>(sums[s]);
    return;
  }
  std::fill_n(out, words * kSampleWord, std::uint16_t{0});
  for (std::uint32_t j = 0; j < network.cells(); ++j) {
    add_rows(view, l, j, word, words, sums);
    for (std::size_t s = 0; s < words * kSampleWord; ++s) out[s] |= static_cast<std::uint16_t>((sums[s] & 1) << j);
  }
}

template <class Each> void for_each_tile(std::size_t words, Each&& each) {
  for (std::size_t w = 0; w < words; w += kTile) each(w, std::min(kTile, words - w));
}

}  // namespace

void predict_batch(const HashtronNetwork& network, const HashtronSamples& samples, std::span<std::uint16_t> out) {
  CHECK(out.size() == samples.count());
  std::vector<std::uint64_t> bits(network.size() * kTile);
  std::vector<Row> rows(network.size());
  for (std::uint32_t n = 0; n < network.size(); ++n) rows[n] = bits.data() + n * kTile;
  std::vector<std::vector<std::uint64_t>> term_bits(network.layers());
  std::vector<std::vector<Row>> term_rows(network.layers());
  for (std::uint32_t l = 0; l < network.layers(); ++l) {
    const Combiner* combiner = network.combiner(l);
    if (combiner == nullptr) continue;
    const auto terms = combiner->terms();
    term_bits[l].resize(terms.size() * kTile);
    for (std::size_t t = 0; t < terms.size(); ++t)
      term_rows[l].push_back(terms[t].kind == CombinerTerm::Kind::kInput
                                 ? rows[network.first(l) + combiner->inputs_of(terms[t])[0]]
                                 : term_bits[l].data() + t * kTile);
  }
  Shared shared;
  std::uint16_t outputs[kTileSamples];
  for_each_tile(samples.words(), [&](std::size_t word, std::size_t words) {
    const View view{network, samples, rows, term_rows, word};
    for (std::uint32_t l = 0; l < network.layers(); ++l) {
      for (std::uint32_t i = 0; i < network.layer(l).neurons; ++i)
        write_neuron(view, shared, l, i, word, words, bits.data() + (network.first(l) + i) * kTile);
      if (const Combiner* combiner = network.combiner(l); combiner != nullptr)
        for (std::size_t t = 0; t < combiner->terms().size(); ++t)
          if (combiner->terms()[t].kind != CombinerTerm::Kind::kInput)
            write_term(view, l, combiner->terms()[t], word, words, term_bits[l].data() + t * kTile);
    }
    write_outputs(view, word, words, outputs);
    const std::size_t begin = word * kSampleWord;
    std::copy_n(outputs, std::min(words * kSampleWord, samples.count() - begin),
                out.begin() + static_cast<std::ptrdiff_t>(begin));
  });
}

HashtronActivations::HashtronActivations(const HashtronNetwork& network, const HashtronSamples& samples)
    : network_(&network),
      samples_(&samples),
      words_(samples.words()),
      bits_(std::size_t{network.size()} * words_),
      term_bits_(network.layers()),
      term_slot_(network.layers()),
      rows_(network.size()),
      term_rows_(network.layers()),
      ones_(network.size()),
      outputs_(std::size_t{words_} * kSampleWord),
      trial_outputs_(outputs_.size()) {
  for (std::uint32_t n = 0; n < network.size(); ++n) rows_[n] = base_row(n);
  for (std::uint32_t l = 0; l < network.layers(); ++l) {
    const Combiner* combiner = network.combiner(l);
    if (combiner == nullptr) continue;
    const auto terms = combiner->terms();
    term_slot_[l].resize(terms.size());
    std::uint32_t slots = 0;
    for (std::size_t t = 0; t < terms.size(); ++t)
      if (terms[t].kind != CombinerTerm::Kind::kInput) term_slot_[l][t] = slots++;
    term_bits_[l].resize(std::size_t{slots} * words_);
    for (std::uint32_t t = 0; t < terms.size(); ++t)
      term_rows_[l].push_back(terms[t].kind == CombinerTerm::Kind::kInput
                                  ? rows_[network.first(l) + combiner->inputs_of(terms[t])[0]]
                                  : base_term(l, t));
  }
  refresh();
}

void HashtronActivations::refresh() {
  CHECK(!in_trial_);
  rows_done_ += network_->size();
  const View view{*network_, *samples_, rows_, term_rows_, 0};
  Shared shared;
  for_each_tile(words_, [&](std::size_t word, std::size_t words) {
    for (std::uint32_t l = 0; l < network_->layers(); ++l) {
      for (std::uint32_t i = 0; i < network_->layer(l).neurons; ++i)
        weir::write_neuron(view, shared, l, i, word, words, base_row(network_->first(l) + i) + word);
      if (const Combiner* combiner = network_->combiner(l); combiner != nullptr)
        for (std::uint32_t t = 0; t < combiner->terms().size(); ++t)
          if (combiner->terms()[t].kind != CombinerTerm::Kind::kInput)
            weir::write_term(view, l, combiner->terms()[t], word, words, base_term(l, t) + word);
    }
    weir::write_outputs(view, word, words, outputs_.data() + word * kSampleWord);
  });
  kernels::count_bits(bits_.data(), words_, network_->size(), ones_.data());
  correct_ = count_correct(outputs());
}

std::uint32_t HashtronActivations::count_correct(std::span<const std::uint16_t> outputs) const {
  const std::span<const std::uint16_t> targets = samples_->targets();
  std::uint32_t correct = 0;
  for (std::size_t s = 0; s < outputs.size(); ++s) correct += outputs[s] == targets[s] ? 1 : 0;
  return correct;
}

void HashtronActivations::keys(std::uint32_t neuron, std::vector<std::uint32_t>& out) const {
  const std::uint32_t l = network_->layer_of(neuron), i = neuron - network_->first(l);
  const std::uint32_t premodulo = network_->layer(l).premodulo;
  out.resize(std::size_t{words_} * kSampleWord);
  const View view{*network_, *samples_, rows_, term_rows_, 0};
  for_each_tile(words_, [&](std::size_t word, std::size_t words) {
    std::uint32_t* to = out.data() + word * kSampleWord;
    const std::uint32_t* in = features(view, l, network_->feature_of(l, i), word, words, to);
    if (premodulo != 0)
      kernels::hash_keys(in, to, words, i, premodulo);
    else if (in != to)
      std::copy_n(in, words * kSampleWord, to);
  });
}

std::uint64_t* HashtronActivations::take_row() {
  if (pool_used_ == pool_.size()) pool_.push_back(std::make_unique<std::uint64_t[]>(words_));
  return pool_[pool_used_++].get();
}

void HashtronActivations::write_neuron(std::uint32_t l, std::uint32_t i, std::uint64_t* out) const {
  const View view{*network_, *samples_, rows_, term_rows_, 0};
  Shared shared;
  for_each_tile(words_,
                [&](std::size_t word, std::size_t words) { weir::write_neuron(view, shared, l, i, word, words, out + word); });
}

void HashtronActivations::write_term(std::uint32_t l, const CombinerTerm& term, std::uint64_t* out) const {
  const View view{*network_, *samples_, rows_, term_rows_, 0};
  weir::write_term(view, l, term, 0, words_, out);
}

void HashtronActivations::begin_trial(std::uint32_t neuron, std::span<const std::uint64_t> row) {
  CHECK(!in_trial_);
  CHECK(row.size() == words_);
  in_trial_ = true;
  trial_correct_ = correct_;
  const auto same = [&](const std::uint64_t* a, const std::uint64_t* b) { return std::equal(a, a + words_, b); };
  std::uint64_t* const changed_row = take_row();
  std::ranges::copy(row, changed_row);
  const std::uint32_t from = network_->layer_of(neuron);
  bool output_changed = false;
  std::vector<std::uint32_t> here;                   // Neurons of the layer at hand that have changed.
  std::vector<char> reads_before, reads, term_done;  // Whether feature m has.
  if (!same(changed_row, rows_[neuron])) {
    rows_[neuron] = changed_row;
    changed_.push_back(neuron);
    here.push_back(neuron);
  }
  reads_before.assign(network_->features_read(from), 0);
  // Ends: one layer down at each step.
  for (std::uint32_t l = from; l < network_->layers(); ++l) {
    const Combiner* combiner = network_->combiner(l);
    if (network_->is_last(l)) output_changed = !here.empty();
    if (combiner == nullptr) break;
    reads.assign(combiner->features(), 0);
    term_done.assign(combiner->terms().size(), 0);
    for (const std::uint32_t n : here) {
      for (const std::uint32_t t : combiner->terms_of_input(n - network_->first(l))) {
        if (term_done[t] != 0) continue;
        term_done[t] = 1;
        const CombinerTerm& term = combiner->terms()[t];
        if (term.kind == CombinerTerm::Kind::kInput) {
          term_rows_[l][t] = rows_[n];
        } else {
          std::uint64_t* const to = take_row();
          write_term(l, term, to);
          if (same(to, term_rows_[l][t])) {
            --pool_used_;
            continue;
          }
          term_rows_[l][t] = to;
        }
        changed_terms_.push_back({l, t});
        for (const std::uint32_t m : combiner->features_of_term(t)) reads[m] = 1;
      }
    }
    here.clear();
    if (network_->is_last(l)) break;
    if (network_->layer(l + 1).add == HashtronAdd::kLayer)
      for (std::size_t m = 0; m < std::min(reads.size(), reads_before.size()); ++m) reads[m] |= reads_before[m];
    for (std::uint32_t i = 0; i < network_->layer(l + 1).neurons; ++i) {
      if (reads[network_->feature_of(l + 1, i)] == 0) continue;
      const std::uint32_t n = network_->first(l + 1) + i;
      std::uint64_t* const to = take_row();
      write_neuron(l + 1, i, to);
      ++rows_done_;
      if (same(to, rows_[n])) {
        --pool_used_;
        continue;
      }
      rows_[n] = to;
      changed_.push_back(n);
      here.push_back(n);
    }
    std::swap(reads, reads_before);
  }
  if (!output_changed) {
    trial_outputs_ = outputs_;
    return;
  }
  const View view{*network_, *samples_, rows_, term_rows_, 0};
  for_each_tile(words_, [&](std::size_t word, std::size_t words) {
    weir::write_outputs(view, word, words, trial_outputs_.data() + word * kSampleWord);
  });
  trial_correct_ = count_correct(trial_outputs());
}

void HashtronActivations::adopt() {
  CHECK(in_trial_);
  for (const std::uint32_t n : changed_) {
    std::copy_n(rows_[n], words_, base_row(n));
    kernels::count_bits(base_row(n), words_, 1, &ones_[n]);
  }
  for (const ChangedTerm& c : changed_terms_)
    if (network_->combiner(c.layer)->terms()[c.term].kind != CombinerTerm::Kind::kInput)
      std::copy_n(term_rows_[c.layer][c.term], words_, base_term(c.layer, c.term));
  std::swap(outputs_, trial_outputs_);
  correct_ = trial_correct_;
  drop();
}

void HashtronActivations::drop() {
  CHECK(in_trial_);
  in_trial_ = false;
  for (const std::uint32_t n : changed_) rows_[n] = base_row(n);
  for (const ChangedTerm& c : changed_terms_) {
    const Combiner& combiner = *network_->combiner(c.layer);
    const CombinerTerm& term = combiner.terms()[c.term];
    term_rows_[c.layer][c.term] = term.kind == CombinerTerm::Kind::kInput
                                      ? base_row(network_->first(c.layer) + combiner.inputs_of(term)[0])
                                      : base_term(c.layer, c.term);
  }
  changed_.clear();
  changed_terms_.clear();
  pool_used_ = 0;
}

}  // namespace weir
