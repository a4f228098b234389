#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "core/base/simd.hpp"

namespace weir::cli {

Result<int> version_command(bool json) {
  const std::string used(name_of(simd_target()));
  std::string targets;
  for (const SimdTarget target : simd_targets()) targets += (targets.empty() ? "" : ",") + json_text(name_of(target));
  print(json ? "{\"version\":\"" WEIR_VERSION "\",\"config_version\":1,\"compiler\":\"" __VERSION__ "\",\"simd_target\":" + json_text(used) +
                   ",\"simd_targets\":[" + targets + "]}\n"
             : "weir " WEIR_VERSION " (config version 1, compiled by g++ " __VERSION__ ", vector instructions: " + used + ")\n");
  return kDone;
}

}  // namespace weir::cli
