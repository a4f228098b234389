// Goal: what only the log on Kafka promises, on a real broker: one owner of a task at a time, a local store that may be lost,
// old or foreign, settings of topics checked, errors that name what to change, a broker that goes away for a while.
#include <librdkafka/rdkafka.h>

#include <fstream>
#include <thread>

#include "core/base/rng.hpp"
#include "storage/kafka_changelog.hpp"
#include "storage/kafka_client.hpp"
#include "storage/kafka_log.hpp"
#include "storage/kafka_transactions.hpp"
#include "storage/open_storage.hpp"
#include "tests/storage/storage_support.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/run_process.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

class KafkaLogTest : public testing::Test {
 protected:
  KafkaLogTest() { delete_kafka_topics("demo."); }
  const KafkaLogOptions options_ = options();  // For who keeps them.

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
    if (half == 0) fs::copy(directory_ / "local", directory_ / "older", fs::copy_options::recursive);
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

  for (const char* local : {"local", "older", "none"}) {
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
  const auto admin = KafkaAdmin::open(options_);
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
  const auto admin = KafkaAdmin::open(options_);
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
  const auto admin = KafkaAdmin::open(options_);
  ASSERT_OK(admin);
  ASSERT_OK((*admin)->create("demo.clicks", 2, {{"retention.ms", "86400000"}}));
  const auto log = open();
  TopicSpec spec = topic_spec(Topic::kLogs, 2);
  spec.name = "demo.clicks";
  ASSERT_OK(log->create(spec));
  EXPECT_EQ(log->describe(Topic::kLogs)->spec.retention.age, std::optional<Duration>(std::chrono::hours(24)));
}

// A transaction goes out in requests as large as its topics take, and not larger.
TEST_F(KafkaLogTest, ATransactionLargerThanARequestOfItsTopic) {
  const auto admin = KafkaAdmin::open(options_);
  ASSERT_OK(admin);
  ASSERT_OK((*admin)->create("demo.predictions", 1, {{"max.message.bytes", "65536"}, {"message.timestamp.type", "LogAppendTime"}}));
  ASSERT_OK((*admin)->create("demo.examples", 1, {{"message.timestamp.type", "LogAppendTime"}}));  // As large as the brokers take.
  const auto log = open();
  for (const Topic topic : {Topic::kPredictions, Topic::kExamples}) ASSERT_OK(log->create(topic_spec(topic)));
  const auto size_of = [&](const std::string& topic) {
    const auto settings = (*admin)->settings(topic);
    EXPECT_TRUE(settings.ok());
    return settings->at("max.message.bytes").value;
  };
  EXPECT_EQ(size_of("demo.predictions"), "65536") << "somebody has chosen it";
  EXPECT_EQ(size_of("demo.examples"), "4194304");
  const auto store = started_task(*log);
  constexpr int kRecords = 300;
  Transaction transaction;
  for (int i = 0; i < kRecords; ++i) {
    transaction.append(Topic::kPredictions, record("k", std::string(1000, 'p')));
    transaction.append(Topic::kExamples, record("k", std::string(20'000, 'e')));  // 6 MB: more than any request takes.
  }
  const auto committed = store->commit(transaction);
  ASSERT_OK(committed);
  EXPECT_EQ(values(*log, Topic::kPredictions), std::vector<std::string>(kRecords, std::string(1000, 'p')));
  EXPECT_EQ(values(*log, Topic::kExamples), std::vector<std::string>(kRecords, std::string(20'000, 'e')));
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

TEST_F(KafkaLogTest, ADamagedLocalStoreIsFilledAgain) {
  StorageOptions with;
  with.kind = LogKind::kKafka;
  with.embedded.path = (directory_ / "data").string();
  with.embedded.pipeline = "demo";
  with.embedded.state_write_buffer_bytes = 64 << 10;
  with.kafka = options();
  const fs::path local = directory_ / "data/kafka";
  const std::string large(300'000, 'x');  // Enough of it that the local store is written while the task runs.
  {
    const auto log = open_storage(with);
    ASSERT_OK(log);
    ASSERT_OK((*log)->create(topic_spec(Topic::kPredictions)));
    const auto store = started_task(**log);
    for (int i = 0; i < 40; ++i) {
      Transaction transaction;
      transaction.state.put("s|", std::to_string(i), large + std::to_string(i));
      ASSERT_OK(store->commit(transaction));
    }
  }
  int damaged = 0;
  for (const auto& file : fs::recursive_directory_iterator(local)) {
    // Those of the state: damage in the small ones beside them is found when the store is opened, and mended at once.
    if (file.path().extension() != ".sst" || file.file_size() < 1u << 20) continue;
    std::fstream table(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    table.seekg(10);
    const char was = static_cast<char>(table.get());
    table.seekp(10);
    table.put(static_cast<char>(was ^ 1));
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  {
    const auto log = open_storage(with);
    ASSERT_OK(log);
    const auto store = open_task(**log);
    const auto recovered = store->recover();  // Meets it, or whoever reads the state does.
    const Result<void> read = recovered.ok() ? recovered->state->scan("", [](auto, auto) { return true; }) : Result<void>(recovered.error());
    ASSERT_FALSE(read.ok());
    expect_error(read.error(), ErrorCode::kUnavailable, {"local store of task inference/0 is damaged", "fills it again from the changelog"});
  }
  const auto log = open_storage(with);
  ASSERT_OK(log);
  const auto store = open_task(**log);
  const Recovered recovered = recover(*store);
  EXPECT_EQ(recovered.last_commit.value, 40u);
  const auto state = state_of(recovered);
  EXPECT_EQ(state.size(), 40u);
  EXPECT_TRUE(state.at("s|39") == large + "39");
}

// Records of more than max.message.bytes are refused: a commit's changes are cut into pieces, wherever that falls.
TEST_F(KafkaLogTest, KeepsValuesOfAnySize) {
  const auto large = [](std::size_t bytes, char seed) {
    std::string out(bytes, seed);
    for (std::size_t i = 0; i < bytes; i += 1000) out[i] = static_cast<char>('a' + i / 1000 % 26);
    return out;
  };
  std::map<std::string, std::string> expected;
  const auto put = [&](TaskStore& store, const std::string& key, const std::optional<std::string>& value) {
    Transaction transaction;
    if (value) transaction.state.put("", key, *value), expected[key] = *value;
    else transaction.state.erase("", key), expected.erase(key);
    ASSERT_OK(store.commit(transaction));
  };
  int locals = 0;
  const auto expect_state = [&](const char* what) {
    SCOPED_TRACE(what);
    for (const std::string& local : {std::string("kept"), "new" + std::to_string(++locals)}) {
      const auto log = open(local);
      const auto store = open_task(*log);
      const auto found = state_of(recover(*store));
      EXPECT_TRUE(found == expected) << local << ": " << found.size() << " entries, expected " << expected.size();
    }
  };
  const auto with_store = [&](const auto& fn) {
    const auto log = open("kept");
    fn(*started_task(*log));
  };
  with_store([&](TaskStore& store) {
    put(store, "model", large(10'000'000, 'x'));
    put(store, "was whole", "small");
    put(store, "other", "o");
  });
  expect_state("in many pieces");
  with_store([&](TaskStore& store) {
    put(store, "model", large(3'000'000, 'y'));
    put(store, "was whole", large(900'001, 'z'));
  });
  expect_state("in fewer pieces, and in two what was in one");
  with_store([&](TaskStore& store) { put(store, "model", "small again"); });
  expect_state("in one piece");
  with_store([&](TaskStore& store) {
    put(store, "model", large(2'000'000, 'v'));
    put(store, "was whole", std::nullopt);
  });
  with_store([&](TaskStore& store) { put(store, "model", std::nullopt); });
  expect_state("erased");
}

TEST_F(KafkaLogTest, AtLeastOncePublishesAtOnceAndKeepsStateAndPositionsTogether) {
  KafkaLogOptions with = options();
  with.at_least_once = true;
  const auto open_so = [&](const char* local) {
    EmbeddedLogOptions store;
    store.path = (directory_ / local).string();
    auto log = open_kafka_log(with, std::move(open_embedded_log(store)).value());
    EXPECT_TRUE(log.ok()) << log.error().what;
    return std::move(log).value();
  };
  const auto reading = open("reading");
  ASSERT_OK(reading->create(topic_spec(Topic::kPredictions)));
  {
    const auto log = open_so("first");
    const auto store = started_task(*log);
    const auto first = commit(*store, "1");
    ASSERT_OK(first);
    EXPECT_EQ(first->value, 0u);  // Its state is put off.
    EXPECT_EQ(values(*reading, Topic::kPredictions), (std::vector<std::string>{"1"}));
  }
  {
    const auto log = open_so("first");
    const auto store = open_task(*log);
    const Recovered recovered = recover(*store);
    EXPECT_EQ(recovered.last_commit.value, 0u);
    EXPECT_TRUE(state_of(recovered).empty());
    ASSERT_OK(commit(*store, "1"));  // Once more.
    ASSERT_OK(commit(*store, "2"));
    const auto settled = store->settle(/*now=*/true);
    ASSERT_OK(settled);
    EXPECT_EQ(settled->value, 2u);
    EXPECT_EQ(recovered.state->visible().value, 2u);
    EXPECT_EQ(state_of(recovered), (std::map<std::string, std::string>{{"s|last", "2"}, {"s|1", "1"}, {"s|2", "2"}}));
  }
  EXPECT_EQ(values(*reading, Topic::kPredictions), (std::vector<std::string>{"1", "1", "2"}));
  const auto log = open_so("second");
  const auto store = open_task(*log);
  const Recovered recovered = recover(*store);
  EXPECT_EQ(state_of(recovered), (std::map<std::string, std::string>{{"s|last", "2"}, {"s|1", "1"}, {"s|2", "2"}}));
  std::vector<std::string> order;
  ASSERT_OK(store->read_order([&](CommitId, std::string_view bytes) { return order.emplace_back(bytes), true; }));
  Order both;
  both.records(InputId::kLogs, 2);
  EXPECT_EQ(order, (std::vector<std::string>{std::string(both.bytes())}));
  // Sources write inputs, of which each counts: exactly once all the same.
  const auto source = log->open_task({"source.logs", PartitionId(0), /*writes_inputs=*/true});
  ASSERT_OK(source);
  ASSERT_OK((*source)->recover());
  EXPECT_EQ(commit(**source, "3")->value, 1u);
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
