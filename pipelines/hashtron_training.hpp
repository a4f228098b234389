#pragma once
// Offline training of networks of hashtrons: files around core/learning/hashtron_run. What `weir train hashtron`, `weir models`
// and `weir inspect sums` do.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/learning/hashtron_run.hpp"
#include "pipelines/file_lock.hpp"
#include "pipelines/hashtron_config.hpp"

namespace weir {

// The samples of the config's task, and its layers filled in where it has none. kNotFound, kIo: a file of samples.
// kInvalidInput: it is none, or has fewer than five samples to learn from: up to four no sum is in the gold zone.
Result<SplitSamples> load_training_samples(HashtronTrainingConfig& config);

// A model file: the text format, plain or as a zlib stream, whichever it is; the file's errors name it. kConfig: it has another
// number of neurons than the layers.
Result<HashtronNetwork> read_model_file(const std::string& path, const std::vector<HashtronLayer>& layers);
// As text, or as a zlib stream where the name ends in .zlib. What was there before is kept as PATH.previous.
Result<void> write_model_file(const std::string& path, const HashtronNetwork& network);
// Whether that can be done at all. kIo: the directory is not there, or not to be written.
Result<void> check_writable(const std::string& path);
// PATH.previous in PATH's place. kNotFound: there is none.
Result<void> restore_previous_model(const std::string& path);

// A training on disk: its config, so that the file says what it is of, and its state. One checksum over both.
struct TrainingSnapshot {
  HashtronTrainingConfig config;
  std::string state;        // HashtronRun::snapshot().
  std::string fallen_back;  // Read from PATH.previous: why.
};
std::string encode_training_snapshot(const HashtronTrainingConfig& config, std::string_view state);
// kCorruption, kVersion.
Result<TrainingSnapshot> decode_training_snapshot(std::string_view bytes);
// Written whole under another name, synced, then renamed; what was there before is PATH.previous. At any moment PATH, once it
// is there, is a whole snapshot. kIo, kFull.
Result<void> write_snapshot_file(const std::string& path, std::string_view bytes);
// PATH, or PATH.previous where PATH is damaged. kNotFound: PATH is not there.
Result<TrainingSnapshot> read_snapshot_file(const std::string& path);

enum class TrainingRollback : std::uint8_t { kNone, kSoft, kMedium };

struct TrainingOptions {
  HashtronTrainingConfig config;
  std::string snapshot;  // Goes on from there if it is there; written after every `snapshot_every` jobs. Empty: none.
  std::string from;      // A model file to go on with. With a snapshot that is there it is not read.
  TrainingRollback rollback = TrainingRollback::kNone;  // Of a snapshot that is there.
  const std::atomic<int>* stop = nullptr;               // Not 0: ends after the job at hand.
};

class HashtronTraining {
 public:
  // Its snapshot belongs to one training at a time, until the object or the process ends. kInUse: another one has it. kConfig: the
  // snapshot there is of another config; what differs is named, and what to do. `sweeps`, `forward.jobs`, `snapshot_every` may differ.
  static Result<std::unique_ptr<HashtronTraining>> open(TrainingOptions options);

  // A training as its snapshot has it, to be looked at, also while a process goes on with it. A file of samples that it is of must
  // be there. REQUIRES: run() is not called.
  static Result<std::unique_ptr<HashtronTraining>> open_snapshot(const std::string& path);

  // To the end, or until it is stopped. `on_job` after each job, its snapshot written.
  Result<void> run(const std::function<void(const HashtronTraining&)>& on_job = {});

  const HashtronTrainingConfig& config() const { return options_.config; }
  const TrainingOptions& options() const { return options_; }
  HashtronRun& core() { return *run_; }
  const HashtronRun& core() const { return *run_; }
  std::uint32_t resumed_at() const { return resumed_at_; }  // Jobs done before; 0 of a new one.
  const std::string& warning() const { return warning_; }   // Of a damaged snapshot whose previous one was taken.
  // Alerts as they began and ended in this process.
  const std::vector<HashtronAlerts::Event>& events() const { return events_; }
  // Each layer's last job, which shows the backward flow; null where there was none in this process.
  const std::vector<std::optional<SumRecord>>& last_jobs() const { return last_jobs_; }

 private:
  HashtronTraining(TrainingOptions options, std::unique_ptr<HashtronRun> run);
  static Result<std::unique_ptr<HashtronTraining>> open_held(TrainingOptions options, bool resumes);
  Result<void> save();

  std::optional<FileLock> lock_;  // Of the snapshot. None: only looked at.
  TrainingOptions options_;
  std::unique_ptr<HashtronRun> run_;
  std::uint32_t resumed_at_ = 0;
  std::string warning_;
  std::vector<HashtronAlerts::Event> events_;
  std::vector<std::optional<SumRecord>> last_jobs_;
};

}  // namespace weir
