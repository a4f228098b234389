// Goal: the tasks of one process as its partitions come and go, over the memory log with a membership driven by the test.
// Invariants: what stays is never disturbed; what goes commits what it had taken; what comes goes on from there, so each input
// record gives one output; a task that finds itself fenced ends the process, unless its partition is just being dealt out anew.
#include "actors/runtime/runtime.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "storage/memory_log.hpp"
#include "tests/support/run_process.hpp"

namespace weir {
namespace {

constexpr int kPartitions = 4;
using Kind = MembershipChange::Kind;

// Gives each line back.
class Echo final : public Stage {
 public:
  std::string_view name() const override { return "echo"; }
  void process(InputId, RecordView& view, Output& out) override {
    Record record;
    record.value = view.record.value;
    record.source = view.source;
    out.append(Topic::kPredictions, record);
  }
  void save(StateWriter&) override {}
  Result<void> load(const StageState&) override { return {}; }
};

// What the test makes of one partition's store.
struct Faults {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<int> fenced;   // Commits find another owner;
  std::set<int> fenced_once;  // the next one does.
  std::set<int> blocked;  // Recovery hangs.
  std::set<int> no_copy;  // Following fails.
  std::set<int> silent;   // A reader gets no answer.
  void set(std::set<int> Faults::*which, std::set<int> to) {
    std::lock_guard lock(mutex);
    this->*which = std::move(to);
    changed.notify_all();
  }
};

class FaultyStore final : public TaskStore {
 public:
  FaultyStore(std::unique_ptr<TaskStore> store, int partition, Faults& faults) : store_(std::move(store)), partition_(partition), faults_(faults) {}
  Result<Recovered> recover() override {
    std::unique_lock lock(faults_.mutex);
    faults_.changed.wait(lock, [&] { return !faults_.blocked.contains(partition_); });
    return store_->recover();
  }
  Result<std::uint64_t> follow(Duration wait) override {
    std::unique_lock lock(faults_.mutex);
    if (faults_.no_copy.contains(partition_)) return Error{ErrorCode::kUnavailable, "no copy today"};
    faults_.changed.wait_for(lock, wait);
    return std::uint64_t{7};
  }
  Result<void> count_attempt(InputId input) override { return store_->count_attempt(input); }
  Result<void> take_back_attempt(InputId input) override { return store_->take_back_attempt(input); }
  Result<void> clear_attempts() override { return store_->clear_attempts(); }
  Result<CommitId> commit(Transaction& transaction) override {
    {
      std::lock_guard lock(faults_.mutex);
      if (faults_.fenced.contains(partition_) || faults_.fenced_once.erase(partition_) > 0) return Error{ErrorCode::kFenced, "another owner"};
    }
    return store_->commit(transaction);
  }
  Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const override { return store_->read_order(fn); }

 private:
  const std::unique_ptr<TaskStore> store_;
  const int partition_;
  Faults& faults_;
};

class FaultyReader final : public TopicReader {
 public:
  FaultyReader(std::unique_ptr<TopicReader> reader, int partition, Faults& faults) : reader_(std::move(reader)), partition_(partition), faults_(faults) {}
  Result<std::shared_ptr<const RecordBatch>> poll(Duration wait) override {
    {
      std::unique_lock lock(faults_.mutex);
      faults_.changed.wait(lock, [&] { return !faults_.silent.contains(partition_); });
    }
    return reader_->poll(wait);
  }
  Result<void> seek(Offset to) override { return reader_->seek(to); }
  Offset position() const override { return reader_->position(); }
  Offset end() const override { return reader_->end(); }
  void wake() override { reader_->wake(); }

