#pragma once
// A stage: one step of a pipeline, a deterministic function of its input records and its state. Free of CAF and threads.

#include <memory>
#include <optional>
#include <string_view>

#include "core/base/result.hpp"
#include "core/records/event.hpp"
#include "core/records/keyed_state.hpp"
#include "core/records/transaction.hpp"

namespace weir {

struct SumRecord;  // core/learning/sum_cache.hpp

// One record on its way through a chain; each stage reads what those before it set and adds its own.
struct RecordView {
  Source source;                          // Where the record was read from.
  Record record;                          // Its bytes; for kLogs and kOutcomes the parsed line is what counts.
  const ParsedRecord* parsed = nullptr;   // kLogs, kOutcomes.
  const Event* event = nullptr;           // Set by ingestion.
  const Outcome* outcome = nullptr;       // Set by ingestion.
  const Sample* sample = nullptr;         // Set by normalization, with how many records its moments hold, this one included …
  double moments_weight = 0.0;            // … (their weight, where they fade).
  Prediction* prediction = nullptr;       // Set by predictor, completed by gate.
  const Example* example = nullptr;       // kExamples.
  const SumRecord* sum = nullptr;         // kSums: set by sum_cache.
  std::span<const float> features;        // Set by features: one value per declared aggregate.
  std::span<const std::uint64_t> feature_hashes;  // Set by features: one per declared cross (0: a part is missing).
  std::span<const std::uint64_t> label_keys;      // Set by features, for the row.
  float last_outcome = -1.0f;                     // Set by features, for the row.
};

class Output;

class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::string_view name() const = 0;  // Its prefix in the task's state; never changes.

  // Handles the record and passes it on by out.emit(), or ends its way by not doing so. Allocates nothing once warm.
  virtual void process(InputId input, RecordView& record, Output& out) = 0;

  // Counted work for a turn without input; returns the steps done, at most `steps`.
  virtual std::uint64_t idle(std::uint64_t steps, Output& out) { return static_cast<void>(steps), static_cast<void>(out), 0; }

  // Writes what changed since the last save, in small pages.
  virtual void save(StateWriter& writer) = 0;
  // From committed state; nothing there means a fresh start.
  virtual Result<void> load(const StageState& state) = 0;

  // Keyed entries that process() will look up for this record: fetched ahead, off the tick.
  virtual void keys(InputId input, const RecordView& record, KeyList& out) const {
    static_cast<void>(input), static_cast<void>(record), static_cast<void>(out);
  }
  // The stage's keyed entries, if it has any: the task gives it fetched entries and tells it of commits.
  virtual KeyedState* keyed() { return nullptr; }
};

// A record with a key, as stages append them. The views must outlive it.
inline Record keyed_record(std::string_view key, std::string_view value, EventTime event_time, const Source& source) {
  return {.key = key, .has_key = true, .value = value, .event_time = event_time, .source = source};
}

// What a stage writes to: the next stage and the task's open transaction.
class Output {
 public:
  virtual ~Output() = default;
  virtual void emit(RecordView& record) = 0;               // To the next stage of the chain, at once.
  virtual void feed_back(InputId input, RecordView& record) = 0;  // Through the whole chain, as input `input`, at once.
  virtual void append(Topic topic, const Record& record) = 0;
  virtual void fail(Error error) = 0;  // The task stops with it after this record. The first one counts.
};

}  // namespace weir
