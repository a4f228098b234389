// Predictor, gate, replay buffer and trainer as one task: what holds wherever its transactions are cut and it is restarted.

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "actors/gate.hpp"
#include "actors/gradient_trainer.hpp"
#include "actors/predictor.hpp"
#include "actors/replay_buffer.hpp"
#include "actors/task.hpp"
#include "core/base/math.hpp"
#include "core/records/codec.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kDense = 5;
constexpr std::uint32_t kSparse = 300;

// Ends the chain: keeps what was predicted, for its label.
class LastPrediction final : public Stage {
 public:
  explicit LastPrediction(Prediction* to) : to_(to) {}
  std::string_view name() const override { return "last_prediction"; }
  void process(InputId input, RecordView& record, Output&) override {
    if (input == InputId::kLogs) *to_ = *record.prediction;
  }
  void save(StateWriter&) override {}
  Result<void> load(const StageState&) override { return {}; }

 private:
  Prediction* to_;
};

struct Settings {
  std::string kind = "logistic";
  GateSettings gate;
  TrainerSettings trainer;
  std::uint32_t replay_capacity = 20;
};

Settings settings(std::string kind = "logistic") {
  Settings s;
  s.kind = std::move(kind);
  s.gate.task = s.kind == "logistic" ? TaskKind::kClassification : TaskKind::kRegression;
  s.gate.conformal.window = 100;
  s.gate.conformal.warm_up = 30;
  s.trainer.replay_every = 7;
  s.trainer.replay_batch = 4;
  s.trainer.crc_every = 10;
  s.trainer.snapshot_every = 100;
  return s;
}

// One run of a random stream: labels come `kDelay` events late. close_every: records between two commits; restart: after each.
class Stream {
 public:
  explicit Stream(const Settings& settings) : settings_(settings) { start(); }

  void go(std::uint64_t seed, int events, int close_every, bool restart) {
    Rng rng(seed);
    std::deque<Row> waiting;
    int since_close = 0;
    for (int i = 0; i < events; ++i) {
      Row row = random_row(rng, i);
      RecordView view;
      Event event;
      event.id.text = row.id;
      event.event_time = EventTime(1000 * i);
      const Sample sample = row.sample();
      view.source = {"logs", PartitionId(0), Offset(i)};
      view.event = &event;
      view.sample = &sample;
      view.moments_weight = i + 1;
      process(InputId::kLogs, view);
      row.prediction = last_;
      waiting.push_back(std::move(row));
      if (waiting.size() > 5) {
        learn(waiting.front(), i);
        waiting.pop_front();
      }
      if (i % 11 == 0) {
        ASSERT_TRUE(task_->idle(2, transaction_).ok());
      }
      if (++since_close == close_every) {
        close();
        if (restart) start();
        since_close = 0;
      }
    }
    close();
  }

  std::string topic(Topic topic) const { return topics_[index_of(topic)]; }
  const std::map<std::string, std::string>& state() const { return reader_->entries; }
  const ServedModel& served() const { return *served_; }
  std::size_t largest_state_bytes() const { return largest_state_bytes_; }
  Gate& gate() { return *gate_; }

 private:
  struct Row {
    std::string id;
    std::vector<float> dense;
    std::vector<std::uint32_t> indices;
    std::vector<float> values;
    double label = 0.0;
    Prediction prediction;
    Sample sample() const { return {dense, indices, values}; }
  };

  Row random_row(Rng& rng, int i) const {
    Row row;
    row.id = "id-" + std::to_string(i);
    double score = 0.3;
    for (std::uint32_t k = 0; k < kDense; ++k) {
      row.dense.push_back(static_cast<float>(rng.normal()));
      score += double(row.dense.back()) * (k % 2 == 0 ? 1.0 : -0.5);
    }
    for (int k = 0; k < 4; ++k) {
      row.indices.push_back(static_cast<std::uint32_t>(rng.below(kSparse)));
      row.values.push_back(1.0f);
      score += row.indices.back() % 2 == 0 ? 0.5 : -0.5;
    }
    row.label = settings_.kind == "logistic" ? (rng.uniform() < math::sigmoid(2.0 * score) ? 1.0 : 0.0) : score + 0.2 * rng.normal();
    return row;
  }

