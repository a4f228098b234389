#include "cli/serve.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>

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

std::string lag_json(const InputLag& lag) {
  return "{\"next\":" + std::to_string(lag.next.value) + ",\"records\":" + std::to_string(lag.records) + ",\"seconds\":" + number(lag.seconds) + "}";
}

// By input: how far behind its end. Of one that the task reads in several partitions the sum, the longest time, and each of them.
std::string lag_json(const TaskOverview& task) {
  std::map<InputId, std::vector<const InputLag*>> inputs;
  for (const InputLag& lag : task.inputs) inputs[lag.input].push_back(&lag);
  std::string out;
  for (const auto& [input, lags] : inputs) {
    out += (out.empty() ? "" : ",") + json_text(name_of(input)) + ":";
    if (lags.size() == 1) {
      out += lag_json(*lags[0]);
      continue;
    }
    std::uint64_t records = 0;
    double seconds = 0.0;
    std::string partitions;
    for (const InputLag* lag : lags) {
      records += lag->records;
      seconds = std::max(seconds, lag->seconds);
      partitions += (partitions.empty() ? "\"" : ",\"") + std::to_string(lag->partition.value) + "\":" + lag_json(*lag);
    }
    out += "{\"records\":" + std::to_string(records) + ",\"seconds\":" + number(seconds) + ",\"partitions\":{" + partitions + "}}";
  }
  return "{" + out + "}";
}

// The processes that share the partitions, and every task with its owner.
std::string members_json(const RunningPipeline::Overview& overview) {
  std::string out = "\"members\":[";
  for (std::size_t i = 0; i < overview.members.size(); ++i) {
    const Member& member = overview.members[i];
    out += (i == 0 ? "" : ",") + ("{\"process\":" + json_text(member.process)) + ",\"host\":" + json_text(member.host) +
                                ",\"runs\":" + (member.only.empty() ? "\"all\"" : json_text(member.only)) + ",\"partitions\":[";
    for (std::size_t p = 0; p < member.partitions.size(); ++p) out += (p == 0 ? "" : ",") + std::to_string(member.partitions[p].value);
    out += "]}";
  }
  out += "],\"owners\":[";
  for (std::size_t i = 0; i < overview.tasks.size(); ++i) {
    const TaskOverview& task = overview.tasks[i];
    out += (i == 0 ? "" : ",") + ("{\"task\":" + json_text(task.task)) + ",\"partition\":" + std::to_string(task.partition.value) +
           ",\"process\":" + (task.process.empty() ? "null" : json_text(task.process)) + ",\"last_commit_us\":" + std::to_string(task.last_commit_us) +
           ",\"lag\":" + lag_json(task) + "}";
  }
  return out + "]";
}

// By all processes of the pipeline.
Result<std::uint64_t> outcomes_consumed(RunningPipeline& pipeline) {
  std::uint64_t sum = 0;
  if (pipeline.config().log.kind == LogKind::kKafka && !pipeline.config().outcomes.ends()) {
    TRY_ASSIGN(const auto overview, pipeline.overview());
    for (const TaskOverview& task : overview.tasks)
      for (const InputLag& lag : task.inputs)
        if (task.task == kInferenceTask && lag.input == InputId::kOutcomes) sum += static_cast<std::uint64_t>(lag.next.value);
    return sum;
  }
  for (const auto& status : pipeline.statuses())
    if (status->task == kInferenceTask) sum += static_cast<std::uint64_t>(status->consumed(InputId::kOutcomes, status->partition).value);
  return sum;
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
  const SourceConfig& source = pipeline.config().source_of(*topic);
  if (source.ends())
    return Error{ErrorCode::kConfig, "sources." + name + ": this pipeline reads files, nothing reads its topic; run it with --set sources." + name + ".files=[]"};
  const std::optional<PartitionId> partition = partition_of_request(request);
  const bool acknowledge = flag_of(request, "acknowledge");
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
    if (acknowledge) TRY(connection.send(FrameKind::kTaken, std::to_string(count)));
  }
  return connection.send(FrameKind::kEnd, produced_json(count, ends));
}

