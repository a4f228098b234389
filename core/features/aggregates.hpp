#pragma once
// Aggregates by key and event time, correct at each moment: an event sees what was known before it, and nothing else.
//
// Aggregates over the same fields share one entry per key (one lookup), and within it one accumulator per (what, decay): a
// mean, a count and a rate of the same thing cost one. Events and fields are added by event(), the label by outcome(), with
// the keys of its event, once its outcome came; its age counts from then or from its event on (AgeFrom).
//
// Time: "now" is the latest time of any event or outcome so far, so nothing ever decays backwards: a late event is read as
// of that time, a late value is added with the weight it has by then.
//
// State: the entries (KeyedState, key = 8 bytes), one page for what has no key, and one that names the layout: state of
// other aggregates is refused. Owned by one stage; event(), outcome() and keys() allocate nothing once warm.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/features/event_parts.hpp"
#include "core/features/feature_spec.hpp"
#include "core/records/keyed_state.hpp"

namespace weir {

class Aggregates {
 public:
  // kConfig: which aggregate, what was found, what was expected.
  static Result<std::unique_ptr<Aggregates>> make(const FeatureSpec& spec, const EventSchema& schema, EventParts& parts,
                                                  std::size_t budget_bytes);
  ~Aggregates();

  std::size_t count() const;
  std::size_t label_key_count() const;

  // Reads every aggregate for this event, then adds the event. `out`: count() values, NaN where missing. `label_keys`:
  // label_key_count() keys for outcome(), 0 where a part is missing. `last_outcome`: of last_outcome_by; -1 if none.
  // `parts`: as read by EventParts.
  void event(const Event& event, std::span<const std::uint64_t> parts, std::span<float> out,
             std::span<std::uint64_t> label_keys, float& last_outcome);
  // Adds an outcome that came at `time` for an event of `event_time`. REQUIRES: label_keys.size() == label_key_count().
  void outcome(EventTime time, EventTime event_time, double label, std::span<const std::uint64_t> label_keys);
  // The entries that event() will look up. Any thread.
  void keys(std::span<const std::uint64_t> parts, KeyList& out) const;

  void save(StateWriter& writer);
  // kConfig if the state belongs to other aggregates.
  Result<void> load(const StageState& state);
  KeyedState& keyed();

 private:
  struct Impl;
  explicit Aggregates(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
