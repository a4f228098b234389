// Goal: what must hold is found broken when it is broken. Half of the other tests end with `weir verify`; were it blind, they would
// show nothing. Topics are made by hand, first whole, then with one thing wrong each.
#include "pipelines/verify.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "core/records/codec.hpp"
#include "pipelines/recompute.hpp"
#include "storage/memory_log.hpp"

namespace weir {
namespace {

constexpr PartitionId kPartition{0};

struct Output {
  Topic topic;
  std::int64_t from;          // Offset of its input.
  std::uint64_t version = 0;  // Predictions and abstained.
  std::string source;         // Else that of its topic.
};

// Five events (one dropped, one refused), four outcomes (one unjoined, one waits for its event).
std::vector<Output> whole() {
  return {{Topic::kPredictions, 0, 0, ""}, {Topic::kPredictions, 1, 0, ""}, {Topic::kAbstained, 2, 1, ""},
          {Topic::kDeadLetters, 3, 0, ""}, {Topic::kPredictions, 4, 3, ""}, {Topic::kExamples, 1, 0, ""},
          {Topic::kExamples, 0, 0, ""},    {Topic::kUnjoined, 3, 0, ""}};
}
Consumed consumed_all() { return {kPartition, "logs", "outcomes", Offset(5), Offset(4), {Offset(2)}, ModelVersion(3), false}; }

// What an event's answer says; kYours: no more than its version.
void write_answer(const Output& output, ValueFormat format, PartitionId model, ByteBuffer& out) {
  if (format == ValueFormat::kYours) return out.append("{\"model_version\":\"" + std::to_string(model.value) + "/" + std::to_string(output.version) + "\"}");
  const std::string id = "id " + std::to_string(output.from);
  Event event;
  event.id = {id, false};
  Prediction prediction;
  prediction.version = ModelVersion(output.version);
  write_prediction(format, event, prediction, {"logs", kPartition, Offset(output.from)}, TaskKind::kClassification, model, out);
}

// `promoted`: versions on partition 0 of `models`, `elsewhere` on the last one. Predictions name versions of `model`.
std::unique_ptr<MemoryLog> log_of(const std::vector<Output>& outputs, const Clock& clock, const std::vector<std::uint64_t>& promoted = {},
                                  ValueFormat format = ValueFormat::kYours, std::int32_t partitions = 1, PartitionId model = kPartition,
                                  const std::vector<std::uint64_t>& elsewhere = {}) {
  auto log = make_memory_log("p", clock);
  for (const TopicTraits& traits : topic_table()) {
    TopicSpec spec;
    spec.topic = traits.topic;
    spec.name = std::string(traits.name);
    spec.partitions = partitions;
    EXPECT_TRUE(log->create(spec).ok());
  }
  auto store = std::move(*log->open_task({"inference", kPartition}));
  EXPECT_TRUE(store->recover().ok());
  Transaction transaction;
  for (const Output& output : outputs) {
    const bool of_logs = output.topic != Topic::kExamples && output.topic != Topic::kUnjoined;
    const std::string source = output.source.empty() ? (of_logs ? "logs" : "outcomes") : output.source;
    ByteBuffer value;
    write_answer(output, format, model, value);
    Record record;
    record.value = value.view();
    record.source = {source, kPartition, Offset(output.from)};
    transaction.append(output.topic, record);
  }
  const auto tell = [&](std::int32_t partition, const std::vector<std::uint64_t>& versions) {
    for (const std::uint64_t version : versions) {
      ByteBuffer value;
      ModelVersionRecord told;
      told.version = ModelVersion(version);
      encode_model_version(told, value);
      Record record;
      record.value = value.view();
      transaction.append_to(Topic::kModels, PartitionId(partition), record);
    }
  };
  tell(0, promoted);
  if (partitions > 1) tell(partitions - 1, elsewhere);
  EXPECT_TRUE(store->commit(transaction).ok());
  return log;
}

std::vector<std::string> violations_of(const std::vector<Output>& outputs, const Consumed& consumed, const std::vector<std::uint64_t>& promoted = {}) {
  std::vector<std::string> out;
  for (const ValueFormat format : {ValueFormat::kYours, ValueFormat::kJson, ValueFormat::kProtobuf}) {
    ManualClock clock;
    const auto log = log_of(outputs, clock, promoted, format);
    VerifyReport report;
    const Result<void> verified = verify_topics(*log, consumed, {}, report);
    EXPECT_TRUE(verified.ok()) << verified.error().what;
    EXPECT_EQ(report.violation_count, report.violations.size());
    if (format == ValueFormat::kYours) out = report.violations;
    EXPECT_EQ(report.violations, out) << "the format makes no difference";
  }
  return out;
}

TEST(Verify, FindsNothingWhereNothingIsAmiss) { EXPECT_EQ(violations_of(whole(), consumed_all()), std::vector<std::string>{}); }

struct Wrong {
  const char* name;
  std::function<void(std::vector<Output>&, Consumed&)> make;
  const char* says;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class OneThingWrong : public testing::TestWithParam<Wrong> {};

TEST_P(OneThingWrong, IsFound) {
  std::vector<Output> outputs = whole();
  Consumed consumed = consumed_all();
  GetParam().make(outputs, consumed);
  const auto violations = violations_of(outputs, consumed);
  ASSERT_FALSE(violations.empty());
  EXPECT_NE(violations[0].find(GetParam().says), std::string::npos) << violations[0];
}

INSTANTIATE_TEST_SUITE_P(
    Each, OneThingWrong,
    testing::Values(
        Wrong{"AnEventWithoutAnAnswer", [](auto& o, auto&) { o.erase(o.begin() + 1); }, "logs, partition 0, offset 1: no prediction, abstained record or dead letter"},
        Wrong{"TheLastEventWithoutAnAnswer", [](auto&, auto& c) { c.logs = Offset(6); }, "logs, partition 0, offset 5: no prediction"},
        Wrong{"AnEventAnsweredTwice", [](auto& o, auto&) { o.insert(o.begin() + 1, o[0]); }, "source offset 0"},
        Wrong{"AnEventAnsweredOnTwoTopics", [](auto& o, auto&) { o.push_back({Topic::kDeadLetters, 4, 0, ""}); }, "dead-letters, partition 0, offset 1: source offset 4 was answered before"},
        Wrong{"PredictionsOutOfOrder", [](auto& o, auto&) { std::swap(o[0].from, o[1].from); }, "source offset 0 after 1, expected ascending order"},
        Wrong{"AnAnswerToWhatWasNotTaken", [](auto& o, auto&) { o.push_back({Topic::kPredictions, 5, 3, ""}); }, "its source offset 5 was not consumed"},
        Wrong{"AnAnswerToAnotherTopic", [](auto& o, auto&) { o[0].source = "clicks"; }, "its source is clicks/0, expected logs/0"},
        Wrong{"AModelVersionThatNeverWas", [](auto& o, auto&) { o[4].version = 4; }, "model version 4 does not exist"},
        Wrong{"AModelVersionThatGoesBack", [](auto& o, auto&) { o[0].version = 3, o[1].version = 2; }, "model version 2 after 3"},
        Wrong{"AnOutcomeWithoutItsExample", [](auto& o, auto&) { o.erase(o.begin() + 5); }, "outcomes, partition 0, offset 1: neither example nor unjoined, and it does not wait for its event"},
        Wrong{"AnOutcomeLearntTwice", [](auto& o, auto&) { o.push_back({Topic::kExamples, 0, 0, ""}); }, "examples, partition 0, offset 2: source offset 0 was answered before"},
        Wrong{"AnOutcomeLearntAndUnjoined", [](auto& o, auto&) { o.push_back({Topic::kUnjoined, 0, 0, ""}); }, "source offset 0 was answered before"},
        Wrong{"AWaitingOutcomeThatIsSettled", [](auto& o, auto&) { o.push_back({Topic::kUnjoined, 2, 0, ""}); }, "outcomes, partition 0, offset 2: is settled, and waits for its event"}),
    [](const auto& info) { return info.param.name; });

TEST(Verify, WithFreeLearningOnlyPromotedVersionsExist) {
  Consumed consumed = consumed_all();
  consumed.free_learning = true;
  EXPECT_EQ(violations_of(whole(), consumed, {1, 3}), std::vector<std::string>{});
  const auto violations = violations_of(whole(), consumed, {3});
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_NE(violations[0].find("abstained, partition 0, offset 0: model version 1 does not exist"), std::string::npos) << violations[0];
}

class WrongAlsoWithDoubles : public OneThingWrong {};

TEST_P(WrongAlsoWithDoubles, IsFound) {
  std::vector<Output> outputs = whole();
  Consumed consumed = consumed_all();
  consumed.doubles = true;
  GetParam().make(outputs, consumed);
  const auto violations = violations_of(outputs, consumed);
  ASSERT_FALSE(violations.empty());
  EXPECT_NE(violations[0].find(GetParam().says), std::string::npos) << violations[0];
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongAlsoWithDoubles,
    testing::Values(
        Wrong{"AnEventWithoutAnAnswer", [](auto& o, auto&) { o.erase(o.begin() + 1); }, "logs, partition 0, offset 1: no prediction, abstained record or dead letter"},
        Wrong{"AnAnswerToAnotherTopic", [](auto& o, auto&) { o[0].source = "clicks"; }, "its source is clicks/0, expected logs/0"},
        Wrong{"AnAnswerToWhatIsNotThere",
              [](auto& o, auto& c) {
                o.push_back({Topic::kPredictions, 5, 3, ""});
                c.logs_from_topic = true;
                c.logs = Offset(0);
              },
              "was not consumed"},
        Wrong{"PredictionsOutOfOrder", [](auto& o, auto&) { std::swap(o[0].from, o[1].from); }, "predictions, partition 0, offset 1: source offset 0 after 1, expected ascending order"},
        Wrong{"DeadLettersOutOfOrder",
              [](auto& o, auto&) {
                o[2] = {Topic::kDeadLetters, 3, 0, ""};
                o[3] = {Topic::kDeadLetters, 2, 0, ""};
              },
              "dead-letters, partition 0, offset 1: source offset 2 after 3, expected ascending order"},
        // Repeated from offset 1 on, but 2 had been answered before 1 already.
        Wrong{"FirstAnswersOutOfOrderAmongRepeatedOnes",
              [](auto& o, auto&) {
                o[2].topic = Topic::kPredictions;
                std::swap(o[1].from, o[2].from);
                for (const std::int64_t from : {1, 2, 4}) o.push_back({Topic::kPredictions, from, 3, ""});
              },
              "predictions, partition 0, offset 2: source offset 1 after 2, expected ascending order"},
        Wrong{"AModelVersionThatNeverWas", [](auto& o, auto&) { o[4].version = 4; }, "predictions, partition 0, offset 2: model version 4 does not exist"},
        Wrong{"AModelVersionOfAnAbstainedThatNeverWas", [](auto& o, auto&) { o[2].version = 9; }, "abstained, partition 0, offset 0: model version 9 does not exist"},
        Wrong{"AModelVersionThatGoesBack", [](auto& o, auto&) { o[0].version = 3, o[1].version = 2; }, "predictions, partition 0, offset 1: model version 2 after 3"},
        Wrong{"AFalseModelVersionAmongRepeatedOnes",
              [](auto& o, auto&) {
                for (const std::int64_t from : {0, 1}) o.insert(o.begin() + 2 + from, {Topic::kPredictions, from, 0, ""});
                o[2].version = 99;
                o.erase(o.begin());  // Offset 0 is there once.
              },
              "predictions, partition 0, offset 1: model version 99 does not exist"},
        Wrong{"AnOutcomeWithoutItsExample", [](auto& o, auto&) { o.erase(o.begin() + 5); }, "outcomes, partition 0, offset 1: neither example nor unjoined, and it does not wait for its event"}),
    [](const auto& info) { return info.param.name; });

// Killed after event 4 and started again from event 2: other answers, by a model that has forgotten, and a label that is settled again.
TEST(Verify, AtLeastOnceCountsWhatIsThereTwice) {
  std::vector<Output> outputs = whole();
  for (const Output& again : {Output{Topic::kPredictions, 2, 1, ""}, {Topic::kDeadLetters, 3, 0, ""}, {Topic::kPredictions, 4, 1, ""}, {Topic::kExamples, 0, 0, ""},
                              {Topic::kPredictions, 5, 2, ""}, {Topic::kPredictions, 5, 2, ""}, {Topic::kUnjoined, 2, 0, ""}})
    outputs.push_back(again);
  Consumed consumed = consumed_all();
  EXPECT_FALSE(violations_of(outputs, consumed).empty());
  consumed.doubles = true;
  EXPECT_EQ(violations_of(outputs, consumed), std::vector<std::string>{});
  ManualClock clock;
  VerifyReport report;
  ASSERT_TRUE(verify_topics(*log_of(outputs, clock), consumed, {}, report).ok());
  EXPECT_EQ(report.doubled, 5U);  // Events 2 to 4, outcome 0, and event 5, which is beyond what is consumed.
}

// Killed twice in the same stretch, which came no further than before; nothing abstains.
TEST(Verify, AtLeastOnceRepeatsMoreThanOnce) {
  std::vector<Output> outputs;
  const auto say = [&](std::initializer_list<std::int64_t> from, std::uint64_t version) {
    for (const std::int64_t offset : from) outputs.push_back({Topic::kPredictions, offset, version, ""});
  };
  say({0, 1, 2}, 0);
  say({3}, 7);  // By a version that was lost.
  say({1, 2}, 0);
  say({1}, 0);
  say({1, 2, 3, 4}, 1);
  for (const std::int64_t offset : {0, 1, 3, 0}) outputs.push_back({Topic::kExamples, offset, 0, ""});
  Consumed consumed = consumed_all();
  consumed.doubles = true;
  EXPECT_EQ(violations_of(outputs, consumed), std::vector<std::string>{});
  outputs[3].from = 4;  // Never so far in that start: 3 is there once, and 4 was answered before it.
  const auto violations = violations_of(outputs, consumed);
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_NE(violations[0].find("predictions, partition 0, offset 9: source offset 3 after 4, expected ascending order"), std::string::npos) << violations[0];
}

// One that stood still for long goes on beside the owner that has taken its place, until its next commit tells it: nothing fences what is
// written outside of transactions.
TEST(Verify, AtLeastOnceTakesWhatAFormerOwnerRepeats) {
  std::vector<Output> outputs;
  const auto say = [&](Topic topic, std::initializer_list<std::int64_t> from, std::uint64_t version) {
    for (const std::int64_t offset : from) outputs.push_back({topic, offset, version, ""});
  };
  say(Topic::kPredictions, {0, 1}, 0);
  say(Topic::kPredictions, {1}, 0);  // The new one begins here,
  say(Topic::kAbstained, {2}, 2);
  say(Topic::kPredictions, {3, 4}, 3);
  say(Topic::kPredictions, {2, 3}, 1);  // and the former one goes on.
  for (const std::int64_t offset : {0, 1, 3}) outputs.push_back({Topic::kExamples, offset, 0, ""});
  Consumed consumed = consumed_all();
  consumed.doubles = true;
  EXPECT_EQ(violations_of(outputs, consumed), std::vector<std::string>{});
}

// By a version that no commit holds yet: of what is not consumed nobody can say.
TEST(Verify, AtLeastOnceLeavesOutVersionsOfWhatIsNotConsumed) {
  std::vector<Output> outputs = whole();
  outputs.push_back({Topic::kPredictions, 5, 8, ""});
  Consumed consumed = consumed_all();
  consumed.doubles = true;
  EXPECT_EQ(violations_of(outputs, consumed), std::vector<std::string>{});
  consumed.logs = Offset(6);
  const auto violations = violations_of(outputs, consumed);
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_NE(violations[0].find("predictions, partition 0, offset 3: model version 8 does not exist"), std::string::npos) << violations[0];
}

TEST(Verify, OfASharedModelTheVersionsAreThoseOfItsOwnPartition) {
  Consumed consumed = consumed_all();
  consumed.free_learning = true;
  consumed.model = PartitionId(1);
  ManualClock clock;
  // Predictions of partition 0 by versions that are on partition 1 of `models`; those on partition 0 are of another model.
  const auto verify = [&](std::int32_t model, const std::vector<std::uint64_t>& there) {
    const auto log = log_of(whole(), clock, {1, 3}, ValueFormat::kYours, 2, PartitionId(model), there);
    VerifyReport report;
    EXPECT_TRUE(verify_topics(*log, consumed, {}, report).ok());
    return report;
  };
  EXPECT_EQ(verify(1, {1, 3}).violations, std::vector<std::string>{});
  EXPECT_EQ(verify(1, {1, 3}).models, 0U);  // Counted with the partition they are in.
  const auto missing = verify(1, {3}).violations;
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_NE(missing[0].find("abstained, partition 0, offset 0: model version 1 does not exist"), std::string::npos) << missing[0];
  const auto other = verify(0, {1, 3}).violations;
  ASSERT_EQ(other.size(), 4U);
  EXPECT_NE(other[0].find("predictions, partition 0, offset 0: names no version of model 1"), std::string::npos) << other[0];
}

TEST(CompareTopic, TellsWhatIsMissingAddedOrDifferent) {
  ManualClock clock;
  const auto original = log_of(whole(), clock);
  const auto differences = [&](std::vector<Output> outputs, CompareTo to = CompareTo::kEnd) {
    const auto copy = log_of(outputs, clock);
    std::vector<std::string> texts;
    const auto count = compare_topic(Topic::kPredictions, kPartition, *original, *copy, to, 10, texts);
    EXPECT_TRUE(count.ok() && *count == texts.size());
    return texts;
  };
  std::vector<Output> outputs = whole();
  EXPECT_EQ(differences(outputs), std::vector<std::string>{});
  outputs[4].version = 2;  // Another value.
  ASSERT_EQ(differences(outputs).size(), 1U);
  EXPECT_NE(differences(outputs)[0].find("predictions, partition 0, offset 2: found {\"model_version\":\"0/3\"}, computed again"), std::string::npos);
  outputs = whole();
  outputs[4].from = 3;  // The same value from another record.
  EXPECT_EQ(differences(outputs).size(), 1U);
  outputs = whole();
  outputs.erase(outputs.begin() + 4);
  ASSERT_EQ(differences(outputs).size(), 1U);
  EXPECT_NE(differences(outputs)[0].find("computed again there is no such record"), std::string::npos);
  outputs = whole();
  outputs.push_back({Topic::kPredictions, 5, 3, ""});
  ASSERT_EQ(differences(outputs).size(), 1U);
  EXPECT_NE(differences(outputs)[0].find("offset 3: missing"), std::string::npos);
  EXPECT_EQ(differences(outputs, CompareTo::kPublished), std::vector<std::string>{});
}

TEST(CompareTopic, LooksAtWhatTheLogHas) {
  ManualClock clock;
  const auto log = make_memory_log("p", clock);
  for (const Topic topic : {Topic::kLogs, Topic::kPredictions, Topic::kModels, Topic::kAlerts}) ASSERT_TRUE(log->create({topic, std::string(short_name(topic)), 1, {}}).ok());
  EXPECT_EQ(compared_topics(*log).size(), 2U);  // Not what is given, nor what only warns.
  for (const Topic topic : {Topic::kSums, Topic::kCapacity, Topic::kCandidates}) {
    ASSERT_TRUE(log->create({topic, std::string(short_name(topic)), 1, {}}).ok());
    const std::vector<Topic> compared = compared_topics(*log);
    EXPECT_EQ(std::ranges::count(compared, topic), 1) << short_name(topic);
  }
}

TEST(CompareTopic, TakesTheSameRecordInTheOtherFormatForTheSame) {
  ManualClock clock;
  for (const auto& [written, now] : {std::pair(ValueFormat::kJson, ValueFormat::kProtobuf), std::pair(ValueFormat::kProtobuf, ValueFormat::kJson)}) {
    const auto original = log_of(whole(), clock, {}, written);
    std::vector<std::string> texts;
    std::vector<Output> outputs = whole();
    EXPECT_EQ(*compare_topic(Topic::kPredictions, kPartition, *original, *log_of(outputs, clock, {}, now), CompareTo::kEnd, 10, texts), 0U);
    outputs[4].version = 2;
    EXPECT_EQ(*compare_topic(Topic::kPredictions, kPartition, *original, *log_of(outputs, clock, {}, now), CompareTo::kEnd, 10, texts), 1U);
    outputs = whole();
    outputs[0].source = "others";  // The same value with another header.
    EXPECT_EQ(*compare_topic(Topic::kPredictions, kPartition, *original, *log_of(outputs, clock, {}, now), CompareTo::kEnd, 10, texts), 1U);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_NE(texts[0].find("found {\"id\":\"id 4\""), std::string::npos) << texts[0];
    EXPECT_NE(texts[0].find("computed again {\"id\":\"id 4\""), std::string::npos) << texts[0];
  }
}

}  // namespace
}  // namespace weir
