#include "pipelines/hashtron_training.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "core/base/crash_point.hpp"
#include "core/base/snapshot_frame.hpp"
#include "core/learning/sample_text.hpp"
#include "core/models/hashtron_text.hpp"

namespace weir {
namespace {

constexpr SnapshotFrame kFrame = {"weirtrai", 1, "training snapshot"};
constexpr std::uint32_t kSamplesMin = 5;
constexpr const char* kPrevious = ".previous";
constexpr const char* kLock = ".lock";

Error io_error(const std::string& path, const std::string& what) {
  const int code = errno;
  return {code == ENOSPC || code == EDQUOT || code == EFBIG ? ErrorCode::kFull : ErrorCode::kIo,
          path + ": " + what + ": " + std::strerror(code)};
}

Result<std::string> read_file(const std::string& path, const char* what) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Error{ErrorCode::kNotFound, path + ": not there; expected " + what};
  if (!S_ISREG(status.st_mode)) return Error{ErrorCode::kConfig, path + ": found something else than a file; expected " + what};
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (!file || file.bad()) return Error{ErrorCode::kIo, path + ": cannot be read; expected " + what};
  return bytes;
}

Error named(const std::string& path, const Error& error) { return {error.code, path + ": " + error.what}; }

// Written whole under another name, synced, then renamed. PATH is there at any moment once it has been.
Result<void> replace_file(const std::string& path, std::string_view bytes) {
  const std::string unfinished = path + ".new", previous = path + kPrevious;
  const int file = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return io_error(unfinished, "cannot be written");
  Result<void> written;
  while (!bytes.empty() && written.ok()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      written = io_error(unfinished, "cannot be written");
    else
      bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (written.ok() && ::fsync(file) != 0) written = io_error(unfinished, "cannot be synced");
  if (::close(file) != 0 && written.ok()) written = io_error(unfinished, "cannot be closed");
  if (!written.ok()) {
    ::unlink(unfinished.c_str());
    return written;
  }
  crash_point("training.before_rename");
  // A second name for what is there, so that PATH itself is never missing; where links are not to be had, it moves.
  ::unlink(previous.c_str());
  if (::link(path.c_str(), previous.c_str()) != 0 && errno != ENOENT && ::rename(path.c_str(), previous.c_str()) != 0)
    return io_error(previous, "cannot be made");
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return io_error(path, "cannot be replaced");
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); directory >= 0) {
    ::fsync(directory);  // Where it cannot be synced the rename is as durable as that file system makes it.
    ::close(directory);
  }
  return {};
}

// The keys whose values differ, with both: "seed: 1 in the snapshot, now 2".
std::string differences(const HashtronTrainingConfig& before, const HashtronTrainingConfig& now) {
  std::istringstream a(to_yaml(before)), b(to_yaml(now));
  std::string out, line_a, line_b, section;
  while (std::getline(a, line_a) && std::getline(b, line_b)) {
    const std::string key = line_a.substr(0, line_a.find(':'));
    if (!key.starts_with(' ')) section = key;
    if (line_a == line_b) continue;
    const std::string name = key.starts_with(' ') ? section + "." + key.substr(2) : key;
    const auto value = [&](const std::string& line) { return line.substr(std::min(line.size(), key.size() + 2)); };
    out += (out.empty() ? "" : "; ") + name + ": " + value(line_a) + " in the snapshot, now " + value(line_b);
  }
  return out;
}

}  // namespace

Result<SplitSamples> load_training_samples(HashtronTrainingConfig& config) {
  Result<SplitSamples> samples = [&]() -> Result<SplitSamples> {
    if (config.task.ends_with(".csv")) {
      TRY_ASSIGN(const std::string text, read_file(config.task, "a file of samples"));
      auto read = parse_sample_text(text, config.split);
      if (!read.ok()) return named(config.task, read.error());
      if (config.layers.empty())
        return Error{ErrorCode::kConfig, config.task +
                                             ": found no layers in the config, expected them: a file of samples does "
                                             "not say which network learns from it"};
      return read;
    }
    TRY_ASSIGN(const GeneratedTask task, GeneratedTask::parse(config.task));
    config.task = task.name();
    if (config.layers.empty()) config.layers = task.layers();
    return task.samples();
  }();
  if (samples.ok() && samples->train.count() < kSamplesMin)
    return Error{ErrorCode::kInvalidInput, config.task + ": found " + std::to_string(samples->train.count()) +
                                               " samples to learn from, expected at least " + std::to_string(kSamplesMin) +
                                               ": up to four no sum of a neuron can be in the gold zone"};
  return samples;
}

