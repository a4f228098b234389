#include "pipelines/connection_check.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "pipelines/topology.hpp"
#include "sources/file_list.hpp"
#include "storage/open_storage.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

void check_source(const SourceConfig& source, const std::string& key, std::vector<Finding>& out) {
  if (source.files.empty()) return;
  const auto files = expand_paths(source.files);
  if (!files.ok()) {
    out.push_back(Finding::error(files.error().code, key, files.error().what, "files that are there"));
    return;
  }
  bool all = true;
  for (const std::string& file : *files) {
    errno = 0;
    std::ifstream in(file, std::ios::binary);
    if (fs::is_directory(file)) out.push_back(Finding::error(ErrorCode::kInvalidInput, key, "'" + file + "' is a directory", "a file"));
    else if (!in || (in.peek(), in.bad())) out.push_back(Finding::error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, key, "'" + file + "': " + std::strerror(errno), "a file that this user can read"));
    else continue;
    all = false;
  }
  if (all) out.push_back(Finding::ok(key, std::to_string(files->size()) + (files->size() == 1 ? " file" : " files") + ", readable"));
}

// The directory itself, or where it would be made.
void check_directory(const std::string& path, std::vector<Finding>& out) {
  const std::string what = "data directory '" + path + "'";
  std::error_code error;
  fs::path at = fs::absolute(path, error);
  const bool there = fs::exists(at, error);
  if (there && !fs::is_directory(at, error)) {
    out.push_back(Finding::error(ErrorCode::kIo, what, "not a directory", "a directory, or a name that is free"));
    return;
  }
  while (!at.empty() && !fs::exists(at, error) && at != at.parent_path()) at = at.parent_path();
  if (::access(at.c_str(), W_OK | X_OK) != 0) {
    out.push_back(Finding::error(ErrorCode::kIo, what, "'" + at.string() + "': " + std::strerror(errno), "a directory that this user can write"));
    return;
  }
  const fs::space_info space = fs::space(at, error);
  constexpr std::uintmax_t kScarce = std::uintmax_t(1) << 30;
  const std::string room = error ? "unknown room" : std::to_string(space.available >> 20) + " MB free";
  if (!error && space.available < kScarce) out.push_back(Finding::warning(what, room, "1 GB or more"));
  else out.push_back(Finding::ok(what, (there ? "writable, " : "not there yet, can be made, ") + room));
}

}  // namespace

std::vector<Finding> check_connections(const PipelineConfig& config) {
  std::vector<Finding> out;
  check_source(config.logs, "sources.logs.files", out);
  if (config.has_outcomes()) check_source(config.outcomes, "sources.outcomes.files", out);
  check_directory(config.data_dir, out);
  const auto options = storage_options(config, /*read_only=*/false);
  if (!options.ok()) {
    out.push_back(Finding::error(options.error().code, "secrets", options.error().what, "the secret where the config says"));
    return out;
  }
  for (Finding& finding : check_storage(*options, storage_use(config))) out.push_back(std::move(finding));
  return out;
}

}  // namespace weir
