#pragma once
// Many tasks trained to their ends with the same settings, or with two: an experiment whose arms get the tasks by a hash, so
// that a task's arm is the same in every run and on every machine.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/learning/hashtron_run.hpp"

namespace weir {

// 0 or 1, half of the tasks each, by hash of both names.
std::uint32_t arm_of(std::string_view experiment, std::string_view task);

struct MatrixRow {
  std::string task, phase;
  std::uint32_t arm = 0, jobs = 0, accepted = 0, sweeps = 0;
  HashtronFigures train, held_out;
  std::vector<std::string> alerts = {};  // Raised at any time.
  bool constant = false;            // In the end.
  std::uint64_t cache_bytes = 0;
};

struct MatrixOptions {
  std::array<HashtronRunSettings, 2> arms;  // Without an experiment the first alone.
  std::string experiment;                   // Its name; empty: none.
  bool paired = false;                      // Every task in both arms.
  const std::atomic<int>* stop = nullptr;
};

// A mean difference, second arm less first, and where it lies with 95 % confidence (Student's t: of pairs, or Welch's of two
// samples). Not there: too few tasks.
struct ArmComparison {
  std::array<std::uint32_t, 2> tasks{};
  std::array<double, 2> means{};
  double difference = 0.0, low = 0.0, high = 0.0;
};
std::optional<ArmComparison> compare_paired(const std::vector<double>& first, const std::vector<double>& second);
std::optional<ArmComparison> compare_two(const std::vector<double>& first, const std::vector<double>& second);

// Each task in its arm, in their order; `on_row` after each. Ends early, with what is done, when it is stopped.
Result<std::vector<MatrixRow>> run_matrix(const std::vector<GeneratedTask>& tasks, const MatrixOptions& options,
                                          const std::function<void(const MatrixRow&)>& on_row = {});

std::string matrix_head();
std::string matrix_line(const MatrixRow& row, bool arms);
// Sums over all rows, and how the arms compare: in points of held-out accuracy, lift and balanced accuracy.
std::string matrix_summary(const std::vector<MatrixRow>& rows, const MatrixOptions& options);
std::string figures_json(const HashtronFigures& figures);
std::string matrix_json(const std::vector<MatrixRow>& rows, const MatrixOptions& options);

}  // namespace weir
