#include "cli/commands.hpp"
#include "cli/data_access.hpp"

namespace weir::cli {

Result<int> version_command(bool json) {
  print(json ? "{\"version\":\"" WEIR_VERSION "\",\"config_version\":1,\"compiler\":\"" __VERSION__ "\"}\n"
             : "weir " WEIR_VERSION " (config version 1, compiled by g++ " __VERSION__ ")\n");
  return kDone;
}

}  // namespace weir::cli
