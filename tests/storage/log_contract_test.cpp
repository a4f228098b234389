// Goal: every backend keeps the promises of topic_log.hpp, topic_reader.hpp and task_store.hpp. A new backend is one line
// in contract_backends() of its *_contract_backends.cpp.
//
// Invariants: what a reader sees is what was committed, in order, whole commits only; offsets never change; state, positions
// and order are those of the last commit; retention removes only what it may.
//
// The interfaces allow gaps between offsets: where a backend has them (Backend::gaps()), the tests count records from the
// beginning of the partition instead. Retention is tested here where it follows the log's clock.

#include <map>
#include <set>
#include <thread>

#include "core/base/rng.hpp"
#include "tests/storage/storage_support.hpp"

namespace weir {
namespace {

class LogContract : public testing::TestWithParam<BackendKind> {
 protected:
  ManualClock clock_;
  std::unique_ptr<Backend> backend_ = GetParam().make(clock_);
  TopicLog& log() { return backend_->log(); }

  // As the function of the same name; where offsets have gaps, `from` and the offsets given are those without them.
  std::vector<Seen> read_all(TopicLog& log, Topic topic, std::int32_t partition = 0, std::int64_t from = 0) const {
    if (!backend_->gaps()) return weir::read_all(log, topic, partition, from);
    const std::vector<Seen> all = weir::read_all(log, topic, partition);
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_GT(all[i].offset, all[i - 1].offset);
    std::vector<Seen> out(all.begin() + std::min<std::ptrdiff_t>(from, std::ptrdiff_t(all.size())), all.end());
    if (from > 0) {
      EXPECT_EQ(weir::read_all(log, topic, partition, offset_of(all, from)), out) << "from record " << from << " on";
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i].offset = from + std::int64_t(i);
    return out;
  }
  // The offset of record `index`, or the first one after the last record.
  static std::int64_t offset_of(const std::vector<Seen>& all, std::int64_t index) {
    if (all.empty()) return 0;
    return index < std::int64_t(all.size()) ? all[std::size_t(index)].offset : all.back().offset + 1;
  }
};

TEST_P(LogContract, GivesRecordsBackInOrderWithTheirOffsets) {
  ASSERT_OK(log().create(topic_spec(Topic::kPredictions)));
  auto store = started_task(log());
  Transaction transaction;
  std::vector<Seen> expected;
  for (int commit = 0; commit < 5; ++commit) {
    transaction.clear();
    for (int i = 0; i <= commit; ++i) {
      const std::string value = std::to_string(commit) + "." + std::to_string(i);
      transaction.append(Topic::kPredictions, record("k", value));
      expected.push_back({std::int64_t(expected.size()), "k", value});
    }
    auto id = store->commit(transaction);
    ASSERT_OK(id);
    EXPECT_EQ(id->value, std::uint64_t(commit + 1));
  }
  EXPECT_EQ(read_all(log(), Topic::kPredictions), expected);
  for (std::size_t from = 0; from <= expected.size(); ++from)  // In the middle of a batch, too.
    EXPECT_EQ(read_all(log(), Topic::kPredictions, 0, std::int64_t(from)),
              std::vector<Seen>(expected.begin() + std::ptrdiff_t(from), expected.end()));
}

TEST_P(LogContract, KeepsEveryFieldOfARecord) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs)));
  auto store = started_task(log());
  Transaction transaction;
  Record full = record("key", "value", -5);
  full.source = {"demo.outcomes", PartitionId(3), Offset(1'000'000'000'000)};
  Record tombstone = record("gone", "");
  tombstone.erases = true;
  Record bare;
  bare.value = std::string_view("\0\xff", 2);
  for (const Record& r : {full, tombstone, bare}) transaction.append(Topic::kLogs, r);
  ASSERT_OK(store->commit(transaction));
  auto reader = log().open_reader(Topic::kLogs, PartitionId(0), Offset(0));
  ASSERT_OK(reader);
  auto batch = (*reader)->poll(Duration::zero());
  ASSERT_OK(batch);
  EXPECT_EQ((*batch)->bytes(), transaction.records[index_of(Topic::kLogs)].bytes());
  const std::int64_t appended_us = (*batch)->append_time_us();
  EXPECT_TRUE(backend_->own_clock() ? appended_us == clock_.wall_us() : appended_us > 0) << appended_us;
}

