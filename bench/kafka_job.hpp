#pragma once
// A stream job under measurement: the engine is a process that reads a run's logs and outcomes and writes its predictions, and
// every figure of it comes with the proof that the job was done.
//
// An outcome is sent only when the prediction of its log is in the topic (or, at a fixed rate, a second after its log): who
// reads it earlier finds nothing to join, and has less to do. At the end every outcome must have become one step of the model,
// every log one prediction, and each prediction must count as many records in its state as its offset says. Event time goes on by
// a millisecond a log, and an outcome is a second later than its log, in the line and as Kafka's timestamp: an engine that
// prefers the older record must find the outcomes among the logs.

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bench_support.hpp"
#include "bench/kafka_load.hpp"
#include "core/base/rng.hpp"

namespace weir::bench {

struct Engine {
  std::string name;
  // What runs the job on these topics, with its local state in `directory`.
  std::function<std::vector<std::string>(const JobTopics& topics, const std::string& directory)> command;
};
Engine weir_engine(const std::string& config, std::vector<std::string> sets);

// Why a figure is void: the engine ended, stood still, or did less than the job.
class Void : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The records: about 215 bytes of JSON, twelve numbers and two categories.
class JobRecords {
 public:
  void log(std::int64_t id, std::int64_t time_us, std::string& out);
  void outcome(std::int64_t id, std::int64_t time_us, std::string& out) const;

 private:
  double normal();
  Rng rng_{42};
  double spare_ = 0.0;
  bool has_spare_ = false;
};

// A run of one engine: topics and a data directory of its own, gone at the end.
class JobRun {
 public:
  JobRun(const KafkaBroker& broker, const Engine& engine, int partitions);
  ~JobRun();
  JobRun(const JobRun&) = delete;

  const JobTopics& topics() const { return topics_; }
  const std::string& directory() const { return directory_; }
  Child& child() { return *child_; }
  void start();  // Again after a kill.
  void check_alive();  // Throws Void.

 private:
  const Engine& engine_;
  JobTopics topics_;
  std::string directory_;
  std::string log_;
  std::optional<Child> child_;
};

// What the topic of predictions holds, as committed data.
struct Proof {
  std::int64_t missing = 0;
  std::int64_t doubled = 0;
  std::int64_t state_errors = 0;  // Predictions whose count is not their offset + 1.
  double first_append = 0.0;      // Seconds, on the broker's clock.
  double learnt_append = 0.0;     // When the first prediction was appended whose model had made every step; 0: none.
  bool clean() const { return missing == 0 && doubled == 0 && state_errors == 0; }
  std::string text() const;
};

// Takes the predictions of a run, as they are committed, in each partition's order.
class Prover {
 public:
  // `steps`: what each partition's model must have made in the end.
  Prover(std::int64_t sent, std::vector<std::int64_t> steps);
  void take(const SeenPrediction& prediction, double append_s);  // Throws Void for one of a record that was never sent.
  Proof proof() const;

 private:
  std::vector<char> seen_;
  std::vector<std::int64_t> steps_;
  std::vector<double> learnt_;  // When each partition's model was seen to have made them.
  Proof proof_;
};

enum class Feed {
  kBehind,     // Outcomes follow the predictions.
  kPreloaded,  // Outcomes are there before the engine starts; for engines that let an early one wait.
};
struct RateFigures {
  double events_per_second = 0.0;    // Logs, with as many outcomes.
  double cpu_per_million = 0.0;      // Seconds, from the first prediction on.
  double rss_peak_mb = 0.0;
};
RateFigures measure_rate(const KafkaBroker& broker, const Engine& engine, int partitions, std::int64_t count, Feed feed);

struct LatencyFigures {
  std::vector<double> committed_ms;  // From a record's due time to a reader of committed data; sorted.
  std::vector<double> acked_ms;      // … to a reader of all data.
  double cores = 0.0;                // Of the engine.
};
// `during`: called at the end of the load, while the engine still runs.
LatencyFigures measure_latency(const KafkaBroker& broker, const Engine& engine, int partitions, double rate, double warm_up_s, double seconds,
                               const std::function<void(JobRun&)>& during = {});

// From the start of the process to a reader's having the first prediction. Logs are there already.
double measure_start(const KafkaBroker& broker, const Engine& engine, int partitions);

struct RestartLoad {
  double rate = 1000.0;
  double seconds_before = 5.0;  // Of load before each kill.
  int kills = 1;
  std::int64_t between = 0;     // Logs at full speed before that: Weir commits one by one after starts that have not come far.
  std::int64_t fill = 0;        // Logs that are there, and predicted, before the load begins.
  std::function<void(std::int64_t id, std::int64_t time_us, std::string& out)> log;  // The line of a log, where it is not the job's; then no outcomes are sent.
};
struct RestartFigures {
  std::vector<double> seconds;  // Each kill: from it to a reader's having the prediction of a record that was sent after it.
  Proof proof;
  std::int64_t unlearnt = 0;    // Outcomes that became no step.
  double local_mb = 0.0;        // In the engine's directory at the last kill.
  double rss_mb = 0.0;          // Before it.
};
// kill -9 under load, and the same command at once.
RestartFigures measure_restart(const KafkaBroker& broker, const Engine& engine, int partitions, const RestartLoad& load);

struct IdleFigures {
  std::int64_t records = 0;  // That the topic grew by.
  double cores = 0.0;
};
// Nothing comes for so long; `topic`: after the run's name and a dot.
IdleFigures measure_idle(const KafkaBroker& broker, const Engine& engine, int partitions, double seconds, const std::string& topic);

double percentile_of(const std::vector<double>& sorted, double fraction);

}  // namespace weir::bench
