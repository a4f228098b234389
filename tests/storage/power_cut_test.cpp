// Goal: after a power cut at any moment, each sync mode loses at most what it may and never tears a transaction.
//
// Invariants: what is left is a prefix of the commits; state, positions, order and both topics are of the same commit;
// the prefix holds every commit that the mode had promised; the log goes on from there.

#include "core/base/rng.hpp"
#include "tests/storage/faulty_file_system.hpp"
#include "tests/storage/storage_support.hpp"
#include "tests/support/selection.hpp"

namespace weir {
namespace {

struct Mode {
  const char* name;
  SyncPolicy policy;
};

class PowerCut : public testing::TestWithParam<Mode> {
 protected:
  std::unique_ptr<TopicLog> open() {
    EmbeddedLogOptions options;
    options.path = (directory_ / "demo").string();
    options.pipeline = "demo";
    options.sync = GetParam().policy;
    options.sync_interval = std::chrono::hours(1);  // Only when the test says so.
    options.clock = &clock_;
    options.file_system = disk_;
    options.log_write_buffer_bytes = 128 << 10;  // Flushes often: files of one column family may be ahead of the others.
    options.state_write_buffer_bytes = 128 << 10;
    options.max_total_wal_bytes = 512 << 10;
    options.batch_bytes = 4 << 10;
    auto log = open_embedded_log(options);
    EXPECT_TRUE(log.ok()) << log.error().what;
    return log.ok() ? std::move(log).value() : nullptr;
  }

  // Commit n appends n % 7 + 1 records to one topic and one to the other, and counts itself in state and position.
  void commit(TaskStore& store, std::uint64_t n) {
    Transaction transaction;
    const std::string text(1000, char('a' + n % 26));
    for (std::uint64_t i = 0; i < n % 7 + 1; ++i) transaction.append(Topic::kPredictions, record(std::to_string(n), text));
    transaction.append(Topic::kExamples, record(std::to_string(n), "example"));
    transaction.state.put("", "n", std::to_string(n));
    transaction.state.put("", "k" + std::to_string(n % 50), text);
    transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(std::int64_t(n)), 0}};
    transaction.order.records(InputId::kLogs, 1);
    auto id = store.commit(transaction);
    ASSERT_OK(id);
    ASSERT_EQ(id->value, n);
  }

  // The last commit that is left.
  void check(TopicLog& log, TaskStore& store, std::uint64_t& last) {
    const Recovered recovered = recover(store);
    last = recovered.last_commit.value;
    std::string value = "0";
    ASSERT_OK(recovered.state->get("n", value));
    ASSERT_EQ(value, std::to_string(last));
    ASSERT_TRUE(last == 0 || recovered.positions.at(0).next.value == std::int64_t(last));
    std::vector<Seen> expected;
    for (std::uint64_t n = 1; n <= last; ++n)
      for (std::uint64_t i = 0; i < n % 7 + 1; ++i)
        expected.push_back({std::int64_t(expected.size()), std::to_string(n), std::string(1000, char('a' + n % 26))});
    ASSERT_EQ(read_all(log, Topic::kPredictions), expected);
    ASSERT_EQ(read_all(log, Topic::kExamples).size(), last);
    std::uint64_t order = 0;
    ASSERT_OK(store.read_order([&](CommitId id, std::string_view) { return id.value == ++order; }));
    ASSERT_EQ(order, last);
  }

  void run(std::uint64_t seed) {
    Rng rng(seed);
    std::uint64_t committed = 0;
    std::uint64_t promised = 0;
    {
      auto log = open();
      ASSERT_NE(log, nullptr);
      ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
      ASSERT_OK(log->create(topic_spec(Topic::kExamples)));
      ASSERT_OK(log->sync());
    }
    for (int cut = 0; cut < 3; ++cut) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", cut " + std::to_string(cut));
      auto log = open();
      ASSERT_NE(log, nullptr);
      auto store = open_task(*log);
      std::uint64_t last = 0;
      ASSERT_NO_FATAL_FAILURE(check(*log, *store, last));
      ASSERT_GE(last, promised);
      ASSERT_LE(last, committed);
      lost_ += committed - last;
      committed = promised = last;
      for (std::uint64_t n = rng.below(60); n > 0; --n) {
        ASSERT_NO_FATAL_FAILURE(commit(*store, ++committed));
        if (GetParam().policy == SyncPolicy::kAlways) promised = committed;
        if (GetParam().policy == SyncPolicy::kInterval && rng.below(10) == 0) {
          ASSERT_OK(log->sync());
          promised = committed;
        }
      }
      disk_->cut_power();
      store.reset();
      log.reset();
      disk_->lose_unsynced();
    }
    auto log = open();
    ASSERT_NE(log, nullptr);
    auto store = open_task(*log);
    std::uint64_t last = 0;
    ASSERT_NO_FATAL_FAILURE(check(*log, *store, last));
    ASSERT_GE(last, promised);
    ASSERT_NO_FATAL_FAILURE(commit(*store, last + 1));
  }

  ManualClock clock_;
  TemporaryDirectory directory_;
  std::shared_ptr<FaultyFileSystem> disk_ = std::make_shared<FaultyFileSystem>();
  std::uint64_t lost_ = 0;
};

TEST_P(PowerCut, LeavesAWholePrefix) {
  for (std::uint64_t seed = 1; seed <= (full_faults() ? 40 : 2); ++seed) {
    ASSERT_NO_FATAL_FAILURE(run(seed));
    std::filesystem::remove_all(directory_.path() / "demo");
  }
  if (GetParam().policy == SyncPolicy::kAlways) {
    EXPECT_EQ(lost_, 0u);
  } else {
    EXPECT_GT(lost_, 0u) << "the power cut took nothing: it tests nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, PowerCut,
                         testing::Values(Mode{"always", SyncPolicy::kAlways}, Mode{"interval", SyncPolicy::kInterval},
                                         Mode{"never", SyncPolicy::kNever}),
                         [](const testing::TestParamInfo<Mode>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weir
