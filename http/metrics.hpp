#pragma once
// What /metrics says of a running pipeline. docs/operations.md lists every name.

#include <string>

#include "pipelines/running_pipeline.hpp"

namespace weir {

// Reads what the tasks' threads write all the time anyway: no lock that they would wait for. Null: no pipeline runs yet, or any more;
// then only what concerns the process.
std::string metrics_text(const PipelineConfig& config, const RunningPipeline* pipeline);

}  // namespace weir
