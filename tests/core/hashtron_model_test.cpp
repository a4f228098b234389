// A network of hashtrons as a model kind: its score, and its parameters as blocks of bytes.

#include "core/models/hashtron_model.hpp"

#include <gtest/gtest.h>

#include "core/base/math.hpp"
#include "core/base/rng.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kFeatures = 8;

std::unique_ptr<Model> model(std::vector<HashtronLayer> layers = {}) {
  return std::move(*make_model({.kind = "hashtron", .shape = {.hashed = kFeatures}, .layers = std::move(layers)}));
}

struct Input {
  explicit Input(std::uint32_t x) {
    for (std::uint32_t n = 0; n < kFeatures; ++n) features.push_back(x >> n);
  }
  Sample sample() const { return {{}, features, ones}; }
  std::vector<std::uint32_t> features;
  std::vector<float> ones = std::vector<float>(kFeatures, 1.0f);
};

// Some neurons as a job leaves them.
void train_some(Parameters& parameters, Rng& rng, int count) {
  for (int i = 0; i < count; ++i) {
    std::vector<HashtronEntry> entries;
    for (std::uint32_t key = 0; key < 40; ++key)
      if (rng.below(2) == 0) entries.push_back({key, rng.below(2) == 0});
    const auto n = static_cast<std::uint32_t>(rng.below(network_of(parameters).size()));
    replace_neuron(parameters, n, {.program = {{static_cast<std::uint32_t>(rng.next_u64()), 40}}, .filter = *HashtronFilter::build(entries)});
  }
}

TEST(HashtronModel, AnswersAsItsNetworkDoes) {
  const auto m = model();
  Rng rng(1);
  Parameters p = m->initial(rng);
  train_some(p, rng, 60);
  HashtronNetwork::Scratch scratch;
  int ones = 0;
  for (std::uint32_t x = 0; x < 300; ++x) {
    const Input input(x);
    const bool answer = answer_of(p, input.sample());
    EXPECT_EQ(answer, (network_of(p).predict(input.features, scratch) & 1) != 0);
    ones += answer ? 1 : 0;
  }
  EXPECT_GT(ones, 0);
  EXPECT_LT(ones, 300);
  EXPECT_EQ(m->learns_by(), LearnsBy::kJobs);
  EXPECT_EQ(m->task(), TaskKind::kClassification);
}

TEST(HashtronModel, ItsScoreIsHowOftenTheAnswerWasRight) {
  const auto m = model();
  Rng rng(2);
  Parameters p = m->initial(rng);
  const auto probability = [&](bool answer) {
    for (std::uint32_t x = 0;; ++x)
      if (const Input input(x); answer_of(p, input.sample()) == answer) return math::sigmoid(m->forward(p, input.sample()));
  };
  EXPECT_DOUBLE_EQ(probability(true), 0.5);  // Nothing is known of it.
  EXPECT_DOUBLE_EQ(probability(false), 0.5);
  count_answer(p, true, 1.0);
  EXPECT_DOUBLE_EQ(probability(true), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(probability(false), 0.5);
  for (int i = 0; i < 100'000; ++i) count_answer(p, false, i % 10 == 0 ? 1.0 : 0.0);
  EXPECT_NEAR(probability(false), 0.1, 0.01);
  for (int i = 0; i < 100'000; ++i) count_answer(p, true, 1.0);
  EXPECT_GT(probability(true), 1.0 - 2.0 / double(kAnswerMemory));  // Never certain, however long it goes well, …
  EXPECT_LT(probability(true), 1.0);
  for (int i = 0; i < 2'000; ++i) count_answer(p, true, i % 2 == 0 ? 1.0 : 0.0);  // … and what was so fades.
  EXPECT_NEAR(probability(true), 0.5, 0.02);
}

TEST(HashtronModel, ParametersComeBackFromAFile) {
  const auto m = model();
  Rng rng(3);
  Parameters p = m->initial(rng);
  train_some(p, rng, 20);
  count_answer(p, true, 1.0);
  const std::string file = to_safetensors(p, {});
  const auto read = from_safetensors(file);
  ASSERT_TRUE(read.ok()) << read.error().what;
  EXPECT_TRUE(read->same_shape(p));
  EXPECT_EQ(read->crc(), p.crc());
  EXPECT_EQ(read->opaque()->name(30), "neuron.30");
  Parameters other = m->initial(rng);
  EXPECT_NE(other.crc(), p.crc());
  ASSERT_TRUE(other.take(*read).ok());
  EXPECT_EQ(other.crc(), p.crc());
  EXPECT_EQ(network_of(other).text(), network_of(p).text());
  EXPECT_EQ(to_safetensors(other, {}), file);
  EXPECT_EQ(to_safetensors(*read, {}), file);
}

TEST(HashtronModel, ACopyIsOneOfItsOwn) {
  const auto m = model();
  Rng rng(4);
  Parameters p = m->initial(rng);
  Parameters copy = p;
  const std::string before = network_of(p).text();
  train_some(copy, rng, 5);
  EXPECT_EQ(network_of(p).text(), before);
  EXPECT_NE(network_of(copy).text(), before);
}

TEST(HashtronModel, OnlyWhatChangedIsDirty) {
  const auto m = model();
  Rng rng(5);
  Parameters p = m->initial(rng);
  const auto dirty = [&] {
    int count = 0;
    for (const char d : p.dirty_opaque()) count += d;
    return count;
  };
  EXPECT_EQ(dirty(), 0);
  replace_neuron(p, 7, Hashtron(network_of(p).neuron(7)));
  EXPECT_EQ(dirty(), 0);  // The same neuron.
  Parameters other = p;
  replace_neuron(other, 7, {.program = {{1, 2}}, .filter = {}});
  replace_neuron(other, 9, {.program = {{2, 2}}, .filter = {}});
  p.assign(other);
  EXPECT_EQ(dirty(), 2);
  EXPECT_EQ(p.dirty_opaque()[7] + p.dirty_opaque()[9], 2);
  p.clear_dirty();
  EXPECT_EQ(dirty(), 0);
}

TEST(HashtronModel, BytesThatAreNoNeuronAreRefused) {
  const auto m = model();
  Rng rng(6);
  Parameters p = m->initial(rng);
  const std::string before = network_of(p).text();
  for (const char* bytes : {"", "[", "[\n[[1,2]],\n[[3,4]]]\n", "[\n[[1,2],\"zz\"]]\n", "[\n[[1,2]]"}) {
    const Result<void> set = p.opaque()->set(3, bytes);
    ASSERT_FALSE(set.ok()) << bytes;
    EXPECT_FALSE(set.error().what.empty());
  }
  EXPECT_EQ(network_of(p).text(), before);
}

TEST(HashtronModel, LayersThatDoNotFitAreNamed) {
  const auto text = [](std::vector<HashtronLayer> layers) {
    const auto made = make_model({.kind = "hashtron", .shape = {.hashed = 1}, .layers = std::move(layers)});
    EXPECT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, ErrorCode::kConfig);
    return made.ok() ? std::string() : made.error().what;
  };
  EXPECT_NE(text({{.neurons = 2}}).find("2 neurons in the last layer, expected 1"), std::string::npos);
  EXPECT_NE(text({{.neurons = 2}, {.neurons = 1}}).find("layer 0 has no combiner"), std::string::npos);
}

}  // namespace
}  // namespace weir
