#pragma once
// The flights on a real broker: a pipeline whose inputs are topics, lines that go on coming whatever happens to the broker, and
// the records that an unbroken run has published.

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {

// Something that is done to runs, as a parameter of a test.
struct KafkaScenario {
  const char* name;
  bool short_too;  // Not at full length only.
  void (*run)();
};
void PrintTo(const KafkaScenario& scenario, std::ostream* out);
std::vector<KafkaScenario> those_to_run(std::span<const KafkaScenario> all);

// Writes lines to topics `<pipeline>.logs` and `<pipeline>.outcomes`, a few at a time, from a thread of its own, each exactly
// once and in order though the broker goes away: no transaction, so that their offsets do not depend on the pace. A flight and
// its outcome go to the same partition.
class KafkaFeeder {
 public:
  KafkaFeeder(const FlightFiles& files, std::size_t lines_per_second, int partitions);
  ~KafkaFeeder();
  std::size_t lines() const { return files_.event_lines.size() + files_.outcome_lines.size(); }
  // The next lines may go, up to so many in all.
  void allow(std::size_t lines) { allowed_ = lines; }
  std::size_t allowed() const { return allowed_; }
  // Waits until the broker has all of it.
  void finish();

 private:
  void run(std::size_t lines_per_second, int partitions);
  const FlightFiles& files_;
  std::atomic<std::size_t> allowed_{0};
  std::atomic<bool> stop_{false};
  std::string error_;
  std::thread thread_;
};

// What it has published: (key, value, headers) of each of the topics that are the same in every run, without offsets.
using KafkaTopics = std::map<std::string, std::vector<KafkaRecord>>;
KafkaTopics read_published();
// Fails with the first difference.
void expect_same_records(const KafkaTopics& expected, const KafkaTopics& found);

// One run of configs/flights.yaml on the broker, whatever is done to it. The topics are new.
class KafkaRun {
 public:
  // `more`: settings. By default one partition in event-time order that never gives up waiting, coupled learning.
  explicit KafkaRun(const FlightFiles& files, std::vector<std::string> more = {}, std::size_t lines_per_second = 150, int partitions = 1);

  std::filesystem::path path(const std::string& directory = "data") const { return directory_ / directory; }
  // A process with its data in `directory`; `more`: settings of its own.
  std::unique_ptr<Process> start(const std::string& directory = "data", const ProcessOptions& options = {},
                                 const std::vector<std::string>& more = {}) const;
  void feed();
  // A few lines at a time, and the next when something has come of them: so that there are many transactions, however slow the
  // machine is, until `done`. False: it never was.
  bool feed_until(const std::function<bool()>& done);
  // Until so many predictions are committed.
  void wait_for_predictions(std::size_t count) const;
  std::size_t predictions() const { return counter_.count(); }  // At least.
  // Waits until all events are answered and, of one partition, committed as consumed; ends the process, and expects that nothing is amiss.
  void finish(Process& process);
  // What it says (--json).
  std::string expect_verified(bool recompute = false) const;
  // Verified, and byte for byte what unbroken() has published. REQUIRES: the default settings.
  void expect_unbroken() const;
  // Those of a run to which nothing is done.
  static const KafkaTopics& unbroken(const FlightFiles& files, const std::vector<std::string>& more = {});

 private:
  // How far it has come in `logs`, as its status says.
  std::size_t consumed(const Process& process) const;

  const FlightFiles& files_;
  TemporaryDirectory directory_;
  FlightsRun run_;
  std::size_t lines_per_second_;
  int partitions_;
  mutable KafkaCounter counter_;
  mutable std::map<const Process*, std::string> directory_of_;
  std::unique_ptr<KafkaFeeder> feeder_;
};

}  // namespace weir
