#include "storage/open_storage.hpp"

#include "storage/memory_log.hpp"

namespace weir {

Result<std::unique_ptr<TopicLog>> open_storage(const StorageOptions& options) {
  switch (options.kind) {
    case LogKind::kEmbedded: return open_embedded_log(options.embedded);
    case LogKind::kMemory:
      return std::unique_ptr<TopicLog>(make_memory_log(options.embedded.pipeline, *options.embedded.clock));
  }
  CHECK(false);
}

}  // namespace weir
