// Goal: what only the log on Kafka promises, on a real broker: one owner of a task at a time, a local store that may be lost,
// old or foreign, settings of topics checked, errors that name what to change, a broker that goes away for a while.
#include <librdkafka/rdkafka.h>

#include <thread>

#include "core/base/rng.hpp"
#include "storage/kafka_changelog.hpp"
#include "storage/kafka_client.hpp"
#include "storage/kafka_log.hpp"
#include "storage/kafka_transactions.hpp"
#include "tests/storage/storage_support.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/run_process.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

class KafkaLogTest : public testing::Test {
 protected:
  KafkaLogTest() { delete_kafka_topics("demo."); }

  static KafkaLogOptions options() {
    KafkaLogOptions out;
    out.brokers = kafka_brokers();
    out.pipeline = "demo";
    return out;
  }
  // As another process would open it: with a local store of its own.
  std::unique_ptr<TopicLog> open(const std::string& local = "local", bool read_only = false, std::uint64_t changelog_bytes_min = 64u << 20) const {
    KafkaLogOptions with = options();
    with.changelog_bytes_min = changelog_bytes_min;
    with.read_only = read_only;
    EmbeddedLogOptions store;
    store.path = (directory_ / local).string();
    auto opened = read_only ? Result<std::unique_ptr<TopicLog>>(make_memory_log("demo", system_clock())) : open_embedded_log(store);
    EXPECT_TRUE(opened.ok()) << opened.error().what;
    auto log = open_kafka_log(with, std::move(opened).value());
    EXPECT_TRUE(log.ok()) << log.error().what;
    return std::move(log).value();
  }
  static std::vector<std::string> values(TopicLog& log, Topic topic) {
    std::vector<std::string> out;
    for (const Seen& seen : read_all(log, topic)) out.push_back(seen.value);
    return out;
  }
  static Result<CommitId> commit(TaskStore& store, const std::string& value) {
    Transaction transaction;
    transaction.append(Topic::kPredictions, record("k", value));
    transaction.state.put("s|", "last", value);
    transaction.state.put("s|", value, value);
    transaction.order.records(InputId::kLogs, 1);
    return store.commit(transaction);
  }
  static std::map<std::string, std::string> state_of(const Recovered& recovered) {
    std::map<std::string, std::string> out;
    EXPECT_TRUE(recovered.state->scan("", [&](std::string_view key, std::string_view value) { return out.emplace(key, value), true; }).ok());
    return out;
  }
  // The commits that have one.
  static std::vector<std::uint64_t> order_of(const TaskStore& store) {
    std::vector<std::uint64_t> out;
    EXPECT_TRUE(store.read_order([&](CommitId id, std::string_view) { return out.push_back(id.value), true; }).ok());
    return out;
  }

  TemporaryDirectory directory_;
};

TEST_F(KafkaLogTest, ANewOwnerFencesTheFormerOne) {
  const auto first = open("first");
  ASSERT_OK(first->create(topic_spec(Topic::kPredictions)));
  const auto former = started_task(*first);
  ASSERT_OK(commit(*former, "1"));
  const auto second = open("second");
  const auto owner = open_task(*second);
  EXPECT_EQ(recover(*owner).last_commit.value, 1u);
  for (int i = 0; i < 2; ++i) {
    const auto fenced = commit(*former, "of the zombie");
    ASSERT_FALSE(fenced.ok());
    expect_error(fenced.error(), ErrorCode::kFenced, {"demo.inference.0", "another process owns"});
  }
  ASSERT_OK(commit(*owner, "2"));
  EXPECT_EQ(values(*second, Topic::kPredictions), (std::vector<std::string>{"1", "2"}));
}

