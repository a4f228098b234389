#pragma once
// weir check --connect: looks at everything a pipeline is going to open, before it starts.

#include <vector>

#include "pipelines/pipeline_config.hpp"
#include "storage/finding.hpp"

namespace weir {

// Files, the data directory, secrets, and the log's brokers and topics. Changes nothing here, writes no record there (see
// storage/kafka_check.hpp), and takes about a minute at the worst. REQUIRES: the config is whole.
std::vector<Finding> check_connections(const PipelineConfig& config);

}  // namespace weir
