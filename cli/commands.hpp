#pragma once
// The commands: plain arguments in, an exit code out. main.cpp turns a command line into these; one file a command.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace weir::cli {

// Exit codes (docs/operations.md).
inline constexpr int kDone = 0;
inline constexpr int kInternal = 1;
inline constexpr int kUsage = 2;
inline constexpr int kViolation = 7;
int exit_code_of(ErrorCode code);

// Which pipeline: a config with its --set, or the data directory alone (the config it last ran with).
struct Pipeline {
  std::string config;
  std::vector<std::string> sets;
  std::string data;
};

struct RunArguments {
  Pipeline pipeline;
  bool quiet = false;
};
struct CheckArguments {
  Pipeline pipeline;
  bool print = false;
  bool json = false;
  bool connect = false;
};
struct InitArguments {
  std::string logs;         // Sample files; "-": standard input.
  std::string outcomes;
  std::string label;        // The field with the label, of the outcomes, or of the lines themselves.
  std::string name;
  std::string output;       // "-": standard output.
  std::string data;         // The config's data_dir.
  bool force = false;
};
struct ProduceArguments {
  Pipeline pipeline;
  std::string topic = "logs";
  std::vector<std::string> files;  // None or "-": standard input.
  std::optional<std::int32_t> partition;  // Of all lines; else each goes to that of its id.
};
struct TailArguments {
  Pipeline pipeline;
  std::string topic;
  std::optional<std::int32_t> partition;  // Else all.
  bool from_beginning = false;
  bool follow = false;
  bool json = false;        // What it prints is JSON lines in any case.
  bool envelope = false;
  std::uint64_t limit = 0;
};
struct ShowArguments {      // topics, status, report
  Pipeline pipeline;
  bool json = false;
  bool ready = false;       // status: nothing to show, an exit code.
};
struct VerifyArguments {
  Pipeline pipeline;
  bool recompute = false;
  bool json = false;
};
struct InspectArguments {
  Pipeline pipeline;
  std::string task = "inference";
  std::optional<std::int32_t> partition;  // Else all.
  std::string prefix;       // Of state entries to list.
  std::uint64_t limit = 20;
  bool entries = false;
  bool order = false;
};
// weir train hashtron
struct TrainArguments {
  std::string config;  // Empty: the defaults.
  std::vector<std::string> sets;
  std::string task;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint32_t> sweeps;
  std::string out;       // The model's file.
  std::string snapshot;
  std::string from;      // A model's file.
  std::string rollback;  // soft, medium, hard; empty: none.
  bool matrix = false;
  std::uint32_t scale = 0;  // Of the matrix only tasks with this C; 0: all.
  std::string experiment;
  std::vector<std::string> arm_sets;  // What the second arm does otherwise.
  bool paired = false;
  bool print = false;
  bool json = false;
  bool quiet = false;
};
struct ModelsArguments {  // import, export
  std::string model;     // A file; export: "-" is standard output.
  std::string snapshot;
  std::string config;
  std::string task;
  std::vector<std::string> sets;
};
struct InspectSumsArguments {
  std::string snapshot;
  std::string neuron;    // LAYER.POSITION; empty: all.
  bool json = false;
};

Result<int> run_command(const RunArguments& arguments);
Result<int> check_command(const CheckArguments& arguments);
Result<int> init_command(const InitArguments& arguments);
Result<int> produce_command(const ProduceArguments& arguments);
Result<int> tail_command(const TailArguments& arguments);
Result<int> topics_command(const ShowArguments& arguments);
Result<int> status_command(const ShowArguments& arguments);
Result<int> report_command(const ShowArguments& arguments);
Result<int> verify_command(const VerifyArguments& arguments);
Result<int> inspect_command(const InspectArguments& arguments);
Result<int> inspect_sums_command(const InspectSumsArguments& arguments);
Result<int> train_command(const TrainArguments& arguments);
Result<int> models_import_command(const ModelsArguments& arguments);
Result<int> models_export_command(const ModelsArguments& arguments);
Result<int> repair_command(const RunArguments& arguments);
Result<int> demo_command(const std::string& data);
Result<int> version_command(bool json);

}  // namespace weir::cli
