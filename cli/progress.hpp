#pragma once
// The progress bar of a run: one line on standard error, on a terminal only.

#include <string>

#include "pipelines/launcher.hpp"

namespace weir::cli {

// One line without its end: records, rate, time left, log-loss so far.
std::string progress_text(const RunProgress& now);

class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  void show(const RunProgress& now);
  void clear();

 private:
  bool shown_;
  bool drawn_ = false;
};

}  // namespace weir::cli
