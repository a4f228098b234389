#include "core/learning/pipeline_origin.hpp"

#include <string>

namespace weir {

void append_origin(std::uint64_t settings, const HashtronTrainer& trainer, ByteBuffer& out) {
  out.append_fixed(settings);
  out.append_fixed(trainer.network().architecture_digest());
  out.append_fixed(trainer.train().digest());
}

Result<void> check_origin(ByteReader& in, std::string_view pipeline, std::uint64_t settings, const HashtronNetwork& network,
                          const HashtronSamples& train) {
  const struct {
    const char* what;
    std::uint64_t digest;
  } parts[] = {{"settings", settings}, {"layers", network.architecture_digest()}, {"samples", train.digest()}};
  for (const auto& [what, digest] : parts)
    if (in.fixed<std::uint64_t>() != digest)
      return Error{ErrorCode::kConfig, std::string(pipeline) + ": the snapshot is of other " + what +
                                           " than it is to go on with: use those, or begin anew"};
  return {};
}

}  // namespace weir
