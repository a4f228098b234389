#include "http/api.hpp"

#include <filesystem>
#include <fstream>

#include "actors/runtime/thread_setup.hpp"
#include "core/base/byte_buffer.hpp"
#include "core/records/json_text.hpp"
#include "http/metrics.hpp"
#include "pipelines/topology.hpp"

namespace weir {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";

std::string address_file(const std::string& data_dir) { return data_dir + "/run/http"; }

std::string json_text(std::string_view text) {
  ByteBuffer out;
  json::append_string(out, text);
  return std::string(out.view());
}

// {"status":"…"} and, with `tasks`, what each of them is doing.
HttpAnswer status_answer(bool good, std::string_view status, const std::string& tasks) {
  return {good ? 200u : 503u, kJson, "{\"status\":" + json_text(status) + (tasks.empty() ? "" : ",\"tasks\":[" + tasks + "]") + "}\n"};
}

std::string task_json(const TaskStatus& status) {
  return "{\"task\":" + json_text(status.task) + ",\"partition\":" + std::to_string(status.partition.value) + ",\"phase\":" + json_text(name_of(status.phase.load())) +
         ",\"stalled\":" + (status.stall().empty() ? "false" : "true") + ",\"restarts\":" + std::to_string(status.restarts.load()) + "}";
}

}  // namespace

void HttpApi::attach(const RunningPipeline& pipeline) {
  std::lock_guard lock(mutex_);
  pipeline_ = &pipeline;
}

void HttpApi::detach() {
  std::lock_guard lock(mutex_);
  pipeline_ = nullptr;
  ended_ = true;
}

HttpAnswer HttpApi::answer(const HttpRequest& request) const {
  std::lock_guard lock(mutex_);
  if (request.path == "/health") return health(request.authorised);
  if (request.path == "/ready") return ready(request.authorised);
  if (!request.authorised) return {401, "text/plain; charset=utf-8", "expected the token of http.token, as Authorization: Bearer TOKEN\n"};
  if (request.path == "/metrics") return {200, kMetrics, metrics_text(config_, pipeline_)};
  if (request.path == "/") return {200, "text/plain; charset=utf-8", "weir, pipeline " + config_.name + "\n\n/metrics\n/health\n/ready\n"};
  return {404, "text/plain; charset=utf-8", "nothing here; / lists what there is\n"};
}

HttpAnswer HttpApi::health(bool details) const {
  if (pipeline_ == nullptr) return status_answer(true, ended_ ? "stopping" : "starting", "");
  std::string stalled;
  for (const auto& status : pipeline_->statuses())
    if (!status->stall().empty()) stalled += (stalled.empty() ? "" : ",") + task_json(*status);
  return status_answer(stalled.empty(), stalled.empty() ? "ok" : "stalled", details ? stalled : "");
}

HttpAnswer HttpApi::ready(bool details) const {
  if (pipeline_ == nullptr) return status_answer(false, ended_ ? "stopping" : "starting", "");
  const bool ready = pipeline_->ready();
  std::string tasks;
  for (const auto& status : pipeline_->statuses()) tasks += (tasks.empty() ? "" : ",") + task_json(*status);
  return status_answer(ready, ready ? "ready" : "starting", details ? tasks : "");
}

Result<std::unique_ptr<HttpServer>> start_http(const PipelineConfig& config, const HttpApi& api) {
  if (!config.http.listen) return std::unique_ptr<HttpServer>();
  HttpServerOptions options;
  options.listen = *config.http.listen;
  if (config.http.token.given()) {
    TRY_ASSIGN(options.token, read_secret(config.http.token, "http.token"));
  }
  TRY_ASSIGN(const RuntimePlan plan, make_runtime_plan(config));
  const KeepOffCpus keep_off(reserved_cpus(config, plan));
  return HttpServer::start(options, [&api](const HttpRequest& request) { return api.answer(request); });
}

Result<void> write_http_address(const std::string& data_dir, const HttpServer& server) {
  std::error_code error;
  std::filesystem::create_directories(data_dir + "/run", error);
  const std::string path = address_file(data_dir);
  {
    std::ofstream out(path + ".new", std::ios::trunc | std::ios::binary);
    out << server.url() << "\n";
    if (!out.flush()) return Error{ErrorCode::kIo, path + ".new: cannot be written"};
  }
  std::filesystem::rename(path + ".new", path, error);
  if (error) return Error{ErrorCode::kIo, path + ": " + error.message()};
  return {};
}

void remove_http_address(const std::string& data_dir) {
  std::error_code ignored;
  std::filesystem::remove(address_file(data_dir), ignored);
}

}  // namespace weir
