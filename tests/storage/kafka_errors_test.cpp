// Goal: every error of the Kafka client falls into one of four classes, and each class is acted on as it says. The mock cluster
// injects errors into single requests; it knows nothing of transactions, so nothing here is a claim about exactly-once.

#include <librdkafka/rdkafka.h>  // Before the next one, which needs it.

#include <librdkafka/rdkafka_mock.h>

#include <set>
#include <vector>

#include "storage/kafka_errors.hpp"
#include "storage/kafka_transactions.hpp"
#include "tests/storage/storage_support.hpp"

namespace weir {
namespace {

constexpr std::int16_t kProduce = 0, kInitProducerId = 22, kAddPartitionsToTxn = 24, kEndTxn = 26;  // Keys of the protocol.

TEST(KafkaErrors, HasOneRowForACode) {
  std::set<rd_kafka_resp_err_t> codes;
  for (const KafkaErrorRow& row : kafka_error_table())
    EXPECT_TRUE(codes.insert(row.code).second) << rd_kafka_err2name(row.code) << " has two rows";
}

TEST(KafkaErrors, EachRowActsAsItSays) {
  for (const KafkaErrorRow& row : kafka_error_table()) {
    SCOPED_TRACE(rd_kafka_err2name(row.code));
    const KafkaFailure plain = classify(row.code, {}, "commit of task t");
    EXPECT_EQ(name_of(plain.action), name_of(row.action));
    EXPECT_EQ(name_of(plain.error.code), name_of(row.error));
    expect_error(plain.error, row.error, {"commit of task t", rd_kafka_err2name(row.code), std::string(row.advice)});
    const bool stop = row.action == KafkaAction::kStop;
    EXPECT_EQ(name_of(classify(row.code, {.fatal = true}, "x").action), name_of(stop ? KafkaAction::kStop : KafkaAction::kRebuild));
    EXPECT_EQ(name_of(classify(row.code, {.requires_abort = true}, "x").action), name_of(stop ? KafkaAction::kStop : KafkaAction::kAbort));
    EXPECT_EQ(name_of(classify(row.code, {.retriable = true}, "x").action), name_of(stop ? KafkaAction::kStop : KafkaAction::kRetry));
  }
}

TEST(KafkaErrors, WhatNobodyKnowsMakesANewProducer) {
  const KafkaFailure unknown = classify(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, {}, "x");
  EXPECT_EQ(name_of(unknown.action), name_of(KafkaAction::kRebuild));
}

class KafkaMock : public testing::Test {
 protected:
  KafkaMock() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char text[256];
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);  // It has no brokers to talk to: no warning about that.
    host_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    cluster_ = rd_kafka_mock_cluster_new(host_, 1);
    rd_kafka_mock_topic_create(cluster_, "out", 1, 1);
    options_.brokers = rd_kafka_mock_cluster_bootstraps(cluster_);
    options_.pipeline = "demo";
    options_.reach_limit = std::chrono::seconds(60);
  }
  ~KafkaMock() override {
    transactions_.reset();
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(host_);
  }
  // The next requests of this kind fail so, one after the other.
  void inject(std::int16_t request, const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
  }
  void start() {
    transactions_ = std::make_unique<KafkaTransactions>(options_, "demo.inference.0");
    ASSERT_OK(transactions_->fence());
    ASSERT_OK(transactions_->warm("out"));
  }
  Result<KafkaTransactions::Outcome> commit_one() {
    return transactions_->write([&](KafkaProducer& producer) -> std::optional<KafkaFailure> {
      ++fills_;
      appended_ = {};
      return producer.append(*producer.topic("out"), PartitionId(0), record("k", "v"), true, appended_);
    });
  }

  rd_kafka_t* host_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  KafkaLogOptions options_;
  std::unique_ptr<KafkaTransactions> transactions_;
  KafkaAppended appended_;
  int fills_ = 0;
};

TEST_F(KafkaMock, CommitsInTurn) {
  start();
  for (int i = 0; i < 4; ++i) {
    const auto outcome = commit_one();
    ASSERT_OK(outcome);
    EXPECT_EQ(*outcome, KafkaTransactions::Outcome::kCommitted);
    EXPECT_EQ(appended_.last, i);
  }
  EXPECT_EQ(fills_, 4);
  EXPECT_EQ(transactions_->aborts(), 0u);
}

