// Networks of hashtrons as stages: they learn and are promoted on what they do not learn from; what holds wherever transactions are
// cut and tasks are started again; and the chain in its parts, which exchange records in any order.

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>

#include "actors/backward_trainer.hpp"
#include "actors/capacity_control.hpp"
#include "actors/predictor.hpp"
#include "actors/promotion.hpp"
#include "actors/replay_buffer.hpp"
#include "actors/sum_cache.hpp"
#include "actors/task.hpp"
#include "core/base/math.hpp"
#include "core/learning/generated_tasks.hpp"
#include "core/learning/hold_out.hpp"
#include "core/learning/losses.hpp"
#include "core/models/hashtron_model.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kFeatures = 8;

GeneratedTask generated() { return *GeneratedTask::parse("sqrt-bit:C=4,b=2,noise=10"); }

std::shared_ptr<ServedModel> fresh_model(std::vector<HashtronLayer> layers = {}) {
  return *make_served_model({.kind = "hashtron", .shape = {.hashed = kFeatures}, .layers = std::move(layers)}, Rng(1));
}

BackwardTrainerSettings trainer_settings() {
  BackwardTrainerSettings s;
  s.backward.seed = 5;
  s.backward.sweeps_max = 0;
  s.every = 4;
  s.samples_min = 60;
  s.hold_out = 4;
  return s;
}
PromotionSettings promotion_settings() {
  PromotionSettings s;
  s.every = 1;
  s.hold_out = 4;
  return s;
}

// What a task's store would keep.
struct Committed {
  std::shared_ptr<MapStateReader> reader = std::make_shared<MapStateReader>();
  std::array<std::string, kTopicCount> topics;
  std::size_t largest_state_bytes = 0;
};

// A task that commits to memory, and can be started again from there.
class Runner {
 public:
  Runner(std::string name, std::function<std::vector<std::unique_ptr<Stage>>()> make) : name_(std::move(name)), make_(std::move(make)) { start(); }

  void start() {
    task_ = std::make_unique<Task>(name_, PartitionId(0), make_());
    transaction_.clear();
    Recovered recovered;
    recovered.last_commit = committed.reader->last;
    recovered.state = committed.reader;
    const Result<void> restored = task_->restore(recovered);
    ASSERT_TRUE(restored.ok()) << restored.error().what;
  }
  Result<void> give(InputId input, RecordView& view) { return task_->process(input, view, 0, transaction_); }
  Result<void> give(InputId input, std::string_view value, std::int64_t offset) {
    RecordView view;
    view.source = {"topic", PartitionId(0), Offset(offset)};
    view.record.value = value;
    return give(input, view);
  }
  std::uint64_t idle(std::uint64_t steps) { return *task_->idle(steps, transaction_); }
  void commit() {
    task_->close(transaction_);
    for (std::size_t t = 0; t < kTopicCount; ++t) committed.topics[t] += transaction_.records[t].bytes();
    committed.largest_state_bytes = std::max(committed.largest_state_bytes, transaction_.state.bytes());
    committed.reader->apply(transaction_.state, task_->next_commit());
    transaction_.clear();
  }
  std::vector<std::string> values(Topic topic) const {
    std::vector<std::string> out;
    const std::string& bytes = committed.topics[index_of(topic)];
    ByteReader reader(bytes);
    Record record;
    while (decode_record(reader, record)) out.emplace_back(record.value);
    return out;
  }

  Committed committed;

 private:
  std::string name_;
  std::function<std::vector<std::unique_ptr<Stage>>()> make_;
  std::unique_ptr<Task> task_;
  Transaction transaction_;
};