TEST_F(KafkaLogTest, ForgetsOldChangesOnceAllStateIsWrittenAnew) {
  constexpr std::uint64_t kSmall = 2048;
  constexpr int kCommits = 160;
  Rng rng(5);
  std::map<std::string, std::string> model;
  const auto change_some = [&](TaskStore& store, int number) -> Result<void> {
    Transaction transaction;
    transaction.append(Topic::kPredictions, record("k", std::to_string(number)));
    for (std::uint64_t n = rng.below(8); n > 0; --n) {
      const std::string key = std::to_string(rng.below(60));
      if (rng.below(3) == 0) {
        transaction.state.erase("s|", key);
        model.erase("s|" + key);
      } else {
        const std::string value(rng.below(120), char('a' + number % 26));
        transaction.state.put("s|", key, value);
        model["s|" + key] = value;
      }
    }
    if (number == 0)  // Written once, and never again.
      for (int i = 0; i < 20; ++i) transaction.state.put("s|", "old " + std::to_string(i), model["s|old " + std::to_string(i)] = "kept");
    const auto committed = store.commit(transaction);
    return committed.ok() ? Result<void>() : Result<void>(committed.error());
  };
  for (const int half : {0, 1}) {  // A restart in the middle of it.
    const auto log = open("local", false, kSmall);
    ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
    const auto store = started_task(*log);
    for (int i = 0; i < kCommits / 2; ++i) ASSERT_OK(change_some(*store, half * kCommits / 2 + i));
  }

  const std::string changelog = "demo.inference.changelog";
  const std::vector<KafkaRecord> all = read_kafka(changelog);
  std::map<std::string, std::size_t> newest;
  std::string erased;  // The last one.
  std::size_t bundles = 0, tombstones = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    newest[all[i].key.value()] = i;
    if (!all[i].key->starts_with(kChangelogBundle)) continue;
    if (all[i].value) {
      ++bundles;
      continue;
    }
    ++tombstones;
    EXPECT_GT(*all[i].key, erased) << "oldest first";
    erased = *all[i].key;
  }
  std::vector<KafkaRecord> compacted;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (newest[*all[i].key] == i && all[i].value) {
      compacted.push_back(all[i]);
      if (all[i].key->starts_with(kChangelogBundle)) bytes += all[i].value->size();
    }
  std::size_t state = 0;
  for (const auto& [key, value] : model) state += key.size() + value.size();
  EXPECT_GT(tombstones, bundles / 2);
  EXPECT_LT(bytes, 3 * (kSmall + 2 * state)) << "of a state of " << state;

  for (const char* local : {"local", "none"}) {
    SCOPED_TRACE(local);
    const auto log = open(local);
    EXPECT_EQ(state_of(recover(*open_task(*log))), model);
  }
  // As after compaction, which has left the newest record of each key alone.
  delete_kafka_topics("demo.");
  create_kafka_topic(changelog, 1, {{"cleanup.policy", "compact"}});
  write_kafka(changelog, compacted);
  const auto log = open("compacted");
  const Recovered recovered = recover(*open_task(*log));
  EXPECT_EQ(state_of(recovered), model);
  EXPECT_EQ(recovered.last_commit.value, std::uint64_t(kCommits));
}

TEST_F(KafkaLogTest, ReadsTheStateFromTheChangelogWhateverTheLocalStoreHolds) {
  const std::map<std::string, std::string> expected = {{"s|last", "3"}, {"s|1", "1"}, {"s|2", "2"}, {"s|3", "3"}};
  {
    const auto log = open();
    ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
    const auto store = started_task(*log);
    ASSERT_OK(commit(*store, "1"));
    ASSERT_OK(commit(*store, "2"));
  }
  fs::copy(directory_ / "local", directory_ / "older", fs::copy_options::recursive);
  {
    const auto log = open();
    const auto store = started_task(*log);
    ASSERT_OK(commit(*store, "3"));
  }
  for (const char* local : {"local", "older", "none"}) {  // Up to date, behind, not there.
    SCOPED_TRACE(local);
    const auto log = open(local);
    const auto store = open_task(*log);
    const Recovered recovered = recover(*store);
    EXPECT_EQ(recovered.last_commit.value, 3u);
    EXPECT_EQ(state_of(recovered), expected);
    EXPECT_EQ(order_of(*store), (std::vector<std::uint64_t>{1, 2, 3}));
  }
}

