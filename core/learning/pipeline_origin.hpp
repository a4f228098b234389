#pragma once
// What the snapshot of a pipeline (backward_pipeline, forward_pipeline) belongs to, by digests: settings, layers, samples.

#include <cstdint>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/learning/hashtron_trainer.hpp"

namespace weir {

void append_origin(std::uint64_t settings, const HashtronTrainer& trainer, ByteBuffer& out);
// kConfig: names the first that differs. `pipeline`: "backward pipeline".
Result<void> check_origin(ByteReader& in, std::string_view pipeline, std::uint64_t settings, const HashtronNetwork& network,
                          const HashtronSamples& train);

}  // namespace weir
