// The report against figures computed by hand, over a log in memory; and what tail prints of it.
#include "pipelines/report.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/records/codec.hpp"
#include "pipelines/tail.hpp"
#include "storage/memory_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

enum class Written { kJson, kProtobuf, kBoth };  // One after the other.

class ReportTest : public testing::TestWithParam<Written> {
 protected:
  ValueFormat format(std::int64_t n) const {
    const bool protobuf = GetParam() == Written::kProtobuf || (GetParam() == Written::kBoth && n % 2 == 1);
    return protobuf ? ValueFormat::kProtobuf : ValueFormat::kJson;
  }
  ReportTest() : log_(make_memory_log("p", clock_)) {
    for (const TopicTraits& traits : topic_table()) {
      TopicSpec spec;
      spec.topic = traits.topic;
      spec.name = "p." + std::string(traits.name);
      EXPECT_TRUE(log_->create(spec).ok());
    }
    store_ = std::move(log_->open_task({"inference", PartitionId(0)})).value();
    EXPECT_TRUE(store_->recover().ok());
  }

  void append(Topic topic, const ByteBuffer& value, const Source& source) {
    Record record;
    record.value = value.view();
    record.source = source;
    transaction_.append(topic, record);
  }
  // An event at `offset`, and its outcome, if it has one.
  void predict(std::int64_t offset, double probability, bool certified, int label, float last_outcome = -1) {
    const std::string id = std::to_string(offset);
    const Source source{"logs", PartitionId(0), Offset(offset)};
    Event event;
    event.id = {id, true};
    Prediction prediction;
    prediction.value = probability;
    prediction.label = probability >= 0.5;
    prediction.certified = certified;
    prediction.has_set = true;
    prediction.in_set[0] = probability < 0.6;
    prediction.in_set[1] = probability > 0.4;
    prediction.version = ModelVersion(7);
    ByteBuffer value;
    write_prediction(format(offset), event, prediction, source, TaskKind::kClassification, PartitionId(0), value);
    append(Topic::kPredictions, value, source);
    if (label < 0) return;
    Example example;
    example.id = event.id;
    example.source = source;
    example.prediction = prediction;
    example.last_outcome = last_outcome;
    example.label = label;
    example.outcome_source = {"outcomes", PartitionId(0), Offset(offset)};
    value.clear();
    encode_example(example, value);
    append(Topic::kExamples, value, example.outcome_source);
  }
  void commit() {
    ASSERT_TRUE(store_->commit(transaction_).ok());
    transaction_.clear();
  }
  Report report(std::uint64_t outcomes_consumed) {
    ReportInputs inputs;
    inputs.outcomes_consumed = outcomes_consumed;
    inputs.data_dir = "/nowhere";
    auto made = make_report(*log_, inputs);
    EXPECT_TRUE(made.ok());
    return *made;
  }

  ManualClock clock_;
  std::unique_ptr<TopicLog> log_;
  std::unique_ptr<TaskStore> store_;
  Transaction transaction_;
};

TEST_P(ReportTest, AnEmptyLogGivesZerosAndNulls) {
  const std::string json = report_json(report(0));
  EXPECT_NE(json.find("\"events\":0"), std::string::npos);
  EXPECT_NE(json.find("\"auc\":null"), std::string::npos);
  EXPECT_NE(json.find("\"model_version\":null"), std::string::npos);
}

