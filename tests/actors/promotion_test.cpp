// learning: free. Promotion, replay buffer and trainer as the learning task; a predictor that reads what they publish.

#include "actors/promotion.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "actors/gradient_trainer.hpp"
#include "actors/predictor.hpp"
#include "actors/replay_buffer.hpp"
#include "actors/task.hpp"
#include "core/base/math.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

constexpr ModelShape kShape{4, 50};

class Learning {
 public:
  explicit Learning(PromotionSettings settings, double rate = 0.1) : settings_(settings), rate_(rate) { start(); }

  void start() {
    challenger_ = *make_served_model({"logistic", kShape}, Rng(1));
    auto buffer = std::make_shared<ReplayBuffer>(30, Rng(2));
    TrainerSettings trainer;
    trainer.coupled = false;
    trainer.replay_every = 5;
    trainer.replay_batch = 3;
    trainer.optimizer.learning_rate = rate_;
    std::vector<std::unique_ptr<Stage>> stages;
    auto promotion = std::make_unique<Promotion>(challenger_, settings_);
    promotion_ = promotion.get();
    stages.push_back(std::move(promotion));
    stages.push_back(std::make_unique<ReplayBufferStage>(buffer));
    stages.push_back(std::make_unique<GradientTrainer>(challenger_, trainer, buffer));
    task_ = std::make_unique<Task>("learning", PartitionId(0), std::move(stages));
    Recovered recovered;
    recovered.last_commit = reader_->last;
    recovered.state = reader_;
    const Result<void> restored = task_->restore(recovered);
    ASSERT_TRUE(restored.ok()) << restored.error().what;
  }

  // As the topic brings it: bytes, not a decoded example.
  void learn(std::span<const float> dense, double label, int i) {
    Example example;
    const std::string id = "id-" + std::to_string(i);
    example.id.text = id;
    example.sample.dense = dense;
    example.label = label;
    example.outcome_time = EventTime(i);
    example.outcome_source = {"outcomes", PartitionId(0), Offset(i)};
    bytes_.clear();
    encode_example(example, bytes_);
    RecordView view;
    view.record.value = bytes_.view();
    view.source = {"examples", PartitionId(0), Offset(i)};
    const Result<void> done = task_->process(InputId::kExamples, view, 0, transaction_);
    ASSERT_TRUE(done.ok()) << done.error().what;
  }

  void close() {
    task_->close(transaction_);
    models_ += transaction_.records[index_of(Topic::kModels)].bytes();
    reader_->apply(transaction_.state, task_->next_commit());
    transaction_.clear();
  }

  Promotion& promotion() { return *promotion_; }
  ServedModel& challenger() { return *challenger_; }
  std::string_view models() const { return models_; }
  const MapStateReader& state() const { return *reader_; }

 private:
  PromotionSettings settings_;
  double rate_;
  std::shared_ptr<MapStateReader> reader_ = std::make_shared<MapStateReader>();
  std::shared_ptr<ServedModel> challenger_;
  Promotion* promotion_ = nullptr;
  std::unique_ptr<Task> task_;
  Transaction transaction_;
  ByteBuffer bytes_;
  std::string models_;
};

PromotionSettings quick() {
  PromotionSettings s;
  s.every = 50;
  s.horizon = 5000;
  s.drift = {0.005, 15.0, 100};
  return s;
}

struct Row {
  float dense[4];
  double label;
};
Row random_row(Rng& rng, double sign) {
  Row row;
  double z = 0.0;
  for (int k = 0; k < 4; ++k) z += sign * (k % 2 == 0 ? 2.0 : -2.0) * double(row.dense[k] = static_cast<float>(rng.normal()));
  row.label = rng.uniform() < math::sigmoid(z) ? 1.0 : 0.0;
  return row;
}

