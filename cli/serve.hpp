#pragma once
// What a running pipeline answers on its control socket: tail, topics, status, report, produce.

#include <atomic>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "pipelines/control_socket.hpp"
#include "pipelines/running_pipeline.hpp"

namespace weir::cli {

// Starts answering for `pipeline`, which outlives the server. `http`: the address of its HTTP server; empty: it has none.
Result<std::unique_ptr<ControlServer>> serve(RunningPipeline& pipeline, const std::string& http);

std::string status_json(RunningPipeline& pipeline, const std::string& http);

}  // namespace weir::cli
