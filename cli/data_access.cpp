#include "cli/data_access.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/byte_buffer.hpp"
#include "core/records/json_text.hpp"
#include "pipelines/topology.hpp"

namespace weir::cli {
namespace {

std::atomic<int> stop_signal{0};

void on_signal(int signal) {
  int none = 0;
  if (!stop_signal.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
}

std::string remembered_config(const std::string& data_dir) { return data_dir + "/run/config.yaml"; }

}  // namespace

const std::atomic<int>& stop_on_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return stop_signal;
}

Result<PipelineConfig> config_of(const Pipeline& pipeline, bool warn) {
  if (pipeline.config.empty() && pipeline.data.empty())
    return Error{ErrorCode::kNotFound, "no pipeline named: give a config file, or --data DIR of one that has run"};
  const std::string file = pipeline.config.empty() ? remembered_config(pipeline.data) : pipeline.config;
  if (pipeline.config.empty() && !std::filesystem::exists(file))
    return Error{ErrorCode::kNotFound, "data directory '" + pipeline.data + "': no pipeline has run there (no " + file + "); give the config file too"};
  std::vector<std::string> warnings;
  TRY_ASSIGN(PipelineConfig config, load_config(file, pipeline.sets, &warnings));
  for (const auto& [key, secret] : config.secrets())
    if (const auto seen = exposed(secret)) warnings.push_back("warning: " + key + ": found " + *seen + "; expected a file for its owner only: chmod 600");
  if (warn)
    for (const std::string& warning : warnings) std::fprintf(stderr, "%s\n", warning.c_str());
  if (!pipeline.data.empty()) config.data_dir = pipeline.data;
  return config;
}

Result<std::string> data_dir_of(const Pipeline& pipeline) {
  if (!pipeline.data.empty()) return pipeline.data;
  TRY_ASSIGN(const PipelineConfig config, config_of(pipeline));
  return config.data_dir;
}

Result<void> remember_config(const PipelineConfig& config) {
  std::error_code error;
  std::filesystem::create_directories(config.data_dir + "/run", error);
  const std::string path = remembered_config(config.data_dir);
  {
    std::ofstream out(path + ".new", std::ios::trunc | std::ios::binary);
    out << "# What this directory's pipeline last ran with.\n" << to_yaml(config);
    if (!out.flush()) return Error{ErrorCode::kIo, path + ".new: cannot be written"};
  }
  std::filesystem::rename(path + ".new", path, error);
  if (error) return Error{ErrorCode::kIo, path + ": " + error.message()};
  return {};
}

Result<DataAccess> open_data(const std::string& data_dir) {
  DataAccess access;
  if (!std::filesystem::is_directory(data_dir)) return Error{ErrorCode::kNotFound, "data directory '" + data_dir + "': not there"};
  std::optional<PipelineConfig> on_kafka;  // Its records are not in the directory.
  if (std::filesystem::exists(remembered_config(data_dir)))
    if (auto config = load_config(remembered_config(data_dir)); config.ok() && config->log.kind == LogKind::kKafka) {
      on_kafka = std::move(*config);
      on_kafka->data_dir = data_dir;
    }
  for (int attempt = 0;; ++attempt) {
    auto connection = connect_control(data_dir);
    if (connection.ok()) {
      access.running.emplace(std::move(*connection));
      return access;
    }
    EmbeddedLogOptions options;
    options.path = data_dir;
    options.create_if_missing = false;
    options.read_only = true;
    StorageOptions storage;
    storage.embedded = options;
    auto log = on_kafka ? open_log(*on_kafka, /*read_only=*/true) : open_storage(storage);
    if (log.ok()) {
      access.log = std::move(*log);
      return access;
    }
    // A process holds it and does not answer: it is starting, or leaving.
    if (log.error().code != ErrorCode::kInUse || attempt == 40) return log.error();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<std::string> ask(Connection& connection, std::string_view request) {
  TRY(connection.send(FrameKind::kRequest, request));
  for (;;) {
    auto frame = connection.receive();
    if (!frame.ok() && connection.lost())
      return Error{frame.error().code, frame.error().what + "; ask again: where nobody runs, the directory itself is read"};
    if (!frame.ok()) return std::move(frame).error();
    if (frame->kind == FrameKind::kEnd) return std::move(frame->payload);
    if (frame->kind == FrameKind::kLines && !print(frame->payload)) return std::string();
  }
}

std::string produced_json(std::uint64_t count, const std::vector<Offset>& ends) {
  std::string list;
  for (const Offset end : ends) list += (list.empty() ? "" : ",") + std::to_string(end.value);
  return "{\"produced\":" + std::to_string(count) + (ends.size() == 1 ? ",\"end\":" + list : ",\"ends\":[" + list + "]") + "}";
}

bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string yaml_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string json_text(std::string_view text) {
  ByteBuffer out;
  if (json::is_utf8(text)) json::append_string(out, text);
  else out.append("null");
  return std::string(out.view());
}

}  // namespace weir::cli