TEST_P(LogContract, CommitsToAllTopicsOrNone) {
  ASSERT_OK(log().create(topic_spec(Topic::kPredictions)));
  auto store = started_task(log());
  Transaction transaction;
  transaction.append(Topic::kPredictions, record("a", "1"));
  transaction.append(Topic::kExamples, record("a", "1"));  // Was never created: the whole transaction fails.
  transaction.state.put("s|", "key", "value");
  transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(1), 0}};
  auto failed = store->commit(transaction);
  ASSERT_FALSE(failed.ok());
  expect_error(failed.error(), ErrorCode::kNotFound, {"examples", "never created"});
  EXPECT_TRUE(read_all(log(), Topic::kPredictions).empty());
  ASSERT_OK(log().create(topic_spec(Topic::kExamples)));
  auto id = store->commit(transaction);  // The same transaction again.
  ASSERT_OK(id);
  EXPECT_EQ(id->value, 1u);
  EXPECT_EQ(read_all(log(), Topic::kPredictions), (std::vector<Seen>{{0, "a", "1"}}));
  EXPECT_EQ(read_all(log(), Topic::kExamples), (std::vector<Seen>{{0, "a", "1"}}));
}

TEST_P(LogContract, RecoversPositionsStateAndOrder) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs)));
  {
    auto store = started_task(log());
    Transaction transaction;
    transaction.state.put("a|", "1", "one");
    transaction.state.put("a|", "2", "two");
    transaction.state.put("b|", "1", "");
    transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(7), 99}, {InputId::kOutcomes, PartitionId(0), Offset(3), 0}};
    transaction.order.records(InputId::kLogs, 7);
    ASSERT_OK(store->commit(transaction));
    transaction.clear();
    transaction.state.erase("a|", "1");
    transaction.state.put("a|", "2", "changed");
    transaction.state.put("a|", "2", "changed twice");
    transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(9), 100}};  // Outcomes stay where they were.
    transaction.order.idle(InputId::kOutcomes);
    ASSERT_OK(store->commit(transaction));
    transaction.clear();  // A commit without order leaves no order entry.
    ASSERT_OK(store->commit(transaction));
  }
  backend_->restart();
  auto store = open_task(log());
  const Recovered recovered = recover(*store);
  EXPECT_EQ(recovered.last_commit.value, 3u);
  EXPECT_EQ(recovered.positions, (Positions{{InputId::kLogs, PartitionId(0), Offset(9), 100},
                                            {InputId::kOutcomes, PartitionId(0), Offset(3), 0}}));
  EXPECT_EQ(recovered.state->visible().value, 3u);
  std::string value;
  EXPECT_FALSE(*recovered.state->get("a|1", value));
  EXPECT_TRUE(*recovered.state->get("a|2", value));
  EXPECT_EQ(value, "changed twice");
  EXPECT_TRUE(*recovered.state->get("b|1", value));
  EXPECT_EQ(value, "");
  const std::vector<std::string_view> keys = {"b|1", "a|1", "a|2", "a|2"};
  std::vector<std::string> values;
  std::vector<char> found;
  ASSERT_OK(recovered.state->get_many(keys, values, found));
  EXPECT_EQ(found, (std::vector<char>{1, 0, 1, 1}));
  EXPECT_EQ(values[3], "changed twice");
  std::vector<std::pair<std::uint64_t, std::string>> order;
  ASSERT_OK(store->read_order([&](CommitId id, std::string_view bytes) {
    order.emplace_back(id.value, bytes);
    return true;
  }));
  ASSERT_EQ(order.size(), 2u);
  EXPECT_EQ(order[0].first, 1u);
  EXPECT_EQ(order[1].first, 2u);
  ByteReader reader(order[0].second);
  OrderEntry entry;
  ASSERT_TRUE(next_order_entry(reader, entry));
  EXPECT_EQ(entry, (OrderEntry{OrderKind::kRecords, InputId::kLogs, 7}));
}

TEST_P(LogContract, ScansStateByPrefixInKeyOrderAndOnlyItsOwn) {
  auto store = started_task(log(), "a", 0);
  auto neighbour = started_task(log(), "a", 1);
  Transaction transaction;
  for (const char* key : {"3", "1", "2", "10"}) transaction.state.put("x|", key, key);
  transaction.state.put("y|", "1", "other prefix");
  ASSERT_OK(store->commit(transaction));
  transaction.clear();
  transaction.state.put("x|", "4", "other partition");
  ASSERT_OK(neighbour->commit(transaction));
  store.reset();
  auto again = open_task(log(), "a", 0);
  const Recovered recovered = recover(*again);
  std::vector<std::string> keys;
  ASSERT_OK(recovered.state->scan("x|", [&](std::string_view key, std::string_view value) {
    EXPECT_EQ(key.substr(2), value);
    keys.emplace_back(key);
    return keys.size() < 3;
  }));
  EXPECT_EQ(keys, (std::vector<std::string>{"x|1", "x|10", "x|2"}));
}

