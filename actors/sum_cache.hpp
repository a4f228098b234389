#pragma once
// Remembers what became of each neuron's last jobs: the cache that the capacity law looks at. [core/learning/sum_cache]

#include <memory>
#include <vector>

#include "actors/stage.hpp"
#include "core/learning/sum_cache.hpp"
#include "core/records/neuron_records.hpp"

namespace weir {

// A job's record for the topic `sums`, and back. False: it names a regime or a reason that there is not.
NeuronSum neuron_sum_of(const SumRecord& record, PartitionId partition, EventTime time);
bool sum_record_of(const NeuronSum& sum, SumRecord& out);

// Keeps a cache in a stage's state: an entry for each place of each neuron's ring, written when it is taken.
class SumCacheState {
 public:
  explicit SumCacheState(std::uint32_t neurons, std::uint32_t ring) : ring_(ring), next_(neurons) {}

  void added(const SumRecord& record);
  void save(StateWriter& writer);
  // Adds what is there to `cache`, which is empty.
  Result<void> load(const StageState& state, SumCache& cache);

 private:
  struct Entry {
    std::uint32_t slot;
    SumRecord record;
  };
  std::uint32_t ring_;
  std::vector<std::uint32_t> next_;  // By neuron: which place of its ring the next record takes.
  std::vector<Entry> unsaved_;
};

// kSums: decodes, keeps, sets RecordView::sum and passes it on. The cache is shared with the stages behind it.
class SumCacheStage final : public Stage {
 public:
  explicit SumCacheStage(std::shared_ptr<SumCache> cache)
      : cache_(std::move(cache)), state_(cache_->neurons(), cache_->ring()) {}

  std::string_view name() const override { return "sum_cache"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override { state_.save(writer); }
  Result<void> load(const StageState& state) override { return state_.load(state, *cache_); }

 private:
  std::shared_ptr<SumCache> cache_;
  SumCacheState state_;
  SumRecord record_;
};

}  // namespace weir
