#pragma once
// A network run over a whole set of samples: the bits of every neuron, kept, so that what a change of one neuron does is worked
// out from its layer on, and only where it can be felt.
//
// Bits are rows: neuron n's bit for sample s is bit s % 64 of word s / 64 of row(n); bits behind the last sample are zero. All
// figures are whole numbers, so shards of a set add up to the set in any order.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "core/models/hashtron_network.hpp"
#include "core/models/hashtron_samples.hpp"

namespace weir {

// The network's output for every sample, before parities are undone. 512 samples at a time, without keeping anything.
// REQUIRES: out.size() == samples.count().
void predict_batch(const HashtronNetwork& network, const HashtronSamples& samples, std::span<std::uint16_t> out);

class HashtronActivations {
 public:
  // REQUIRES: network and samples outlive this; the network's neurons change through adopt() alone, or refresh() follows.
  HashtronActivations(const HashtronNetwork& network, const HashtronSamples& samples);
  HashtronActivations(HashtronActivations&&) = default;
  HashtronActivations(const HashtronActivations&) = delete;

  void refresh();  // All layers anew: of a network or samples that have changed.

  std::uint32_t samples() const { return samples_->count(); }
  std::span<const std::uint64_t> row(std::uint32_t neuron) const {
    return std::span(bits_).subspan(std::size_t{neuron} * words_, words_);
  }
  std::uint32_t ones(std::uint32_t neuron) const { return ones_[neuron]; }  // T
  // S = 2T - N: from -N to N, as odd or even as N.
  std::int64_t sum(std::uint32_t neuron) const { return 2 * std::int64_t{ones_[neuron]} - samples(); }
  std::span<const std::uint16_t> outputs() const { return std::span(outputs_).first(samples()); }
  std::uint32_t rows_done() const { return rows_done_; }  // Neurons run over all samples so far; comes round.
  std::uint32_t correct() const { return correct_; }      // Samples whose output is their target.

  // What the neuron's program reads, sample by sample: after the layer's add mode and premodulo. words * 64 entries.
  void keys(std::uint32_t neuron, std::vector<std::uint32_t>& out) const;

  // As if the neuron answered `row`. Until adopt() or drop() the trial_ figures are those of the network with this change; the
  // others stay. REQUIRES: row.size() == the words of row(), bits behind the last sample are zero; no trial is under way.
  void begin_trial(std::uint32_t neuron, std::span<const std::uint64_t> row);
  std::span<const std::uint16_t> trial_outputs() const { return std::span(trial_outputs_).first(samples()); }
  std::uint32_t trial_correct() const { return trial_correct_; }
  // The change is made: the caller has put the neuron that answers so into the network, or does so before anything else.
  void adopt();
  void drop();

 private:
  struct ChangedTerm {
    std::uint32_t layer, term;
  };
  std::uint64_t* take_row();
  void write_neuron(std::uint32_t l, std::uint32_t i, std::uint64_t* out) const;
  void write_term(std::uint32_t l, const CombinerTerm& term, std::uint64_t* out) const;
  std::uint32_t count_correct(std::span<const std::uint16_t> outputs) const;
  std::uint64_t* base_row(std::uint32_t neuron) { return bits_.data() + std::size_t{neuron} * words_; }
  std::uint64_t* base_term(std::uint32_t l, std::uint32_t term) {
    return term_bits_[l].data() + std::size_t{term_slot_[l][term]} * words_;
  }

  const HashtronNetwork* network_;
  const HashtronSamples* samples_;
  std::uint32_t words_;
  std::vector<std::uint64_t> bits_;
  std::vector<std::vector<std::uint64_t>> term_bits_;  // By layer: of those terms that are not just an input.
  std::vector<std::vector<std::uint32_t>> term_slot_;
  std::vector<const std::uint64_t*> rows_;  // Where each neuron's row is now: above, or in the trial's.
  std::vector<std::vector<const std::uint64_t*>> term_rows_;
  std::vector<std::uint32_t> ones_;
  std::vector<std::uint16_t> outputs_, trial_outputs_;
  std::uint32_t correct_ = 0, trial_correct_ = 0;

  std::vector<std::unique_ptr<std::uint64_t[]>> pool_;  // Rows of the trial; the first pool_used_ are taken.
  std::size_t pool_used_ = 0;
  std::vector<std::uint32_t> changed_;
  std::vector<ChangedTerm> changed_terms_;
  std::uint32_t rows_done_ = 0;
  bool in_trial_ = false;
};

}  // namespace weir