// Labelled numbers of the generated task, drawn by chance.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : rng_(seed) {}
  // The next one, encoded; `example` lives until the one after it.
  std::string_view next(Example& example) {
    const auto x = static_cast<std::uint32_t>(rng_.below(task_.count()));
    task_.features_of(x, features_);
    example = Example();
    id_ = std::to_string(count_);
    example.id.text = id_;
    example.sample = {{}, features_, ones_};
    example.label = rng_.below(10) == 0 ? 1 - task_.value(x) : task_.value(x);
    example.outcome_time = EventTime(std::int64_t(count_));
    example.outcome_source = {"outcomes", PartitionId(0), Offset(std::int64_t(count_++))};
    bytes_.clear();
    encode_example(example, bytes_);
    return bytes_.view();
  }

 private:
  GeneratedTask task_ = generated();
  Rng rng_;
  std::uint64_t count_ = 0;
  std::vector<std::uint32_t> features_ = std::vector<std::uint32_t>(kFeatures);
  std::vector<float> ones_ = std::vector<float>(kFeatures, 1.0f);
  std::string id_;
  ByteBuffer bytes_;
};

// Coupled: what is served, its judge, the buffer and the trainer in one task.
struct Coupled {
  explicit Coupled(BackwardTrainerSettings settings = trainer_settings())
      : runner("inference", [this, settings] {
          served = fresh_model();
          challenger = std::make_shared<ServedModel>(*served);
          buffer = std::make_shared<ReplayBuffer>(300, Rng(2), ReplayBuffer::Keep::kNewest);
          std::vector<std::unique_ptr<Stage>> stages;
          stages.push_back(std::make_unique<Predictor>(served));
          auto judge = std::make_unique<Promotion>(challenger, promotion_settings(), served);
          promotion = judge.get();
          stages.push_back(std::move(judge));
          stages.push_back(std::make_unique<ReplayBufferStage>(buffer, settings.hold_out));
          auto learner = std::make_unique<BackwardTrainer>(challenger, settings, buffer);
          trainer = learner.get();
          stages.push_back(std::move(learner));
          return stages;
        }) {}

  // Predicts each number before its label is learnt; commits every `cut` of them, and starts again then where asked.
  void go(std::uint64_t seed, int count, int cut, bool restart) {
    Numbers numbers(seed);
    Example example;
    for (int i = 0; i < count; ++i) {
      numbers.next(example);
      const double score = served->model->forward(served->parameters, example.sample);
      if (i >= count / 2) {
        ++asked;
        right += (score > 0.0) == (example.label > 0.5) ? 1 : 0;
        loss += loss_value(LossKind::kLogLoss, score, example.label);
      }
      RecordView view;
      view.source = example.outcome_source;
      view.example = &example;
      ASSERT_TRUE(runner.give(InputId::kExamples, view).ok());
      if (i % 50 == 49) runner.idle(2);
      if (i % cut == cut - 1) {
        runner.commit();
        if (restart) runner.start();
      }
    }
    runner.commit();
  }

  std::shared_ptr<ServedModel> served, challenger;
  std::shared_ptr<ReplayBuffer> buffer;
  const Promotion* promotion = nullptr;
  const BackwardTrainer* trainer = nullptr;
  int asked = 0, right = 0;
  double loss = 0.0;
  Runner runner;
};

TEST(HashtronStages, LearnWhileTheyServe) {
  Coupled run;
  run.go(1, 6000, 100, false);
  EXPECT_GE(run.promotion->promotions(), 1U);
  EXPECT_GT(run.served->version.value, 0U);
  // One label in ten is wrong, and the majority is six in ten.
  EXPECT_GT(double(run.right) / run.asked, 0.80);
  EXPECT_LT(run.loss / run.asked, 0.5);
  const BackwardTrainer::Counts& counts = run.trainer->counts();
  EXPECT_EQ(counts.examples, 6000U);
  EXPECT_NEAR(double(counts.held_out) / 6000.0, 0.25, 0.08);  // Of 256 numbers.
  EXPECT_GT(double(counts.held_out_right) / double(counts.held_out), 0.7);
  EXPECT_GT(counts.accepted, 50U);
  EXPECT_LT(counts.accepted, counts.jobs);
  EXPECT_EQ(run.runner.values(Topic::kSums).size(), counts.jobs);
  EXPECT_EQ(run.runner.values(Topic::kModels).size(), run.promotion->promotions() + run.promotion->rollbacks());
  EXPECT_EQ(run.runner.values(Topic::kCandidates).size(), 0U);
}

