#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/running_pipeline.hpp"
#include "pipelines/topology.hpp"

namespace weir::cli {
namespace {

constexpr std::size_t kFrameBytes = 256 << 10;

// Calls give(lines) with about 256 KiB of whole lines at a time, or what is there when standard input pauses.
Result<void> read_lines(const std::vector<std::string>& files, const std::function<Result<void>(std::string&)>& give) {
  std::string lines, line;
  const auto read = [&](std::istream& in) -> Result<void> {
    while (std::getline(in, line)) {
      lines += line;
      lines += '\n';
      if (lines.size() < kFrameBytes && in.rdbuf()->in_avail() > 0) continue;
      TRY(give(lines));
      lines.clear();
    }
    return {};
  };
  std::ios::sync_with_stdio(false);
  for (const std::string& file : files.empty() ? std::vector<std::string>{"-"} : files) {
    if (file == "-") {
      TRY(read(std::cin));
      continue;
    }
    std::ifstream in(file, std::ios::binary);
    if (!in) return Error{ErrorCode::kNotFound, file + ": no such file, or not readable"};
    TRY(read(in));
  }
  return lines.empty() ? Result<void>() : give(lines);
}

}  // namespace

Result<int> produce_command(const ProduceArguments& arguments) {
  const std::optional<Topic> topic = topic_by_name(arguments.topic);
  if (topic != Topic::kLogs && topic != Topic::kOutcomes)
    return Error{ErrorCode::kConfig, "topic '" + arguments.topic + "': only logs and outcomes take records from outside"};
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  if (auto running = connect_control(data_dir); running.ok()) {
    TRY(running->send(FrameKind::kRequest, "{\"command\":\"produce\",\"topic\":" + json_text(arguments.topic) + "}"));
    const auto sent = read_lines(arguments.files, [&](std::string& lines) { return running->send(FrameKind::kLines, lines); });
    if (sent.ok()) TRY(running->send(FrameKind::kEnd, ""));
    else if (sent.error().code != ErrorCode::kUnavailable) return sent.error();
    TRY_ASSIGN(const Connection::Frame end, running->receive());  // Or its reason for leaving.
    print(end.payload + "\n");
    return kDone;
  }
  TRY_ASSIGN(const PipelineConfig config, config_of(arguments.pipeline));
  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/false));
  TRY(create_topics(config, *log));
  TRY_ASSIGN(const auto store, log->open_task({"produce", PartitionId(0)}));
  TRY_ASSIGN([[maybe_unused]] const Recovered recovered, store->recover());
  std::uint64_t count = 0;
  Offset end;
  TRY(read_lines(arguments.files, [&](std::string& text) -> Result<void> {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t newline = text.find('\n', begin);
      lines.push_back(text.substr(begin, newline - begin));
      begin = newline + 1;
    }
    count += lines.size();
    TRY_ASSIGN(end, append_lines(*log, *store, *topic, lines, system_clock()));
    return {};
  }));
  TRY(log->sync());
  print("{\"produced\":" + std::to_string(count) + ",\"end\":" + std::to_string(end.value) + "}\n");
  return kDone;
}

}  // namespace weir::cli
