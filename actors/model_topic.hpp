#pragma once
// The topic `models`: {version, CRC} or a whole version, in parts where it is large. And `candidates`: whole versions.

#include "actors/served_model.hpp"
#include "actors/stage.hpp"
#include "core/records/codec.hpp"

namespace weir {

class ModelWriter {
 public:
  explicit ModelWriter(PartitionId partition) : partition_(partition) {}
  void append_crc(const ServedModel& model, EventTime time, const Source& source, Output& out);
  void append_whole(const ServedModel& model, EventTime time, const Source& source, Output& out);
  // To `candidates`. `loss`: its mean over so many examples that it does not learn from.
  void append_candidate(const ServedModel& model, double loss, std::uint64_t examples, EventTime time, const Source& source,
                        Output& out);

 private:
  void append(const ModelVersionRecord& record, const Source& source, Output& out);
  ModelVersionRecord record_of(const ServedModel& model, EventTime time) const;

  PartitionId partition_;
  ByteBuffer file_, value_, candidate_;  // Reused.
};

// Puts whole versions together again. Parts of an unfinished one belong to its owner's state.
class ModelAssembly {
 public:
  // Takes one record of the topic. True: `model` now holds the parameters and version it completed. False: it was a CRC, a part
  // of more, or a version that is not newer than `model`. kCorruption, kInvalidInput: it does not decode or fit.
  Result<bool> take(std::string_view value, ServedModel& model);

  void save(StateWriter& writer);
  Result<void> load(const StageState& state);

 private:
  Result<bool> complete(ServedModel& model);
  std::vector<std::string> parts_;  // Values as they came, all of one version.
  std::uint32_t saved_ = 0;         // Of parts_, as many are in the committed state.
  std::uint32_t stale_ = 0;         // Entries there that are to be erased.
};

}  // namespace weir
