// Goal: once warm, neither storing a row nor joining it nor what falls due on the way allocates.

#include <gtest/gtest.h>

#include <charconv>
#include <vector>

#include "actors/outcome_join.hpp"
#include "tests/support/allocation_counter.hpp"

namespace weir {
namespace {

struct WarmOutput final : Output {
  void emit(RecordView&) override {}
  void feed_back(InputId, RecordView&) override {}
  void append(Topic topic, const Record& record) override { transaction.append(topic, record); }
  void fail(Error error) override { ADD_FAILURE() << error.what; }
  Transaction transaction;
};

TEST(OutcomeJoin, AllocatesNothingOnceWarm) {
  OutcomeJoinSettings settings;
  settings.wait = Duration(1000);
  OutcomeJoin join(settings);
  WarmOutput out;
  StateChanges changes;
  const std::vector<float> dense(20, 0.5f), values(20, 1.0f);
  const std::vector<std::uint32_t> indices(20, 7);
  const Sample sample{dense, indices, values};
  std::uint64_t commits = 0;
  std::uint64_t allocated = 0;
  constexpr std::int64_t kDelay = 200;
  for (std::int64_t n = 100000; n < 130000; ++n) {
    char text[20];
    const auto id = [&](std::int64_t value) {
      return Id{{text, static_cast<std::size_t>(std::to_chars(text, text + 20, value).ptr - text)}, true};
    };
    Prediction prediction;
    Event event;
    event.id = id(n);
    event.event_time = EventTime(n);
    RecordView row;
    row.source = {"p.logs", PartitionId(0), Offset(n)};
    row.event = &event;
    row.sample = &sample;
    row.prediction = &prediction;
    const std::uint64_t before = allocations_on_this_thread();
    join.process(InputId::kLogs, row, out);
    if (n % 30 != 0) {
      const Outcome outcome{id(n - kDelay), EventTime(n), 1.0};
      RecordView view;
      view.source = {"p.outcomes", PartitionId(0), Offset(n)};
      view.outcome = &outcome;
      join.process(InputId::kOutcomes, view, out);
    }
    if (n >= 120000) allocated += allocations_on_this_thread() - before;
    if (n % 100 == 0) {
      StateWriter writer(changes, "outcome_join/", CommitId(++commits));
      join.save(writer);
      join.keyed()->committed(CommitId(commits));
      changes.clear();
      out.transaction.clear();
    }
  }
  EXPECT_EQ(allocated, 0u);
  EXPECT_GT(join.counts().labelled, 25000u);
}

}  // namespace
}  // namespace weir
