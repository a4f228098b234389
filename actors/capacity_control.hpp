#pragma once
// Works out each neuron's next capacity from its sums, and tells the trainer on `capacity`. [core/learning/capacity_law]
//
// The law here sees the sum as it was right after the neuron's last job, smoothed with the accepted ones before it; the trainer,
// which selects by sums measured at that moment, goes on with what it has heard and never waits.

#include <memory>

#include "actors/stage.hpp"
#include "core/base/byte_buffer.hpp"
#include "core/learning/capacity_law.hpp"
#include "core/learning/sum_cache.hpp"

namespace weir {

struct CapacityControlSettings {
  CapacitySettings law;
  bool sum_cache = true;  // Off: no smoothing; the cache goes on recording.
  PartitionId partition;
};

// kSums, in a chain behind the sum cache.
class CapacityControl final : public Stage {
 public:
  CapacityControl(std::shared_ptr<const SumCache> cache, const CapacityControlSettings& settings)
      : cache_(std::move(cache)), settings_(settings) {}

  std::string_view name() const override { return "capacity_control"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter&) override {}  // What it knows is in the cache.
  Result<void> load(const StageState&) override { return {}; }

 private:
  std::shared_ptr<const SumCache> cache_;
  CapacityControlSettings settings_;
  ByteBuffer value_;
};

}  // namespace weir
