#pragma once
// Opens a log by its kind. The only file that names the backends.

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/embedded_log.hpp"
#include "storage/finding.hpp"
#include "storage/kafka_log.hpp"
#include "storage/storage_use.hpp"
#include "storage/topic_log.hpp"

namespace weir {

enum class LogKind : std::uint8_t { kEmbedded, kMemory, kKafka };

struct StorageOptions {
  LogKind kind = LogKind::kEmbedded;
  EmbeddedLogOptions embedded;  // kMemory takes its pipeline and clock; kKafka these, read_only and, for its local store, the rest.
  KafkaLogOptions kafka;
};

Result<std::unique_ptr<TopicLog>> open_storage(const StorageOptions& options);

// How far a task has come that this process does not run: what the log tells of it, or, where it keeps nothing apart, what opening
// the task shows (kInUse: a process runs it).
Result<TaskProgress> progress_at_rest(TopicLog& log, const TaskSpec& spec);

// What opening it for writing would meet, without doing so.
std::vector<Finding> check_storage(const StorageOptions& options, const StorageUse& use);

}  // namespace weir