  void learn(const Row& row, int i) {
    Example example;
    example.id.text = row.id;
    example.sample = row.sample();
    example.prediction = row.prediction;
    example.label = row.label;
    example.outcome_time = EventTime(1000 * i + 1);
    example.outcome_source = {"outcomes", PartitionId(0), Offset(i)};
    RecordView view;
    view.source = example.outcome_source;
    view.example = &example;
    process(InputId::kExamples, view);
  }

  void process(InputId input, RecordView& view) {
    const Result<void> done = task_->process(input, view, 0, transaction_);
    ASSERT_TRUE(done.ok()) << done.error().what;
  }

  void close() {
    task_->close(transaction_);
    for (std::size_t i = 0; i < kTopicCount; ++i) topics_[i] += transaction_.records[i].bytes();
    reader_->apply(transaction_.state, task_->next_commit());
    largest_state_bytes_ = std::max(largest_state_bytes_, transaction_.state.bytes());
    transaction_.clear();
  }

  void start() {
    served_ = *make_served_model({settings_.kind, {kDense, kSparse}}, Rng(1));
    auto buffer = std::make_shared<ReplayBuffer>(settings_.replay_capacity, Rng(2));
    std::vector<std::unique_ptr<Stage>> stages;
    stages.push_back(std::make_unique<Predictor>(served_));
    auto gate = std::make_unique<Gate>(settings_.gate);
    gate_ = gate.get();
    stages.push_back(std::move(gate));
    stages.push_back(std::make_unique<ReplayBufferStage>(buffer));
    stages.push_back(std::make_unique<GradientTrainer>(served_, settings_.trainer, buffer));
    stages.push_back(std::make_unique<LastPrediction>(&last_));
    task_ = std::make_unique<Task>("inference", PartitionId(0), std::move(stages));
    Recovered recovered;
    recovered.last_commit = reader_->last;
    recovered.state = reader_;
    const Result<void> restored = task_->restore(recovered);
    ASSERT_TRUE(restored.ok()) << restored.error().what;
  }

  Settings settings_;
  std::shared_ptr<MapStateReader> reader_ = std::make_shared<MapStateReader>();
  std::shared_ptr<ServedModel> served_;
  std::unique_ptr<Task> task_;
  Gate* gate_ = nullptr;
  Transaction transaction_;
  Prediction last_;
  std::array<std::string, kTopicCount> topics_;
  std::size_t largest_state_bytes_ = 0;
};

class LearningStages : public testing::TestWithParam<std::string> {};

TEST_P(LearningStages, RestartsAndCutsChangeNothing) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Stream unbroken(settings(GetParam()));
    unbroken.go(seed, 600, 1000, false);
    for (const int every : {1, 7, 64}) {
      Stream broken(settings(GetParam()));
      broken.go(seed, 600, every, true);
      EXPECT_EQ(broken.topic(Topic::kPredictions), unbroken.topic(Topic::kPredictions)) << "seed " << seed << ", cut " << every;
      EXPECT_EQ(broken.topic(Topic::kModels), unbroken.topic(Topic::kModels)) << "seed " << seed << ", cut " << every;
      EXPECT_EQ(broken.served().parameters.crc(), unbroken.served().parameters.crc());
      EXPECT_EQ(broken.served().version, unbroken.served().version);
      EXPECT_EQ(broken.gate().counts(), unbroken.gate().counts());
      // Every entry but the task's own bookkeeping of commits must be the same, too.
      for (const auto& [key, value] : unbroken.state())
        if (key.find("gradient_trainer") != std::string::npos || key.find("predictor") != std::string::npos ||
            key.find("gate") != std::string::npos || key.find("replay_buffer") != std::string::npos) {
          EXPECT_EQ(broken.state().at(key), value) << "entry " << key;
        }
    }
    ASSERT_FALSE(unbroken.topic(Topic::kPredictions).empty());
    ASSERT_FALSE(unbroken.topic(Topic::kModels).empty());
    ASSERT_GT(unbroken.served().version.value, 600U);  // Outcomes, replay batches, idle steps.
  }
}
INSTANTIATE_TEST_SUITE_P(Kinds, LearningStages, testing::Values("logistic", "linear"));

