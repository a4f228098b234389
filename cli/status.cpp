#include <map>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/topology.hpp"
#include "pipelines/yaml_tree.hpp"
#include "storage/open_storage.hpp"

namespace weir::cli {
namespace {

void show(const YamlNode& node, const std::string& name, int indent, std::string& out) {
  const std::string begin(static_cast<std::size_t>(indent), ' ');
  if (node.kind == YamlNode::Kind::kMap) {
    out += begin + name + "\n";
    for (const YamlNode::Entry& entry : node.entries) show(entry.value, entry.key, indent + 2, out);
  } else if (node.kind == YamlNode::Kind::kList) {
    for (const YamlNode& item : node.items) show(item, name, indent, out);
  } else {
    out += begin + name + ": " + (node.kind == YamlNode::Kind::kNull ? "–" : node.scalar) + "\n";
  }
}

}  // namespace

Result<int> status_command(const ShowArguments& arguments) {
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  if (arguments.ready && !connect_control(data_dir).ok())
    return Error{ErrorCode::kUnavailable, "data directory '" + data_dir + "': no process answers there"};
  TRY_ASSIGN(DataAccess access, open_data(data_dir));
  std::string json;
  if (access.running) {
    TRY_ASSIGN(json, ask(*access.running, "{\"command\":\"status\"}"));
  } else {
    std::uint64_t commits = 0;
    std::map<InputId, std::int64_t> consumed;
    std::string tasks;
    const auto positions_json = [](const auto& positions) {
      std::string out;
      for (const auto& [input, next] : positions) out += (out.empty() ? "" : ",") + json_text(name_of(input)) + ":" + std::to_string(next);
      return "{" + out + "}";
    };
    for (std::int32_t p = 0; p < partitions_of(*access.log); ++p) {
      const TaskSpec spec{std::string(kInferenceTask), PartitionId(p)};
      TRY_ASSIGN(const TaskProgress recovered, progress_at_rest(*access.log, spec));
      commits += recovered.last_commit.value;
      std::map<InputId, std::int64_t> own;
      for (const Position& position : recovered.positions) own[position.input] = position.next.value;
      for (const auto& [input, next] : own) consumed[input] += next;
      tasks += (p == 0 ? "" : ",") + ("{\"task\":" + json_text(kInferenceTask)) + ",\"partition\":" + std::to_string(p) +
               ",\"commits\":" + std::to_string(recovered.last_commit.value) + ",\"positions\":" + positions_json(own) + "}";
    }
    json = "{\"running\":false,\"data_dir\":" + json_text(data_dir) + ",\"commits\":" + std::to_string(commits) +
           ",\"positions\":" + positions_json(consumed) + ",\"tasks\":[" + tasks + "]}\n";
  }
  if (arguments.ready) {
    if (json.find("\"ready\":true") == json.npos)
      return Error{ErrorCode::kUnavailable, "data directory '" + data_dir + "': a process runs there, not all of its tasks have recovered"};
    return kDone;
  }
  if (arguments.json) {
    print(json);
    return kDone;
  }
  YamlNode status;
  YamlFailure failure;
  if (!parse_yaml(json, 0, status, failure)) return Error{ErrorCode::kInvalidInput, "an answer that is no JSON: " + failure.what};
  std::string out;
  for (const YamlNode::Entry& entry : status.entries) show(entry.value, entry.key, 0, out);
  print(out);
  return kDone;
}

}  // namespace weir::cli
