#pragma once
// Joins outcomes to predictions by id, in event time: the last stage of the inference chain.
//
// An event's row waits for its outcome, an outcome that comes first for its event, both up to `wait` (by the running maximum
// of event time) and `rows_max` (the oldest go first). Each settled outcome gives one record: on `examples`, or on `unjoined`:
//   duplicate  its id is joined already, or an outcome for it waits     expired    its row had passed a bound
//   unmatched  it waited the bound without an event
// (`invalid` and `no_id` end in ingestion.) After joining or expiry a mark stays for `wait`; then the id is unknown. Ids are
// the same if their text is: 5 joins "5".
// An event whose id waits or is marked is not joined; its Prediction::duplicate is set (the gate publishes after this stage is
// done). An event whose line carries its label is an example at once: the outcome is the line itself (source and time are the event's), unless an
// outcome for it waits already: then that one counts.
// An example is appended to `examples` (key: id; source: the outcome's) and fed back through the chain as kExamples.
//
// Rows, waiting outcomes and the queues' pages are keyed entries: what the budget does not hold is in the store. So are the oldest
// marks, where they are more than an index by hash has room for (MarkIndex, three eighths of the budget); the others stand in the
// pages of their queue alone, and cost neither a write nor a question to the store. One bit per queued row stays resident.

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "actors/expiry_queue.hpp"
#include "actors/mark_index.hpp"
#include "actors/stage.hpp"
#include "core/base/clock.hpp"
#include "core/records/codec.hpp"

namespace weir {

struct OutcomeJoinSettings {
  Duration wait = std::chrono::hours(24);
  std::uint64_t rows_max = 1'000'000;   // Waiting rows and outcomes together.
  TaskKind task = TaskKind::kClassification;
  std::size_t budget_bytes = std::size_t(16) << 20;
  ValueFormats formats;
};

// Since the first offset, but for the two that wait; part of the state.
struct OutcomeJoinCounts {
  std::uint64_t labelled = 0;           // Examples.
  std::uint64_t labelled_in_line = 0;   // Of these: the label came with the event.
  std::uint64_t rows_waiting = 0;
  std::uint64_t outcomes_waiting = 0;
  std::uint64_t duplicate_events = 0;
  std::array<std::uint64_t, kUnjoinedReasonCount> unjoined{};  // By reason; `invalid` and `no_id` are ingestion's.
  double loss_sum = 0.0;                // Over `labelled`: log-loss of the published probability; regression: squared error.
  bool operator==(const OutcomeJoinCounts&) const = default;
};

class OutcomeJoin final : public Stage {
 public:
  explicit OutcomeJoin(const OutcomeJoinSettings& settings);

  std::string_view name() const override { return "outcome_join"; }
  void process(InputId input, RecordView& record, Output& out) override;
  void save(StateWriter& writer) override;
  Result<void> load(const StageState& state) override;
  void keys(InputId input, const RecordView& record, KeyList& out) const override;
  KeyedState* keyed() override { return &entries_; }

  const OutcomeJoinCounts& counts() const { return counts_; }
  // The sources of the outcomes that wait, as of the last commit.
  Result<void> waiting_outcomes(const std::function<void(const Source&)>& fn) const;

 private:
  // One bit per item of the waiting queue: it has been joined, its place in the queue means nothing any more.
  class JoinedBits {
   public:
    void reach(std::uint64_t tail);       // There are items up to `tail`.
    void set(std::uint64_t serial);
    bool test(std::uint64_t serial) const;
    void drop_below(std::uint64_t head);
    void save(StateWriter& writer);
    Result<void> load(const StageState& state, std::uint64_t head, std::uint64_t tail);

   private:
    static constexpr std::uint64_t kPageBits = 4096;
    struct Page {
      std::array<std::uint64_t, kPageBits / 64> words{};
      bool changed = false;
      bool stored = false;
    };
    Page& page_of(std::uint64_t serial) { return pages_[static_cast<std::size_t>(serial / kPageBits % pages_.size())]; }
    std::vector<Page> pages_{1};          // A ring over [begin_, end_), by page number.
    std::uint64_t begin_ = 0, end_ = 0;   // Page numbers.
    std::vector<std::uint64_t> changed_;  // Page numbers; may name pages that are gone.
    std::vector<std::uint64_t> gone_;     // Stored ones that are gone.
  };

  void on_event(RecordView& record, Output& out);
  void on_outcome(RecordView& record, Output& out);
  void advance(EventTime time, Output& out);
  void settle_oldest(Output& out);        // REQUIRES: waiting_.front() gave one. Expires it, or drops it if joined.
  void bound_rows(Output& out);
  // What stands under an id: a waiting row or outcome, or a mark.
  struct Known {
    char kind;
    KeyedState::Found entry;              // Of what waits, and of a mark that is one.
  };
  Known look_up(const Id& id, std::string_view key);
  // In place of the entry under `key`, if there is one.
  void make_mark(std::string_view key, std::string_view id, char kind);
  void store_oldest_marks(bool may_be_entries = false);  // Those of a page become entries, if they are none already.
  void pop_joined();                      // Those that were joined while they stood in front.
  void make_row(const RecordView& record);  // Into bytes_.
  void publish_example(Output& out);      // The one in bytes_.
  void unjoin(UnjoinedReason reason, const Id& id, double label, EventTime time, const Source& source, Output& out);
  std::string_view key_of(const Id& id);  // In key_; valid until the next call.
  void check(Output& out);

  OutcomeJoinSettings settings_;
  OutcomeJoinCounts counts_;
  bool started_ = false;                  // clock_ means something.
  EventTime clock_;                       // Running maximum of the event times of events and outcomes.
  KeyedState entries_;
  ExpiryQueue waiting_;
  ExpiryQueue marks_;
  MarkIndex mark_index_;                  // Of the marks from this serial on; those before it are entries.
  std::uint64_t marks_indexed_from_ = 0;
  KeyList oldest_;                        // Of store_oldest_marks(): kind and id.
  JoinedBits joined_;
  bool changed_ = false;

  ByteBuffer key_;
  ByteBuffer bytes_;                      // A row; with its outcome appended, an example.
  ByteBuffer value_;
  ExampleScratch scratch_;
};

}  // namespace weir
