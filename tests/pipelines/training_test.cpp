// Goal: what lies round a training of hashtrons without the program: the arms of an experiment and how they are compared, the
// sums as text and JSON whichever cache they come from, configs with every combiner, snapshots on disk.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/base/rng.hpp"
#include "pipelines/hashtron_matrix.hpp"
#include "pipelines/hashtron_training.hpp"
#include "pipelines/sum_report.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

TEST(Arms, AreHalfAndHalfAndStayWhereTheyAre) {
  std::uint32_t second = 0, tasks = 0, moved = 0;
  for (int experiment = 0; experiment < 50; ++experiment) {
    std::uint32_t here = 0;
    const std::string name = "experiment " + std::to_string(experiment);
    for (const GeneratedTask& task : generated_matrix()) {
      const std::uint32_t arm = arm_of(name, task.name());
      ASSERT_LE(arm, 1u);
      EXPECT_EQ(arm_of(name, task.name()), arm);
      moved += arm_of("another", task.name()) != arm ? 1 : 0;
      here += arm;
      ++tasks;
    }
    EXPECT_NEAR(here, 70, 4.5 * std::sqrt(35.0)) << name;  // 140 throws of a coin.
    second += here;
  }
  EXPECT_NEAR(double(second) / tasks, 0.5, 4 * 0.5 / std::sqrt(double(tasks)));
  EXPECT_NEAR(double(moved) / tasks, 0.5, 0.1);  // Another experiment, other halves.
  EXPECT_EQ(arm_of("law", "sqrt-bit:C=5,b=3"), arm_of("law", "sqrt-bit:C=5,b=3"));
}

TEST(Arms, IntervalsAreThoseOfStudent) {
  // Differences 1, 2, 3, 4, 5: mean 3, standard error sqrt(2.5 / 5), t(4) = 2.776.
  const auto paired = compare_paired({1, 1, 1, 1, 1}, {2, 3, 4, 5, 6});
  ASSERT_TRUE(paired);
  EXPECT_DOUBLE_EQ(paired->difference, 3.0);
  EXPECT_NEAR(paired->high - paired->difference, 2.776 * std::sqrt(0.5), 0.01);
  EXPECT_NEAR(paired->difference - paired->low, 2.776 * std::sqrt(0.5), 0.01);
  EXPECT_FALSE(compare_paired({1, 2}, {1, 2}));
  EXPECT_FALSE(compare_paired({1, 2, 3}, {1, 2}));
  // Welch: variances 2.5 and 10 over five each, 5.88 degrees of freedom, t = 2.459.
  const auto two = compare_two({1, 2, 3, 4, 5}, {2, 4, 6, 8, 10});
  ASSERT_TRUE(two);
  EXPECT_DOUBLE_EQ(two->difference, 3.0);
  EXPECT_NEAR(two->high - two->difference, 2.459 * std::sqrt(2.5), 0.02);
  EXPECT_FALSE(compare_two({1, 2}, {1, 2, 3}));
  const auto same = compare_two({4, 4, 4}, {4, 4, 4});
  EXPECT_DOUBLE_EQ(same->low, 0.0);
  EXPECT_DOUBLE_EQ(same->high, 0.0);
  // It covers what is true 95 times of a hundred.
  Rng rng(7);
  std::uint32_t covered = 0;
  for (int i = 0; i < 1000; ++i) {
    std::vector<double> a, b;
    for (int k = 0; k < 12; ++k) {
      double x = 0, y = 0;
      for (int u = 0; u < 12; ++u) x += rng.uniform() - 0.5, y += rng.uniform() - 0.5;
      a.push_back(x);
      b.push_back(1.0 + 2.0 * y);
    }
    const auto interval = compare_two(a, b);
    covered += interval->low <= 1.0 && 1.0 <= interval->high ? 1 : 0;
  }
  EXPECT_NEAR(covered / 1000.0, 0.95, 0.025);
}

