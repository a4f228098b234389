// Goal: the task's loop round a trivial chain, driven by hand on this thread over the memory log.
// Invariants: each input record gives exactly one output, in order, across restarts at any point; a transaction holds what was
// processed and nothing else; at most one commit is in flight and the open transaction is bounded.
#include "actors/runtime/task_runner.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/base/rng.hpp"
#include "storage/memory_log.hpp"

namespace weir {
namespace {

std::string line(int id, int seconds) { return "{\"id\":" + std::to_string(id) + ",\"ts\":" + std::to_string(seconds) + "}"; }

// Numbers each record it sees, and remembers the count.
class Counting final : public Stage {
 public:
  std::string_view name() const override { return "counting"; }
  void process(InputId input, RecordView& view, Output& out) override {
    if (view.parsed != nullptr && view.parsed->line == line(666, 2) && view.parsed->kind != ParsedKind::kRefused)
      return out.fail({ErrorCode::kUnavailable, "poison"});
    ++count_;
    const std::string value = std::string(name_of(input)) + " " + std::string(view.record.value) + " " + std::to_string(count_) +
                              (view.parsed != nullptr && view.parsed->kind == ParsedKind::kRefused
                                   ? " " + std::string(name_of(view.parsed->refusal.reason))
                                   : "");
    Record record;
    record.value = value;
    record.source = view.source;
    out.append(Topic::kPredictions, record);
  }
  void save(StateWriter& writer) override { writer.put("count", std::to_string(count_)); }
  Result<void> load(const StageState& state) override {
    std::string value;
    TRY_ASSIGN(const bool found, state.get("count", value));
    count_ = found ? std::stoull(value) : 0;
    return {};
  }
  std::uint64_t count() const { return count_; }

 private:
  std::uint64_t count_ = 0;
};

EventSchema schema() {
  EventSchema s;
  s.id = "id";
  s.time = "ts";
  s.time_format = TimeFormat::kSeconds;
  return s;
}

TaskPlan plan_of(OrderPolicy order) {
  TaskPlan plan;
  plan.name = "inference";
  plan.order = order;
  plan.commit_interval = Duration(0);
  plan.make_chain = []() -> Result<Chain> {
    Chain chain;
    auto stage = std::make_unique<Counting>();
    chain.count = [counting = stage.get()](TaskCounts& counts) { counts.predicted = counting->count(); };
    chain.stages.push_back(std::move(stage));
    return chain;
  };
  for (const Topic topic : {Topic::kLogs, Topic::kOutcomes}) {
    InputPlan input;
    input.input = topic == Topic::kLogs ? InputId::kLogs : InputId::kOutcomes;
    input.topic = topic;
    input.topic_name = std::string(short_name(topic));
    input.schema = schema();
    input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
    plan.inputs.push_back(input);
  }
  return plan;
}

class RunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const Topic topic : {Topic::kLogs, Topic::kOutcomes, Topic::kPredictions})
      ASSERT_TRUE(log->create({topic, std::string(short_name(topic)), 1, {}}).ok());
    producer = std::move(*log->open_task({"producer", PartitionId(0)}));
    ASSERT_TRUE(producer->recover().ok());
  }
  void produce(Topic topic, const std::vector<std::string>& lines) {
    Transaction t;
    for (const std::string& line : lines) {
      Record record;
      record.value = line;
      t.append(topic, record);
    }
    ASSERT_TRUE(producer->commit(t).ok());
  }
  void end(TaskPlan& plan) {
    for (InputPlan& input : plan.inputs) *input.ends_at = (*log->describe(input.topic)).partitions[0].end.value;
  }
  // Reads, runs and commits on this thread, at most `turns` turns.
  Result<Turn> drive(TaskRunner& runner, int turns = 1000) {
    Turn turn = Turn::kProgress;
    for (int i = 0; i < turns && turn != Turn::kEnded; ++i) {
      for (std::size_t r = 0; r < runner.readers(); ++r) TRY(runner.reader(r).step(Duration(0)));
      TRY_ASSIGN(turn, runner.turn());
      TRY(runner.commit_step(Duration(0)));
    }
    return turn;
  }
  std::vector<std::string> published() {
    std::vector<std::string> out;
    auto reader = std::move(*log->open_reader(Topic::kPredictions, PartitionId(0), Offset(0)));
    while (const auto batch = *reader->poll(Duration(0)))
      batch->for_each([&](Offset, const Record& record) { out.emplace_back(record.value); });
    return out;
  }

  ManualClock clock;
  std::unique_ptr<MemoryLog> log = make_memory_log("test", clock);
  std::unique_ptr<TaskStore> producer;
  TaskStatus status;
};

TEST_F(RunnerTest, MergesByEventTimeAndEndsWithItsSources) {
  TaskPlan plan = plan_of(OrderPolicy::kEventTime);
  produce(Topic::kLogs, {line(1, 10), line(2, 30)});
  produce(Topic::kOutcomes, {line(1, 20), line(2, 30)});
  end(plan);
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  const auto turn = drive(runner);
  ASSERT_TRUE(turn.ok()) << turn.error().what;
  EXPECT_EQ(*turn, Turn::kEnded);
  EXPECT_EQ(published(), (std::vector<std::string>{"logs " + line(1, 10) + " 1", "outcomes " + line(1, 20) + " 2",
                                                   "logs " + line(2, 30) + " 3", "outcomes " + line(2, 30) + " 4"}));
}

