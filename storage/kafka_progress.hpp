#pragma once
// How far a task is, whoever runs it: from the end of its changelog. Internal to the kafka_* files.

#include <string>

#include "storage/kafka_core.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// kNotFound: it has never committed.
Result<TaskProgress> read_kafka_progress(KafkaCore& core, const std::string& changelog, PartitionId partition);

}  // namespace weir
