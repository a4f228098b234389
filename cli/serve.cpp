#include "cli/serve.hpp"

#include <unistd.h>

#include <cmath>

#include "actors/runtime/memory_lock.hpp"
#include "cli/data_access.hpp"
#include "core/records/json_text.hpp"
#include "pipelines/report.hpp"
#include "pipelines/tail.hpp"
#include "pipelines/topology.hpp"
#include "pipelines/yaml_tree.hpp"

namespace weir::cli {
namespace {

std::string text_of(const YamlNode& request, std::string_view key) {
  const YamlNode* node = request.find(key);
  return node == nullptr ? std::string() : node->scalar;
}
bool flag_of(const YamlNode& request, std::string_view key) { return text_of(request, key) == "true"; }

std::string number(double value) {
  ByteBuffer out;
  json::append_number(out, value);
  return std::string(out.view());
}

std::string latency_json(const LatencySummary& l) {
  if (l.count == 0) return "null";
  return "{\"count\":" + std::to_string(l.count) + ",\"p50\":" + number(l.p50) + ",\"p90\":" + number(l.p90) + ",\"p99\":" + number(l.p99) +
         ",\"p999\":" + number(l.p999) + ",\"max\":" + number(l.max) + "}";
}

// Absent: nullopt.
std::optional<PartitionId> partition_of_request(const YamlNode& request) {
  const std::string text = text_of(request, "partition");
  if (text.empty()) return std::nullopt;
  return PartitionId(static_cast<std::int32_t>(std::strtol(text.c_str(), nullptr, 10)));
}

Result<void> answer_tail(RunningPipeline& pipeline, const YamlNode& request, Connection& connection, const std::atomic<int>& stop) {
  TailOptions options;
  options.topic = text_of(request, "topic");
  options.from_beginning = flag_of(request, "from_beginning");
  options.follow = flag_of(request, "follow");
  options.envelope = flag_of(request, "envelope");
  options.partition = partition_of_request(request);
  options.limit = std::strtoull(text_of(request, "limit").c_str(), nullptr, 10);
  TRY(tail_topic(pipeline.log(), options, &stop, [&](std::string_view lines) {
    if (lines.empty()) return !connection.closed_by_peer();
    return connection.send(FrameKind::kLines, lines).ok();
  }));
  return connection.send(FrameKind::kEnd, "");
}

Result<void> answer_produce(RunningPipeline& pipeline, const YamlNode& request, Connection& connection) {
  const std::string name = text_of(request, "topic");
  const std::optional<Topic> topic = topic_by_name(name);
  if (topic != Topic::kLogs && topic != Topic::kOutcomes)
    return Error{ErrorCode::kConfig, "topic '" + name + "': only logs and outcomes take records from outside"};
  const SourceConfig& source = topic == Topic::kLogs ? pipeline.config().logs : pipeline.config().outcomes;
  if (source.ends())
    return Error{ErrorCode::kConfig, "sources." + name + ": this pipeline reads files, nothing reads its topic; run it with --set sources." + name + ".files=[]"};
  const std::optional<PartitionId> partition = partition_of_request(request);
  ProducedLines lines(pipeline.config(), *topic, partition);
  std::uint64_t count = 0;
  std::vector<Offset> ends;
  for (;;) {
    TRY_ASSIGN(const Connection::Frame frame, connection.receive());
    TRY(lines.add(frame.payload));
    if (frame.kind == FrameKind::kEnd || frame.kind == FrameKind::kLines) {
      TRY_ASSIGN(ends, pipeline.produce(lines));
      count += lines.lines().size();
      lines.clear();
    }
    if (frame.kind == FrameKind::kEnd) break;
  }
  return connection.send(FrameKind::kEnd, produced_json(count, ends));
}

Result<void> answer(RunningPipeline& pipeline, std::string_view text, Connection& connection, const std::atomic<int>& stop) {
  YamlNode request;
  YamlFailure failure;
  if (!parse_yaml(text, 0, request, failure)) return Error{ErrorCode::kInvalidInput, "a request that is no JSON object"};
  const std::string command = text_of(request, "command");
  if (command == "tail") return answer_tail(pipeline, request, connection, stop);
  if (command == "produce") return answer_produce(pipeline, request, connection);
  if (command == "topics") return connection.send(FrameKind::kEnd, topics_json(pipeline.log()));
  if (command == "status") return connection.send(FrameKind::kEnd, status_json(pipeline));
  if (command == "report") {
    ReportInputs inputs;
    inputs.data_dir = pipeline.config().data_dir;
    inputs.run = pipeline.summary();
    inputs.outcomes_consumed = 0;
    for (const auto& status : pipeline.statuses())
      if (status->task == kInferenceTask)
        *inputs.outcomes_consumed += static_cast<std::uint64_t>(status->consumed[static_cast<std::size_t>(InputId::kOutcomes)].load());
    TRY_ASSIGN(Report report, make_report(pipeline.log(), inputs));
    report.running = true;
    return connection.send(FrameKind::kEnd, flag_of(request, "json") ? report_json(report) + "\n" : report_text(report, inputs.data_dir));
  }
  return Error{ErrorCode::kNotFound, "command '" + command + "': this process does not know it"};
}

}  // namespace

std::string status_json(RunningPipeline& pipeline) {
  const RunSummary summary = pipeline.summary();
  std::string out = "{\"running\":true,\"pipeline\":" + json_text(pipeline.config().name) + ",\"pid\":" + std::to_string(::getpid()) +
                    ",\"data_dir\":" + json_text(pipeline.config().data_dir) + ",\"events\":" + std::to_string(summary.total.events) +
                    ",\"outcomes\":" + std::to_string(summary.total.outcomes) + ",\"seconds\":" + number(summary.total.seconds) +
                    ",\"log_loss\":" + number(summary.total.log_loss) + ",\"bytes_read\":" + std::to_string(summary.total.bytes_read) +
                    ",\"bytes_total\":" + std::to_string(summary.total.bytes_total) + ",\"tick_us\":" + latency_json(summary.tick) +
                    ",\"arrival_us\":" + latency_json(summary.arrival) +
                    ",\"committed_us\":" + latency_json(summary.committed) + ",\"tasks\":[";
  bool first = true;
  for (const auto& status : pipeline.statuses()) {
    out += std::string(first ? "" : ",") + "{\"task\":" + json_text(status->task) + ",\"partition\":" + std::to_string(status->partition.value) + ",\"records\":" + std::to_string(status->records) +
           ",\"commits\":" + std::to_string(status->commits) + ",\"restarts\":" + std::to_string(status->restarts) +
           ",\"waiting\":" + std::to_string(status->waiting) + ",\"steps_undone\":" + std::to_string(status->steps_undone) + ",\"last_commit_us\":" + std::to_string(status->last_commit_us) + "}";
    first = false;
  }
  const MemoryLockState memory = memory_lock_state();
  out += "],\"memory_locked_bytes\":" + std::to_string(memory.locked_bytes) + ",\"memory_lock_limit_bytes\":" +
         (memory.limit_bytes == UINT64_MAX ? "null" : std::to_string(memory.limit_bytes)) + ",\"warnings\":[";
  for (std::size_t i = 0; i < summary.warnings.size(); ++i) out += (i == 0 ? "" : ",") + json_text(summary.warnings[i]);
  return out + "]}\n";
}

Result<std::unique_ptr<ControlServer>> serve(RunningPipeline& pipeline) {
  return ControlServer::start(pipeline.config().data_dir,
                              [&pipeline](std::string_view request, Connection& connection, const std::atomic<int>& stop) {
                                return answer(pipeline, request, connection, stop);
                              });
}

}  // namespace weir::cli