 private:
  const std::unique_ptr<TopicReader> reader_;
  const int partition_;
  Faults& faults_;
};

class FaultyLog final : public TopicLog {
 public:
  FaultyLog(TopicLog& log, Faults& faults) : log_(log), faults_(faults) {}
  Result<void> create(const TopicSpec& spec) override { return log_.create(spec); }
  Result<TopicDescription> describe(Topic topic) const override { return log_.describe(topic); }
  std::vector<TopicDescription> list() const override { return log_.list(); }
  Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) override {
    TRY_ASSIGN(auto reader, log_.open_reader(topic, partition, from));
    return std::unique_ptr<TopicReader>(std::make_unique<FaultyReader>(std::move(reader), partition.value, faults_));
  }
  Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) override {
    TRY_ASSIGN(auto store, log_.open_task(spec));
    return std::unique_ptr<TaskStore>(std::make_unique<FaultyStore>(std::move(store), spec.partition.value, faults_));
  }
  Result<void> apply_retention(const std::vector<Floor>& floors) override { return log_.apply_retention(floors); }
  Result<std::string> backup(std::size_t keep) override { return log_.backup(keep); }
  Result<void> sync() override { return log_.sync(); }

 private:
  TopicLog& log_;
  Faults& faults_;
};

class Told {
 public:
  void tell(Kind kind, std::vector<PartitionId> partitions = {}) {
    std::lock_guard lock(mutex_);
    changes_.push_back({kind, std::move(partitions)});
    changed_.notify_all();
  }
  void fail(Error error) {
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
    changed_.notify_all();
  }
  class Handle final : public Membership {
   public:
    explicit Handle(Told& told) : told_(told) {}
    Result<void> poll(Duration wait, const Tell& tell) override {
      std::unique_lock lock(told_.mutex_);
      told_.changed_.wait_for(lock, wait, [&] { return !told_.changes_.empty() || told_.error_; });
      if (told_.error_) return *told_.error_;
      for (; !told_.changes_.empty(); told_.changes_.pop_front()) tell(told_.changes_.front());
      return {};
    }

    void will_not_return() override { told_.leaves_ = true; }

   private:
    Told& told_;
  };
  bool leaves() const { return leaves_; }

 private:
  std::atomic<bool> leaves_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<MembershipChange> changes_;
  std::optional<Error> error_;
};

class RuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const Topic topic : {Topic::kLogs, Topic::kPredictions})
      ASSERT_TRUE(memory->create({topic, std::string(short_name(topic)), kPartitions, {}}).ok());
    producer = std::move(*memory->open_task({"producer", PartitionId(0)}));
    ASSERT_TRUE(producer->recover().ok());
  }
  void TearDown() override {
    faults.set(&Faults::blocked, {});
    faults.set(&Faults::silent, {});
    runtime.reset();
  }
  RuntimePlan plan() const {
    RuntimePlan out;
    out.process = "here";
    out.restart_backoff = std::chrono::milliseconds(1);
    out.group_tells_within = std::chrono::milliseconds(20);
    for (int p = 0; p < kPartitions; ++p) {
      TaskPlan& task = out.tasks.emplace_back();
      task.name = "echo";
      task.partition = PartitionId(p);
      task.order = OrderPolicy::kArrival;
      task.commit_interval = Duration(0);
      task.make_chain = []() -> Result<Chain> {
        Chain chain;
        chain.stages.push_back(std::make_unique<Echo>());
        return chain;
      };
      InputPlan& input = task.inputs.emplace_back();
      input.topic_name = "logs";
      input.partition = PartitionId(p);
      input.schema.id = "id";
      input.schema.time = "ts";
      input.schema.time_format = TimeFormat::kSeconds;
      input.ends_at = std::make_shared<std::atomic<std::int64_t>>(-1);
    }
    return out;
  }
  void start() {
    RuntimePlan shared = plan();
    shared.membership = std::make_unique<Told::Handle>(told);
    runtime = std::make_unique<Runtime>(std::move(shared), log, system_clock());
  }
  void assign(const std::vector<int>& partitions) {
    std::vector<PartitionId> all;
    for (const int p : partitions) all.emplace_back(p);
    told.tell(Kind::kAssigned, std::move(all));
  }
  void stand_by(const std::vector<int>& partitions) {
    std::vector<PartitionId> all;
    for (const int p : partitions) all.emplace_back(p);
    told.tell(Kind::kStandby, std::move(all));
  }
  void produce(int partition, int count = 1) {
    Transaction t;
    for (int i = 0; i < count; ++i) {
      const std::string line = "{\"id\":" + std::to_string(produced++) + ",\"ts\":1}";
      Record record;
      record.value = line;
      t.append_to(Topic::kLogs, PartitionId(partition), record);
    }
    ASSERT_TRUE(producer->commit(t).ok());
  }
  std::size_t answered(int partition) {
    std::size_t count = 0;
    auto reader = std::move(*memory->open_reader(Topic::kPredictions, PartitionId(partition), Offset(0)));
    while (const auto batch = *reader->poll(Duration(0))) count += batch->count();
    return count;
  }
  bool has_run(int partition) const {
    return std::ranges::any_of(runtime->statuses(), [&](const auto& status) { return status->partition.value == partition; });
  }
  const TaskStatus& status(int partition) const {  // Kept by the runtime.
    for (const auto& status : runtime->statuses())
      if (status->partition.value == partition) return *status;
    throw std::runtime_error("partition " + std::to_string(partition) + " has never run here");
  }
  bool reaches(int partition, TaskPhase phase) const {
    return wait_until([&] { return has_run(partition) && status(partition).phase == phase; });
  }
  bool ends() { return runtime->wait(std::chrono::duration_cast<Duration>(kHangLimit)); }

  std::unique_ptr<MemoryLog> memory = make_memory_log("test", system_clock());
  std::unique_ptr<TaskStore> producer;
  Faults faults;
  FaultyLog log{*memory, faults};
  Told told;
  std::unique_ptr<Runtime> runtime;
  int produced = 0;
};