TEST_P(ReportTest, CountsAndFiguresAreThoseOfThePublishedPredictions) {
  predict(0, 0.9, true, 1);
  predict(1, 0.2, true, 0, 0);
  predict(2, 0.5, false, 0, 1);
  predict(3, 0.5, false, 1, 1);
  predict(4, 0.8, true, 0, 0);
  predict(5, 0.3, true, -1);
  DeadLetter letter;
  letter.reason = Reason::kMissingId;
  letter.source = {"logs", PartitionId(0), Offset(6)};
  letter.line = "{\"reason\":\"a trap\"}";
  ByteBuffer value;
  write_dead_letter(format(0), letter, value);
  append(Topic::kDeadLetters, value, letter.source);
  Unjoined unjoined;
  unjoined.reason = UnjoinedReason::kDuplicate;
  unjoined.source = {"outcomes", PartitionId(0), Offset(7)};
  value.clear();
  write_unjoined(format(1), unjoined, value);
  append(Topic::kUnjoined, value, unjoined.source);
  commit();

  const Report r = report(/*outcomes_consumed=*/8);
  EXPECT_EQ(r.events, 7u);
  EXPECT_EQ(r.predicted, 6u);
  EXPECT_EQ(r.abstained, 2u);
  EXPECT_EQ(r.labelled, 5u);
  EXPECT_EQ(r.unjoined, 1u);
  EXPECT_EQ(r.waiting, 2u);
  EXPECT_EQ(r.dead_letters, 1u);
  EXPECT_EQ(r.dead_letters_by_reason.at("missing_id"), 1u);
  EXPECT_EQ(r.unjoined_by_reason.at("duplicate"), 1u);
  EXPECT_EQ(r.model_versions, std::vector<std::string>{"0/7"});
  const Quality& q = r.quality;
  EXPECT_NEAR(q.log_loss, -(std::log(0.9) + std::log(0.8) + std::log(0.5) + std::log(0.5) + std::log(0.2)) / 5, 1e-12);
  EXPECT_NEAR(q.brier, (0.01 + 0.04 + 0.25 + 0.25 + 0.64) / 5, 1e-12);
  EXPECT_NEAR(q.auc, 4.5 / 6, 1e-12);  // Pairs (1, 0): 0.9 beats all three; 0.5 beats 0.2, ties 0.5, loses to 0.8.
  EXPECT_DOUBLE_EQ(q.accuracy, 3.0 / 5);
  EXPECT_DOUBLE_EQ(q.f1, 2.0 * 2 / (2 + 4));
  EXPECT_DOUBLE_EQ(q.base_rate, 0.4);
  EXPECT_DOUBLE_EQ(q.majority_accuracy, 0.6);
  EXPECT_DOUBLE_EQ(q.last_outcome_accuracy, 3.0 / 4);
  EXPECT_DOUBLE_EQ(q.coverage, 4.0 / 5);
  EXPECT_EQ(q.set_sizes, (std::array<std::uint64_t, 3>{0, 3, 2}));
  EXPECT_EQ(r.last_half.labelled, 2u);  // Events 0 to 6: from offset 3 on.
  EXPECT_DOUBLE_EQ(r.last_half.accuracy, 0.5);
  EXPECT_DOUBLE_EQ(r.last_half.auc, 0.0);
  EXPECT_NE(report_text(r, "d").find("weir tail predictions --data d"), std::string::npos);
}

TEST_P(ReportTest, RemembersTheLastRunThatTookAnEvent) {
  TemporaryDirectory directory;
  RunSummary summary;
  summary.total.events = 100;
  summary.total.seconds = 0.25;
  summary.tick = {100, 1.5, 2.5, 3.5, 4.5, 5.5};
  ASSERT_TRUE(remember_run(directory.path().string(), summary).ok());
  RunSummary empty;
  ASSERT_TRUE(remember_run(directory.path().string(), empty).ok());
  const auto read = remembered_run(directory.path().string());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->total.events, 100u);
  EXPECT_EQ(read->total.seconds, 0.25);
  EXPECT_EQ(read->tick.p999, 4.5);
}

TEST_P(ReportTest, TailPrintsValuesAndEnvelopesAndStopsAtTheEnd) {
  predict(0, 0.9, true, -1);
  predict(1, 0.1, true, -1);
  commit();
  const auto tail = [&](TailOptions options) {
    options.topic = "predictions";
    std::string out;
    EXPECT_TRUE(tail_topic(*log_, options, nullptr, [&](std::string_view lines) { return out += lines, true; }).ok());
    return out;
  };
  TailOptions options;
  EXPECT_EQ(tail(options), "");
  options.from_beginning = true;
  const std::string values = tail(options);
  EXPECT_EQ(std::count(values.begin(), values.end(), '\n'), 2);
  EXPECT_EQ(values.substr(0, 7), "{\"id\":0");
  EXPECT_NE(values.find("\n{\"id\":1,\"key\":null,\"event_time\":0,\"probability\":0.1,\"label_predicted\":0,\"certified\":true,\"set\":[0],\"model_version\":\"0/7\""), std::string::npos) << values;
  options.limit = 1;
  options.envelope = true;
  const std::string line = tail(options);
  EXPECT_EQ(line.substr(0, line.find(",\"value\"")),
            "{\"topic\":\"p.predictions\",\"partition\":0,\"offset\":0,\"key\":null,\"headers\":{\"weir-event-time-us\":\"0\","
            "\"weir-source-topic\":\"logs\",\"weir-source-partition\":\"0\",\"weir-source-offset\":\"0\"}");
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  options.topic = "predictions";
  const auto unknown = find_topic(*log_, "prediction");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Written, ReportTest, testing::Values(Written::kJson, Written::kProtobuf, Written::kBoth), [](const auto& info) {
  return info.param == Written::kJson ? "Json" : info.param == Written::kProtobuf ? "Protobuf" : "Both";
});

}  // namespace
}  // namespace weir