TEST(Matrix, TrainsEachTaskInItsArm) {
  std::vector<GeneratedTask> tasks = generated_matrix();
  tasks.resize(8);
  MatrixOptions options;
  options.arms[0].backward.sweeps_max = 10;
  options.arms[1] = options.arms[0];
  options.arms[1].backward.selection = SelectionRule::kRandom;
  options.experiment = "selection";
  std::size_t told = 0;
  const auto rows = run_matrix(tasks, options, [&](const MatrixRow&) { ++told; });
  ASSERT_TRUE(rows.ok()) << rows.error().what;
  ASSERT_EQ(rows->size(), 8u);
  EXPECT_EQ(told, 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ((*rows)[i].task, tasks[i].name());
    EXPECT_EQ((*rows)[i].arm, arm_of("selection", tasks[i].name()));
    auto alone = HashtronRun::make(tasks[i].layers(), options.arms[(*rows)[i].arm], tasks[i].samples());
    while (*(*alone)->step()) {}
    EXPECT_EQ((*rows)[i].held_out.correct, (*alone)->on_held_out().correct);
    EXPECT_EQ((*rows)[i].jobs, (*alone)->jobs());
  }
  const std::atomic<int> stopped = 1;
  options.stop = &stopped;
  EXPECT_TRUE(run_matrix(tasks, options)->empty());
}

SumCache some_sums() {
  SumCache sums(6, 2);
  const auto add = [&](std::uint32_t job, std::uint32_t neuron, std::int32_t sum) {
    EXPECT_TRUE(
        sums.add(
                {.job = job, .neuron = neuron, .sum = sum, .n = 100, .capacity = 50, .regime = SumRegime::kGold, .accepted = 1})
            .ok());
  };
  add(0, 5, 40), add(1, 3, 4), add(2, 0, -30), add(3, 0, 98), add(4, 0, 12), add(5, 1, 100);
  return sums;
}

