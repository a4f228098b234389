#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/formatted.hpp"
#include "pipelines/tail.hpp"
#include "pipelines/yaml_tree.hpp"

namespace weir::cli {
namespace {

std::string field(const YamlNode& node, std::string_view key) {
  const YamlNode* value = node.find(key);
  return value == nullptr ? std::string() : value->scalar;
}

}  // namespace

Result<int> topics_command(const ShowArguments& arguments) {
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  TRY_ASSIGN(DataAccess access, open_data(data_dir));
  std::string json;
  if (access.running) {
    TRY_ASSIGN(json, ask(*access.running, "{\"command\":\"topics\"}"));
  } else {
    json = topics_json(*access.log);
  }
  if (arguments.json) {
    print(json + "\n");
    return kDone;
  }
  YamlNode topics;
  YamlFailure failure;
  if (!parse_yaml(json, 0, topics, failure)) return Error{ErrorCode::kInvalidInput, "an answer that is no JSON: " + failure.what};
  constexpr const char* kLine = "%-14s %9s %12s %12s %14s\n";
  std::string out = formatted(kLine, "topic", "partition", "begin", "end", "bytes");
  for (const YamlNode& topic : topics.items) {
    const YamlNode* partitions = topic.find("partitions");
    if (partitions == nullptr) continue;
    for (const YamlNode& partition : partitions->items)
      out += formatted(kLine, field(topic, "topic").c_str(), field(partition, "partition").c_str(),
                       field(partition, "begin").c_str(), field(partition, "end").c_str(), field(partition, "bytes").c_str());
  }
  print(out);
  return kDone;
}

}  // namespace weir::cli