TEST(LearningStagesState, ACommitCarriesOnlyWhatChanged) {
  Settings s = settings();
  s.trainer.replay_every = 0;
  Stream run(s);
  run.go(1, 300, 1, false);
  // One outcome touches the dense page and at most four sparse ones, each with one page of moments; the gate's, the buffer's
  // and the counters' entries are small.
  EXPECT_LT(run.largest_state_bytes(), 6 * (256 + 512 + 64) * 3 + 2000U);
  Stream all(s);
  all.go(1, 300, 1000, false);
  EXPECT_GT(all.largest_state_bytes(), 0U);
}

TEST(LearningStagesModels, TellsEveryVersionItPromises) {
  Stream run(settings());
  run.go(4, 400, 50, false);
  const std::string bytes = run.topic(Topic::kModels);
  ByteReader reader(bytes);
  Record record;
  std::uint64_t expected = 0;
  ServedModel copy = **make_served_model({"logistic", {kDense, kSparse}}, Rng(1));
  ModelAssembly assembly;
  int whole = 0;
  while (decode_record(reader, record)) {
    ModelVersionRecord version;
    ASSERT_TRUE(decode_model_version(record.value, version));
    EXPECT_EQ(version.version.value, expected += 10);
    EXPECT_EQ(record.key, "0/" + std::to_string(expected));
    const Result<bool> adopted = assembly.take(record.value, copy);
    ASSERT_TRUE(adopted.ok()) << adopted.error().what;
    EXPECT_EQ(*adopted, expected % 100 == 0);
    if (*adopted) {
      ++whole;
      EXPECT_EQ(copy.version, version.version);
      EXPECT_EQ(copy.parameters.crc(), version.crc);
    }
  }
  EXPECT_EQ(whole, static_cast<int>(run.served().version.value / 100));
  EXPECT_GT(whole, 2);
}

TEST(LearningStagesGate, DropPublishesToAbstainedInstead) {
  Settings s = settings();
  s.gate.policy = GateSettings::Policy::kDrop;
  Stream run(s);
  run.go(5, 400, 50, false);
  const auto count = [&](Topic topic, std::string_view text) {
    const std::string bytes = run.topic(topic);
    ByteReader reader(bytes);
    Record record;
    int n = 0, other = 0;
    while (decode_record(reader, record)) ++(record.value.find(text) != std::string_view::npos ? n : other);
    EXPECT_EQ(other, 0);
    return n;
  };
  const int predicted = count(Topic::kPredictions, "\"certified\":true");
  const int abstained = count(Topic::kAbstained, "\"certified\":false");
  EXPECT_EQ(predicted + abstained, 400);
  EXPECT_GT(predicted, 50);
  EXPECT_GT(abstained, 30);
}

TEST(LearningStagesGate, ShowsTheCountOfTheMomentsWhereAsked) {
  for (const bool asked : {false, true}) {
    Settings s = settings();
    s.gate.count = asked;
    Stream run(s);
    run.go(8, 20, 3, true);
    const std::string bytes = run.topic(Topic::kPredictions);
    ByteReader reader(bytes);
    Record record;
    int records = 0;
    while (decode_record(reader, record))
      EXPECT_EQ(record.value.ends_with(",\"n\":" + std::to_string(++records) + "}"), asked) << record.value;
    EXPECT_EQ(records, 20);
  }
}

TEST(LearningStagesGate, BaseRateStandsInAndDoesNotSpoilTheScores) {
  Settings flag = settings();
  Settings base = settings();
  base.gate.policy = GateSettings::Policy::kBaseRate;
  Stream a(flag), b(base);
  a.go(6, 500, 50, false);
  b.go(6, 500, 50, true);
  EXPECT_EQ(a.gate().counts(), b.gate().counts());  // The gate learns from the model's own values, not from the stand-in.
  EXPECT_NE(a.topic(Topic::kPredictions), b.topic(Topic::kPredictions));
}

TEST(LearningStagesGate, TheBaseRateIsNeverACertainty) {
  Settings base = settings();
  base.gate.policy = GateSettings::Policy::kBaseRate;
  Stream stream(base);
  EXPECT_EQ(stream.gate().base_rate(), 0.5);
  stream.go(6, 8, 3, false);  // Two labels.
  EXPECT_GT(stream.gate().base_rate(), 0.1);
  EXPECT_LT(stream.gate().base_rate(), 0.9);
}

}  // namespace
}  // namespace weir