// What a runner that dies has processed and not committed is counted by the next one alone.
// Its sources have ended: it says so once, idles no more, and ends when the feedback has.
TEST_F(RunnerTest, IsDrainedBeforeItEndsAndIdlesNoMore) {
  ASSERT_TRUE(log->create({Topic::kModels, "models", 1, {}}).ok());
  TaskPlan plan = plan_of(OrderPolicy::kEventTime);
  plan.idle_steps = 3;
  plan.make_chain = []() -> Result<Chain> {
    class Idle final : public Stage {
     public:
      std::string_view name() const override { return "idle"; }
      void process(InputId, RecordView&, Output&) override {}
      std::uint64_t idle(std::uint64_t steps, Output&) override { return steps; }  // There is always more to do.
      void save(StateWriter&) override {}
      Result<void> load(const StageState&) override { return {}; }
    };
    Chain chain;
    chain.stages.push_back(std::make_unique<Idle>());
    return chain;
  };
  InputPlan& models = plan.inputs.emplace_back();
  models.input = InputId::kModels;
  models.topic = Topic::kModels;
  models.topic_name = "models";
  models.parsed = models.waited = false;
  models.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
  produce(Topic::kLogs, {line(1, 10)});
  produce(Topic::kOutcomes, {line(1, 20)});
  for (InputPlan& input : plan.inputs)
    if (input.waited) *input.ends_at = 1;
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  const auto turns = [&] {
    std::vector<Turn> out;
    for (int i = 0; i < 30 && (out.empty() || out.back() != Turn::kEnded); ++i) {
      for (std::size_t r = 0; r < runner.readers(); ++r) EXPECT_TRUE(runner.reader(r).step(Duration(0)).ok());
      out.push_back(*runner.turn());
      EXPECT_TRUE(runner.commit_step(Duration(0)).ok());
    }
    return out;
  };
  const std::vector<Turn> first = turns();
  EXPECT_EQ(std::ranges::count(first, Turn::kDrained), 1);
  EXPECT_EQ(std::ranges::count(first, Turn::kEnded), 0);
  EXPECT_EQ(first.back(), Turn::kWait);
  produce(Topic::kModels, {"a version"});
  turns();
  EXPECT_EQ(status.consumed(InputId::kModels, PartitionId(0)), Offset(1));  // What comes now is still taken.
  *plan.inputs.back().ends_at = 1;
  const std::vector<Turn> last = turns();
  EXPECT_EQ(last.back(), Turn::kEnded);
  EXPECT_EQ(std::ranges::count(last, Turn::kDrained), 0);
}

// 2,000 logs, one a second, and the outcome of each 1,000 seconds later, all of it there at the start.
TEST_F(RunnerTest, ByArrivalMeetsWhatItFindsInTheOrderInWhichItCame) {
  const auto produce_from = [&](Topic topic, int seconds) {
    for (int piece = 0; piece < 8; ++piece) {
      Transaction t;
      for (int id = 250 * piece; id < 250 * (piece + 1); ++id) {
        const std::string text = line(id, seconds + id);
        Record record;
        record.value = text;
        record.event_time = EventTime(1'000'000LL * (seconds + id));
        t.append(topic, record);
      }
      ASSERT_TRUE(producer->commit(t).ok());
    }
  };
  produce_from(Topic::kLogs, 1000);
  produce_from(Topic::kOutcomes, 2000);
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  end(plan);
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(runner.reader(0).step(Duration(0)).ok());  // The outcomes come later.
  const auto turn = drive(runner, 10000);
  ASSERT_TRUE(turn.ok()) << turn.error().what;
  ASSERT_EQ(*turn, Turn::kEnded);
  int ahead = 0, ahead_max = 0;
  for (const std::string& text : published()) {
    ahead += text.starts_with("logs ") ? 1 : -1;
    ahead_max = std::max(ahead_max, ahead);
  }
  EXPECT_EQ(ahead, 0);
  EXPECT_GE(ahead_max, 1000);
  EXPECT_LE(ahead_max, 1000 + 256);
}