TEST_P(LogContract, StateReaderSeesEachCommit) {
  auto store = open_task(log());
  const Recovered recovered = recover(*store);
  Transaction transaction;
  std::string value;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    transaction.clear();
    transaction.state.put("", "k", std::to_string(i));
    ASSERT_OK(store->commit(transaction));
    EXPECT_EQ(recovered.state->visible().value, i);
    ASSERT_TRUE(*recovered.state->get("k", value));
    EXPECT_EQ(value, std::to_string(i));
  }
}

TEST_P(LogContract, CountsAttemptsAtAnInputUntilACommitTakesItsRecord) {
  const auto attempts = [&](InputId input) { return recover(*open_task(log())).attempts[static_cast<std::size_t>(input)]; };
  const auto commit_one_of = [&](InputId input, std::uint32_t left) {
    auto store = open_task(log());
    recover(*store);
    Transaction transaction;
    transaction.consumed.push_back({input, PartitionId(0), Offset(1), 0});
    transaction.attempts = left;
    ASSERT_OK(store->commit(transaction));
  };
  for (std::uint32_t attempt = 0; attempt < 3; ++attempt) {
    auto store = open_task(log());
    EXPECT_EQ(recover(*store).attempts[0], attempt);
    ASSERT_OK(store->count_attempt(InputId::kLogs));
    if (attempt == 0) ASSERT_OK(store->count_attempt(InputId::kModels));
    ASSERT_OK(store->count_attempt(InputId::kLogs));
    ASSERT_OK(store->take_back_attempt(InputId::kLogs));
    store.reset();
    backend_->restart();
    EXPECT_EQ(attempts(InputId::kLogs), attempt + 1) << "a start that takes no record does not count";
    backend_->restart();
  }
  EXPECT_EQ(attempts(InputId::kOutcomes), 0u);
  commit_one_of(InputId::kOutcomes, 0);
  backend_->restart();
  EXPECT_EQ(attempts(InputId::kLogs), 3u) << "another input's commit says nothing of this one";
  EXPECT_EQ(attempts(InputId::kModels), 1u);
  commit_one_of(InputId::kLogs, 2);
  backend_->restart();
  EXPECT_EQ(attempts(InputId::kLogs), 2u);
  commit_one_of(InputId::kLogs, 0);
  backend_->restart();
  EXPECT_EQ(attempts(InputId::kLogs), 0u);
  EXPECT_EQ(attempts(InputId::kModels), 1u);
  {
    auto store = open_task(log());
    recover(*store);
    ASSERT_OK(store->clear_attempts());
  }
  backend_->restart();
  EXPECT_EQ(attempts(InputId::kModels), 0u) << "a clean end";
}

TEST_P(LogContract, RefusesASecondOwnerOfATask) {
  auto store = open_task(log());
  auto second = log().open_task({"inference", PartitionId(0)});
  ASSERT_FALSE(second.ok());
  expect_error(second.error(), ErrorCode::kInUse, {"inference"});
  EXPECT_TRUE(log().open_task({"inference", PartitionId(1)}).ok());
  store.reset();
  EXPECT_TRUE(log().open_task({"inference", PartitionId(0)}).ok());
}

TEST_P(LogContract, KeepsPartitionsApart) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs, 3)));
  Transaction transaction;
  for (int p = 0; p < 3; ++p) {
    auto store = started_task(log(), "source.logs", p);
    transaction.clear();
    for (int i = 0; i <= p; ++i) transaction.append(Topic::kLogs, record("k", std::to_string(p)));
    ASSERT_OK(store->commit(transaction));
  }
  for (int p = 0; p < 3; ++p) {
    const auto seen = read_all(log(), Topic::kLogs, p);
    ASSERT_EQ(seen.size(), std::size_t(p + 1));
    EXPECT_EQ(seen[0].value, std::to_string(p));
  }
  auto beyond = log().open_reader(Topic::kLogs, PartitionId(3), Offset(0));
  ASSERT_FALSE(beyond.ok());
  expect_error(beyond.error(), ErrorCode::kNotFound, {"demo.logs", "3"});
  auto store = started_task(log(), "source.logs", 3);
  auto refused = store->commit(transaction);
  ASSERT_FALSE(refused.ok());
  expect_error(refused.error(), ErrorCode::kConfig, {"demo.logs", "3"});
}