TEST_F(KafkaLogTest, EmptiesALocalStoreThatDoesNotFit) {
  {
    const auto log = open();
    ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
    ASSERT_OK(commit(*started_task(*log), "1"));
  }
  const auto admin = KafkaAdmin::open(options());
  ASSERT_OK(admin);
  const std::int64_t now_us = system_clock().wall_us();
  const std::int64_t week_us = std::int64_t(7) * 24 * 3600 * 1'000'000;
  const struct {
    const char* what;
    LocalStamp stamp;
  } stamps[] = {{"another cluster", {"another", Offset(1), now_us}},
                {"beyond the end", {(*admin)->cluster_id(), Offset(1000), now_us}},
                {"too old", {(*admin)->cluster_id(), Offset(1), now_us - week_us}}};
  for (const auto& [what, stamp] : stamps) {
    SCOPED_TRACE(what);
    auto local = make_memory_log("demo", system_clock());
    {
      auto store = started_task(*local);
      Transaction transaction;
      ByteBuffer bytes;
      encode(stamp, bytes);
      transaction.state.put("", kLocalStamp, bytes.view());
      transaction.state.put(kChangelogState, "s|foreign", "x");
      ASSERT_OK(store->commit(transaction));
    }
    const auto log = open_kafka_log(options(), std::move(local));
    ASSERT_OK(log);
    const auto store = open_task(**log);
    EXPECT_EQ(state_of(recover(*store)), (std::map<std::string, std::string>{{"s|last", "1"}, {"s|1", "1"}}));
  }
}

TEST_F(KafkaLogTest, ReadingOnlyFencesNobody) {
  const auto log = open();
  ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
  const auto owner = started_task(*log);
  ASSERT_OK(commit(*owner, "1"));
  const auto beside = open("", /*read_only=*/true);
  const auto store = open_task(*beside);
  const Recovered recovered = recover(*store);
  EXPECT_EQ(recovered.last_commit.value, 1u);
  EXPECT_EQ(state_of(recovered).at("s|last"), "1");
  const auto refused = commit(*store, "2");
  ASSERT_FALSE(refused.ok());
  expect_error(refused.error(), ErrorCode::kIo, {"reading only"});
  ASSERT_OK(commit(*owner, "2"));
}

TEST_F(KafkaLogTest, RefusesTopicsWhoseSettingsWouldHurt) {
  const auto admin = KafkaAdmin::open(options());
  ASSERT_OK(admin);
  ASSERT_OK((*admin)->create("demo.predictions", 1, {{"message.timestamp.type", "CreateTime"}}));
  const auto log = open();
  const auto refused = log->create(topic_spec(Topic::kPredictions));
  ASSERT_FALSE(refused.ok());
  expect_error(refused.error(), ErrorCode::kConfig, {"demo.predictions", "message.timestamp.type=CreateTime", "LogAppendTime"});
  ASSERT_OK((*admin)->change_settings("demo.predictions", {{"message.timestamp.type", "LogAppendTime"}}));
  ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
}

TEST_F(KafkaLogTest, LeavesSomebodyElsesTopicAsItIs) {
  const auto admin = KafkaAdmin::open(options());
  ASSERT_OK(admin);
  ASSERT_OK((*admin)->create("demo.clicks", 2, {{"retention.ms", "86400000"}}));
  const auto log = open();
  TopicSpec spec = topic_spec(Topic::kLogs, 2);
  spec.name = "demo.clicks";
  ASSERT_OK(log->create(spec));
  EXPECT_EQ(log->describe(Topic::kLogs)->spec.retention.age, std::optional<Duration>(std::chrono::hours(24)));
}