TEST_F(RuntimeTest, RunsAllPartitionsOrThoseGivenWhereNobodySharesThem) {
  runtime = std::make_unique<Runtime>(plan(), log, system_clock());
  EXPECT_EQ(runtime->statuses().size(), std::size_t(kPartitions));
  for (int p = 0; p < kPartitions; ++p) EXPECT_TRUE(reaches(p, TaskPhase::kRunning));
  RuntimePlan pinned = plan();
  pinned.partitions = {PartitionId(1), PartitionId(3)};
  runtime.reset();
  runtime = std::make_unique<Runtime>(std::move(pinned), log, system_clock());
  ASSERT_EQ(runtime->statuses().size(), 2u);
  EXPECT_TRUE(reaches(1, TaskPhase::kRunning));
  EXPECT_TRUE(reaches(3, TaskPhase::kRunning));
}

TEST_F(RuntimeTest, WhatStaysGoesOnWhatGoesIsCommittedAndWhatComesGoesOnFromThere) {
  start();
  assign({0, 1});
  for (const int p : {0, 1}) produce(p, 100);
  ASSERT_TRUE(wait_until([&] { return answered(0) == 100 && answered(1) == 100; }));
  for (const std::vector<int>& owned : {std::vector{1, 2}, std::vector{1, 3}, std::vector{1, 0}, std::vector{1}}) {
    told.tell(Kind::kRebalancing);
    produce(1, 10);  // The word alone ends nothing.
    const std::size_t expected = answered(1);
    for (int p = 0; p < kPartitions; ++p) produce(p, 10);
    ASSERT_TRUE(wait_until([&] { return answered(1) > expected; }));
    assign(owned);
    for (int p = 0; p < kPartitions; ++p) {
      const bool here = std::ranges::find(owned, p) != owned.end();
      if (!here && !has_run(p)) continue;
      ASSERT_TRUE(reaches(p, here ? TaskPhase::kRunning : TaskPhase::kGivenUp)) << p;
    }
  }
  told.tell(Kind::kRebalancing);
  assign({0, 1, 2, 3});
  const std::size_t of[] = {100 + 40, 100 + 80, 40, 40};
  for (int p = 0; p < kPartitions; ++p) {
    ASSERT_TRUE(reaches(p, TaskPhase::kRunning));
    EXPECT_TRUE(wait_until([&] { return answered(p) == of[p]; })) << p << ": " << answered(p);
    EXPECT_EQ(status(p).starts, p == 0 ? 3u : p == 1 ? 1u : 2u) << p;
    EXPECT_EQ(status(p).restarts, 0u);
    // Told by the task a moment after the commit can be read.
    EXPECT_TRUE(wait_until([&] { return status(p).consumed(InputId::kLogs, PartitionId(p)) == Offset(std::int64_t(of[p])); })) << p;
  }
  runtime->stop();
  ASSERT_TRUE(ends());
  EXPECT_TRUE(runtime->result().ok());
  EXPECT_TRUE(runtime->warnings().empty());
  for (int p = 0; p < kPartitions; ++p) EXPECT_EQ(answered(p), of[p]);
}

