// Goal: the order in which a task takes its inputs is a function of the inputs alone (docs/architecture.md §4).
// Invariants: per input, offsets are taken in order and each once; the running maximum of what was taken never exceeds that of
// what waits; however the records are cut into batches, the order is the same.
#include "sources/merge.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <string>
#include <tuple>

#include "core/base/rng.hpp"

namespace weir {
namespace {

// Lines are "TIME" in microseconds, or anything else for a refused line.
class TimeParser final : public LineParser {
 public:
  void parse(std::string_view line, ParseArena&, ParsedRecord& out) override {
    std::int64_t time = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), time);
    if (error != std::errc() || end != line.data() + line.size()) {
      out.kind = ParsedKind::kRefused;
      return;
    }
    out.kind = ParsedKind::kEvent;
    out.event.event_time = EventTime(time);
  }
  Result<void> header(std::string_view) override { return {}; }
  bool wants_header() const override { return false; }
};

std::unique_ptr<InputBatch> batch_of(const std::vector<std::string>& lines, std::size_t begin, std::size_t end, bool ends) {
  auto batch = std::make_unique<InputBatch>();
  for (std::size_t i = begin; i < end; ++i) batch->lines.bytes.append(lines[i]);
  std::size_t at = 0;
  for (std::size_t i = begin; i < end; ++i) {
    ParsedRecord& record = batch->parsed.emplace_back();
    record.offset = Offset(static_cast<std::int64_t>(i));
    record.line = batch->lines.bytes.view(at, lines[i].size());
    at += lines[i].size();
  }
  batch->ends = ends;
  return batch;
}

InputQueue queue_of(InputId input, Duration jump_max = std::chrono::hours(24)) {
  return InputQueue({input, true, jump_max}, std::make_unique<TimeParser>());
}

using Taken = std::vector<std::tuple<InputId, std::int64_t, ParsedKind>>;

Taken take_all(EventTimeMerge& merge) {
  Taken out;
  while (InputQueue* queue = merge.next()) {
    out.emplace_back(queue->settings().input, queue->next_offset().value, queue->peek()->kind);
    queue->pop();
  }
  return out;
}

Taken merged(const std::vector<std::string>& logs, const std::vector<std::string>& outcomes, std::size_t cut) {
  InputQueue a = queue_of(InputId::kLogs);
  InputQueue b = queue_of(InputId::kOutcomes);
  EventTimeMerge merge({&a, &b});
  Taken out;
  std::size_t i = 0;
  std::size_t j = 0;
  if (outcomes.empty()) b.push(batch_of(outcomes, 0, 0, true));
  // Batches come in turn; between them everything that can be taken is taken.
  while (i < logs.size() || j < outcomes.size()) {
    if (i < logs.size()) {
      const std::size_t end = std::min(i + cut, logs.size());
      a.push(batch_of(logs, i, end, end == logs.size()));
      i = end;
    }
    if (j < outcomes.size()) {
      const std::size_t end = std::min(j + cut, outcomes.size());
      b.push(batch_of(outcomes, j, end, end == outcomes.size()));
      j = end;
    }
    for (const auto& taken : take_all(merge)) out.push_back(taken);
    while (a.take_used() != nullptr) {
    }
  }
  EXPECT_TRUE(merge.ended());
  return out;
}

constexpr auto kEvent = ParsedKind::kEvent;
constexpr auto kRefused = ParsedKind::kRefused;

TEST(EventTimeMerge, TakesTheEarlierAndLogsFirstAtATie) {
  const Taken expected = {{InputId::kLogs, 0, kEvent},     {InputId::kLogs, 1, kEvent}, {InputId::kOutcomes, 0, kEvent},
                          {InputId::kOutcomes, 1, kEvent}, {InputId::kLogs, 2, kEvent}, {InputId::kOutcomes, 2, kEvent}};
  EXPECT_EQ(merged({"10", "20", "40"}, {"20", "30", "40"}, 3), expected);
}

TEST(EventTimeMerge, GoesByTheRunningMaximumNotByTheSingleTime) {
  // The second log record is late: it keeps its place behind the first, and does not overtake an earlier outcome.
  const Taken expected = {{InputId::kOutcomes, 0, kEvent}, {InputId::kLogs, 0, kEvent}, {InputId::kLogs, 1, kEvent},
                          {InputId::kOutcomes, 1, kEvent}};
  EXPECT_EQ(merged({"50", "10"}, {"40", "60"}, 1), expected);
}

