#pragma once
// One neuron's job: what it should have answered for each of its keys is put to the vote of all samples, and becomes its
// filter.
//
// For each sample the network's loss (output bits that differ from the target) is taken with the neuron's bit as it is (d0) and
// turned round (d1); c = +1 or -1 is the bit as it is. Before the last layer of one cell: no vote if d0 = d1; c if d0 = 0; else
// -c, which marks an improvement. With several cells: c if d0 = 0, whatever d1; none if d0 = d1; else the better bit's c, |d1 -
// d0| times, marked. In a last layer without a combiner the wanted bit votes at every sample; marked where the bit is wrong.
// Votes add up by key, in any order; sums of zero are dropped; a key's answer is whether its sum is above the threshold.
// Without a mark the job is skipped.
//
// That is credit by the output. Credit by the target is the other way: a neuron before the last layer votes for the wanted bit
// of a cell at every sample, the cell of its position modulo the cells, whatever the layers behind it make of its bit now.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/learning/hashtron_edge.hpp"
#include "core/learning/neuron_selection.hpp"
#include "core/models/hashtron_activations.hpp"

namespace weir {

// Votes of some samples by key. Partial ones merge into those of all, in any order.
struct VoteTally {
  std::vector<std::pair<std::uint32_t, std::int64_t>> sums;  // Ascending keys, each once; sums may be zero.
  std::uint64_t votes = 0;
  std::int64_t sum = 0;
  bool improves = false;

  void merge(const VoteTally& other);
  bool operator==(const VoteTally&) const = default;
};

struct TallyOptions {
  bool mean_threshold = false;  // A key's sum must be above the mean of all (cut to a whole number). Never in the last
                                // layer, nor by the target.
  bool fill = false;  // Buckets below the capacity without a vote answer like the whole tally, where capacity <= 4 * keys.
};
// The entries of the filter, by ascending keys.
std::vector<HashtronEntry> entries_of(const VoteTally& tally, std::uint32_t capacity, const TallyOptions& options);

enum class HashtronCredit : std::uint8_t { kOutput, kTarget };

struct HashtronJob {
  std::uint32_t neuron = 0;
  std::uint32_t salt = 0;
  std::uint32_t capacity = 0;  // Keys are hashed to so many buckets; 0: taken as they are.
  // Else by the output: only if no fewer samples are right than before. By the target: before the last layer only if the
  // neuron's edge is above edge_min tenths of its standard error and it gives the wanted bit more often than before, whatever
  // becomes of the output; in the last layer only if more samples are right.
  bool accept_always = false;
  TallyOptions options = {};
  HashtronCredit credit = HashtronCredit::kOutput;
  std::uint32_t edge_min = 0;
};
struct HashtronJobResult {
  bool skipped = false;  // Nobody voted for a change, or nothing was left to learn.
  bool accepted = false;
  std::uint32_t correct_before = 0, correct_after = 0;  // After: what it is, or for a rejected job would have been.
  std::int64_t sum_before = 0, sum_after = 0;           // S; after: as above.
  std::uint32_t keys = 0;
  std::uint64_t votes = 0;
  std::int64_t vote_sum = 0;
  std::uint32_t rows = 0;  // Neurons run over the samples.
};

// Two neurons of one layer at once, for a network that is right: see HashtronTrainer::run_pair.
struct HashtronPairJob {
  std::array<std::uint32_t, 2> neurons{}, salts{};
  std::uint32_t capacity = 0;  // As of a job.
};
struct HashtronPairResult {
  bool accepted = false;
  std::uint32_t correct_before = 0, correct_after = 0;
  std::array<std::int64_t, 2> sums_before{}, sums_after{};
  std::array<std::uint32_t, 2> keys{};
  std::uint32_t rows = 0;
};

// A network, what it learns from, and what it is held against (never used for a decision). Owned by one thread.
class HashtronTrainer {
 public:
  // kInvalidInput: no sample to learn from, or a value that the network's cells cannot give. Samples held out may be none.
  static Result<std::unique_ptr<HashtronTrainer>> make(HashtronNetwork network, HashtronSamples train,
                                                       HashtronSamples held_out);

  const HashtronNetwork& network() const { return network_; }
  const HashtronSamples& train() const { return train_samples_; }
  const HashtronSamples& held_out() const { return held_out_samples_; }
  const HashtronActivations& on_train() const { return *train_; }
  const HashtronActivations& on_held_out() const { return *held_out_; }
  std::uint32_t n() const { return train_samples_.count(); }
  std::uint64_t magnitude(std::uint32_t neuron) const {
    const std::int64_t sum = train_->sum(neuron);
    return static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
  }
  bool is_constant(std::uint32_t neuron) const { return magnitude(neuron) == n(); }
  bool final_constant() const;             // A cell of the last layer is.
  std::vector<std::int64_t> sums() const;  // S of each neuron.

  // The votes of the samples from `begin` to before `end`. REQUIRES: begin <= end <= n().
  VoteTally tally(const HashtronJob& job, std::uint32_t begin, std::uint32_t end);
  // What the job's neuron would add. REQUIRES: credit by the target, a layer before the last.
  HashtronEdge edge(const HashtronJob& job);
  // Tally, filter, judgement; the network is the new one if accepted, else as it was. kFull: the filter cannot be built.
  Result<HashtronJobResult> run(const HashtronJob& job);
  // Sample by sample, in their order, the first of "both as they are, the first turned, the second turned, both turned" that
  // gives the target is written down as the answers to the two neurons' keys, unless an answer written down before speaks
  // against it. Accepted if no fewer samples are right and neither filter has grown. kFull: a filter cannot be built. REQUIRES:
  // two different neurons of one layer.
  Result<HashtronPairResult> run_pair(const HashtronPairJob& job);
  // Puts neurons in place and measures anew.
  void replace(std::span<const std::pair<std::uint32_t, Hashtron>> neurons);
  // Other samples to learn from, as the stream goes on: everything is measured anew. Errors as in make().
  Result<void> learn_from(HashtronSamples train);

 private:
  HashtronTrainer(HashtronNetwork network, HashtronSamples train, HashtronSamples held_out);
  void collect(const HashtronJob& job);
  void answers_to(const Hashtron& neuron, const std::vector<std::uint32_t>& keys, std::uint32_t count);
  void turn(std::uint32_t neuron);
  void put_on_held_out(std::uint32_t neuron);
  HashtronEdge edge_of(const HashtronJob& job, const VoteTally& tally) const;

  HashtronNetwork network_;
  HashtronSamples train_samples_, held_out_samples_;
  std::optional<HashtronActivations> train_, held_out_;
  // Of the job at hand, reused: each sample's key and vote.
  std::vector<std::uint32_t> keys_;
  std::vector<std::int32_t> votes_;
  std::vector<char> marks_;
  std::vector<std::int64_t> buckets_;
  std::vector<std::uint64_t> order_, row_;
  std::vector<std::uint32_t> room_;
};

// Which neuron's job number `job` uses which salt: the same in every run of one seed.
std::uint32_t job_salt(std::uint64_t seed, std::uint32_t neuron, std::uint32_t job);
// A fresh neuron: a one-bit hash with a salt of 31 bits.
Hashtron fresh_hashtron(std::uint64_t chance);
// A network of them, in layer order. Errors: HashtronNetwork::make's.
Result<HashtronNetwork> fresh_network(const std::vector<HashtronLayer>& layers, SplitMix64& chance);

}  // namespace weir
