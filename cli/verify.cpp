#include <unistd.h>

#include <cstdio>
#include <initializer_list>
#include <utility>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "cli/progress.hpp"
#include "pipelines/launcher.hpp"

namespace weir::cli {

Result<int> verify_command(const VerifyArguments& arguments) {
  TRY_ASSIGN(const PipelineConfig config, config_of(arguments.pipeline));
  VerifyOptions options;
  options.recompute = arguments.recompute;
  options.stop = &stop_on_signals();
  Progress progress(::isatty(STDERR_FILENO) != 0);
  options.on_progress = [&](const RunProgress& now) { progress.show(now); };
  const auto result = verify_pipeline(config, options);
  progress.clear();
  if (!result.ok()) return result.error();
  const VerifyReport& report = *result;
  if (arguments.json) {
    std::string out = "{";
    for (const auto& [name, count] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"events", report.events}, {"predictions", report.predictions}, {"abstained", report.abstained}, {"dead_letters", report.dead_letters},
             {"outcomes", report.outcomes}, {"examples", report.examples}, {"unjoined", report.unjoined}, {"waiting", report.waiting},
             {"models", report.models}, {"doubled", report.doubled}})
      out += json_text(name) + ":" + std::to_string(count) + ",";
    out += std::string("\"recomputed\":") + (report.recomputed ? "true" : "false") + ",\"violation_count\":" + std::to_string(report.violation_count) +
           ",\"violations\":[";
    for (std::size_t i = 0; i < report.violations.size(); ++i) out += (i == 0 ? "" : ",") + json_text(report.violations[i]);
    print(out + "]}\n");
  } else {
    std::string out;
    for (const std::string& violation : report.violations) out += violation + "\n";
    out += std::to_string(report.events) + " events, " + std::to_string(report.outcomes) + " outcomes, " + std::to_string(report.predictions) +
           " predictions, " + std::to_string(report.examples) + " examples, " + std::to_string(report.models) + " models looked at" +
           (report.doubled > 0 ? ", " + std::to_string(report.doubled) + " outputs there twice" : "") + (report.recomputed ? " and computed again" : "") + ": " +
           (report.violation_count == 0 ? "nothing amiss" : std::to_string(report.violation_count) + " violations") + "\n";
    print(out);
  }
  return report.violation_count == 0 ? kDone : kViolation;
}

}  // namespace weir::cli
