#include "pipelines/tail.hpp"

#include <cstdio>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"

namespace weir::cli {

Result<int> tail_command(const TailArguments& arguments) {
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  TRY_ASSIGN(DataAccess access, open_data(data_dir));
  if (access.running) {
    const auto flag = [](bool value) { return value ? "true" : "false"; };
    const std::string partition = arguments.partition ? ",\"partition\":" + std::to_string(*arguments.partition) : "";
    TRY(ask(*access.running, "{\"command\":\"tail\",\"topic\":" + json_text(arguments.topic) + ",\"from_beginning\":" + flag(arguments.from_beginning) +
                                 ",\"follow\":" + flag(arguments.follow) + ",\"envelope\":" + flag(arguments.envelope) +
                                 ",\"limit\":" + std::to_string(arguments.limit) + partition + "}"));
    return kDone;
  }
  TailOptions options;
  options.topic = arguments.topic;
  if (arguments.partition) options.partition = PartitionId(*arguments.partition);
  options.from_beginning = arguments.from_beginning;
  options.envelope = arguments.envelope;
  options.limit = arguments.limit;
  if (arguments.follow) std::fprintf(stderr, "weir: nobody runs this pipeline: what is there, and nothing to follow\n");
  TRY(tail_topic(*access.log, options, nullptr, print));
  return kDone;
}

}  // namespace weir::cli
