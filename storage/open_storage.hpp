#pragma once
// Opens a log by its kind. The only file that names the backends.

#include <cstdint>
#include <memory>

#include "storage/embedded_log.hpp"
#include "storage/topic_log.hpp"

namespace weir {

enum class LogKind : std::uint8_t { kEmbedded, kMemory };

struct StorageOptions {
  LogKind kind = LogKind::kEmbedded;
  EmbeddedLogOptions embedded;  // kMemory takes its pipeline and clock.
};

Result<std::unique_ptr<TopicLog>> open_storage(const StorageOptions& options);

}  // namespace weir
