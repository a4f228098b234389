// Once warm, predicting, gating, publishing and learning allocate nothing.

#include <gtest/gtest.h>

#include "actors/gate.hpp"
#include "actors/gradient_trainer.hpp"
#include "actors/predictor.hpp"
#include "core/base/rng.hpp"
#include "tests/support/allocation_counter.hpp"

namespace weir {
namespace {

struct Sink final : Output {  // Hands each record to the stage behind, and keeps nothing.
  void emit(RecordView& record) override {
    if (++at < stages.size()) stages[at]->process(input, record, *this);
    --at;
  }
  void feed_back(InputId, RecordView&) override {}
  void append(Topic, const Record& record) override { bytes += record.value.size(); }
  void fail(Error error) override { ADD_FAILURE() << error.what; }
  std::vector<Stage*> stages;
  std::size_t at = 0;
  InputId input = InputId::kLogs;
  std::size_t bytes = 0;
};

TEST(LearningAllocations, NoneOnceWarm) {
  const auto served = *make_served_model({"logistic", {20, 5000}}, Rng(1));
  auto replay = std::make_shared<ReplayBuffer>(1, Rng(2));
  TrainerSettings settings;
  settings.crc_every = 10;
  settings.snapshot_every = 100;
  Predictor predictor(served);
  Gate gate{GateSettings()};
  GradientTrainer trainer(served, settings, replay);
  Sink sink;
  sink.stages = {&predictor, &gate, &trainer};
  Rng rng(3);
  std::vector<float> dense(20), ones(25, 1.0f);
  std::vector<std::uint32_t> indices(25);
  const auto one = [&](std::int64_t i) {
    for (float& x : dense) x = static_cast<float>(rng.normal());
    for (std::uint32_t& index : indices) index = static_cast<std::uint32_t>(rng.below(5000));
    const Sample sample{dense, indices, ones};
    Event event;
    event.id.text = "some-id";
    RecordView view;
    view.source = {"logs", PartitionId(0), Offset(i)};
    view.event = &event;
    view.sample = &sample;
    sink.input = InputId::kLogs;
    sink.stages[0]->process(sink.input, view, sink);
    Example example;
    example.sample = sample;
    example.prediction = *view.prediction;
    example.label = double(rng.below(2));
    RecordView joined;
    joined.example = &example;
    sink.input = InputId::kExamples;
    sink.stages[0]->process(sink.input, joined, sink);
  };
  for (int i = 0; i < 500; ++i) one(i);
  const std::uint64_t before = allocations_on_this_thread();
  for (int i = 500; i < 1500; ++i) one(i);
  EXPECT_EQ(allocations_on_this_thread(), before);
  EXPECT_EQ(served->version.value, 1500U);  // Whole versions were written meanwhile.
  EXPECT_GT(sink.bytes, 10U * 20'000);
  const std::unique_ptr<int> counted(new int(1));
  EXPECT_GT(allocations_on_this_thread(), before);  // The counter counts.
}

}  // namespace
}  // namespace weir