TEST_F(KafkaMock, RetriesWhatMayWorkLater) {
  inject(kInitProducerId, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR});
  start();
  inject(kEndTxn, {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS});
  inject(kAddPartitionsToTxn, {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR});
  inject(kProduce, {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
  const auto outcome = commit_one();
  ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, KafkaTransactions::Outcome::kCommitted);
  EXPECT_EQ(fills_, 1);
  EXPECT_EQ(transactions_->aborts(), 0u);
}

TEST_F(KafkaMock, AbortsAndCommitsTheSameAgain) {
  start();
  inject(kProduce, {RD_KAFKA_RESP_ERR_INVALID_RECORD});
  const auto outcome = commit_one();
  ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, KafkaTransactions::Outcome::kCommitted);
  EXPECT_GE(fills_, 2);  // The mock cluster may refuse the first one after an abort once more.
  EXPECT_EQ(transactions_->aborts(), std::uint64_t(fills_ - 1));
}

TEST_F(KafkaMock, GivesUpAfterThreeAbortsForOneCause) {
  start();
  inject(kProduce, std::vector(20, RD_KAFKA_RESP_ERR_INVALID_RECORD));
  const auto outcome = commit_one();
  ASSERT_FALSE(outcome.ok());
  expect_error(outcome.error(), ErrorCode::kUnavailable, {"INVALID_RECORD", "3 aborted"});
  EXPECT_EQ(fills_, 3);
  rd_kafka_mock_clear_request_errors(cluster_, kProduce);
  EXPECT_TRUE(commit_one().ok());  // The next one goes on.
}

TEST_F(KafkaMock, StopsWhenFenced) {
  start();
  inject(kEndTxn, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  const auto outcome = commit_one();
  ASSERT_FALSE(outcome.ok());
  expect_error(outcome.error(), ErrorCode::kFenced, {"another process owns"});
  const auto again = commit_one();  // It stays so.
  ASSERT_FALSE(again.ok());
  expect_error(again.error(), ErrorCode::kFenced, {"another process owns"});
}

TEST_F(KafkaMock, StopsWithoutRights) {
  start();
  inject(kAddPartitionsToTxn, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  const auto outcome = commit_one();
  ASSERT_FALSE(outcome.ok());
  expect_error(outcome.error(), ErrorCode::kConfig, {"TOPIC_AUTHORIZATION_FAILED", "grant this user"});
  EXPECT_TRUE(commit_one().ok());  // The transaction was ended.
}

TEST_F(KafkaMock, RefusesATransactionTimeoutThatTheBrokersRefuse) {
  inject(kInitProducerId, {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT});
  KafkaTransactions transactions(options_, "demo.inference.0");
  const auto fenced = transactions.fence();
  ASSERT_FALSE(fenced.ok());
  expect_error(fenced.error(), ErrorCode::kConfig, {"transaction.max.timeout.ms"});
}

TEST_F(KafkaMock, ADeadProducerLeavesTheOutcomeToTheChangelog) {
  start();
  ASSERT_OK(commit_one());
  rd_kafka_test_fatal_error(transactions_->producer(1).client(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "rewound");
  const auto outcome = commit_one();
  ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, KafkaTransactions::Outcome::kUnknown);
  EXPECT_EQ(transactions_->rebuilds(), 1u);
  ASSERT_OK(transactions_->fence());
  const auto again = commit_one();
  ASSERT_OK(again);
  EXPECT_EQ(*again, KafkaTransactions::Outcome::kCommitted);
}

TEST(KafkaClient, NamesARefusedPropertyButNotItsValue) {
  KafkaLogOptions options;
  options.brokers = "127.0.0.1:1";
  options.pipeline = "demo";
  options.properties["sasl.mechanisms"] = "PLAIN";
  options.properties["no.such.property"] = "secret";
  const auto handle = make_kafka_handle(options, RD_KAFKA_PRODUCER, {});
  ASSERT_FALSE(handle.ok());
  expect_error(handle.error(), ErrorCode::kConfig, {"no.such.property"});
  EXPECT_EQ(handle.error().what.find("secret"), std::string::npos);
}

TEST(KafkaClient, NamesBrokersThatDoNotAnswer) {
  KafkaLogOptions options;
  options.brokers = "127.0.0.1:1";
  options.pipeline = "demo";
  options.reach_limit = std::chrono::milliseconds(300);
  const auto log = open_kafka_log(options, make_memory_log("demo", system_clock()));
  ASSERT_FALSE(log.ok());
  expect_error(log.error(), ErrorCode::kUnavailable, {"127.0.0.1:1", "Connection refused"});
}

}  // namespace
}  // namespace weir