TEST_P(LogContract, TwoTasksMayWriteOnePartition) {
  ASSERT_OK(log().create(topic_spec(Topic::kModels)));
  auto a = started_task(log(), "inference");
  auto b = started_task(log(), "learning");
  const auto write = [](TaskStore& store, std::string_view name) {
    Transaction transaction;
    for (int i = 0; i < 200; ++i) {
      transaction.clear();
      transaction.append(Topic::kModels, record(name, std::to_string(2 * i)));
      transaction.append(Topic::kModels, record(name, std::to_string(2 * i + 1)));
      ASSERT_OK(store.commit(transaction));
    }
  };
  std::thread other([&] { write(*b, "learning"); });
  write(*a, "inference");
  other.join();
  const auto seen = read_all(log(), Topic::kModels);
  ASSERT_EQ(seen.size(), 800u);
  std::map<std::string, int> next;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].offset, std::int64_t(i));
    EXPECT_EQ(seen[i].value, std::to_string(next[seen[i].key]++));
    if (!backend_->gaps()) {
      EXPECT_EQ(seen[i].key, seen[i / 2 * 2].key);  // Commits stay together.
    }
  }
}

TEST_P(LogContract, AReaderThatWaitsGetsTheNextCommit) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs)));
  auto store = started_task(log());
  auto reader = log().open_reader(Topic::kLogs, PartitionId(0), Offset(0));
  ASSERT_OK(reader);
  auto nothing = (*reader)->poll(Duration::zero());
  ASSERT_OK(nothing);
  EXPECT_EQ(*nothing, nullptr);
  std::thread reading([&] {
    for (int next = 0; next < 100;) {
      auto batch = (*reader)->poll(std::chrono::seconds(60));
      ASSERT_OK(batch);
      ASSERT_NE(*batch, nullptr);
      if (!backend_->gaps()) {
        EXPECT_EQ((*batch)->base().value, next);
      }
      EXPECT_TRUE((*batch)->for_each([&](Offset, const Record& r) { EXPECT_EQ(r.value, std::to_string(next++)); }));
    }
  });
  Transaction transaction;
  for (int i = 0; i < 100; ++i) {
    transaction.clear();
    transaction.append(Topic::kLogs, record("k", std::to_string(i)));
    ASSERT_OK(store->commit(transaction));
  }
  reading.join();
  nothing = (*reader)->poll(Duration::zero());
  ASSERT_OK(nothing);
  EXPECT_EQ(*nothing, nullptr);
  EXPECT_EQ((*reader)->position(), (*reader)->end());  // Once it has been told that there is no more.
  if (!backend_->gaps()) {
    EXPECT_EQ((*reader)->end().value, 100);
  }
}

TEST_P(LogContract, WakeEndsAPollThatWaits) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs)));
  auto reader = log().open_reader(Topic::kLogs, PartitionId(0), Offset(0));
  ASSERT_OK(reader);
  (*reader)->wake();  // Before the poll: it counts for the next one.
  auto batch = (*reader)->poll(std::chrono::hours(1));
  ASSERT_OK(batch);
  EXPECT_EQ(*batch, nullptr);
  std::thread reading([&] { EXPECT_EQ(*(*reader)->poll(std::chrono::hours(1)), nullptr); });
  (*reader)->wake();
  reading.join();
}

TEST_P(LogContract, SeekGoesBackAndForth) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs)));
  auto store = started_task(log());
  Transaction transaction;
  for (int i = 0; i < 20; ++i) {
    transaction.clear();
    for (int j = 0; j < 5; ++j) transaction.append(Topic::kLogs, record("k", std::to_string(5 * i + j)));
    ASSERT_OK(store->commit(transaction));
  }
  auto reader = log().open_reader(Topic::kLogs, PartitionId(0), Offset(0));
  ASSERT_OK(reader);
  const std::vector<Seen> all = weir::read_all(log(), Topic::kLogs);
  ASSERT_EQ(all.size(), 100u);
  for (const std::int64_t to : {97, 3, 0, 50, 99, 1, 2}) {
    ASSERT_OK((*reader)->seek(Offset(offset_of(all, to))));
    std::int64_t next = to;
    for (int polls = 0; polls < 4; ++polls) {
      const Offset at = (*reader)->position();
      auto batch = (*reader)->poll(Duration::zero());
      ASSERT_OK(batch);
      if (next == 100) {
        EXPECT_EQ(*batch, nullptr);
        continue;
      }
      ASSERT_NE(*batch, nullptr);
      if (!backend_->gaps()) {
        EXPECT_EQ((*batch)->base(), at);
      }
      (*batch)->for_each([&](Offset o, const Record& r) {
        EXPECT_EQ(o.value, offset_of(all, next));
        EXPECT_EQ(r.value, std::to_string(next++));
      });
    }
  }
}

