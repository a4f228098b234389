// The backends that need nothing but this process and a directory.

#include "tests/storage/storage_support.hpp"

namespace weir {

std::vector<BackendKind> contract_backends() {
  return {
      {"memory", [](const Clock& clock) { return std::make_unique<MemoryBackend>(clock); }},
      {"embedded", [](const Clock& clock) { return std::make_unique<EmbeddedBackend>(clock); }},
      {"embedded_small_batches", [](const Clock& clock) { return std::make_unique<EmbeddedBackend>(clock, 100); }},
  };
}

}  // namespace weir