TEST(SumReport, SaysOfEachLayerWhatItsNeuronsDo) {
  const std::uint32_t layers[] = {3, 2, 1};
  const SumCache sums = some_sums();
  const std::vector<LayerSums> all = layer_sums(sums, layers);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].known, 2u);
  EXPECT_EQ(all[0].gold, std::vector<std::uint32_t>{0});  // |S| = 12: more than 10, less than 80.
  EXPECT_EQ(all[0].margins, (std::array<std::uint32_t, 10>{0, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(all[0].latest->job, 5u);
  EXPECT_EQ(all[1].first, 3u);
  EXPECT_TRUE(all[1].gold.empty());
  EXPECT_EQ(all[2].gold, std::vector<std::uint32_t>{0});
  EXPECT_EQ(margin_bars(all[0].margins), " #       #");
  EXPECT_EQ(margin_bars({9, 1, 0, 0, 0, 0, 0, 0, 0, 5}), "#.       +");
  EXPECT_EQ(margin_bars({}), "          ");
  EXPECT_EQ(neuron_name(4, layers), "1.1");
  EXPECT_EQ(*parse_neuron("1.1", layers), 4u);
  for (const char* bad : {"", "1", "1.", ".1", "1.2", "3.0", "1.1x", "a.b", "-1.0"})
    EXPECT_FALSE(parse_neuron(bad, layers).ok()) << bad;
  const std::string text = sums_text(sums, layers, std::nullopt);
  EXPECT_TRUE(text.starts_with("6 neurons, 5 records, at most 2 a neuron, ")) << text;
  EXPECT_NE(text.find("gold in layer 0: 0\n"), std::string::npos) << text;
  const std::string trend = sums_text(sums, layers, 0);
  EXPECT_EQ(trend.find("-30"), std::string::npos);  // The oldest of three has gone.
  EXPECT_LT(trend.find(" 98 "), trend.find(" 12 "));
  EXPECT_NE(sums_text(sums, layers, 2).find("0 records"), std::string::npos);
  const std::string json = sums_json(sums, layers, std::nullopt);
  EXPECT_NE(json.find("{\"layer\":0,\"neurons\":3,\"known\":2,\"gold\":[0],\"margins\":[0,1,0,0,0,0,0,0,0,1]}"),
            std::string::npos)
      << json;
  EXPECT_NE(sums_json(sums, layers, 5).find("\"neuron\":\"2.0\",\"job\":0,\"sweep\":0,\"sum\":40,"), std::string::npos);
}

TEST(TrainingConfig, EveryCombinerGoesOutAndIn) {
  HashtronTrainingConfig config;
  config.task = "a 'file' with \"quotes\" \\.csv";
  config.layers = {{.neurons = 16,
                    .premodulo = 8,
                    .combiner = MajorityPool{.width = 4, .height = 2, .sub_width = 2, .window_width = 2, .bias = -1}},
                   {.neurons = 12, .add = HashtronAdd::kSample, .combiner = FullWindow{.size = 12, .bits = 2, .bits_max = 2}},
                   {.neurons = 6, .add = HashtronAdd::kLayer, .combiner = RandomWiring{.size = 6, .bits_max = 3, .seed = 9}},
                   {.neurons = 8, .combiner = CrossAttention{.dim = 4, .heads = 2, .masked = true}},
                   {.neurons = 6, .combiner = SumAlong{.dims = {3, 2}, .axis = 1}},
                   {.neurons = 3, .combiner = ParityOfAll{.size = 3}},
                   {.neurons = 9, .combiner = Convolution{.width = 3, .height = 3, .sub_width = 2, .sub_height = 2}},
                   {.neurons = 2, .combiner = {}}};
  ASSERT_TRUE(HashtronNetwork::make(config.layers).ok()) << HashtronNetwork::make(config.layers).error().what;
  config.run.direction = TrainingDirection::kForward;
  config.run.backward.capacity.smoothing = {5, 0, 7};
  config.run.backward.selection = SelectionRule::kFixed;
  config.run.forward.jobs_max = 77;
  const auto read = parse_hashtron_config(to_yaml(config), "it");
  ASSERT_TRUE(read.ok()) << read.error().what;
  EXPECT_EQ(to_yaml(*read), to_yaml(config));
  EXPECT_EQ(HashtronNetwork::make(read->layers)->architecture_digest(),
            HashtronNetwork::make(config.layers)->architecture_digest());
  EXPECT_EQ(read->task, config.task);
  // literal is a set of defaults: what stands beside it counts.
  const auto literal = parse_hashtron_config("literal: true\nrescue: true\nsweeps: 9\n", "it");
  ASSERT_TRUE(literal.ok());
  EXPECT_TRUE(literal->run.backward.accept_always);
  EXPECT_TRUE(literal->run.backward.rescue);
  EXPECT_EQ(literal->run.backward.sweeps_max, 9u);
}

TEST(TrainingSnapshot, IsWholeOrRefused) {
  TemporaryDirectory directory;
  const std::string path = (directory / "s").string();
  HashtronTrainingConfig config;
  const std::string first = encode_training_snapshot(config, "one"), second = encode_training_snapshot(config, "two");
  ASSERT_TRUE(write_snapshot_file(path, first).ok());
  EXPECT_FALSE(std::filesystem::exists(path + ".previous"));
  ASSERT_TRUE(write_snapshot_file(path, second).ok());
  EXPECT_EQ(read_snapshot_file(path)->state, "two");
  EXPECT_EQ(read_snapshot_file(path + ".previous")->state, "one");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  for (std::size_t at = 0; at < second.size(); ++at) {
    std::string damaged = second;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    const auto read = decode_training_snapshot(damaged);
    ASSERT_FALSE(read.ok()) << at;
    ASSERT_TRUE(read.error().code == ErrorCode::kCorruption || read.error().code == ErrorCode::kVersion) << at;
    ASSERT_FALSE(decode_training_snapshot(std::string_view(second).substr(0, at)).ok()) << at;
  }
  std::ofstream(path, std::ios::trunc) << "x";
  const auto back = read_snapshot_file(path);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->state, "one");
  EXPECT_NE(back->fallen_back.find("went on from"), std::string::npos);
  EXPECT_EQ(read_snapshot_file((directory / "none").string()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(write_snapshot_file((directory / "none/s").string(), first).error().code, ErrorCode::kIo);
  EXPECT_EQ(write_snapshot_file("/dev/full/s", first).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace weir