TEST_P(LogContract, DescribesTopics) {
  EXPECT_TRUE(log().list().empty());
  auto missing = log().describe(Topic::kLogs);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  ASSERT_OK(log().create(topic_spec(Topic::kPredictions, 2)));
  ASSERT_OK(log().create(topic_spec(Topic::kLogs, 1, {std::chrono::hours(1), 1000, false})));
  ASSERT_OK(log().create(topic_spec(Topic::kLogs, 1, {std::chrono::hours(2), std::nullopt, false})));  // New retention.
  auto store = started_task(log(), "inference", 1);
  Transaction transaction;
  transaction.append(Topic::kPredictions, record("k", "v"));
  ASSERT_OK(store->commit(transaction));
  store.reset();
  backend_->restart();
  const auto topics = log().list();
  ASSERT_EQ(topics.size(), 2u);
  EXPECT_EQ(topics[0].spec.topic, Topic::kLogs);
  EXPECT_EQ(topics[0].spec.name, "demo.logs");
  EXPECT_EQ(topics[0].spec.retention, (Retention{std::chrono::hours(2), std::nullopt, false}));
  ASSERT_EQ(topics[1].partitions.size(), 2u);
  EXPECT_EQ(topics[1].partitions[0].end.value, 0);
  EXPECT_EQ(topics[1].partitions[0].last_append_us, 0);
  EXPECT_EQ(topics[1].partitions[1].begin.value, 0);
  EXPECT_EQ(topics[1].partitions[1].end.value, backend_->gaps() ? 2 : 1);
  if (backend_->own_clock()) {
    EXPECT_EQ(topics[1].partitions[1].bytes, transaction.records[index_of(Topic::kPredictions)].bytes().size());
    EXPECT_EQ(topics[1].partitions[1].last_append_us, clock_.wall_us());
  }
  auto refused = log().create(topic_spec(Topic::kLogs, 4));
  ASSERT_FALSE(refused.ok());
  expect_error(refused.error(), ErrorCode::kConfig, {"demo.logs", "1", "4"});
}

TEST_P(LogContract, OneCommitWritesToSeveralPartitions) {
  ASSERT_OK(log().create(topic_spec(Topic::kLogs, 3)));
  auto store = started_task(log(), "source.logs");
  Transaction transaction;
  for (const int partition : {2, 0, 2, 0, 2}) transaction.append_to(Topic::kLogs, PartitionId(partition), record("k", std::to_string(partition)));
  transaction.consumed.push_back({InputId::kLogs, PartitionId(0), Offset(5), 50});
  ASSERT_OK(store->commit(transaction));
  transaction.clear();
  EXPECT_TRUE(transaction.empty());
  transaction.append_to(Topic::kLogs, PartitionId(1), record("k", "1"));
  EXPECT_FALSE(transaction.empty());
  ASSERT_OK(store->commit(transaction));
  transaction.clear();
  transaction.append_to(Topic::kLogs, PartitionId(0), record("k", "lost"));
  transaction.append_to(Topic::kLogs, PartitionId(3), record("k", "nowhere"));
  const auto refused = store->commit(transaction);
  ASSERT_FALSE(refused.ok());
  expect_error(refused.error(), ErrorCode::kConfig, {"source.logs", "partition 3", "which has 3"});
  store.reset();
  backend_->restart();
  EXPECT_EQ(read_all(log(), Topic::kLogs, 0), (std::vector<Seen>{{0, "k", "0"}, {1, "k", "0"}}));
  EXPECT_EQ(read_all(log(), Topic::kLogs, 1), (std::vector<Seen>{{0, "k", "1"}}));
  EXPECT_EQ(read_all(log(), Topic::kLogs, 2), (std::vector<Seen>{{0, "k", "2"}, {1, "k", "2"}, {2, "k", "2"}}));
}

class LogRetention : public LogContract {
 protected:
  // Ten batches of five records, one minute apart; the clock ends at the last one.
  void fill(Retention retention, Topic topic = Topic::kLogs) {
    ASSERT_OK(log().create(topic_spec(topic, 1, retention)));
    auto store = started_task(log());
    Transaction transaction;
    for (int i = 0; i < 10; ++i) {
      transaction.clear();
      for (int j = 0; j < 5; ++j)
        transaction.append(topic, record("k" + std::to_string(j), std::to_string(5 * i + j)));
      transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(5 * (i + 1)), 0}};
      transaction.order.records(InputId::kLogs, 5);
      if (i > 0) clock_.advance(std::chrono::minutes(1));
      ASSERT_OK(store->commit(transaction));
      batch_bytes_.push_back(transaction.records[index_of(topic)].bytes().size());
    }
  }
  std::int64_t begin(Topic topic = Topic::kLogs) { return log().describe(topic)->partitions[0].begin.value; }
  std::vector<std::size_t> batch_bytes_;
};