TEST(HashtronStages, NobodyLearnsFromWhatIsHeldOut) {
  Coupled run;
  run.go(2, 1500, 100, false);
  ExampleScratch scratch;
  Example example;
  ASSERT_EQ(run.buffer->size(), 300U);
  for (std::uint32_t s = 0; s < run.buffer->size(); ++s) {
    ASSERT_TRUE(decode_example(run.buffer->at(s), scratch, example));
    EXPECT_FALSE(is_held_out(example.sample, 4));
  }
}

TEST(HashtronStages, RestartsAndCutsChangeNothing) {
  for (const std::uint64_t seed : {1, 2}) {
    Coupled unbroken;
    unbroken.go(seed, 1500, 5000, false);
    ASSERT_GT(unbroken.trainer->counts().accepted, 20U);
    for (const int cut : {1, 7, 64}) {
      Coupled broken;
      broken.go(seed, 1500, cut, true);
      for (const Topic topic : {Topic::kSums, Topic::kModels, Topic::kAlerts})
        EXPECT_EQ(broken.runner.committed.topics[index_of(topic)], unbroken.runner.committed.topics[index_of(topic)])
            << short_name(topic) << ", seed " << seed << ", cut " << cut;
      EXPECT_EQ(broken.challenger->parameters.crc(), unbroken.challenger->parameters.crc());
      EXPECT_EQ(broken.challenger->version, unbroken.challenger->version);
      EXPECT_EQ(broken.served->parameters.crc(), unbroken.served->parameters.crc());
      EXPECT_EQ(broken.served->version, unbroken.served->version);
      EXPECT_EQ(broken.trainer->counts(), unbroken.trainer->counts());
      EXPECT_EQ(broken.runner.committed.reader->entries, unbroken.runner.committed.reader->entries) << "seed " << seed << ", cut " << cut;
    }
  }
}

TEST(HashtronStages, ACommitCarriesTheNeuronNotTheNetwork) {
  BackwardTrainerSettings settings = trainer_settings();
  Coupled run(settings);
  run.go(3, 1500, 1, false);
  ASSERT_GT(run.trainer->counts().accepted, 20U);
  // A neuron of 300 samples, its record, counters, a sample in the buffer; a promotion carries what differs, once or twice.
  const std::size_t network = network_of(run.challenger->parameters).text().size();
  std::size_t small = 0;
  Coupled again(settings);
  Numbers numbers(3);
  Example example;
  for (int i = 0; i < 400; ++i) {
    numbers.next(example);
    RecordView view;
    view.source = example.outcome_source;
    view.example = &example;
    ASSERT_TRUE(again.runner.give(InputId::kExamples, view).ok());
    again.runner.committed.largest_state_bytes = 0;
    again.runner.commit();
    small = std::max(small, again.runner.committed.largest_state_bytes);
  }
  EXPECT_LT(small, 2500U);
  EXPECT_GT(network, 1000U);
}

// Free: trainer, sum cache with capacity control, and promotion as tasks that hear of each other over topics.
class Parts {
 public:
  // `settings`: a part that says how its neighbours' records come.
  explicit Parts(std::uint64_t seed) : rng_(seed) {
    BackwardTrainerSettings s = trainer_settings();
    s.candidate_every = 3;
    learning_ = std::make_unique<Runner>("learning", [this, s] {
      challenger = fresh_model();
      auto buffer = std::make_shared<ReplayBuffer>(300, Rng(2));
      std::vector<std::unique_ptr<Stage>> stages;
      stages.push_back(std::make_unique<ReplayBufferStage>(buffer, s.hold_out));
      stages.push_back(std::make_unique<BackwardTrainer>(challenger, s, buffer));
      return stages;
    });
    capacity_ = std::make_unique<Runner>("capacity", [s] {
      const auto cache = std::make_shared<SumCache>(network_of(fresh_model()->parameters).size(), s.backward.ring);
      std::vector<std::unique_ptr<Stage>> stages;
      stages.push_back(std::make_unique<SumCacheStage>(cache));
      stages.push_back(std::make_unique<CapacityControl>(cache, CapacityControlSettings{s.backward.capacity, true, PartitionId(0)}));
      return stages;
    });
    promotion_ = std::make_unique<Runner>("promotion", [this] {
      auto judge = Promotion::of_candidates(*fresh_model(), promotion_settings());
      promotion = judge.get();
      std::vector<std::unique_ptr<Stage>> stages;
      stages.push_back(std::move(judge));
      return stages;
    });
    inference_ = std::make_unique<Runner>("inference", [this] {
      served = fresh_model();
      std::vector<std::unique_ptr<Stage>> stages;
      stages.push_back(std::make_unique<Predictor>(served));
      return stages;
    });
  }

