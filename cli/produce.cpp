#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/producer.hpp"
#include "pipelines/topology.hpp"
#include "sources/file_list.hpp"
#include "sources/standard_input.hpp"

namespace weir::cli {
namespace {

constexpr std::size_t kFrameBytes = 256 << 10;
constexpr std::uint64_t kLineBytesMax = 8 << 20;  // A frame of the socket holds at least one; the pipeline has its own max_line.

// Calls give(lines) with whole lines, about 256 KiB at a time, or what is there when standard input pauses.
Result<void> read_lines(const std::string& file, const std::function<Result<void>(const std::string&)>& give) {
  std::unique_ptr<InputSource> source;
  if (file == "-") {
    source = open_standard_input(kLineBytesMax, /*header=*/false);
  } else {
    FileListOptions options;
    options.paths = {file};
    options.line_bytes_max = kLineBytesMax;
    TRY_ASSIGN(source, open_file_list(options));
  }
  LineBatch batch;
  std::string lines;
  for (;;) {
    TRY_ASSIGN(const bool got, source->read(batch, kFrameBytes));
    if (!got) {
      if (source->ended()) return {};
      source->wait(std::chrono::seconds(1));
      continue;
    }
    lines.clear();
    std::optional<Error> too_long;
    for (std::size_t i = 0; i < batch.lines.size() && !too_long; ++i) {
      const LineBatch::Line& line = batch.lines[i];
      if (line.line_bytes > line.bytes)
        too_long = Error{ErrorCode::kInvalidInput, "'" + file + "', line " + std::to_string(batch.base.value + std::int64_t(i) + 1) + ": found " +
                                                       std::to_string(line.line_bytes) + " bytes, expected at most " + std::to_string(kLineBytesMax)};
      else lines.append(batch.bytes.view(line.begin, line.bytes)).push_back('\n');
    }
    if (!lines.empty()) TRY(give(lines));  // Also those before a line that is too long: they are as good as any.
    if (too_long) return *too_long;
  }
}

// Through the process that runs the pipeline, in a conversation of its own for each file: a CSV file has a header of its own.
Result<std::string> send_file(Connection running, const ProduceArguments& arguments, const std::string& file) {
  const std::string to = arguments.partition ? ",\"partition\":" + std::to_string(*arguments.partition) : "";
  TRY(running.send(FrameKind::kRequest, "{\"command\":\"produce\",\"acknowledge\":true,\"topic\":" + json_text(arguments.topic) + to + "}"));
  std::uint64_t lines_sent = 0, lines_taken = 0;
  const auto receive = [&]() -> Result<Connection::Frame> {
    TRY_ASSIGN(Connection::Frame frame, running.receive());
    if (frame.kind == FrameKind::kTaken) lines_taken = std::strtoull(frame.payload.c_str(), nullptr, 10);
    return frame;
  };
  Result<void> sent = read_lines(file, [&](const std::string& lines) -> Result<void> {
    lines_sent += static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
    TRY(running.send(FrameKind::kLines, lines));
    while (running.readable()) TRY(receive());  // Else what it acknowledges would fill the socket.
    return {};
  });
  if (sent.ok()) sent = running.send(FrameKind::kEnd, "");
  while (sent.ok() || running.lost()) {  // Also what it said before it went, its reason maybe.
    auto frame = receive();
    if (!frame.ok()) {
      sent = std::move(frame).error();
      break;
    }
    if (frame->kind == FrameKind::kEnd) return std::move(frame->payload);
  }
  if (sent.error().code != ErrorCode::kUnavailable) return sent.error();
  return Error{ErrorCode::kUnavailable,
               sent.error().what + ": of " + std::to_string(lines_sent) + " lines sent from '" + file + "' it had acknowledged " + std::to_string(lines_taken) +
                   ", which are in topic '" + arguments.topic + "'; of the others the first ones may be. Start it again, see the topic's end (weir topics), and produce the rest"};
}

Result<std::string> append_file(Producer& producer, ProducedLines lines, const std::string& file) {
  std::uint64_t count = 0;
  TRY_ASSIGN(std::vector<Offset> ends, producer.append(lines));
  TRY(read_lines(file, [&](const std::string& text) -> Result<void> {
    TRY(lines.add(text));
    count += lines.lines().size();
    TRY_ASSIGN(ends, producer.append(lines));
    lines.clear();
    return {};
  }));
  return produced_json(count, ends);
}

}  // namespace

Result<int> produce_command(const ProduceArguments& arguments) {
  const std::optional<Topic> topic = topic_by_name(arguments.topic);
  if (topic != Topic::kLogs && topic != Topic::kOutcomes)
    return Error{ErrorCode::kConfig, "topic '" + arguments.topic + "': only logs and outcomes take records from outside"};
  std::optional<PartitionId> partition;
  if (arguments.partition) partition = PartitionId(*arguments.partition);
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  const std::vector<std::string> files = arguments.files.empty() ? std::vector<std::string>{"-"} : arguments.files;
  if (connect_control(data_dir).ok()) {
    for (const std::string& file : files) {
      TRY_ASSIGN(Connection running, connect_control(data_dir));
      TRY_ASSIGN(const std::string answer, send_file(std::move(running), arguments, file));
      print(answer + "\n");
    }
    return kDone;
  }
  TRY_ASSIGN(const PipelineConfig config, config_of(arguments.pipeline));
  TRY_ASSIGN(const auto log, open_log(config, /*read_only=*/false));
  TRY(create_topics(config, *log));
  TRY_ASSIGN(Producer producer, Producer::open(config, *log, system_clock()));
  for (const std::string& file : files) {
    TRY_ASSIGN(const std::string answer, append_file(producer, ProducedLines(config, *topic, partition), file));
    TRY(log->sync());
    print(answer + "\n");
  }
  return kDone;
}

}  // namespace weir::cli