TEST_P(LogRetention, CutsByAge) {
  fill({std::chrono::minutes(4), std::nullopt, false});
  auto lagging = log().open_reader(Topic::kLogs, PartitionId(0), Offset(2));
  ASSERT_OK(lagging);
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(begin(), 25);  // The batches of minutes 0 to 4 are older than four minutes at minute 9.
  EXPECT_EQ(read_all(log(), Topic::kLogs).front().offset, 25);
  EXPECT_EQ(read_all(log(), Topic::kLogs).size(), 25u);
  auto passed = (*lagging)->poll(Duration::zero());
  ASSERT_FALSE(passed.ok());
  expect_error(passed.error(), ErrorCode::kNotFound, {"demo.logs", "2", "25"});
  ASSERT_OK((*lagging)->seek(Offset(0)));  // Clamped to what is there.
  EXPECT_EQ((*lagging)->position().value, 25);
  lagging->reset();
  backend_->restart();
  EXPECT_EQ(begin(), 25);
}

TEST_P(LogRetention, CutsByBytes) {
  fill({});
  const std::uint64_t keep = batch_bytes_[9] + batch_bytes_[8] + batch_bytes_[7];
  ASSERT_OK(log().create(topic_spec(Topic::kLogs, 1, {std::nullopt, keep, false})));
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(begin(), 35);
  EXPECT_EQ(log().describe(Topic::kLogs)->partitions[0].bytes, keep);
}

TEST_P(LogRetention, TheNewestBatchIsNeverTooManyBytes) {
  fill({});
  ASSERT_OK(log().create(topic_spec(Topic::kLogs, 1, {std::nullopt, batch_bytes_[9] - 1, false})));
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(begin(), 45);
  EXPECT_EQ(read_all(log(), Topic::kLogs).size(), 5u);
  EXPECT_EQ(log().describe(Topic::kLogs)->partitions[0].bytes, batch_bytes_[9]);
  backend_->restart();
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(begin(), 45);
}

TEST_P(LogRetention, EverythingMayGoAndOffsetsGoOn) {
  fill({std::chrono::minutes(4), std::nullopt, false});
  clock_.advance(std::chrono::hours(1));
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(begin(), 50);
  EXPECT_EQ(log().describe(Topic::kLogs)->partitions[0].bytes, 0u);
  backend_->restart();
  auto store = started_task(log());
  Transaction transaction;
  transaction.append(Topic::kLogs, record("k", "new"));
  ASSERT_OK(store->commit(transaction));
  EXPECT_EQ(read_all(log(), Topic::kLogs), (std::vector<Seen>{{50, "k", "new"}}));
}

TEST_P(LogRetention, RespectsTheLowestFloorOfAPartition) {
  fill({std::chrono::minutes(1), std::nullopt, false});
  ASSERT_OK(log().apply_retention({{Topic::kLogs, PartitionId(0), Offset(30)}, {Topic::kLogs, PartitionId(0), Offset(12)},
                                   {Topic::kOutcomes, PartitionId(0), Offset(0)}}));
  EXPECT_EQ(begin(), 10);  // The batch that holds offset 12 stays whole.
}

TEST_P(LogRetention, ForgetsTheOrderOfWhatIsGone) {
  fill({std::chrono::minutes(4), std::nullopt, false});
  ASSERT_OK(log().apply_retention({}));
  auto store = open_task(log());
  std::vector<std::uint64_t> commits;
  ASSERT_OK(store->read_order([&](CommitId id, std::string_view) {
    commits.push_back(id.value);
    return true;
  }));
  EXPECT_EQ(commits, (std::vector<std::uint64_t>{6, 7, 8, 9, 10}));
  EXPECT_EQ(recover(*store).positions[0].next.value, 50);
}

TEST_P(LogRetention, CompactionKeepsTheNewestOfEachKeyAtItsOffset) {
  fill({std::nullopt, std::nullopt, true}, Topic::kModels);
  auto from_the_start = log().open_reader(Topic::kModels, PartitionId(0), Offset(0));
  ASSERT_OK(from_the_start);
  ASSERT_OK(log().apply_retention({{Topic::kModels, PartitionId(0), Offset(42)}}));
  std::vector<Seen> expected;
  for (std::int64_t o = 42; o < 50; ++o) expected.push_back({o, "k" + std::to_string(o % 5), std::to_string(o)});
  EXPECT_EQ(read_all(log(), Topic::kModels), expected);  // Newest of each key, and all from the floor on.
  EXPECT_EQ(begin(Topic::kModels), 42);
  auto first = (*from_the_start)->poll(Duration::zero());  // Gaps are no loss for a reader that was before them.
  ASSERT_OK(first);
  EXPECT_EQ((*first)->base().value, 42);
  from_the_start->reset();
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(read_all(log(), Topic::kModels).size(), 5u);
  backend_->restart();
  EXPECT_EQ(read_all(log(), Topic::kModels).front(), (Seen{45, "k0", "45"}));
}

