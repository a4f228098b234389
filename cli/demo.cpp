#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"

namespace weir::cli {
namespace {

// Where configs/flights.yaml and its data are: here, above the program, or in the clone it was built from.
Result<std::filesystem::path> find_project() {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> places = {fs::current_path(error)};
  for (fs::path at = fs::read_symlink("/proc/self/exe", error).parent_path(); at.has_relative_path(); at = at.parent_path()) places.push_back(at);
  places.emplace_back(WEIR_SOURCE_DIR);
  for (const fs::path& place : places)
    if (fs::exists(place / "configs/flights.yaml", error) && fs::exists(place / "data/flights/events.jsonl.gz", error)) return place;
  return Error{ErrorCode::kNotFound, "configs/flights.yaml and data/flights/events.jsonl.gz: not found here or beside the program"};
}

}  // namespace

Result<int> demo_command(const std::string& data) {
  TRY_ASSIGN(const std::filesystem::path project, find_project());
  std::string data_dir = data;
  if (data_dir.empty()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return Error{ErrorCode::kIo, pattern + ": cannot be made"};
    data_dir = pattern;
  }
  RunArguments run;
  run.pipeline.config = (project / "configs/flights.yaml").string();
  run.pipeline.sets = {"sources.logs.files=[\"" + (project / "data/flights/events.jsonl.gz").string() + "\"]",
                       "sources.outcomes.files=[\"" + (project / "data/flights/outcomes.jsonl.gz").string() + "\"]"};
  run.pipeline.data = data_dir;
  TRY_ASSIGN(const int code, run_command(run));
  if (code != kDone) return code;
  print("\n");
  ShowArguments show;
  show.pipeline.data = data_dir;
  return report_command(show);
}

}  // namespace weir::cli