// Whatever the clocks of two topics say, none waits for ever.
TEST_F(RunnerTest, ByArrivalAnInputOfTheFutureIsReadAllTheSame) {
  const auto produce_all = [&](Topic topic, int count, std::int64_t us) {
    Transaction t;
    for (int i = 0; i < count; ++i) {
      const std::string text = line(i, 5);
      Record record;
      record.value = text;
      record.event_time = EventTime(us);
      t.append(topic, record);
    }
    ASSERT_TRUE(producer->commit(t).ok());
  };
  constexpr int kRuns = 200;
  produce_all(Topic::kLogs, kRuns * 256, 1'000'000);
  produce_all(Topic::kOutcomes, 1000, 4'000'000'000'000'000);
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  end(plan);
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  const auto turn = drive(runner, 10000);
  ASSERT_TRUE(turn.ok()) << turn.error().what;
  int logs = 0, outcomes_before_the_last_log = 0;
  for (const std::string& text : published()) {
    const bool is_log = text.starts_with("logs ");
    logs += is_log ? 1 : 0;
    outcomes_before_the_last_log += !is_log && logs < kRuns * 256 ? 1 : 0;
  }
  EXPECT_EQ(outcomes_before_the_last_log, kRuns / 64 * 256);
}

TEST_F(RunnerTest, CountsWhatItHasCommittedAndTellsWhatItLags) {
  const TaskPlan plan = plan_of(OrderPolicy::kArrival);
  const InputStatus& logs = status.inputs.of(InputId::kLogs, PartitionId(0), "logs");
  const auto lag = [&] { return logs.lag(clock.wall_us()); };
  const auto committed = [&] { return status.counts.records[static_cast<std::size_t>(InputId::kLogs)].load(); };
  clock.advance(std::chrono::hours(1));
  {
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    EXPECT_EQ(lag().records, 0u);
    clock.advance(std::chrono::minutes(10));
    ASSERT_TRUE(runner.reader(0).step(Duration(0)).ok());  // The end: nothing waits.
    produce(Topic::kLogs, {line(1, 1), line(2, 2), line(3, 3)});
    clock.advance(std::chrono::seconds(2));
    ASSERT_TRUE(runner.reader(0).step(Duration(0)).ok());
    EXPECT_EQ(lag().records, 3u);
    EXPECT_EQ(lag().seconds, 2.0);
    ASSERT_TRUE(runner.turn().ok());  // Processed, handed over.
    EXPECT_EQ(lag().records, 3u);
    EXPECT_EQ(committed(), 0u);
    ASSERT_TRUE(runner.commit_step(Duration(0)).ok());
    ASSERT_TRUE(runner.turn().ok());
    EXPECT_EQ(lag().records, 0u);
    EXPECT_EQ(lag().seconds, 0.0);
    EXPECT_EQ(committed(), 3u);
    EXPECT_EQ(status.counts.predicted.load(), 3u);
    EXPECT_EQ(status.commit.count(), 1u);
    EXPECT_EQ(status.acked.count(), 3u);

    produce(Topic::kLogs, {line(4, 4), line(5, 5)});
    ASSERT_TRUE(runner.reader(0).step(Duration(0)).ok());
    ASSERT_TRUE(runner.turn().ok());  // And it is gone before they are committed.
  }
  EXPECT_EQ(committed(), 3u);
  clock.advance(std::chrono::seconds(5));
  TaskRunner again(plan, *log, clock, status);
  ASSERT_TRUE(again.open().ok());
  const auto turn = drive(again, 20);
  ASSERT_TRUE(turn.ok()) << turn.error().what;
  EXPECT_EQ(committed(), 5u);
  EXPECT_EQ(status.counts.predicted.load(), 5u);
  EXPECT_EQ(lag().records, 0u);
}

// Read by nobody yet: the end of the topic tells.
TEST(InputStatus, CountsWhatItsReaderHasNotTakenByOffsets) {
  InputStatus input(InputId::kLogs, PartitionId(0), "t");
  input.begin(1'000'000, Offset(100), 7);
  EXPECT_EQ(input.next(), Offset(100));
  input.read(10, Offset(110), Offset(150));
  EXPECT_EQ(input.lag(3'000'000).records, 50u);
  EXPECT_EQ(input.lag(3'000'000).seconds, 2.0);
  input.committed(10, 2'500'000, Offset(110));
  EXPECT_EQ(input.next(), Offset(110));
  EXPECT_EQ(input.lag(3'000'000).records, 40u);
  EXPECT_EQ(input.lag(3'000'000).seconds, 0.5);  // What is left was appended later than that.
  input.read(0, Offset(150), Offset(140));  // An end that was heard of before is no negative lag.
  EXPECT_EQ(input.lag(3'000'000).records, 0u);
  input.read(1, Offset(151), Offset(152));
  input.at_end(4'000'000);  // Control records behind the last one, but that one is not committed.
  EXPECT_EQ(input.lag(5'000'000).records, 1u);
  EXPECT_EQ(input.lag(5'000'000).seconds, 2.5);
  input.committed(11, 4'500'000, Offset(151));
  EXPECT_EQ(input.lag(5'000'000).records, 0u);
  input.at_end(6'000'000);
  input.read(1, Offset(153), Offset(153));
  EXPECT_EQ(input.lag(6'250'000).seconds, 0.25);
  input.lose(5);
  EXPECT_EQ(input.lost(), 12u);
  input.begin(7'000'000, Offset(110), 7);  // A new run knows nothing of what the last one did not commit.
  EXPECT_EQ(input.lag(9'000'000).records, 0u);
  EXPECT_EQ(input.next(), Offset(110));
  EXPECT_EQ(input.lost(), 7u);
}

TEST_F(RunnerTest, GoesOnAfterAnIdleInputOnlyWhenItsTimeoutHasPassed) {
  TaskPlan plan = plan_of(OrderPolicy::kEventTime);
  plan.idle_timeout = std::chrono::seconds(10);
  produce(Topic::kLogs, {line(1, 10)});
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  clock.advance(std::chrono::seconds(1));
  ASSERT_TRUE(drive(runner, 20).ok());
  EXPECT_TRUE(published().empty());
  clock.advance(std::chrono::seconds(11));
  ASSERT_TRUE(drive(runner, 20).ok());
  EXPECT_EQ(published().size(), 1U);
}

// Not so long as an end is not confirmed, or something may be taken: then waiting records are a stall.
TEST_F(RunnerTest, RestsOnlyWhereSilentInputsAreWaitedFor) {
  TaskPlan plan = plan_of(OrderPolicy::kEventTime);
  plan.idle_timeout = Duration(-1);
  produce(Topic::kLogs, {line(1, 10), line(2, 30)});
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  clock.advance(std::chrono::seconds(1));
  ASSERT_TRUE(runner.reader(0).step(Duration(0)).ok());
  ASSERT_TRUE(runner.turn().ok());
  EXPECT_EQ(status.waiting, 2u);
  EXPECT_FALSE(status.rests) << "nobody has looked for outcomes yet";
  ASSERT_TRUE(runner.reader(1).step(Duration(0)).ok());
  ASSERT_TRUE(runner.turn().ok());
  EXPECT_TRUE(status.rests);
  produce(Topic::kOutcomes, {line(1, 20)});
  ASSERT_TRUE(runner.reader(1).step(Duration(0)).ok());
  ASSERT_TRUE(runner.turn().ok());  // Takes the first event, then the outcome.
  EXPECT_FALSE(status.rests);
  ASSERT_TRUE(drive(runner, 5).ok());
  EXPECT_TRUE(status.rests);
  EXPECT_EQ(published().size(), 2u);
}

TEST_F(RunnerTest, StopsReadingWhenTheCommitterIsBehind) {
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  plan.transaction_bytes_max = 2000;
  std::vector<std::string> lines;
  for (int i = 0; i < 5000; ++i) lines.push_back(line(i, i));
  for (int i = 0; i < 10; ++i) produce(Topic::kLogs, lines);
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  for (int i = 0; i < 200; ++i) {  // Nobody commits.
    for (std::size_t r = 0; r < runner.readers(); ++r) ASSERT_TRUE(runner.reader(r).step(Duration(0)).ok());
    ASSERT_TRUE(runner.turn().ok());
  }
  EXPECT_LT(status.records.load(), 200U) << "one transaction in flight, one bounded: the rest waits in the log";
  EXPECT_TRUE(drive(runner, 5000).ok());
  EXPECT_EQ(published().size(), 50'000U);
}

TEST_F(RunnerTest, ARecordThatKillsItsTaskIsRefusedInTheEnd) {
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  produce(Topic::kLogs, {line(1, 1), line(2, 2), line(666, 2), line(3, 3)});
  end(plan);
  int starts = 0;
  for (;; ++starts) {
    ASSERT_LT(starts, 12);
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    const auto turn = drive(runner);
    if (turn.ok() && *turn == Turn::kEnded) break;
  }
  EXPECT_EQ(starts, 6);
  EXPECT_EQ(published(), (std::vector<std::string>{"logs " + line(1, 1) + " 1", "logs " + line(2, 2) + " 2", "logs " + line(666, 2) + " 3 poison",
                                                   "logs " + line(3, 3) + " 4"}));
}

TEST_F(RunnerTest, TheOtherInputsRecordsDoNotHideThePoison) {
  // By arrival another input's record may be the first of each start, and be committed: the culprit's count must live through it.
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  produce(Topic::kLogs, {line(666, 2), line(7, 7)});
  int starts = 0;
  for (;; ++starts) {
    ASSERT_LT(starts, 12);
    produce(Topic::kOutcomes, {line(1000 + starts, 1)});
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    if (drive(runner, 50).ok()) break;
  }
  EXPECT_EQ(starts, 5);
  std::vector<std::string> logs;
  std::size_t outcomes = 0;
  for (const std::string& value : published()) {
    if (value.starts_with("logs ")) {
      logs.push_back(value);
    } else {
      ++outcomes;
      EXPECT_EQ(value.find("poison"), std::string::npos) << value;
    }
  }
  EXPECT_EQ(outcomes, 6U);
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_TRUE(logs[0].starts_with("logs " + line(666, 2)) && logs[0].ends_with(" poison")) << logs[0];
  EXPECT_TRUE(logs[1].starts_with("logs " + line(7, 7)) && !logs[1].ends_with(" poison")) << logs[1];
}

// Runs `look` at each record.
class Looking final : public Stage {
 public:
  explicit Looking(std::function<void()> look) : look_(std::move(look)) {}
  std::string_view name() const override { return "looking"; }
  void process(InputId, RecordView& view, Output& out) override {
    look_();
    out.emit(view);
  }
  void save(StateWriter&) override {}
  Result<void> load(const StageState&) override { return {}; }

 private:
  std::function<void()> look_;
};

TEST_F(RunnerTest, AfterACrashTasksTakeTurnsWithTheirUncommittedRecord) {
  // Else a record that ends the process is blamed on another task's record, too.
  const auto careful = std::make_shared<std::mutex>();
  const auto is_free = [&] {
    bool free = false;
    std::thread([&] { free = careful->try_lock(), free ? careful->unlock() : void(); }).join();
    return free;
  };
  int seen = 0;
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  plan.careful = careful;
  plan.make_chain = [&]() -> Result<Chain> {
    Chain chain;
    chain.stages.push_back(std::make_unique<Looking>([&] {
      ++seen;
      EXPECT_FALSE(is_free());
    }));
    chain.stages.push_back(std::make_unique<Counting>());
    return chain;
  };
  produce(Topic::kLogs, {line(1, 1), line(2, 2), line(3, 3)});
  end(plan);
  {
    auto store = std::move(*log->open_task({"inference", PartitionId(0)}));
    ASSERT_TRUE(store->recover().ok());
    for (int start = 0; start < 2; ++start) ASSERT_TRUE(store->count_attempt(InputId::kLogs).ok());
  }
  TaskRunner runner(plan, *log, clock, status);
  ASSERT_TRUE(runner.open().ok());
  for (int i = 0; i < 100 && seen < 3; ++i) {
    ASSERT_TRUE(drive(runner, 1).ok());
    EXPECT_TRUE(is_free());
    EXPECT_EQ(published().size(), static_cast<std::size_t>(seen));
  }
  EXPECT_EQ(seen, 3);
}

// What a crash leaves in question: after one start that did not come far two small transactions; after two the first records of each
// input not at all, so that the one that ends the process comes first at the next start.
TEST_F(RunnerTest, AfterACrashFewRecordsAreUncommittedAndThenNone) {
  std::vector<std::string> lines;
  for (int i = 0; i < 3000; ++i) lines.push_back(line(i, i));
  for (std::uint32_t attempts = 0; attempts < 4; ++attempts) {
    SCOPED_TRACE(attempts);
    log = make_memory_log("test", clock);
    SetUp();
    produce(Topic::kLogs, lines);
    produce(Topic::kOutcomes, lines);
    {
      auto store = std::move(*log->open_task({"inference", PartitionId(0)}));
      ASSERT_TRUE(store->recover().ok());
      for (std::uint32_t i = 0; i < attempts; ++i) ASSERT_TRUE(store->count_attempt(InputId::kOutcomes).ok());
    }
    std::int64_t seen = 0, uncommitted_max = 0, alone = 0;
    bool still_alone = true;
    TaskPlan plan = plan_of(OrderPolicy::kArrival);
    plan.commit_interval = std::chrono::hours(1);
    plan.make_chain = [&]() -> Result<Chain> {
      Chain chain;
      chain.stages.push_back(std::make_unique<Looking>([&] {
        const std::int64_t uncommitted = seen++ - (*log->describe(Topic::kPredictions)).partitions[0].end.value;
        uncommitted_max = std::max(uncommitted_max, uncommitted);
        still_alone = still_alone && uncommitted == 0;
        alone += still_alone;
      }));
      chain.stages.push_back(std::make_unique<Counting>());
      return chain;
    };
    end(plan);
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    const std::uint64_t commits = status.commits;
    Turn turn = Turn::kProgress;
    for (int i = 0; i < 20'000 && turn != Turn::kEnded; ++i) {  // The committer is one turn late: as much as may be is uncommitted.
      for (std::size_t r = 0; r < runner.readers(); ++r) ASSERT_TRUE(runner.reader(r).step(Duration(0)).ok());
      turn = *runner.turn();
      if (i % 2 == 0) {
        ASSERT_TRUE(runner.commit_step(Duration(0)).ok());
      }
    }
    ASSERT_EQ(turn, Turn::kEnded);
    EXPECT_EQ(seen, 6000);
    if (attempts == 0) {
      EXPECT_GT(uncommitted_max, 1000);
    } else {
      EXPECT_LT(uncommitted_max, 256);
    }
    // Of both inputs 256, by turns of 256; then the first small transaction.
    EXPECT_EQ(alone, attempts < 2 ? 1 : 2 * 256 + 1);
    EXPECT_LE(status.commits - commits, attempts == 0 ? 3u : attempts == 1 ? 6000u / 128 + 2 : 512u + 6000u / 128 + 2);
  }
}

// The record that ends each start is found in a few, wherever it is, for a small number of commits, and no other is blamed.
TEST_F(RunnerTest, APoisonAmongManyIsFoundInAFewSmallSteps) {
  constexpr int kCount = 3000;
  for (const OrderPolicy order : {OrderPolicy::kArrival, OrderPolicy::kEventTime})
    for (const int culprit : {0, 1, 100, 127, 128, 255, 256, 257, 700, kCount - 1}) {
      SCOPED_TRACE(std::string(order == OrderPolicy::kArrival ? "arrival, " : "event time, ") + std::to_string(culprit));
      log = make_memory_log("test", clock);
      SetUp();
      std::vector<std::string> events, outcomes;
      for (int i = 0; i < kCount; ++i) {
        events.push_back(i == culprit ? line(666, 2) : line(10'000 + i, 2));
        outcomes.push_back(line(20'000 + i, 2));
      }
      produce(Topic::kLogs, events);
      produce(Topic::kOutcomes, outcomes);
      TaskPlan plan = plan_of(order);
      plan.commit_interval = std::chrono::hours(1);
      end(plan);
      int starts = 1;
      for (;; ++starts) {
        ASSERT_LE(starts, 8);
        TaskRunner runner(plan, *log, clock, status);
        ASSERT_TRUE(runner.open().ok());
        const std::uint64_t commits = status.commits;
        const auto turn = drive(runner, 20'000);
        EXPECT_LE(status.commits - commits, 2u * 256 + 2u * kCount / 128 + 2);
        if (turn.ok() && *turn == Turn::kEnded) break;
      }
      EXPECT_LE(starts, 8);  // Seven ended by it.
      std::set<std::string> once;
      std::size_t poison = 0;
      for (const std::string& value : published()) {
        if (value.ends_with(" poison")) {
          ++poison;
          EXPECT_TRUE(value.starts_with("logs " + line(666, 2))) << value;
        }
        once.insert(value.substr(0, value.find('}')));
      }
      EXPECT_EQ(poison, 1u);
      EXPECT_EQ(once.size(), 2u * kCount);
      EXPECT_EQ(published().size(), 2u * kCount);
    }
}

// A store that puts state and positions off, as delivery: at_least_once does.
class PuttingOff final : public TaskStore {
 public:
  PuttingOff(std::unique_ptr<TaskStore> below, std::uint64_t& put_off) : below_(std::move(below)), put_off_(put_off) {}
  Result<Recovered> recover() override { return below_->recover(); }
  Result<void> count_attempt(InputId input) override { return below_->count_attempt(input); }
  Result<void> take_back_attempt(InputId input) override { return below_->take_back_attempt(input); }
  Result<void> clear_attempts() override { return below_->clear_attempts(); }
  Result<CommitId> commit(Transaction& transaction) override {
    TRY_ASSIGN(last_, below_->commit(transaction));
    ++put_off_;
    return settled_;
  }
  Result<CommitId> settle(bool now) override {
    if (now) settled_ = last_, put_off_ = 0;
    return settled_;
  }
  Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const override { return below_->read_order(fn); }

 private:
  const std::unique_ptr<TaskStore> below_;
  std::uint64_t& put_off_;
  CommitId last_, settled_;
};
class LogThatPutsOff final : public TopicLog {
 public:
  explicit LogThatPutsOff(TopicLog& log) : log_(log) {}
  Result<void> create(const TopicSpec& spec) override { return log_.create(spec); }
  Result<TopicDescription> describe(Topic topic) const override { return log_.describe(topic); }
  std::vector<TopicDescription> list() const override { return log_.list(); }
  Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) override { return log_.open_reader(topic, partition, from); }
  Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) override {
    TRY_ASSIGN(auto store, log_.open_task(spec));
    return std::unique_ptr<TaskStore>(std::make_unique<PuttingOff>(std::move(store), put_off));
  }
  Result<void> apply_retention(const std::vector<Floor>& floors) override { return log_.apply_retention(floors); }
  Result<std::string> backup(std::size_t keep) override { return log_.backup(keep); }
  Result<void> sync() override { return log_.sync(); }

  std::uint64_t put_off = 0;  // Commits of which not everything would survive.

 private:
  TopicLog& log_;
};

TEST_F(RunnerTest, NothingIsPutOffWhileItIsCareful) {
  for (const std::uint32_t attempts : {0U, 1U, 2U}) {
    SCOPED_TRACE(attempts);
    log = make_memory_log("test", clock);
    SetUp();
    std::vector<std::string> lines;
    for (int i = 0; i < 1000; ++i) lines.push_back(line(i, i));
    produce(Topic::kLogs, lines);
    {
      auto store = std::move(*log->open_task({"inference", PartitionId(0)}));
      ASSERT_TRUE(store->recover().ok());
      for (std::uint32_t i = 0; i < attempts; ++i) ASSERT_TRUE(store->count_attempt(InputId::kLogs).ok());
    }
    LogThatPutsOff log_that_does(*log);
    const TaskPlan plan = plan_of(OrderPolicy::kArrival);
    TaskRunner runner(plan, log_that_does, clock, status);
    ASSERT_TRUE(runner.open().ok());
    std::uint64_t put_off_max = 0;
    for (int i = 0; i < 2000 && published().size() < 1000; ++i) {
      ASSERT_TRUE(drive(runner, 1).ok());
      put_off_max = std::max(put_off_max, log_that_does.put_off);
    }
    EXPECT_EQ(published().size(), 1000u);
    EXPECT_EQ(put_off_max > 0, attempts == 0) << put_off_max;
  }
}

TEST_F(RunnerTest, CommitsOfAStartThatMayStillEndBadlyKeepItsCountAndACleanEndForgetsIt) {
  TaskPlan plan = plan_of(OrderPolicy::kArrival);
  const auto attempts = [&] {
    auto store = std::move(*log->open_task({"inference", PartitionId(0)}));
    return store->recover()->attempts[static_cast<std::size_t>(InputId::kLogs)];
  };
  for (const std::uint32_t expected : {1U, 2U, 2U}) {
    produce(Topic::kLogs, {line(1, 1)});
    const std::size_t before = published().size();
    {  // Commits, and is gone without a word.
      TaskRunner runner(plan, *log, clock, status);
      ASSERT_TRUE(runner.open().ok());
      ASSERT_TRUE(drive(runner, 50).ok());
    }
    EXPECT_EQ(published().size(), before + 1);
    EXPECT_EQ(attempts(), expected);
  }
  produce(Topic::kLogs, {line(2, 2)});
  end(plan);
  {
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    EXPECT_EQ(*drive(runner), Turn::kEnded);
  }
  EXPECT_EQ(attempts(), 0U);
}

class RunnerRestart : public RunnerTest, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(RunnerRestart, AnyNumberOfRestartsGivesTheOutputOfAnUnbrokenRun) {
  Rng rng(GetParam());
  TaskPlan plan = plan_of(OrderPolicy::kEventTime);
  std::vector<std::string> expected;
  int seconds = 0;
  for (int i = 0; i < 300; ++i) {
    const bool log_record = rng.below(2) == 0;
    seconds += static_cast<int>(rng.below(5)) + 1;  // Distinct times: the expected order is the order of production.
    produce(log_record ? Topic::kLogs : Topic::kOutcomes, {line(i, seconds)});
    expected.push_back(std::string(log_record ? "logs " : "outcomes ") + line(i, seconds) + " " + std::to_string(i + 1));
  }
  end(plan);
  for (int runs = 0;; ++runs) {
    ASSERT_LT(runs, 1000);
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    if (rng.below(3) == 0)  // A lost commit: the store fails before or after it took effect.
      log->fail({MemoryLog::Operation::kCommit, 1 + rng.below(3), {ErrorCode::kUnavailable, "injected"}, rng.below(2) == 0});
    const auto turn = drive(runner, 1 + static_cast<int>(rng.below(30)));
    if (turn.ok() && *turn == Turn::kEnded) break;
  }
  EXPECT_EQ(published(), expected) << "seed " << GetParam();
}

// A task that reads the examples of three partitions, as one that learns a shared model does.
class SeveralPartitions : public RunnerTest {
 protected:
  static constexpr std::int32_t kCount = 3;
  void SetUp() override {
    RunnerTest::SetUp();
    ASSERT_TRUE(log->create({Topic::kExamples, "examples", kCount, {}}).ok());
  }
  static TaskPlan learning() {
    TaskPlan plan = plan_of(OrderPolicy::kArrival);
    plan.name = "learning";
    plan.inputs.clear();
    for (std::int32_t p = 0; p < kCount; ++p) {
      InputPlan input;
      input.input = InputId::kExamples;
      input.topic = Topic::kExamples;
      input.topic_name = "examples";
      input.partition = PartitionId(p);
      input.parsed = false;
      input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
      plan.inputs.push_back(input);
    }
    return plan;
  }
  void produce_to(std::int32_t partition, int count) {
    Transaction t;
    for (int i = 0; i < count; ++i) {
      produced[static_cast<std::size_t>(partition)].push_back(std::to_string(partition) + "." + std::to_string(produced[static_cast<std::size_t>(partition)].size()));
      Record record;
      record.value = produced[static_cast<std::size_t>(partition)].back();
      t.append_to(Topic::kExamples, PartitionId(partition), record);
    }
    ASSERT_TRUE(producer->commit(t).ok());
  }

  std::array<std::vector<std::string>, kCount> produced;
};

class SeveralPartitionsRestart : public SeveralPartitions, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(SeveralPartitionsRestart, TheirInterleavingIsInTheOrderAcrossRestarts) {
  Rng rng(GetParam());
  TaskPlan plan = learning();
  for (int i = 0; i < 25; ++i) produce_to(static_cast<std::int32_t>(rng.below(kCount)), 1 + static_cast<int>(rng.below(100)));
  for (InputPlan& input : plan.inputs) *input.ends_at = static_cast<std::int64_t>(produced[static_cast<std::size_t>(input.partition.value)].size());
  for (int runs = 0;; ++runs) {
    ASSERT_LT(runs, 1000);
    TaskRunner runner(plan, *log, clock, status);
    ASSERT_TRUE(runner.open().ok());
    const auto turn = drive(runner, 1 + static_cast<int>(rng.below(30)));
    ASSERT_TRUE(turn.ok()) << turn.error().what;
    if (*turn == Turn::kEnded) break;
  }
  auto store = std::move(*log->open_task({"learning", PartitionId(0)}));
  const Recovered recovered = *store->recover();
  ASSERT_EQ(recovered.positions.size(), static_cast<std::size_t>(kCount));
  for (const Position& position : recovered.positions) {
    EXPECT_EQ(position.next.value, static_cast<std::int64_t>(produced[static_cast<std::size_t>(position.partition.value)].size()));
    EXPECT_EQ(status.consumed(position.input, position.partition), position.next);
  }
  // Inputs and order alone give what was published.
  std::vector<std::string> expected;
  std::array<std::size_t, kCount> next{};
  ASSERT_TRUE(store->read_order([&](CommitId, std::string_view bytes) {
    ByteReader reader(bytes);
    OrderEntry entry;
    while (next_order_entry(reader, entry)) {
      EXPECT_EQ(entry.kind, OrderKind::kRecords);
      EXPECT_EQ(entry.input, InputId::kExamples);
      const auto p = static_cast<std::size_t>(entry.partition == kOwnPartition ? 0 : entry.partition.value);
      for (std::uint64_t i = 0; i < entry.count; ++i)
        expected.push_back("examples " + produced.at(p).at(next.at(p)++) + " " + std::to_string(expected.size() + 1));
    }
    EXPECT_TRUE(reader.finished());
    return true;
  }).ok());
  EXPECT_EQ(published(), expected) << "seed " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SeveralPartitionsRestart, testing::Range<std::uint64_t>(1, 8));

// A log whose topics others change, too.
class SharedLog final : public TopicLog {
 public:
  explicit SharedLog(TopicLog& log) : log_(log) {}
  Result<void> create(const TopicSpec& spec) override { return log_.create(spec); }
  Result<TopicDescription> describe(Topic topic) const override { return log_.describe(topic); }
  std::vector<TopicDescription> list() const override { return log_.list(); }
  Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) override { return log_.open_reader(topic, partition, from); }
  Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) override { return log_.open_task(spec); }
  Result<void> apply_retention(const std::vector<Floor>& floors) override { return log_.apply_retention(floors); }
  Result<std::string> backup(std::size_t keep) override { return log_.backup(keep); }
  bool others_change_topics() const override { return true; }
  Result<void> sync() override { return log_.sync(); }

 private:
  TopicLog& log_;
};

TEST_F(SeveralPartitions, HaveAReadMarkALagAndALossEach) {
  SharedLog shared(*log);
  TaskPlan plan = learning();
  for (InputPlan& input : plan.inputs) input.accept_loss = true, input.accept_loss_key = "sources.logs.accept_loss";
  const auto input = [&](std::int32_t p) { return status.inputs.find(InputId::kExamples, PartitionId(p)); };
  const auto state = [&] {  // The runtime's entries for examples.
    auto store = std::move(*log->open_task({"learning", PartitionId(0)}));
    const Recovered recovered = *store->recover();
    std::map<std::string, std::string> out;
    for (const char* what : {"read", "lost"})
      for (const char* part : {"", "/0", "/1", "/2"}) {
        const std::string key = std::string(what) + "/examples" + part;
        if (std::string value; *recovered.state->get("runtime/" + key, value)) out[key] = value;
      }
    return out;
  };
  const auto mark = [&](std::int32_t partition, std::size_t last) {
    ByteBuffer bytes;
    encode(ReadMark{Offset(std::int64_t(last)), mark_crc(produced[std::size_t(partition)][last]), Offset(std::int64_t(last) + 1)}, bytes);
    return std::string(bytes.view());
  };
  for (std::int32_t p = 0; p < kCount; ++p) produce_to(p, 4 + p);
  {
    TaskRunner runner(plan, shared, clock, status);
    ASSERT_TRUE(runner.open().ok());
    for (std::size_t r = 0; r < runner.readers(); ++r) ASSERT_TRUE(runner.reader(r).step(Duration(0)).ok());
    for (std::int32_t p = 0; p < kCount; ++p) EXPECT_EQ(input(p)->lag(clock.wall_us()).records, std::uint64_t(4 + p));
    ASSERT_TRUE(drive(runner, 20).ok());
  }
  const std::map<std::string, std::string> read = {{"read/examples", mark(0, 3)}, {"read/examples/1", mark(1, 4)}, {"read/examples/2", mark(2, 5)}};
  EXPECT_EQ(state(), read);
  for (std::int32_t p = 0; p < kCount; ++p) {
    EXPECT_EQ(input(p)->lag(clock.wall_us()).records, 0u);
    EXPECT_EQ(input(p)->next(), Offset(4 + p));
  }

  // Retention takes two unread records of one partition; the others are where they were.
  produce_to(1, 2);
  clock.advance(std::chrono::hours(1));
  ASSERT_TRUE(log->create({Topic::kExamples, "examples", kCount, {.age = std::chrono::minutes(1), .bytes = {}, .compact = false}}).ok());
  produce_to(1, 3);  // The newest batch stays.
  ASSERT_TRUE(log->apply_retention({{Topic::kExamples, PartitionId(0), Offset(0)}, {Topic::kExamples, PartitionId(2), Offset(0)}}).ok());
  produce_to(2, 1);
  for (const int start : {1, 2}) {  // The second one knows what the first one lost.
    TaskRunner runner(plan, shared, clock, status);
    ASSERT_TRUE(runner.open().ok());
    const auto turn = drive(runner, 20);
    ASSERT_TRUE(turn.ok()) << turn.error().what;
    for (std::int32_t p = 0; p < kCount; ++p) EXPECT_EQ(input(p)->lost(), p == 1 ? 2u : 0u) << start;
    EXPECT_EQ(status.lost(), 2u);
  }
  auto store = std::move(*log->open_task({"learning", PartitionId(0)}));
  const Recovered recovered = *store->recover();
  EXPECT_EQ(*lost_of(*recovered.state, InputId::kExamples), 0u);
  EXPECT_EQ(*lost_of(*recovered.state, InputId::kExamples, PartitionId(1)), 2u);
  store.reset();
  const auto now = state();
  EXPECT_EQ(now.at("read/examples"), mark(0, 3));
  EXPECT_EQ(now.at("read/examples/1"), mark(1, 9));
  EXPECT_EQ(now.at("read/examples/2"), mark(2, 6));
  EXPECT_EQ(now.size(), 4u);
  EXPECT_EQ(published().size(), 15u + 3u + 1u);
}

TEST_F(SeveralPartitions, CountOneAttemptAStart) {  // Three would look like three deaths.
  TaskPlan plan = learning();
  plan.commit_interval = std::chrono::hours(1);
  for (std::int32_t p = 0; p < kCount; ++p) produce_to(p, 5);
  for (const std::uint32_t expected : {1U, 2U}) {
    {
      TaskRunner runner(plan, *log, clock, status);
      ASSERT_TRUE(runner.open().ok());
      const std::uint64_t before = status.records.load();
      ASSERT_TRUE(drive(runner, 50).ok());
      EXPECT_EQ(status.records.load(), before + 15);  // Of all three, and gone before the first commit.
    }
    auto store = std::move(*log->open_task({"learning", PartitionId(0)}));
    EXPECT_EQ(store->recover()->attempts[static_cast<std::size_t>(InputId::kExamples)], expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RunnerRestart, testing::Range<std::uint64_t>(1, 20));

}  // namespace
}  // namespace weir