  // Each part takes what is there when its turn comes, commits, and sometimes starts again.
  void go(int count, bool restart) {
    Numbers numbers(9);
    Example example;
    for (int i = 0; i < count; ++i) {
      const std::string value(numbers.next(example));
      examples_.push_back(value);
      while (rng_.below(3) != 0) turn(restart);
    }
    for (int i = 0; i < 40; ++i) turn(restart);
  }
  Runner& learning() { return *learning_; }
  Runner& capacity() { return *capacity_; }

  std::shared_ptr<ServedModel> challenger, served;
  const Promotion* promotion = nullptr;

 private:
  void turn(bool restart) {
    switch (rng_.below(4)) {
      case 0:
        take(*learning_, InputId::kCapacity, capacity_->values(Topic::kCapacity), at_[0]);
        take(*learning_, InputId::kExamples, examples_, at_[1]);
        return end(*learning_, restart);
      case 1: take(*capacity_, InputId::kSums, learning_->values(Topic::kSums), at_[2]); return end(*capacity_, restart);
      case 2:
        take(*promotion_, InputId::kCandidates, learning_->values(Topic::kCandidates), at_[3]);
        take(*promotion_, InputId::kExamples, examples_, at_[4]);
        return end(*promotion_, restart);
      default: take(*inference_, InputId::kModels, promotion_->values(Topic::kModels), at_[5]); return end(*inference_, restart);
    }
  }
  void take(Runner& runner, InputId input, const std::vector<std::string>& values, std::size_t& at) {
    for (std::uint64_t most = rng_.below(20); at < values.size() && most > 0; --most, ++at) {
      const Result<void> done = runner.give(input, values[at], std::int64_t(at));
      ASSERT_TRUE(done.ok()) << done.error().what;
    }
  }
  void end(Runner& runner, bool restart) {
    runner.commit();
    if (restart && rng_.below(3) == 0) runner.start();
  }

  Rng rng_;
  std::vector<std::string> examples_;
  std::size_t at_[6] = {};
  std::unique_ptr<Runner> learning_, capacity_, promotion_, inference_;
};

TEST(HashtronParts, ExchangeSumsCapacitiesCandidatesAndVersions) {
  for (const bool restart : {false, true}) {
    Parts parts(4);
    parts.go(4000, restart);
    EXPECT_GE(parts.promotion->promotions(), 1U);
    EXPECT_EQ(parts.served->version, parts.promotion->champion().version);
    EXPECT_EQ(parts.served->parameters.crc(), parts.promotion->champion().parameters.crc());
    const std::vector<std::string> sums = parts.learning().values(Topic::kSums), capacities = parts.capacity().values(Topic::kCapacity);
    EXPECT_GT(sums.size(), 200U);
    EXPECT_GT(capacities.size(), sums.size() - 50);
    // The trainer goes by what it has heard: some job has the capacity that was told after the neuron's job before it.
    NeuronSum sum;
    NeuronCapacity capacity;
    std::map<std::uint32_t, std::uint32_t> told;
    std::size_t at = 0, followed = 0;
    for (const std::string& value : sums) {
      ASSERT_TRUE(decode_neuron_sum(value, sum));
      for (; at < capacities.size(); ++at) {
        ASSERT_TRUE(decode_neuron_capacity(capacities[at], capacity));
        if (capacity.job + 1 >= sum.job) break;
        told[capacity.neuron] = capacity.capacity;
      }
      const auto known = told.find(sum.neuron);
      if (known != told.end() && known->second == sum.capacity && sum.selected_by != "final") ++followed;
    }
    EXPECT_GT(followed, 20U);
    int right = 0;
    Numbers numbers(77);
    Example example;
    for (int i = 0; i < 500; ++i) {
      numbers.next(example);
      right += answer_of(parts.served->parameters, example.sample) == (example.label > 0.5) ? 1 : 0;
    }
    EXPECT_GT(right, 350);
  }
}