Result<HashtronNetwork> read_model_file(const std::string& path, const std::vector<HashtronLayer>& layers) {
  TRY_ASSIGN(std::string bytes, read_file(path, "a network of hashtrons"));
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || bytes[first] != '[') {
    auto unpacked = unpack_hashtron_text(bytes);
    if (!unpacked.ok()) return named(path, unpacked.error());
    bytes = std::move(*unpacked);
  }
  auto neurons = parse_hashtron_text(bytes);
  if (!neurons.ok()) return named(path, neurons.error());
  auto network = HashtronNetwork::make(layers, std::move(*neurons));
  if (!network.ok())
    return Error{ErrorCode::kConfig,
                 path + ": " + network.error().what + "; the file does not store its layers: give those it was trained with"};
  return network;
}

Result<void> write_model_file(const std::string& path, const HashtronNetwork& network) {
  const std::string text = network.text();
  return replace_file(path, path.ends_with(".zlib") ? pack_hashtron_text(text) : text);
}

Result<void> check_writable(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (::access(parent.empty() ? "." : parent.c_str(), W_OK) != 0) return io_error(path, "cannot be written there");
  return {};
}

Result<void> restore_previous_model(const std::string& path) {
  const std::string previous = path + kPrevious;
  if (::access(previous.c_str(), F_OK) != 0)
    return Error{ErrorCode::kNotFound,
                 previous + ": not there: there is no version of this model before the one that is there"};
  if (::rename(previous.c_str(), path.c_str()) != 0) return io_error(path, "cannot be replaced");
  return {};
}

std::string encode_training_snapshot(const HashtronTrainingConfig& config, std::string_view state) {
  ByteBuffer out = kFrame.begin();
  out.append_varint_bytes(to_yaml(config));
  out.append_varint_bytes(state);
  return SnapshotFrame::end(std::move(out));
}

Result<TrainingSnapshot> decode_training_snapshot(std::string_view bytes) {
  const auto corrupt = [&](const std::string& what) { return kFrame.corrupt(bytes, what); };
  TRY_ASSIGN(ByteReader in, kFrame.open(bytes));
  const std::string_view yaml = in.varint_bytes(), state = in.varint_bytes();
  if (!in.finished()) return corrupt("it ends before its end, or goes on behind it");
  auto config = parse_hashtron_config(yaml, "its config");
  if (!config.ok()) return corrupt(config.error().what);
  return TrainingSnapshot{std::move(*config), std::string(state), {}};
}

Result<void> write_snapshot_file(const std::string& path, std::string_view bytes) { return replace_file(path, bytes); }

Result<TrainingSnapshot> read_snapshot_file(const std::string& path) {
  const auto read = [](const std::string& name) -> Result<TrainingSnapshot> {
    TRY_ASSIGN(const std::string bytes, read_file(name, "a snapshot of a training"));
    auto decoded = decode_training_snapshot(bytes);
    if (!decoded.ok()) return named(name, decoded.error());
    return decoded;
  };
  auto newest = read(path);
  if (newest.ok() || newest.error().code != ErrorCode::kCorruption) return newest;
  auto previous = read(path + kPrevious);
  if (!previous.ok())
    return Error{ErrorCode::kCorruption,
                 newest.error().what + "; the one before it: " + previous.error().what + ". Remove both to begin anew"};
  previous->fallen_back = newest.error().what + ": went on from " + path + kPrevious;
  return previous;
}

HashtronTraining::HashtronTraining(TrainingOptions options, std::unique_ptr<HashtronRun> run)
    : options_(std::move(options)),
      run_(std::move(run)),
      last_jobs_(run_->network().layers()) {}

Result<std::unique_ptr<HashtronTraining>> HashtronTraining::open(TrainingOptions options) {
  const auto is_there = [&] { return !options.snapshot.empty() && std::filesystem::exists(options.snapshot); };
  if (options.rollback != TrainingRollback::kNone && !is_there())
    return Error{ErrorCode::kNotFound, (options.snapshot.empty() ? std::string("rollback: no snapshot was given")
                                                                 : options.snapshot + ": not there") +
                                           "; expected the snapshot of the training that is to be rolled back"};
  std::optional<FileLock> lock;
  if (!options.snapshot.empty()) {
    TRY(check_writable(options.snapshot));
    TRY_ASSIGN(lock, FileLock::take(options.snapshot + kLock));
    if (!lock)
      return Error{ErrorCode::kInUse, "training snapshot '" + options.snapshot + "': another process trains on it (it holds '" +
                                          options.snapshot + kLock + "'); expected one at a time: wait for its end or stop it, or name another snapshot"};
  }
  const bool resumes = is_there();  // Under the lock: another training may have begun it and ended.
  TRY_ASSIGN(auto out, open_held(std::move(options), resumes));
  out->lock_ = std::move(lock);
  return out;
}