TEST(EventTimeMerge, ARefusedLineGoesAtOnce) {
  const Taken expected = {{InputId::kLogs, 0, kEvent}, {InputId::kLogs, 1, kRefused}, {InputId::kOutcomes, 0, kEvent},
                          {InputId::kLogs, 2, kEvent}};
  EXPECT_EQ(merged({"10", "rubbish", "30"}, {"20"}, 2), expected);
}

TEST(EventTimeMerge, WaitsForAnInputUntilItIsDeclaredIdle) {
  InputQueue a = queue_of(InputId::kLogs);
  InputQueue b = queue_of(InputId::kOutcomes);
  EventTimeMerge merge({&a, &b});
  a.push(batch_of({"10", "20"}, 0, 2, false));
  EXPECT_EQ(merge.next(), nullptr);
  EXPECT_EQ(merge.waited_for(), std::vector<InputId>{InputId::kOutcomes});
  merge.set_idle(InputId::kOutcomes);
  ASSERT_EQ(merge.next(), &a);
  a.pop();
  b.push(batch_of({"5"}, 0, 1, false));  // It speaks again: from now on it is waited for.
  ASSERT_EQ(merge.next(), &b);
  b.pop();
  EXPECT_EQ(merge.next(), nullptr);
}

TEST(InputQueue, RefusesASingleJumpAndAcceptsAConfirmedOne) {
  const std::string day_later = std::to_string(90'000'000'000);
  const std::string day_later_still = std::to_string(90'000'000'001);
  const Taken single = {{InputId::kLogs, 0, kEvent}, {InputId::kLogs, 1, kRefused}, {InputId::kLogs, 2, kEvent}};
  EXPECT_EQ(merged({"10", day_later, "20"}, {}, 1), single);
  const Taken confirmed = {{InputId::kLogs, 0, kEvent}, {InputId::kLogs, 1, kEvent}, {InputId::kLogs, 2, kEvent}};
  EXPECT_EQ(merged({"10", day_later, day_later_still}, {}, 1), confirmed);
  const Taken at_the_end = {{InputId::kLogs, 0, kEvent}, {InputId::kLogs, 1, kRefused}};
  EXPECT_EQ(merged({"10", day_later}, {}, 1), at_the_end);
  const Taken first_is_free = {{InputId::kLogs, 0, kEvent}, {InputId::kLogs, 1, kEvent}};
  EXPECT_EQ(merged({day_later, "20"}, {}, 1), first_is_free);
}

TEST(InputQueue, HoldsAJumpUntilTheNextRecordHasCome) {
  InputQueue a = queue_of(InputId::kLogs);
  a.push(batch_of({"10", std::to_string(90'000'000'000)}, 0, 2, false));
  ASSERT_NE(a.peek(), nullptr);
  a.pop();
  EXPECT_EQ(a.peek(), nullptr);
  EXPECT_FALSE(a.ended());
}

class MergeProperty : public testing::TestWithParam<std::uint64_t> {};

TEST_P(MergeProperty, TheOrderDoesNotDependOnHowBatchesAreCut) {
  Rng rng(GetParam());
  const auto random_input = [&rng] {
    std::vector<std::string> lines;
    std::int64_t time = 0;
    for (int i = 0; i < 60; ++i) {
      time += static_cast<std::int64_t>(rng.below(40'000'000'000));
      const std::uint64_t kind = rng.below(12);
      if (kind == 0) lines.push_back("rubbish");
      else if (kind == 1) lines.push_back(std::to_string(time + 200'000'000'000));
      else if (kind == 2) lines.push_back(std::to_string(time / 2));
      else lines.push_back(std::to_string(time));
    }
    return lines;
  };
  const auto logs = random_input();
  const auto outcomes = random_input();
  const Taken whole = merged(logs, outcomes, 1000);
  EXPECT_EQ(whole.size(), logs.size() + outcomes.size());
  for (std::size_t cut : {1, 2, 7, 31}) EXPECT_EQ(merged(logs, outcomes, cut), whole) << "seed " << GetParam() << ", cut " << cut;
}

INSTANTIATE_TEST_SUITE_P(Seeds, MergeProperty, testing::Range<std::uint64_t>(1, 40));

}  // namespace
}  // namespace weir
