#pragma once
// What is done about a damaged data directory.

#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "pipelines/launcher.hpp"

namespace weir {

// Puts the damaged files aside (db.damaged-N), goes on from the newest backup that reads back whole, computes again up to
// where the directory was, and compares with what had been published, as far as the damaged files still tell. Ends there, also
// where the sources go on. Returns what was done, a line each. kNotFound: there is no backup. kCorruption: none is whole.
Result<std::vector<std::string>> repair_pipeline(const PipelineConfig& config, const RunOptions& options);

}  // namespace weir