TEST_F(KafkaLogTest, NamesAPositionThatIsNotThere) {
  const auto log = open();
  ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
  const auto store = started_task(*log);
  for (int i = 0; i < 5; ++i) ASSERT_OK(commit(*store, std::to_string(i)));
  auto reader = log->open_reader(Topic::kPredictions, PartitionId(0), Offset(0));
  ASSERT_OK(reader);
  delete_kafka_records("demo.predictions", 0, 6);
  ASSERT_OK((*reader)->seek(Offset(0)));
  const auto gone = (*reader)->poll(std::chrono::seconds(30));
  ASSERT_FALSE(gone.ok());
  expect_error(gone.error(), ErrorCode::kNotFound, {"demo.predictions", "offset 0", "retention has passed", "6"});
  ASSERT_OK((*reader)->seek(Offset(1000)));
  const auto beyond = (*reader)->poll(std::chrono::seconds(30));
  ASSERT_FALSE(beyond.ok());
  expect_error(beyond.error(), ErrorCode::kCorruption, {"demo.predictions", "offset 1000", "beyond its end"});
  EXPECT_EQ(values(*log, Topic::kPredictions), (std::vector<std::string>{"3", "4"}));  // A new reader starts at the oldest.
}

TEST_F(KafkaLogTest, ForgetsTheOrderOfWhatRetentionTook) {
  const auto log = open();
  ASSERT_OK(log->create(topic_spec(Topic::kLogs)));
  const auto store = started_task(*log);
  Transaction transaction;
  for (int i = 0; i < 5; ++i) {  // Each commit reads what the one before has written.
    transaction.clear();
    transaction.append(Topic::kLogs, record("k", "v"));
    transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(2 * i), 0}};
    transaction.order.records(InputId::kLogs, 1);
    ASSERT_OK(store->commit(transaction));
  }
  delete_kafka_records("demo.logs", 0, 4);
  ASSERT_OK(log->apply_retention({}));
  transaction.clear();
  ASSERT_OK(store->commit(transaction));
  EXPECT_EQ(order_of(*store), (std::vector<std::uint64_t>{4, 5}));
}

// The brokers end it, and fence its producer as if another owner had come.
TEST_F(KafkaLogTest, ATransactionThatExpiredHasAnUnknownOutcome) {
  KafkaLogOptions with = options();
  with.transaction_timeout = std::chrono::seconds(2);
  const auto admin = KafkaAdmin::open(with);
  ASSERT_OK(admin);
  ASSERT_OK((*admin)->create("demo.out", 1, {}));
  KafkaTransactions transactions(with, "demo.expires.0");
  ASSERT_OK(transactions.fence());
  ASSERT_OK(transactions.warm("demo.out"));
  KafkaAppended appended;
  int fills = 0;
  const KafkaTransactions::Fill late = [&](KafkaProducer& producer) {
    auto failure = producer.append(*producer.topic("demo.out"), PartitionId(0), record("k", "v"), true, appended);
    if (++fills > 1) return failure;
    EXPECT_TRUE(wait_until([&] { return (*admin)->watermarks("demo.out", PartitionId(0))->end.value > 0; })) << "never aborted";
    return failure;
  };
  const auto outcome = transactions.write(late);
  ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, KafkaTransactions::Outcome::kUnknown);
  ASSERT_OK(transactions.fence());
  const auto again = transactions.write(late);
  ASSERT_OK(again);
  EXPECT_EQ(*again, KafkaTransactions::Outcome::kCommitted);
  EXPECT_EQ(fills, 2);
}

TEST_F(KafkaLogTest, ACommitOutlastsABrokerThatIsKilled) {
  const auto log = open();
  ASSERT_OK(log->create(topic_spec(Topic::kPredictions)));
  const auto store = started_task(*log);
  ASSERT_OK(commit(*store, "1"));
  kafka_command("kill");
  std::thread back([] { kafka_command("start"); });
  const auto while_away = commit(*store, "2");
  back.join();
  ASSERT_OK(while_away);
  ASSERT_OK(commit(*store, "3"));
  EXPECT_EQ(values(*log, Topic::kPredictions), (std::vector<std::string>{"1", "2", "3"}));
}

}  // namespace
}  // namespace weir
