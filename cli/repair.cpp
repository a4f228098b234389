#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "cli/progress.hpp"
#include "pipelines/repair.hpp"

namespace weir::cli {

Result<int> repair_command(const RunArguments& arguments) {
  TRY_ASSIGN(const PipelineConfig config, config_of(arguments.pipeline));
  RunOptions options;
  options.stop = &stop_on_signals();
  Progress progress(!arguments.quiet && ::isatty(STDERR_FILENO) != 0);
  options.on_progress = [&](const RunProgress& now) { progress.show(now); };
  const auto done = repair_pipeline(config, options);
  progress.clear();
  if (!done.ok()) return done.error();
  for (const std::string& line : *done) print(line + "\n");
  return kDone;
}

}  // namespace weir::cli