Result<std::unique_ptr<HashtronTraining>> HashtronTraining::open_held(TrainingOptions options, bool resumes) {
  HashtronTrainingConfig& config = options.config;
  TRY_ASSIGN(SplitSamples samples, load_training_samples(config));
  if (!resumes) {
    std::unique_ptr<HashtronRun> run;
    if (options.from.empty()) {
      TRY_ASSIGN(run, HashtronRun::make(config.layers, config.run, std::move(samples)));
    } else {
      TRY_ASSIGN(HashtronNetwork network, read_model_file(options.from, config.layers));
      TRY_ASSIGN(run, HashtronRun::migrate(std::move(network), config.run, std::move(samples)));
    }
    auto out = std::unique_ptr<HashtronTraining>(new HashtronTraining(std::move(options), std::move(run)));
    if (!out->options_.snapshot.empty()) TRY(out->save());
    return out;
  }
  TRY_ASSIGN(const TrainingSnapshot snapshot, read_snapshot_file(options.snapshot));
  // What the run is to go on as; then what may change on the way is changed.
  HashtronTrainingConfig goes_on = snapshot.config;
  goes_on.run.backward.sweeps_max = config.run.backward.sweeps_max;
  goes_on.run.forward.jobs_max = config.run.forward.jobs_max;
  goes_on.snapshot_every = config.snapshot_every;
  auto run = HashtronRun::resume(goes_on.layers, goes_on.run, std::move(samples), snapshot.state);
  const std::string other = differences(snapshot.config, config);
  const auto differs = [&](const std::string& what) {
    return Error{ErrorCode::kConfig, options.snapshot + ": it is of another training: " + what +
                                         ". Go on with its own settings, or name another snapshot to begin anew"};
  };
  if (!run.ok() && run.error().code == ErrorCode::kConfig) return differs(other.empty() ? run.error().what : other);
  if (!run.ok()) return named(options.snapshot, run.error());
  if (options.rollback == TrainingRollback::kSoft) {
    TRY((*run)->turn_forward());
    goes_on.run.direction = config.run.direction = TrainingDirection::kForward;
  } else if (options.rollback == TrainingRollback::kMedium) {
    (*run)->ignore_sums();
    goes_on.run.backward.sum_cache = config.run.backward.sum_cache = false;
  }
  if (const std::string left = differences(goes_on, config); !left.empty()) return differs(left);
  auto out = std::unique_ptr<HashtronTraining>(new HashtronTraining(std::move(options), std::move(*run)));
  out->resumed_at_ = out->run_->jobs();
  out->warning_ = snapshot.fallen_back;
  if (out->options_.rollback != TrainingRollback::kNone) TRY(out->save());
  return out;
}

Result<std::unique_ptr<HashtronTraining>> HashtronTraining::open_snapshot(const std::string& path) {
  TrainingOptions options;
  TRY_ASSIGN(const TrainingSnapshot snapshot, read_snapshot_file(path));
  options.config = snapshot.config;
  options.snapshot = path;
  return open_held(std::move(options), /*resumes=*/true);
}

Result<void> HashtronTraining::save() {
  crash_point("training.before_snapshot");
  TRY(write_snapshot_file(options_.snapshot, encode_training_snapshot(options_.config, run_->snapshot())));
  crash_point("training.after_snapshot");
  return {};
}

Result<void> HashtronTraining::run(const std::function<void(const HashtronTraining&)>& on_job) {
  std::uint32_t unsaved = 0;
  while (!run_->finished() && (options_.stop == nullptr || *options_.stop == 0)) {
    TRY_ASSIGN(const bool done, run_->step());
    if (!done) break;
    last_jobs_[run_->network().layer_of(run_->last_job()->neuron)] = *run_->last_job();
    for (HashtronAlerts::Event& event : run_->alerts().take()) events_.push_back(std::move(event));
    if (!options_.snapshot.empty() && ++unsaved >= options_.config.snapshot_every) {
      TRY(save());
      unsaved = 0;
    }
    if (on_job) on_job(*this);
  }
  if (unsaved > 0) TRY(save());
  return {};
}

}  // namespace weir
