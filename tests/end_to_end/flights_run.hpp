#pragma once
// The shipped flights in pieces, and the program run over them: what the end-to-end tests share.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/run_process.hpp"
#include "tests/support/selection.hpp"

namespace weir {

struct FlightFiles {
  std::filesystem::path events;
  std::filesystem::path outcomes;
  std::vector<std::string> event_lines;    // Without newlines.
  std::vector<std::string> outcome_lines;  // Those of the events above, in the order in which they came.
};

// Writes the first `count` flights (or events of another stream in data/) and their outcomes to events.jsonl and outcomes.jsonl in
// `directory`.
FlightFiles cut_flights(const std::filesystem::path& directory, std::size_t count, const std::string& stream = "flights");
// The first `count` flights, cut once for the whole program.
const FlightFiles& first_flights(std::size_t count);

void write_file(const std::filesystem::path& path, const std::string& text);
std::string read_file(const std::filesystem::path& path);
std::string joined(const std::vector<std::string>& lines);  // Each with a newline.

// One pipeline's command line: configs/flights.yaml over `files` with `settings` (PATH=VALUE), its data in `data`.
struct FlightsRun {
  std::filesystem::path data;
  std::vector<std::string> settings;
  std::string config = "flights";  // configs/NAME.yaml

  FlightsRun(std::filesystem::path data, const FlightFiles& files, std::vector<std::string> more = {});
  std::vector<std::string> arguments(const std::string& command, const std::vector<std::string>& more = {}) const;
  ProcessResult run(const ProcessOptions& options = {}) const { return run_weir(arguments("run", {"--quiet"}), options); }
  // Exit code 0, or a failed expectation with what it printed.
  void expect_run() const;
  void expect_verified() const;
};

// Gives flights to a running pipeline as they happened: events in their order, each outcome once its time has come.
class FlightsFeed {
 public:
  // `scratch`: an existing directory for the pieces.
  FlightsFeed(const FlightFiles& files, std::filesystem::path scratch) : files_(files), scratch_(std::move(scratch)) {}
  // The next `events` flights, and the outcomes up to the time of the last one, to the process with that data directory.
  void give(const std::filesystem::path& data, std::size_t events);
  std::size_t events() const { return events_; }      // Given so far.
  std::size_t outcomes() const { return outcomes_; }

 private:
  void produce(const std::filesystem::path& data, const std::string& topic, std::vector<std::string> lines);

  const FlightFiles& files_;
  std::filesystem::path scratch_;
  std::size_t events_ = 0;
  std::size_t outcomes_ = 0;
};

// What `weir status` of a running pipeline says of all tasks of that name together.
std::uint64_t records_of_tasks(const std::filesystem::path& data, const std::string& task);
std::uint64_t records_in_status(std::string status, const std::string& task);  // In what it has said (--json).

// Records of a topic from its first kept one, as `tail --envelope --json` prints them.
std::vector<std::string> tail(const std::filesystem::path& data, const std::string& topic);
// The newest version of model `model` that predictions name so far; 0 without a prediction. Fails where one names another model.
std::uint64_t newest_version_served(const std::filesystem::path& data, const std::string& model = "0");
// Those topics that must be the same in every run: by short name.
using Topics = std::map<std::string, std::vector<std::string>>;
// With `more` of them, which only some configs have.
Topics tail_all(const std::filesystem::path& data, const std::vector<std::string>& more = {});
// Fails with the first difference. `thinned`: topics of which `found` may lack records (retention, compaction).
void expect_same(const Topics& expected, const Topics& found, const std::vector<std::string>& thinned = {});

// The value of a key of a flat JSON object, as text; "" if it is not there.
std::string json_value(const std::string& json, const std::string& key);

// Overwrites a stretch in the middle of each of these files of the log: pieces of disk that went bad. Files that a backup shares
// are left out, and tables so small that the middle may be their index: of these nothing could be read. Returns their number.
std::size_t damage_files(const std::filesystem::path& db, const std::string& extension);

}  // namespace weir