Result<void> answer(RunningPipeline& pipeline, const std::string& http, std::string_view text, Connection& connection, const std::atomic<int>& stop) {
  YamlNode request;
  YamlFailure failure;
  if (!parse_yaml(text, 0, request, failure)) return Error{ErrorCode::kInvalidInput, "a request that is no JSON object"};
  const std::string command = text_of(request, "command");
  if (command == "tail") return answer_tail(pipeline, request, connection, stop);
  if (command == "produce") return answer_produce(pipeline, request, connection);
  if (command == "topics") return connection.send(FrameKind::kEnd, topics_json(pipeline.log()));
  if (command == "status") return connection.send(FrameKind::kEnd, status_json(pipeline, http));
  if (command == "report") {
    ReportInputs inputs;
    inputs.data_dir = pipeline.config().data_dir;
    inputs.run = pipeline.summary();
    TRY_ASSIGN(inputs.outcomes_consumed, outcomes_consumed(pipeline));
    for (const auto& status : pipeline.statuses())
      if (status->task == kInferenceTask) inputs.lost += status->lost();
    TRY_ASSIGN(Report report, make_report(pipeline.log(), inputs));
    report.running = true;
    return connection.send(FrameKind::kEnd, flag_of(request, "json") ? report_json(report) + "\n" : report_text(report, inputs.data_dir));
  }
  return Error{ErrorCode::kNotFound, "command '" + command + "': this process does not know it"};
}

}  // namespace

std::string status_json(RunningPipeline& pipeline, const std::string& http) {
  const RunSummary summary = pipeline.summary();
  std::string out = "{\"running\":true,\"pipeline\":" + json_text(pipeline.config().name) + ",\"pid\":" + std::to_string(::getpid()) +
                    ",\"process\":" + json_text(pipeline.config().resolved_process()) + ",\"data_dir\":" + json_text(pipeline.config().data_dir) +
                    ",\"http\":" + (http.empty() ? "null" : json_text(http)) + ",\"events\":" + std::to_string(summary.total.events) +
                    ",\"outcomes\":" + std::to_string(summary.total.outcomes) + ",\"seconds\":" + number(summary.total.seconds) +
                    ",\"log_loss\":" + number(summary.total.log_loss) + ",\"bytes_read\":" + std::to_string(summary.total.bytes_read) +
                    ",\"bytes_total\":" + std::to_string(summary.total.bytes_total) + ",\"tick_us\":" + latency_json(summary.tick) +
                    ",\"arrival_us\":" + latency_json(summary.arrival) +
                    ",\"committed_us\":" + latency_json(summary.committed) + ",\"tasks\":[";
  std::vector<std::string> warnings = summary.warnings;
  const auto overview = pipeline.overview();
  if (!overview.ok()) warnings.push_back("members and lag are not known: " + overview.error().what);
  bool first = true;
  for (const auto& status : pipeline.statuses()) {
    const TaskPhase phase = status->phase;
    const std::string stall = status->stall();
    out += std::string(first ? "" : ",") + "{\"task\":" + json_text(status->task) + ",\"partition\":" + std::to_string(status->partition.value) + ",\"phase\":" + json_text(name_of(phase)) +
           ",\"starts\":" + std::to_string(status->starts) + ",\"records\":" + std::to_string(status->records) +
           ",\"commits\":" + std::to_string(status->commits) + ",\"restarts\":" + std::to_string(status->restarts) +
           ",\"waiting\":" + std::to_string(status->waiting) + ",\"steps_undone\":" + std::to_string(status->steps_undone) + ",\"last_commit_us\":" + std::to_string(status->last_commit_us) +
           ",\"lost\":" + std::to_string(status->lost()) + ",\"stalled\":" + (stall.empty() ? "null" : json_text(stall)) +
           ",\"standby_lag\":" + (phase == TaskPhase::kStandby ? std::to_string(status->standby_lag) : "null");
    if (overview.ok())
      for (const TaskOverview& task : overview->tasks)
        if (task.here == status && task.process == pipeline.config().resolved_process()) out += ",\"lag\":" + lag_json(task);
    out += "}";
    first = false;
  }
  const MemoryLockState memory = memory_lock_state();
  out += "],\"ready\":" + std::string(pipeline.ready() ? "true" : "false") + ",\"memory_locked_bytes\":" + std::to_string(memory.locked_bytes) + ",\"memory_lock_limit_bytes\":" +
         (memory.limit_bytes == UINT64_MAX ? "null" : std::to_string(memory.limit_bytes)) + ",\"warnings\":[";
  for (std::size_t i = 0; i < warnings.size(); ++i) out += (i == 0 ? "" : ",") + json_text(warnings[i]);
  out += "]";
  if (overview.ok() && !overview->members.empty()) out += "," + members_json(*overview);
  return out + "}\n";
}

Result<std::unique_ptr<ControlServer>> serve(RunningPipeline& pipeline, const std::string& http) {
  return ControlServer::start(pipeline.config().data_dir,
                              [&pipeline, http](std::string_view request, Connection& connection, const std::atomic<int>& stop) {
                                return answer(pipeline, http, request, connection, stop);
                              });
}

}  // namespace weir::cli
