#pragma once
// The paths of a process' HTTP server: /metrics, /health, /ready, and / which lists them.
//
// /health  200 while the process serves; 503 once the watchdog has found a task that makes no progress though records wait.
// /ready   200 when every task has recovered and runs; else 503. Both need no token, and without it say no more than that.
// /metrics the text format of Prometheus.

#include <mutex>

#include "http/server.hpp"
#include "pipelines/running_pipeline.hpp"

namespace weir {

class HttpApi {
 public:
  explicit HttpApi(const PipelineConfig& config) : config_(config) {}

  // From now on answers are of this pipeline; until detach() returns it must live.
  void attach(const RunningPipeline& pipeline);
  void detach();

  HttpAnswer answer(const HttpRequest& request) const;  // Any thread.

 private:
  HttpAnswer health(bool details) const;
  HttpAnswer ready(bool details) const;

  const PipelineConfig config_;
  mutable std::mutex mutex_;  // Held while an answer is made.
  const RunningPipeline* pipeline_ = nullptr;
  bool ended_ = false;
};

// The server of `http.listen`, answering by `api`, which outlives it; its thread keeps off the cores that inference tasks have to
// themselves. Null: http.listen is off. Reads the token. Writes the address to run/http of the data directory once that is there:
// see write_http_address().
Result<std::unique_ptr<HttpServer>> start_http(const PipelineConfig& config, const HttpApi& api);

// run/http: one line, the address, for whoever starts processes with port 0. Removed with remove_http_address().
Result<void> write_http_address(const std::string& data_dir, const HttpServer& server);
void remove_http_address(const std::string& data_dir);

}  // namespace weir