// Records that wait, by event time, for an input that has nothing more (idle_timeout: never) are no stall, however long; those that wait
// for one whose reader gets no answer are.
TEST_F(RuntimeTest, WaitingForASilentInputIsNoStall) {
  ASSERT_TRUE(memory->create({Topic::kOutcomes, "outcomes", kPartitions, {}}).ok());
  RuntimePlan both = plan();
  both.tasks.resize(2);
  both.stall_after = std::chrono::milliseconds(200);
  both.monitor_interval = std::chrono::milliseconds(10);
  for (TaskPlan& task : both.tasks) {
    task.order = OrderPolicy::kEventTime;
    task.idle_timeout = Duration(-1);
    InputPlan outcomes = task.inputs[0];
    outcomes.input = InputId::kOutcomes;
    outcomes.topic = Topic::kOutcomes;
    outcomes.topic_name = "outcomes";
    task.inputs.push_back(outcomes);
  }
  runtime = std::make_unique<Runtime>(std::move(both), log, system_clock());
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning) && reaches(1, TaskPhase::kRunning));
  produce(0, 3);
  produce(1, 3);
  ASSERT_TRUE(wait_until([&] { return status(0).waiting == 3u && status(0).rests && status(1).waiting == 3u && status(1).rests; }));
  // The other one, which waits for nothing before the first does, tells when it has been long enough.
  faults.set(&Faults::silent, {1});
  ASSERT_TRUE(wait_until([&] { return !status(1).stall().empty(); }));
  EXPECT_EQ(status(0).stall(), "");
  EXPECT_TRUE(std::ranges::none_of(runtime->warnings(), [](const std::string& warning) { return warning.find("no progress") != std::string::npos; }));
  EXPECT_EQ(answered(0), 0u);
  EXPECT_EQ(status(0).inputs.find(InputId::kLogs, PartitionId(0))->lag(system_clock().wall_us()).records, 3u);  // They are there, and said to be.
}

// One task, an input in several partitions: that the others go on does not hide the one that gets no answer.
TEST_F(RuntimeTest, AStallInOnePartitionOfAnInputIsTold) {
  RuntimePlan several = plan();
  several.tasks.resize(1);
  several.stall_after = std::chrono::seconds(1);
  several.monitor_interval = std::chrono::milliseconds(20);
  TaskPlan& task = several.tasks[0];
  for (int p = 0; p < kPartitions; ++p) {
    InputPlan input = task.inputs[0];
    input.input = InputId::kExamples;
    input.parsed = false;
    input.partition = PartitionId(p);
    task.inputs.push_back(input);
  }
  task.inputs.erase(task.inputs.begin());
  faults.set(&Faults::silent, {2});
  runtime = std::make_unique<Runtime>(std::move(several), log, system_clock());
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  produce(2, 5);
  std::size_t given = 0;
  ASSERT_TRUE(wait_until([&] {
    produce(1);
    return wait_until([&] { return answered(0) == given + 1; }) && ++given > 0 && !status(0).stall().empty();
  }));
  EXPECT_EQ(status(0).stall(), "waits for an answer to its reading of examples, partition 2, for more than 1 s");
  faults.set(&Faults::silent, {});
  EXPECT_TRUE(wait_until([&] { return status(0).stall().empty() && answered(0) == given + 5; })) << status(0).stall();
  for (int p = 0; p < kPartitions; ++p) {
    const std::int64_t expected = p == 1 ? std::int64_t(given) : p == 2 ? 5 : 0;
    EXPECT_TRUE(wait_until([&] { return status(0).consumed(InputId::kExamples, PartitionId(p)) == Offset(expected); })) << p;
    EXPECT_EQ(status(0).inputs.find(InputId::kExamples, PartitionId(p))->lag(system_clock().wall_us()).records, 0u) << p;
  }
}