TEST(HashtronStages, APoisonedSumIsAnErrorThatNamesIt) {
  const auto cache = std::make_shared<SumCache>(31);
  Runner runner("capacity", [&] {
    std::vector<std::unique_ptr<Stage>> stages;
    stages.push_back(std::make_unique<SumCacheStage>(cache));
    return stages;
  });
  NeuronSum good;
  good.neuron = 3;
  good.sum = 10;
  good.n = 100;
  good.sum_before = 8;
  good.regime = "noise";
  good.selected_by = "gold";
  ByteBuffer bytes;
  const auto given = [&](NeuronSum sum) {
    bytes.clear();
    encode_neuron_sum(sum, bytes);
    return runner.give(InputId::kSums, bytes.view(), 4);
  };
  EXPECT_TRUE(given(good).ok());
  for (auto [change, text] : std::vector<std::pair<std::function<void(NeuronSum&)>, std::string>>{
           {[](NeuronSum& s) { s.sum = 101; }, "a sum of 101 over 100 samples"},
           {[](NeuronSum& s) { s.sum = 11; }, "as odd or even as their number"},
           {[](NeuronSum& s) { s.neuron = 31; }, "neuron 31, expected one below 31"},
           {[](NeuronSum& s) { s.regime = "golden"; }, "does not decode"},
           {[](NeuronSum& s) { s.selected_by = ""; }, "does not decode"}}) {
    runner.start();
    NeuronSum bad = good;
    change(bad);
    const Result<void> refused = given(bad);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kCorruption);
    EXPECT_NE(refused.error().what.find("sums, offset 4: "), std::string::npos) << refused.error().what;
    EXPECT_NE(refused.error().what.find(text), std::string::npos) << refused.error().what;
  }
}

TEST(HashtronStages, LabelsThatAreAllTheSameMakeAConstantNetworkWhichIsTold) {
  Coupled run;
  Numbers numbers(1);
  Example example;
  for (int i = 0; i < 1200; ++i) {
    numbers.next(example);
    example.label = 1.0;
    RecordView view;
    view.source = example.outcome_source;
    view.example = &example;
    ASSERT_TRUE(run.runner.give(InputId::kExamples, view).ok());
    if (i % 100 == 99) run.runner.commit();
  }
  bool constant = false;
  for (const std::string& alert : run.runner.values(Topic::kAlerts)) constant = constant || alert.find("\"alert\":\"constant\"") != std::string::npos;
  EXPECT_TRUE(constant);
  EXPECT_GT(math::sigmoid(run.challenger->model->forward(run.challenger->parameters, example.sample)), 0.95);
}

TEST(HashtronStages, StateOfOtherLayersIsRefused) {
  Coupled run;
  run.go(1, 400, 50, false);
  const auto other = fresh_model({{.neurons = 25, .premodulo = 512, .combiner = MajorityPool{.width = 25, .window_width = 5}},
                                  {.neurons = 5, .premodulo = 32, .combiner = MajorityPool{.width = 5, .window_width = 5}},
                                  {.neurons = 1}});
  Predictor predictor(other);
  const Result<void> loaded = predictor.load(StageState(run.runner.committed.reader, "predictor/"));
  // Only a served version that was saved says of what layers it is.
  if (run.served->version.value > 0) {
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().code, ErrorCode::kConfig);
    EXPECT_NE(loaded.error().what.find("model.layers"), std::string::npos) << loaded.error().what;
  }
  BackwardTrainer trainer(std::make_shared<ServedModel>(*other), trainer_settings(), run.buffer);
  const Result<void> learnt = trainer.load(StageState(run.runner.committed.reader, "backward_trainer/"));
  ASSERT_FALSE(learnt.ok());
  EXPECT_EQ(learnt.error().code, ErrorCode::kConfig);
}

}  // namespace
}  // namespace weir
