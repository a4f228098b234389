#include "actors/capacity_control.hpp"

#include <string>
#include <vector>

#include "core/records/neuron_records.hpp"

namespace weir {

void CapacityControl::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kSums && record.sum != nullptr && record.sum->n > 0) {
    const SumRecord& now = *record.sum;
    // A job that was not accepted has left the neuron as it was before it.
    const std::uint64_t magnitude = now.accepted != 0 ? now.magnitude()
                                                      : static_cast<std::uint64_t>(now.sum_before < 0 ? -std::int64_t{now.sum_before} : now.sum_before);
    std::uint64_t last = now.n;  // Of one that was never trained.
    for (const SumRecord& past : cache_->trend(now.neuron))
      if (past.accepted != 0) last = past.capacity;
    std::vector<std::uint64_t> history;
    if (settings_.sum_cache) {
      history = cache_->accepted_magnitudes(now.neuron, now.n, 3);
      if (now.accepted != 0 && !history.empty()) history.erase(history.begin());  // That is the one of now.
    }
    const CapacityChoice choice = next_capacity(now.n, magnitude, history, last, settings_.law);
    value_.clear();
    encode_neuron_capacity({.partition = settings_.partition,
                            .neuron = now.neuron,
                            .job = now.job,
                            .capacity = choice.capacity,
                            .clamped = choice.clamped,
                            .event_time = record.record.event_time},
                           value_);
    const std::string key = std::to_string(now.neuron);
    out.append(Topic::kCapacity, keyed_record(key, value_.view(), record.record.event_time, record.record.source));
  }
  out.emit(record);
}

}  // namespace weir
