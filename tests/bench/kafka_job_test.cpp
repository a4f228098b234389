// What makes a figure of bench/kafka_job void: each kind of record that is not as it must be is counted.
#include "bench/kafka_job.hpp"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(ParsePrediction, ReadsWeirsAndThePeers) {
  const SeenPrediction weir = parse_prediction(
      R"({"id":17,"key":null,"event_time":5,"probability":0.25,"label_predicted":0,"certified":true,"set":null,"model_version":"2/12","source":{"topic":"run-logs","partition":2,"offset":104},"n":105})");
  const SeenPrediction peer = parse_prediction(R"({"id":17,"score":0.25,"partition":2,"offset":104,"n":105,"steps":12})");
  for (const SeenPrediction& p : {weir, peer}) {
    EXPECT_EQ(p.id, 17);
    EXPECT_EQ(p.partition, 2);
    EXPECT_EQ(p.offset, 104);
    EXPECT_EQ(p.n, 105);
    EXPECT_EQ(p.steps, 12);
  }
  EXPECT_EQ(parse_prediction(R"({"id":17})").n, -1);
}

// Two partitions, records 0 to 5: the even ones in partition 0.
class ProverTest : public testing::Test {
 protected:
  void take(std::int64_t id, std::int64_t steps, std::int64_t n = -1) {
    const std::int64_t offset = id / 2;
    prover_.take({id, id % 2, offset, n < 0 ? offset + 1 : n, steps, 0}, 10.0 + double(++taken_));
  }
  Prover prover_{6, {2, 1}};
  int taken_ = 0;
};

TEST_F(ProverTest, IsCleanWhereEachRecordHasItsPrediction) {
  for (const std::int64_t id : {0, 1, 2, 3, 5, 4}) take(id, id / 2);
  const Proof proof = prover_.proof();
  EXPECT_TRUE(proof.clean()) << proof.text();
  EXPECT_EQ(proof.first_append, 11.0);
  EXPECT_EQ(proof.learnt_append, 16.0) << "record 4 is the first of partition 0 with two steps, and later than partition 1's";
}

TEST_F(ProverTest, CountsWhatIsMissing) {
  for (const std::int64_t id : {0, 1, 2, 5}) take(id, 2);
  EXPECT_EQ(prover_.proof().missing, 2);
  EXPECT_FALSE(prover_.proof().clean());
}

TEST_F(ProverTest, CountsWhatIsThereTwice) {
  for (const std::int64_t id : {0, 1, 2, 3, 4, 5, 3, 3}) take(id, 2);
  EXPECT_EQ(prover_.proof().missing, 0);
  EXPECT_EQ(prover_.proof().doubled, 2);
  EXPECT_FALSE(prover_.proof().clean());
}

TEST_F(ProverTest, CountsStatesThatHoldMoreOrLessThanTheirRecords) {
  for (const std::int64_t id : {0, 1, 2, 3}) take(id, 2);
  take(4, 2, /*n=*/2);
  take(5, 2, /*n=*/4);
  EXPECT_EQ(prover_.proof().state_errors, 2);
  EXPECT_FALSE(prover_.proof().clean());
}

TEST_F(ProverTest, NamesNoTimeWhereAModelIsShortOfSteps) {
  for (const std::int64_t id : {0, 1, 2, 3, 4, 5}) take(id, 1);
  EXPECT_TRUE(prover_.proof().clean());
  EXPECT_EQ(prover_.proof().learnt_append, 0.0);
}

TEST_F(ProverTest, RefusesPredictionsOfNothing) {
  EXPECT_THROW(take(6, 1), Void);
  EXPECT_THROW(take(-2, 1), Void);
  EXPECT_THROW(prover_.take({0, 2, 0, 1, 1, 0}, 1.0), Void);
}

}  // namespace
}  // namespace weir::bench
