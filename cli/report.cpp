#include "pipelines/report.hpp"

#include <errno.h>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"

namespace weir::cli {

namespace {

// The commands to look further, as this program was called, so that they can be pasted.
std::string with_program_name(std::string text) {
  constexpr std::string_view kCommand = "\n  weir ";
  const std::string called = std::string("\n  ") + program_invocation_name + " ";
  for (std::size_t at = 0; (at = text.find(kCommand, at)) != std::string::npos; at += called.size()) text.replace(at, kCommand.size(), called);
  return text;
}

}  // namespace

Result<int> report_command(const ShowArguments& arguments) {
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  TRY_ASSIGN(DataAccess access, open_data(data_dir));
  if (access.running) {
    TRY_ASSIGN(const std::string text, ask(*access.running, std::string("{\"command\":\"report\",\"json\":") + (arguments.json ? "true}" : "false}")));
    print(arguments.json ? text : with_program_name(text));
    return kDone;
  }
  ReportInputs inputs;
  inputs.data_dir = data_dir;
  TRY_ASSIGN(const Report report, make_report(*access.log, inputs));
  print(arguments.json ? report_json(report) + "\n" : with_program_name(report_text(report, data_dir)));
  return kDone;
}

}  // namespace weir::cli
