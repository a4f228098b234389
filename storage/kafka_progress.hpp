#pragma once
// How far a task is, whoever runs it: from the end of its changelog. Internal to the kafka_* files.

#include <string>

#include "storage/kafka_client.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// kNotFound: it has never committed.
Result<TaskProgress> read_kafka_progress(const KafkaLogOptions& options, const KafkaAdmin& admin, const std::string& changelog, PartitionId partition);

}  // namespace weir