TEST_F(RuntimeTest, OneThatComesBackWhileItEndsIsStartedAfterwards) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  for (int i = 0; i < 20; ++i) {
    produce(0, 50);
    assign({1});
    assign({0, 1});
  }
  EXPECT_TRUE(wait_until([&] { return answered(0) == 20 * 50; })) << answered(0);
  EXPECT_EQ(status(1).starts, 1u);
}

TEST_F(RuntimeTest, WithoutAnyPartitionItWaits) {
  start();
  EXPECT_FALSE(runtime->wait(std::chrono::milliseconds(20)));
  assign({2});
  ASSERT_TRUE(reaches(2, TaskPhase::kRunning));
  assign({});
  ASSERT_TRUE(reaches(2, TaskPhase::kGivenUp));
  EXPECT_FALSE(runtime->wait(std::chrono::milliseconds(20)));
  runtime->stop();
  ASSERT_TRUE(ends());
  EXPECT_TRUE(runtime->result().ok());
}

TEST_F(RuntimeTest, OneThatOpensSlowlyHoldsNobody) {
  faults.set(&Faults::blocked, {0});
  start();
  assign({0, 1});
  produce(1);
  EXPECT_TRUE(wait_until([&] { return answered(1) == 1; }));
  EXPECT_EQ(status(0).phase, TaskPhase::kStarting);
  assign({1, 2});  // Nor when it is given up.
  produce(2);
  EXPECT_TRUE(wait_until([&] { return answered(2) == 1; }));
  faults.set(&Faults::blocked, {});
  EXPECT_TRUE(reaches(0, TaskPhase::kGivenUp));
  EXPECT_EQ(answered(0), 0u);
}

// The former owner had begun to start, and its fence came after the new owner's; the group knows whose the task is.
TEST_F(RuntimeTest, ATaskFencedByOneThatWasLateIsStartedAgain) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  faults.set(&Faults::fenced_once, {0});
  produce(0);
  EXPECT_TRUE(wait_until([&] { return answered(0) == 1; }));
  EXPECT_EQ(status(0).starts, 2u);
  EXPECT_EQ(status(1).starts, 1u);
  EXPECT_NE(status(0).warnings().at(0).find("'echo/0' was fenced"), std::string::npos) << status(0).warnings().at(0);
}

TEST_F(RuntimeTest, ATaskFencedAgainAndAgainEndsTheProcess) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  faults.set(&Faults::fenced, {0});
  produce(0);
  ASSERT_TRUE(ends());
  ASSERT_FALSE(runtime->result().ok());
  EXPECT_EQ(runtime->result().error().code, ErrorCode::kFenced);
  EXPECT_NE(runtime->result().error().what.find("task 'echo/0': another owner"), std::string::npos) << runtime->result().error().what;
  EXPECT_NE(runtime->result().error().what.find("'here'"), std::string::npos) << runtime->result().error().what;
  EXPECT_EQ(status(0).restarts, 3u);
}

TEST_F(RuntimeTest, AFencedTaskThatIsGivenUpEndsAlone) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  told.tell(Kind::kRebalancing);
  faults.set(&Faults::fenced, {0});  // The new owner is quicker than the assignment.
  produce(0);
  ASSERT_TRUE(wait_until([&] { return status(0).records == 1; }));
  produce(1);
  ASSERT_TRUE(wait_until([&] { return answered(1) == 1; }));
  assign({1});
  ASSERT_TRUE(reaches(0, TaskPhase::kGivenUp));
  faults.set(&Faults::fenced, {});
  told.tell(Kind::kRebalancing);
  assign({0, 1});
  EXPECT_TRUE(wait_until([&] { return answered(0) == 1; }));
  EXPECT_EQ(status(1).starts, 1u);
  EXPECT_TRUE(runtime->warnings().empty());
}

TEST_F(RuntimeTest, AFencedTaskThatIsKeptAfterAllIsStartedAgain) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  told.tell(Kind::kRebalancing);
  faults.set(&Faults::fenced, {0});
  produce(0);
  ASSERT_TRUE(wait_until([&] { return status(0).records == 1; }));
  faults.set(&Faults::fenced, {});
  assign({0, 1});
  EXPECT_TRUE(wait_until([&] { return answered(0) == 1; }));
  EXPECT_EQ(status(0).starts, 2u);
}

