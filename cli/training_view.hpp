#pragma once
// What a training shows while it runs: on a terminal a few lines that are drawn again and again, else one line a sweep.

#include <chrono>
#include <string>
#include <vector>

#include "pipelines/hashtron_training.hpp"

namespace weir::cli {

// "held out 81.6 % (base 61.2, lift +20.4, balanced 80.9)"
std::string figures_text(const char* what, const HashtronFigures& figures);

// Lines without their ends: where it is, the last job, the backward flow, each layer's margins, gold and capacity, figures,
// alerts.
std::vector<std::string> training_view(const HashtronTraining& training);
// One line: the sweep that has ended, jobs, figures, alerts that are on.
std::string training_line(const HashtronTraining& training, std::uint32_t sweep);

class TrainingProgress {
 public:
  // On standard error. `quiet`: nothing at all.
  TrainingProgress(bool quiet, bool terminal) : quiet_(quiet), terminal_(terminal) {}
  void show(const HashtronTraining& training);  // After each job; draws ten times a second at most.
  void finish(const HashtronTraining& training);

 private:
  void draw(const HashtronTraining& training);
  bool quiet_, terminal_;
  std::size_t drawn_ = 0;  // Lines on the screen.
  bool begun_ = false;
  std::uint32_t sweep_ = 0;
  std::size_t events_ = 0;  // Told so far.
  std::chrono::steady_clock::time_point last_ = {};
};

}  // namespace weir::cli
