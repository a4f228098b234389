#include <unistd.h>

#include <cstdio>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/topology.hpp"
#include "sources/file_list.hpp"

namespace weir::cli {

Result<int> check_command(const CheckArguments& arguments) {
  TRY_ASSIGN(ConfigCheck check, check_config_file(arguments.pipeline.config, arguments.pipeline.sets));
  const auto note = [&](std::string key, std::string found, std::string expected, bool warning) {
    ConfigProblem problem;
    problem.warning = warning;
    problem.where = arguments.pipeline.config;
    problem.key = std::move(key);
    problem.found = std::move(found);
    problem.expected = std::move(expected);
    check.problems.push_back(std::move(problem));
  };
  if (check.ok()) {
    if (const auto plan = make_runtime_plan(check.config); !plan.ok()) note("", plan.error().what, "a pipeline that can be built", false);
    for (const auto& [key, source] : {std::pair{"sources.logs.files", &check.config.logs}, std::pair{"sources.outcomes.files", &check.config.outcomes}})
      if (!source->files.empty())
        if (const auto files = expand_paths(source->files); !files.ok()) note(key, files.error().what, "files that are there when it runs", true);
  }
  if (arguments.json) {
    std::string out = std::string("{\"ok\":") + (check.ok() ? "true" : "false") + ",\"problems\":[";
    for (std::size_t i = 0; i < check.problems.size(); ++i) {
      const ConfigProblem& p = check.problems[i];
      out += std::string(i == 0 ? "" : ",") + "{\"warning\":" + (p.warning ? "true" : "false") + ",\"where\":" + json_text(p.where) + ",\"line\":" +
             std::to_string(p.line) + ",\"key\":" + json_text(p.key) + ",\"found\":" + json_text(p.found) + ",\"expected\":" + json_text(p.expected) +
             ",\"suggestion\":" + (p.suggestion.empty() ? "null" : json_text(p.suggestion)) + "}";
    }
    print(out + "]}\n");
    return check.ok() ? kDone : kUsage;
  }
  const bool colour = ::isatty(STDERR_FILENO) != 0;
  for (const ConfigProblem& problem : check.problems)
    std::fprintf(stderr, "%s%s%s\n", colour ? (problem.warning ? "\x1b[33m" : "\x1b[31m") : "", problem.text().c_str(), colour ? "\x1b[0m" : "");
  if (!check.ok()) return kUsage;
  if (arguments.print) print(to_yaml(check.config));
  else print(arguments.pipeline.config + ": pipeline '" + check.config.name + "' is fine\n");
  return kDone;
}

}  // namespace weir::cli
