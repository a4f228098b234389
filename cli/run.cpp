#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "cli/progress.hpp"
#include "cli/serve.hpp"
#include "http/api.hpp"
#include "pipelines/formatted.hpp"
#include "pipelines/launcher.hpp"
#include "pipelines/report.hpp"

namespace weir::cli {
namespace {

// "inference, learning": the tasks that run here, or those that do not.
std::string names_of(const PipelineConfig& config, bool here) {
  std::string out;
  for (const std::string_view task : config.task_names())
    if (config.runs(task) == here) out += (out.empty() ? "" : ", ") + std::string(task);
  return out;
}

}  // namespace

Result<int> run_command(const RunArguments& arguments) {
  TRY_ASSIGN(const PipelineConfig config, config_of(arguments.pipeline));
  const bool kept = config.log.kind != LogKind::kMemory;
  RunOptions options;
  options.stop = &stop_on_signals();
  Progress progress(!arguments.quiet && ::isatty(STDERR_FILENO) != 0);
  options.on_progress = [&](const RunProgress& now) { progress.show(now); };
  options.on_warning = [&](const std::string& warning) {
    progress.clear();
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  };
  HttpApi api(config);
  TRY_ASSIGN(std::unique_ptr<HttpServer> http, start_http(config, api));  // Before anything is opened: who asks whether it is ready gets an answer.
  std::unique_ptr<ControlServer> server;
  Result<void> served;
  options.on_started = [&](RunningPipeline& pipeline) {
    // Without files it may look as if nothing happened.
    if (!arguments.quiet && !config.runs_all())
      std::fprintf(stderr, "%s: runs %s; other processes run %s%s\n", config.name.c_str(), names_of(config, true).c_str(), names_of(config, false).c_str(),
                   config.runs(kInferenceTask) ? "" : ", and it reads their topics until it is stopped");
    for (const auto& [topic, source] : {std::pair{"logs", &config.logs}, std::pair{"outcomes", &config.outcomes}})
      if (!arguments.quiet && config.runs(kInferenceTask) && source->from_topic() && (source == &config.logs || config.has_outcomes()))
        std::fprintf(stderr, "%s: takes %s from its topic, so it runs until it is stopped: weir produce %s FILE --data %s\n", config.name.c_str(), topic, topic, config.data_dir.c_str());
    if (http != nullptr) {
      api.attach(pipeline);
      if (!arguments.quiet && !config.logs.ends()) std::fprintf(stderr, "%s: metrics on %s/metrics\n", config.name.c_str(), http->url().c_str());
      if (kept)
        if (const auto written = write_http_address(config.data_dir, *http); !written.ok()) std::fprintf(stderr, "warning: %s\n", written.error().what.c_str());
    }
    if (!kept) return;
    served = remember_config(config);
    auto started = serve(pipeline, http != nullptr ? http->url() : std::string());
    if (started.ok()) server = std::move(*started);
    else if (served.ok()) served = started.error();
    if (!served.ok()) std::fprintf(stderr, "warning: other processes cannot ask this one: %s\n", served.error().what.c_str());
  };
  options.on_ending = [&] {
    server.reset();
    if (http != nullptr && kept) remove_http_address(config.data_dir);
    api.detach();
  };
  auto summary = run_pipeline(config, options);
  server.reset();
  http.reset();
  progress.clear();
  if (!summary.ok()) return summary.error();
  if (kept) TRY(remember_run(config.data_dir, *summary));
  if (!arguments.quiet) {
    const RunProgress& total = summary->total;
    const char* after = summary->ended ? "" : "; stopped, the next run goes on from here";
    if (config.runs(kInferenceTask))
      print(formatted("%s: %llu events and %llu outcomes in %.2f s (%.0f events/s)%s\n", config.name.c_str(),
                      static_cast<unsigned long long>(total.events), static_cast<unsigned long long>(total.outcomes), total.seconds,
                      total.seconds > 0 ? double(total.events) / total.seconds : 0.0, after));
    else
      print(formatted("%s: %llu %s in %.2f s%s\n", config.name.c_str(),
                      static_cast<unsigned long long>(config.runs(kLearningTask) ? total.examples : total.other_records),
                      config.runs(kLearningTask) ? "examples" : "records", total.seconds, after));
  }
  return kDone;
}

}  // namespace weir::cli
