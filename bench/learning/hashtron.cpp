// The quality of learning: the modes of training beside the figures that were measured with another program. Tasks SQRT-BIT,
// five binary digits a side, one bit of the root, 823 samples to learn from and 201 held out, the net of 25, 5 and 1 neurons,
// 60 sweeps; with noise 17.6 % of the labels to learn from are turned round. Mean and standard error over the seeds 1 to n.
//
//   hashtron_learning [SEEDS = 100] [ROW...]      rows 1 to 9; default: all

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include "core/learning/backward_pipeline.hpp"
#include "core/learning/generated_tasks.hpp"

namespace {

using namespace weir;

struct Row {
  int number;
  const char* name;
  BackwardSettings settings;
  double train[6], held_out[6];  // Bits 4, 3, 2; the same with noise. 0: not measured.
};

std::vector<Row> rows() {
  BackwardSettings guarded;
  guarded.attempts = 1;
  guarded.stuck_sweeps_max = 0;
  const auto with = [&](auto&& change) {
    BackwardSettings out = guarded;
    change(out);
    return out;
  };
  // Row 1 was measured with a floor of two buckets and the law rounded at the end; row 9 is the text to the letter.
  BackwardSettings unguarded = BackwardSettings::literal();
  unguarded.capacity.capacity_min = 2;
  unguarded.capacity.round_first = false;
  return {
      {1, "no guard", unguarded, {74.8, 63.4, 68.8, 67.2, 58.5, 59.5}, {75.6, 61.8, 68.2, 75.6, 62.2, 61.6}},
      {2,
       "recommended, without rescue",
       with([](auto& s) { s.rescue = false; }),
       {92.5, 98.1, 96.0, 84.5, 86.3, 86.2},
       {91.7, 95.8, 92.3, 84.3, 81.6, 75.9}},
      {3, "recommended", guarded, {98.1, 98.1, 96.0, 85.1, 86.3, 86.2}, {97.1, 95.8, 92.3, 84.7, 81.6, 75.9}},
      {4,
       "law off",
       with([](auto& s) { s.capacity.law = false; }),
       {99.0, 98.7, 96.9, 86.0, 87.2, 87.1},
       {98.3, 96.9, 93.4, 85.8, 81.1, 75.5}},
      {5,
       "random pick",
       with([](auto& s) { s.selection = SelectionRule::kRandom; }),
       {99.8, 99.7, 99.2, 92.2, 93.9, 94.5},
       {98.3, 96.3, 91.2, 79.9, 74.6, 71.0}},
      {6,
       "law off, random pick",
       with([](auto& s) { s.capacity.law = false, s.selection = SelectionRule::kRandom; }),
       {99.8, 99.8, 99.5, 93.7, 95.6, 96.0},
       {98.1, 95.8, 92.4, 79.9, 73.4, 71.3}},
      {7,
       "as 6, 15 sweeps",
       with([](auto& s) { s.capacity.law = false, s.selection = SelectionRule::kRandom, s.sweeps_max = 15; }),
       {0, 0, 0, 85.6, 87.9, 87.7},
       {0, 0, 0, 79.8, 72.4, 69.9}},
      {8,
       "as 4, one fixed neuron a layer",
       with([](auto& s) { s.capacity.law = false, s.selection = SelectionRule::kFixed; }),
       {0, 0, 0, 87.2, 88.4, 89.2},
       {0, 0, 0, 79.9, 75.5, 68.7}},
      {9, "no guard, to the letter", BackwardSettings::literal(), {0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}},
  };
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  std::set<int> wanted;
  for (int i = 2; i < argc; ++i) wanted.insert(std::atoi(argv[i]));
  if (seeds == 0) {
    std::fprintf(stderr, "hashtron_learning: expected a number of seeds of at least 1\n");
    return 2;
  }
  std::printf(
      "seeds 1 to %llu; train/held out in %%, ± the standard error of held out, (constant runs); [the figures to reproduce]\n",
      static_cast<unsigned long long>(seeds));
  for (const Row& row : rows()) {
    if (!wanted.empty() && !wanted.contains(row.number)) continue;
    std::printf("%d %s\n", row.number, row.name);
    for (int column = 0; column < 6; ++column) {
      const GeneratedTask task{.bit = static_cast<std::uint32_t>(4 - column % 3), .noise = column < 3 ? 0U : 20U};
      const auto [train, held_out] = task.samples();
      double sum_train = 0, sum = 0, squares = 0;
      int constant = 0;
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        BackwardSettings settings = row.settings;
        settings.seed = seed;
        auto pipeline = BackwardPipeline::make(task.layers(), settings, train, held_out);
        if (!pipeline.ok()) {
          std::fprintf(stderr, "%s\n", pipeline.error().what.c_str());
          return 1;
        }
        while (!(*pipeline)->finished()) {
          if (auto job = (*pipeline)->step(); !job.ok()) {
            std::fprintf(stderr, "%s\n", job.error().what.c_str());
            return 1;
          }
        }
        const double right = 100.0 * (*pipeline)->trainer().on_held_out().correct() / held_out.count();
        sum_train += 100.0 * (*pipeline)->trainer().on_train().correct() / train.count();
        sum += right;
        squares += right * right;
        constant += (*pipeline)->final_constant() ? 1 : 0;
      }
      const double n = double(seeds), mean = sum / n;
      const double error = seeds > 1 ? std::sqrt(std::max(0.0, squares / n - mean * mean) / (n - 1)) : 0.0;
      std::printf("  bit %d%s  %5.1f/%5.1f ± %.1f (%d)", 4 - column % 3, column < 3 ? "      " : " noise", sum_train / n, mean,
                  error, constant);
      if (row.train[column] > 0) std::printf("  [%.1f/%.1f]", row.train[column], row.held_out[column]);
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}
