#include "pipelines/report.hpp"

#include "cli/commands.hpp"
#include "cli/data_access.hpp"

namespace weir::cli {

Result<int> report_command(const ShowArguments& arguments) {
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  TRY_ASSIGN(DataAccess access, open_data(data_dir));
  if (access.running) {
    TRY_ASSIGN(const std::string text, ask(*access.running, std::string("{\"command\":\"report\",\"json\":") + (arguments.json ? "true}" : "false}")));
    print(text);
    return kDone;
  }
  ReportInputs inputs;
  inputs.data_dir = data_dir;
  TRY_ASSIGN(const Report report, make_report(*access.log, inputs));
  print(arguments.json ? report_json(report) + "\n" : report_text(report, data_dir));
  return kDone;
}

}  // namespace weir::cli
