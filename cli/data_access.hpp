#pragma once
// How a command reaches a data directory: through the process that runs on it, or by opening it itself.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.hpp"
#include "pipelines/control_socket.hpp"
#include "pipelines/pipeline_config.hpp"
#include "storage/topic_log.hpp"

namespace weir::cli {

// The config: from its file, or, without one, the copy that the last run left in the data directory. --data wins over
// `data_dir`. Warnings go to standard error.
Result<PipelineConfig> config_of(const Pipeline& pipeline, bool warn = true);
// The data directory alone.
Result<std::string> data_dir_of(const Pipeline& pipeline);
// Keeps a copy of the config in the data directory, for commands that are given the directory only.
Result<void> remember_config(const PipelineConfig& config);

// Exactly one of the two.
struct DataAccess {
  std::optional<Connection> running;
  std::unique_ptr<TopicLog> log;  // Read-only.
};
Result<DataAccess> open_data(const std::string& data_dir);

// Sends a request and prints the lines that come back; returns the payload of the last frame. `print`: also prints lines.
Result<std::string> ask(Connection& connection, std::string_view request);

// Writes all of it to standard output; false if nobody reads it any more.
// What `produce` answers: {"produced": count, "end": …}; with several partitions "ends", a list.
std::string produced_json(std::uint64_t count, const std::vector<Offset>& ends);
bool print(std::string_view text);

// Counts signals: SIGINT and SIGTERM set it, a second one ends the process at once with 130 or 143.
const std::atomic<int>& stop_on_signals();

std::string json_text(std::string_view text);  // In quotes.
std::string yaml_text(std::string_view text);  // In quotes, whatever it holds.

}  // namespace weir::cli