TEST(Promotion, PromotesALearnerThatLearnsAndTellsTheWholeVersion) {
  Learning learning(quick());
  Rng rng(3);
  for (int i = 0; i < 3000; ++i) {
    const Row row = random_row(rng, 1.0);
    learning.learn(row.dense, row.label, i);
  }
  learning.close();
  EXPECT_GE(learning.promotion().promotions(), 1U);
  EXPECT_EQ(learning.promotion().rollbacks(), 0U);

  // Every version published is whole, newer than the one before, and adopted by a predictor as it is.
  auto served = *make_served_model({"logistic", kShape}, Rng(1));
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(std::make_unique<Predictor>(served));
  Task inference("inference", PartitionId(0), std::move(stages));
  Recovered fresh;
  fresh.state = std::make_shared<MapStateReader>();
  ASSERT_TRUE(inference.restore(fresh).ok());
  Transaction transaction;
  ByteReader reader(learning.models());
  Record record;
  std::uint64_t versions = 0;
  while (decode_record(reader, record)) {
    RecordView view;
    view.record = record;
    view.source.offset = Offset(static_cast<std::int64_t>(versions));
    const ModelVersion before = served->version;
    ASSERT_TRUE(inference.process(InputId::kModels, view, 0, transaction).ok());
    EXPECT_GT(served->version, before);
    ++versions;
  }
  EXPECT_EQ(versions, learning.promotion().promotions());
  EXPECT_EQ(served->version, learning.promotion().champion().version);
  EXPECT_EQ(served->parameters.crc(), learning.promotion().champion().parameters.crc());
}

TEST(Promotion, SeldomPromotesALearnerThatIsNotBetter) {  // Labels are coin flips: nothing can be learnt.
  int promoted = 0;
  constexpr int kRuns = 60;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    Learning learning(quick(), 0.01);
    Rng rng(100 + run);
    for (int i = 0; i < 1500; ++i) {
      Row row = random_row(rng, 1.0);
      row.label = double(rng.below(2));
      learning.learn(row.dense, row.label, i);
    }
    promoted += learning.promotion().promotions() > 0 ? 1 : 0;
  }
  EXPECT_LE(promoted, 3);  // alpha = 0.01.
}

TEST(Promotion, RollsBackOnDriftAndPublishesTheFormerAsANewVersion) {
  Learning learning(quick());
  Rng rng(5);
  int i = 0;
  for (; i < 1200; ++i) {
    const Row row = random_row(rng, 1.0);
    learning.learn(row.dense, row.label, i);
  }
  ASSERT_GE(learning.promotion().promotions(), 1U);
  const ModelVersion before = learning.promotion().champion().version;
  // The world turns round; the learner is kept from following, so that only the model before can help.
  for (; i < 3000 && learning.promotion().rollbacks() == 0; ++i) {
    for (float& w : learning.challenger().parameters.mutable_values()) w = 0.0f;
    learning.challenger().parameters.assign(learning.promotion().champion().parameters);
    const Row row = random_row(rng, -1.0);
    learning.learn(row.dense, row.label, i);
  }
  EXPECT_EQ(learning.promotion().rollbacks(), 1U);
  EXPECT_GT(learning.promotion().champion().version, before);
  EXPECT_LT(i, 2400);
}

TEST(Promotion, RestartsAndCutsChangeNothing) {
  const auto run = [](int every, bool restart) {
    auto learning = std::make_unique<Learning>(quick());
    Rng rng(8);
    for (int i = 0; i < 1500; ++i) {
      const Row row = random_row(rng, i < 1000 ? 1.0 : -1.0);
      learning->learn(row.dense, row.label, i);
      if (i % every == 0) {
        learning->close();
        if (restart) learning->start();
      }
    }
    learning->close();
    return learning;
  };
  const auto unbroken = run(10000, false);
  ASSERT_GE(unbroken->promotion().promotions(), 1U);
  for (const int every : {1, 13, 400}) {
    const auto broken = run(every, true);
    EXPECT_EQ(broken->models(), unbroken->models()) << "cut " << every;
    EXPECT_EQ(broken->challenger().parameters.crc(), unbroken->challenger().parameters.crc());
    EXPECT_EQ(broken->promotion().champion().parameters.crc(), unbroken->promotion().champion().parameters.crc());
    for (const auto& [key, value] : unbroken->state().entries)
      EXPECT_TRUE(key.find("promotion") == std::string::npos || broken->state().entries.at(key) == value) << key;
  }
}

}  // namespace
}  // namespace weir