TEST_P(LogRetention, CompactionDropsTombstonesAfterOneAge) {
  ASSERT_OK(log().create(topic_spec(Topic::kModels, 1, {std::chrono::minutes(5), std::nullopt, true})));
  auto store = started_task(log());
  Transaction transaction;
  transaction.append(Topic::kModels, record("kept", "1"));
  transaction.append(Topic::kModels, record("erased", "1"));
  Record tombstone = record("erased", "");
  tombstone.erases = true;
  transaction.append(Topic::kModels, tombstone);
  ASSERT_OK(store->commit(transaction));
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(read_all(log(), Topic::kModels), (std::vector<Seen>{{0, "kept", "1"}, {2, "erased", ""}}));
  clock_.advance(std::chrono::minutes(6));
  ASSERT_OK(log().apply_retention({}));
  EXPECT_EQ(read_all(log(), Topic::kModels), (std::vector<Seen>{{0, "kept", "1"}}));
  EXPECT_EQ(log().describe(Topic::kModels)->partitions[0].end.value, 3);
}

// The backend beside a naive model, under random operations.
class LogModel : public LogContract {
 protected:
  struct ModelRecord {
    std::string key, value;
  };
  struct ModelTask {
    std::map<std::string, std::string> state;
    std::map<std::pair<int, int>, Position> positions;
    std::uint64_t commits = 0;
  };
  static constexpr std::array<Topic, 3> kTopics = {Topic::kLogs, Topic::kPredictions, Topic::kModels};  // kModels: compacted.
  static constexpr int kPartitions = 2;

  void commit(int p) {
    Transaction transaction;
    ModelTask& task = tasks_[p];
    for (const Topic topic : kTopics) {
      if (rng_.below(3) == 0) continue;
      for (std::uint64_t n = rng_.below(12); n > 0; --n) {
        ModelRecord r{"k" + std::to_string(rng_.below(6)), std::string(rng_.below(60), char('a' + rng_.below(26)))};
        transaction.append(topic, record(r.key, r.value));
        records_[{index_of(topic), p}].push_back(r);
      }
    }
    for (std::uint64_t n = rng_.below(5); n > 0; --n) {
      const std::string key = "s|" + std::to_string(rng_.below(10));
      if (rng_.below(4) == 0) {
        transaction.state.erase("", key);
        task.state.erase(key);
      } else {
        const std::string value(rng_.below(30), 'v');
        transaction.state.put("", key, value);
        task.state[key] = value;
      }
    }
    if (rng_.below(2) == 0) {
      const auto input = static_cast<InputId>(rng_.below(2));
      const Position position{input, PartitionId(p), Offset(std::int64_t(rng_.below(1000))), rng_.below(1000)};
      transaction.consumed.push_back(position);
      task.positions[{int(input), p}] = position;
    }
    auto id = stores_[std::size_t(p)]->commit(transaction);
    ASSERT_OK(id);
    ASSERT_EQ(id->value, ++task.commits);
  }

  void start(int p) {
    stores_[std::size_t(p)] = open_task(log(), "task", p);
    const Recovered recovered = recover(*stores_[std::size_t(p)]);
    ASSERT_EQ(recovered.last_commit.value, tasks_[p].commits);
    std::map<std::pair<int, int>, Position> positions;
    for (const Position& position : recovered.positions) positions[{int(position.input), position.partition.value}] = position;
    ASSERT_EQ(positions, tasks_[p].positions);
    std::map<std::string, std::string> state;
    ASSERT_OK(recovered.state->scan("", [&](std::string_view key, std::string_view value) {
      state.emplace(key, value);
      return true;
    }));
    ASSERT_EQ(state, tasks_[p].state);
  }