TEST_F(RuntimeTest, AFencedTaskOfAProcessTakenForDeadEndsIt) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  told.tell(Kind::kLost);
  faults.set(&Faults::fenced, {0});
  produce(0);
  ASSERT_TRUE(ends());
  EXPECT_EQ(runtime->result().error().code, ErrorCode::kFenced);
}

TEST_F(RuntimeTest, BeingTakenForDeadAloneEndsNothing) {
  start();
  assign({0, 1});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  told.tell(Kind::kLost);
  produce(0);
  ASSERT_TRUE(wait_until([&] { return answered(0) == 1; }));
  assign({0, 1});
  produce(0);
  ASSERT_TRUE(wait_until([&] { return answered(0) == 2; }));
  EXPECT_EQ(status(0).starts, 1u);
}

TEST_F(RuntimeTest, AStandbyFollowsUntilItIsTheOwner) {
  start();
  assign({0});
  stand_by({1, 2});
  for (const int p : {1, 2}) {
    ASSERT_TRUE(reaches(p, TaskPhase::kStandby));
    EXPECT_TRUE(wait_until([&] { return status(p).standby_lag == 7; }));
    EXPECT_EQ(status(p).starts, 0u);
  }
  produce(1);
  told.tell(Kind::kRebalancing);
  assign({0, 1});  // Until it is told otherwise it stands by for the others.
  stand_by({3});
  EXPECT_TRUE(wait_until([&] { return answered(1) == 1; }));
  EXPECT_EQ(status(1).standby_lag, 0u);
  ASSERT_TRUE(reaches(2, TaskPhase::kGivenUp));
  ASSERT_TRUE(reaches(3, TaskPhase::kStandby));
  assign({0});
  stand_by({1, 3});
  ASSERT_TRUE(reaches(1, TaskPhase::kStandby));
  EXPECT_EQ(status(0).starts, 1u);
  runtime->stop();
  ASSERT_TRUE(ends());
  EXPECT_TRUE(runtime->result().ok());
  EXPECT_TRUE(runtime->warnings().empty());
}

TEST_F(RuntimeTest, AStandbyThatFailsTriesAgainAndEndsNothing) {
  faults.set(&Faults::no_copy, {1});
  start();
  assign({0});
  stand_by({1});
  EXPECT_TRUE(wait_until([&] { return has_run(1) && status(1).warnings().size() == 1; }));
  produce(0);
  EXPECT_TRUE(wait_until([&] { return answered(0) == 1; }));
  faults.set(&Faults::no_copy, {});
  EXPECT_TRUE(wait_until([&] { return status(1).standby_lag == 7; }));
  faults.set(&Faults::no_copy, {1});
  EXPECT_TRUE(wait_until([&] { return status(1).standby_lag == 0; }));
  assign({0, 1});  // While it waits to try again.
  produce(1);
  EXPECT_TRUE(wait_until([&] { return answered(1) == 1; }));
}

TEST_F(RuntimeTest, OnlyOneWhoseSourcesHaveEndedWillNotReturn) {
  start();
  assign({0});
  ASSERT_TRUE(reaches(0, TaskPhase::kRunning));
  runtime->stop();
  ASSERT_TRUE(ends());
  EXPECT_FALSE(told.leaves());
  runtime.reset();

  produce(0);
  RuntimePlan shared = plan();
  for (TaskPlan& task : shared.tasks) *task.inputs[0].ends_at = 1;
  shared.membership = std::make_unique<Told::Handle>(told);
  runtime = std::make_unique<Runtime>(std::move(shared), log, system_clock());
  assign({0});
  stand_by({1});
  ASSERT_TRUE(ends());
  EXPECT_EQ(answered(0), 1u);
  EXPECT_TRUE(told.leaves());
}

TEST_F(RuntimeTest, AMembershipThatFailsEndsTheProcess) {
  start();
  assign({0});
  produce(0);
  ASSERT_TRUE(wait_until([&] { return answered(0) == 1; }));
  told.fail({ErrorCode::kFenced, "another process has joined as 'here'"});
  ASSERT_TRUE(ends());
  EXPECT_EQ(runtime->result().error().what, "another process has joined as 'here'");
}

}  // namespace
}  // namespace weir
