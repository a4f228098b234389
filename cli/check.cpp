#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/connection_check.hpp"
#include "pipelines/topology.hpp"
#include "sources/file_list.hpp"

namespace weir::cli {

namespace {

std::string_view name_of(Finding::State state) {
  switch (state) {
    case Finding::State::kOk: return "ok";
    case Finding::State::kWarning: return "warning";
    case Finding::State::kError: return "error";
  }
  return "";
}

std::string json_of(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& f : findings)
    out += (out.empty() ? "[" : ",") + std::string("{\"state\":\"") + std::string(name_of(f.state)) + "\",\"what\":" + json_text(f.what) + ",\"found\":" +
           json_text(f.found) + ",\"advice\":" + (f.advice.empty() ? "null" : json_text(f.advice)) + "}";
  return out.empty() ? "[]" : out + "]";
}

// A line each: state, object, what was found; what to change below it.
std::string table_of(const std::vector<Finding>& findings, bool colour) {
  constexpr std::size_t kStateWidth = 9, kObjectWidthMax = 40;
  std::size_t width = 0;
  for (const Finding& f : findings) width = std::max(width, std::min(f.what.size(), kObjectWidthMax));
  std::string out;
  for (const Finding& f : findings) {
    const char* begin = f.state == Finding::State::kOk ? "\x1b[32m" : f.state == Finding::State::kWarning ? "\x1b[33m" : "\x1b[31m";
    const std::string_view state = name_of(f.state);
    out += (colour ? begin : "") + std::string(state) + (colour ? "\x1b[0m" : "") + std::string(kStateWidth - state.size(), ' ') + f.what +
           std::string(f.what.size() < width ? width - f.what.size() : 0, ' ') + "  " + f.found + "\n";
    if (!f.advice.empty()) out += std::string(kStateWidth + width + 2, ' ') + "-> " + f.advice + "\n";
  }
  return out;
}

}  // namespace

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
  if (check.ok()) {
    for (const auto& [key, secret] : check.config.secrets()) {
      if (const auto seen = exposed(secret)) note(key, *seen, "a file for its owner only: chmod 600", true);
      if (secret.from == SecretRef::From::kEnvironment ? std::getenv(secret.name.c_str()) == nullptr : !std::filesystem::exists(secret.name))
        note(key, secret.text() + ", which is not there", "the secret there when it runs", true);
    }
    const SecurityConfig& security = check.config.log.security;
    for (const auto& [key, file] : {std::pair{"ca", &security.ca}, std::pair{"certificate", &security.certificate}, std::pair{"key", &security.key}})
      if (!file->empty() && !std::filesystem::exists(*file)) note(std::string("log.security.") + key, "'" + *file + "', which is not there", "a PEM file", true);
  }
  std::vector<Finding> findings;
  if (!arguments.pipeline.data.empty()) check.config.data_dir = arguments.pipeline.data;
  if (arguments.connect && check.ok()) findings = check_connections(check.config);
  const auto wrong = std::find_if(findings.begin(), findings.end(), [](const Finding& f) { return f.state == Finding::State::kError; });
  const int code = !check.ok() ? kUsage : wrong != findings.end() ? exit_code_of(wrong->code) : kDone;
  if (arguments.json) {
    std::string out = std::string("{\"ok\":") + (code == kDone ? "true" : "false") + ",\"problems\":[";
    for (std::size_t i = 0; i < check.problems.size(); ++i) {
      const ConfigProblem& p = check.problems[i];
      out += std::string(i == 0 ? "" : ",") + "{\"warning\":" + (p.warning ? "true" : "false") + ",\"where\":" + json_text(p.where) + ",\"line\":" +
             std::to_string(p.line) + ",\"key\":" + json_text(p.key) + ",\"found\":" + json_text(p.found) + ",\"expected\":" + json_text(p.expected) +
             ",\"suggestion\":" + (p.suggestion.empty() ? "null" : json_text(p.suggestion)) + "}";
    }
    out += "]";
    if (arguments.connect) out += ",\"connections\":" + json_of(findings);
    print(out + "}\n");
    return code;
  }
  const bool colour = ::isatty(STDERR_FILENO) != 0;
  for (const ConfigProblem& problem : check.problems)
    std::fprintf(stderr, "%s%s%s\n", colour ? (problem.warning ? "\x1b[33m" : "\x1b[31m") : "", problem.text().c_str(), colour ? "\x1b[0m" : "");
  if (!check.ok()) return kUsage;
  if (arguments.print) print(to_yaml(check.config));
  else if (arguments.connect) print(table_of(findings, ::isatty(STDOUT_FILENO) != 0));
  else print(arguments.pipeline.config + ": pipeline '" + check.config.name + "' is fine\n");
  return code;
}

}  // namespace weir::cli