  void check(Topic topic, int p) {
    const auto& model = records_[{index_of(topic), p}];
    const auto description = log().describe(topic)->partitions[std::size_t(p)];
    if (!backend_->gaps()) {
      ASSERT_EQ(description.end.value, std::int64_t(model.size()));
    }
    const std::int64_t from = std::int64_t(rng_.below(model.size() + 1));
    const auto seen = read_all(log(), topic, p, from);
    std::map<std::string, std::int64_t> newest;
    for (std::size_t i = 0; i < model.size(); ++i) newest[model[i].key] = std::int64_t(i);
    std::set<std::int64_t> offsets;
    std::int64_t last = std::max(from, description.begin.value) - 1;
    for (const Seen& s : seen) {
      ASSERT_GE(s.offset, from);
      ASSERT_GT(s.offset, last) << "from " << from;
      ASSERT_TRUE(topic == Topic::kModels || s.offset == last + 1) << last;
      last = s.offset;
      ASSERT_EQ(s.key, model[std::size_t(s.offset)].key);
      ASSERT_EQ(s.value, model[std::size_t(s.offset)].value);
      offsets.insert(s.offset);
    }
    if (topic != Topic::kModels) {
      ASSERT_EQ(last, std::int64_t(model.size()) - 1);
    } else {
      for (const auto& [key, offset] : newest)
        ASSERT_TRUE(offset < from || offsets.contains(offset)) << key;
      for (std::int64_t o = std::max(from, floor_[p]); o < std::int64_t(model.size()); ++o)
        ASSERT_TRUE(offsets.contains(o)) << "offset " << o << " is above the floor " << floor_[p];
    }
    ASSERT_TRUE(topic != Topic::kPredictions || description.begin.value <= floor_[p]);
  }

  void shorten() {
    std::vector<TopicLog::Floor> floors;
    for (int p = 0; p < kPartitions; ++p) {
      const auto lowest = std::min(records_[{index_of(Topic::kPredictions), p}].size(), records_[{index_of(Topic::kModels), p}].size());
      floor_[p] = std::max<std::int64_t>(floor_[p], std::int64_t(rng_.below(lowest + 1)));
      floors.push_back({Topic::kPredictions, PartitionId(p), Offset(floor_[p])});
      floors.push_back({Topic::kModels, PartitionId(p), Offset(floor_[p])});
    }
    ASSERT_OK(log().apply_retention(floors));
  }

  void run(std::uint64_t seed, int operations) {
    rng_ = Rng(seed);
    ASSERT_OK(log().create(topic_spec(Topic::kLogs, kPartitions)));
    ASSERT_OK(log().create(topic_spec(Topic::kPredictions, kPartitions, {std::chrono::minutes(20), 2000, false})));
    ASSERT_OK(log().create(topic_spec(Topic::kModels, kPartitions, {std::nullopt, std::nullopt, true})));
    for (int p = 0; p < kPartitions; ++p) ASSERT_NO_FATAL_FAILURE(start(p));
    for (int i = 0; i < operations; ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", operation " + std::to_string(i));
      clock_.advance(std::chrono::seconds(rng_.below(60)));
      const auto choice = rng_.below(40);
      if (choice < 26) {
        ASSERT_NO_FATAL_FAILURE(commit(int(rng_.below(kPartitions))));
      } else if (choice < 36) {
        ASSERT_NO_FATAL_FAILURE(check(kTopics[rng_.below(3)], int(rng_.below(kPartitions))));
      } else if (choice < 38) {
        ASSERT_NO_FATAL_FAILURE(shorten());
      } else {
        for (auto& store : stores_) store.reset();
        if (choice == 39) backend_->restart();
        for (int p = 0; p < kPartitions; ++p) ASSERT_NO_FATAL_FAILURE(start(p));
      }
    }
    for (const Topic topic : kTopics)
      for (int p = 0; p < kPartitions; ++p) ASSERT_NO_FATAL_FAILURE(check(topic, p));
    stores_ = {};
  }

  Rng rng_{0};
  std::array<std::unique_ptr<TaskStore>, kPartitions> stores_;
  std::map<std::pair<std::size_t, int>, std::vector<ModelRecord>> records_;
  std::array<ModelTask, kPartitions> tasks_;
  std::array<std::int64_t, kPartitions> floor_{};
};

TEST_P(LogModel, BehavesLikeTheNaiveModel) {
  for (std::uint64_t seed = 1; seed <= GetParam().model_seeds; ++seed) {
    backend_.reset();
    backend_ = GetParam().make(clock_);
    records_.clear();
    tasks_ = {};
    floor_ = {};
    ASSERT_NO_FATAL_FAILURE(run(seed, GetParam().model_operations));
  }
}

const auto by_name = [](const testing::TestParamInfo<BackendKind>& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(Backends, LogContract, testing::ValuesIn(contract_backends()), by_name);
INSTANTIATE_TEST_SUITE_P(Backends, LogModel, testing::ValuesIn(contract_backends()), by_name);

std::vector<BackendKind> backends_of_own_clock() {
  std::vector<BackendKind> out = contract_backends();
  std::erase_if(out, [](const BackendKind& kind) { return !kind.own_clock; });
  return out;
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LogRetention);
INSTANTIATE_TEST_SUITE_P(Backends, LogRetention, testing::ValuesIn(backends_of_own_clock()), by_name);

}  // namespace
}  // namespace weir
