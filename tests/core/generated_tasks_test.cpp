// Goal: the generated tasks are those of the specification, number for number, and a task's name says all of it.
#include "core/learning/generated_tasks.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

namespace weir {
namespace {

GeneratedTask task(std::string_view name) {
  auto parsed = GeneratedTask::parse(name);
  EXPECT_TRUE(parsed.ok()) << parsed.error().what;
  return *parsed;
}
// Ones less zeros.
std::int64_t label_sum(const HashtronSamples& samples) {
  std::int64_t sum = 0;
  for (const std::uint16_t target : samples.targets()) sum += target == 0 ? -1 : 1;
  return sum;
}

TEST(GeneratedTasks, SquareRootBitsAreTheSpecifications) {
  const std::int64_t sums[] = {21, 49, 101, 211, 409};
  for (std::uint32_t bit = 0; bit < 5; ++bit) {
    const SplitSamples samples = task("sqrt-bit:C=5,b=" + std::to_string(bit)).samples();
    EXPECT_EQ(samples.train.count(), 823u);
    EXPECT_EQ(samples.held_out.count(), 201u);
    EXPECT_EQ(label_sum(samples.train), sums[bit]) << bit;
    const std::uint32_t first[] = {6, 8, 13, 24, 29, 31, 38, 40, 49, 51, 58, 60};
    for (std::uint32_t s = 0; s < 12; ++s) {
      const std::uint32_t x = samples.held_out.feature(s, 0);
      EXPECT_EQ(x, first[s]);
      EXPECT_EQ(samples.held_out.targets()[s], static_cast<std::uint32_t>(std::sqrt(double(x))) >> bit & 1);
      for (std::uint32_t n = 0; n < 16; ++n) EXPECT_EQ(samples.held_out.feature(s, n), x >> n % 8);
    }
  }
  const std::pair<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>> sizes[] = {
      {4, {207, 49}}, {6, {3275, 821}}, {7, {13106, 3278}}};
  for (const auto& [scale, counts] : sizes) {
    const SplitSamples samples = task("sqrt-bit:C=" + std::to_string(scale)).samples();
    EXPECT_EQ(samples.train.count(), counts.first);
    EXPECT_EQ(samples.held_out.count(), counts.second);
  }
}

TEST(GeneratedTasks, NoiseTurnsLabelsToLearnFromAndNoOthers) {
  const SplitSamples clean = task("sqrt-bit:C=5,b=3").samples(), noisy = task("sqrt-bit:C=5,b=3,noise=20").samples();
  EXPECT_EQ(clean.held_out.digest(), noisy.held_out.digest());
  std::uint32_t turned = 0;
  for (std::uint32_t s = 0; s < clean.train.count(); ++s)
    turned += clean.train.targets()[s] != noisy.train.targets()[s] ? 1 : 0;
  EXPECT_NEAR(100.0 * turned / clean.train.count(), 17.6, 0.05);
}

TEST(GeneratedTasks, TheOthersAreWhatTheySay) {
  const SplitSamples roots = task("sqrt").samples();
  EXPECT_EQ(roots.train.count(), 1024u);
  EXPECT_EQ(roots.held_out.count(), 0u);
  EXPECT_EQ(roots.train.targets()[1023], 31);
  EXPECT_EQ(roots.train.targets()[900], 30);
  EXPECT_EQ(roots.train.targets()[899], 29);

  const SplitSamples bytes = task("isalnum").samples();
  EXPECT_EQ(bytes.train.count(), 256u);
  EXPECT_EQ(label_sum(bytes.train), 62 - 194);

  // Near 65 %, in both parts, and of no use to anybody who looks at x.
  const SplitSamples prior = task("prior:C=6").samples();
  for (const HashtronSamples* part : {&prior.train, &prior.held_out})
    EXPECT_NEAR(double(label_sum(*part)) / part->count(), 0.3, 4.0 / std::sqrt(part->count()));

  const SplitSamples majority = task("majority").samples();
  std::set<std::uint32_t> seen;
  EXPECT_EQ(majority.train.count() + majority.held_out.count(), 4096u);
  for (const HashtronSamples* part : {&majority.train, &majority.held_out}) {
    EXPECT_NEAR(double(label_sum(*part)) / part->count(), 0.0, 4.0 / std::sqrt(part->count()));
    for (std::uint32_t s = 0; s < part->count(); ++s) {
      const std::uint32_t bits = part->feature(s, 0) | part->feature(s, 7) << 7;  // The windows put together again.
      EXPECT_EQ(part->targets()[s], std::popcount(bits) >= 8 ? 1 : 0);
      EXPECT_TRUE(seen.insert(bits).second);
    }
  }
  // One window alone: what its numbers' more frequent label gets right of what was held out.
  std::int64_t votes[256] = {};
  for (std::uint32_t s = 0; s < majority.train.count(); ++s)
    votes[majority.train.feature(s, 0)] += majority.train.targets()[s] == 0 ? -1 : 1;
  std::uint32_t right = 0;
  for (std::uint32_t s = 0; s < majority.held_out.count(); ++s)
    right += (votes[majority.held_out.feature(s, 0)] > 0) == (majority.held_out.targets()[s] == 1) ? 1 : 0;
  EXPECT_GT(100.0 * right / majority.held_out.count(), 70.0);
  EXPECT_LT(100.0 * right / majority.held_out.count(), 80.0);
}

TEST(GeneratedTasks, EveryTaskFitsItsNetwork) {
  for (const char* name : {"sqrt-bit:C=4,b=1", "sqrt:C=4", "sqrt:C=7", "prior:C=4", "majority:C=4", "isalnum"}) {
    const GeneratedTask made = task(name);
    const auto network = HashtronNetwork::make(made.layers());
    ASSERT_TRUE(network.ok()) << network.error().what;
    EXPECT_EQ(network->cells(), made.cells()) << name;
    for (std::uint32_t x = 0; x < made.count(); ++x) EXPECT_LT(made.label(x), 1U << made.cells()) << name;
  }
  EXPECT_EQ(HashtronNetwork::make(task("sqrt-bit").layers())->size(), 31u);
  EXPECT_EQ(HashtronNetwork::make(task("sqrt").layers())->size(), 455u);
  EXPECT_EQ(HashtronNetwork::make(task("isalnum").layers())->size(), 1u);
}

TEST(GeneratedTasks, TheMatrixIsNested) {
  const std::vector<GeneratedTask> matrix = generated_matrix();
  ASSERT_EQ(matrix.size(), 140u);
  EXPECT_EQ(matrix[0].name(), "sqrt-bit:C=4,b=0");
  EXPECT_EQ(matrix[4].name(), "sqrt-bit:C=5,b=0");
  EXPECT_EQ(matrix[21].name(), "sqrt-bit:C=7,b=6");
  EXPECT_EQ(matrix[22].name(), "sqrt-bit:C=4,b=0,noise=10");
  EXPECT_EQ(matrix[88].name(), "sqrt-bit:C=4,b=0,split=0x5eee");
  EXPECT_EQ(matrix[139].name(), "sqrt-bit:C=5,b=3,noise=20,split=0x5eee");
  std::set<std::string> names;
  for (const GeneratedTask& one : matrix) {
    EXPECT_TRUE(names.insert(one.name()).second);
    EXPECT_EQ(task(one.name()), one);
  }
}

TEST(GeneratedTasks, NamesAreReadOrRefused) {
  EXPECT_EQ(task("sqrt-bit:b=3,C=6,split=24301"), task("sqrt-bit:C=6,b=3,split=0x5eed"));
  EXPECT_EQ(task("majority").name(), "majority:C=6");
  EXPECT_EQ(task("isalnum").name(), "isalnum");
  EXPECT_EQ(task("sqrt:C=4,split=0x5eed").name(), "sqrt:C=4,split=0x5eed");
  const auto refused = [](std::string_view name) {
    const auto parsed = GeneratedTask::parse(name);
    EXPECT_FALSE(parsed.ok()) << name;
    return parsed.ok() ? "" : parsed.error().what;
  };
  EXPECT_EQ(refused("squares"),
            "task 'squares': expected one of sqrt-bit, sqrt, prior, majority, isalnum, and its settings behind a colon, as in "
            "sqrt-bit:C=5,b=3");
  EXPECT_EQ(refused("sqrt-bit:C=5,b=5"), "task 'sqrt-bit:C=5,b=5': found b = 5, expected below C, which is 5");
  EXPECT_EQ(refused("sqrt-bit:C=9"), "task 'sqrt-bit:C=9': found C = 9, expected 1 to 8");
  EXPECT_EQ(refused("sqrt-bit:C=0"), "task 'sqrt-bit:C=0': found C = 0, expected 1 to 8");
  EXPECT_EQ(refused("majority:C=8"), "task 'majority:C=8': found C = 8, expected 1 to 7");
  EXPECT_EQ(refused("sqrt:b=1"), "task 'sqrt:b=1': found the setting 'b', expected C=, split=");
  EXPECT_EQ(refused("isalnum:C=4"), "task 'isalnum:C=4': found the setting 'C', expected split=");
  EXPECT_EQ(refused("sqrt-bit:noise=101"), "task 'sqrt-bit:noise=101': found noise = 101, expected 0 to 100");
  for (const char* bad : {"", ":", "sqrt-bit:", "sqrt-bit:C=5,", "sqrt-bit:,C=5", "sqrt-bit:C=", "sqrt-bit:C=0x",
                          "sqrt-bit:C=5x", "sqrt-bit:C=-1", "sqrt-bit:C=4294967296", "sqrt-bit:C", "sqrt-bit:C==5", "SQRT"})
    refused(bad);
}

}  // namespace
}  // namespace weir
