#pragma once
// Opens a log by its kind. The only file that names the backends.

#include <cstdint>
#include <memory>

#include "storage/embedded_log.hpp"
#include "storage/kafka_log.hpp"
#include "storage/topic_log.hpp"

namespace weir {

enum class LogKind : std::uint8_t { kEmbedded, kMemory, kKafka };

struct StorageOptions {
  LogKind kind = LogKind::kEmbedded;
  EmbeddedLogOptions embedded;  // kMemory takes its pipeline and clock; kKafka these, read_only and, for its local store, the rest.
  KafkaLogOptions kafka;
};

Result<std::unique_ptr<TopicLog>> open_storage(const StorageOptions& options);

}  // namespace weir
