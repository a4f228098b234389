#pragma once
// Reads what a pipeline consumed and published and checks what must hold (docs/architecture.md §3), from the topics alone.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "pipelines/launcher.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// What was consumed in one partition, from its inference task's committed state.
struct Consumed {
  PartitionId partition;
  std::string logs_topic;        // As source headers name it.
  std::string outcomes_topic;
  Offset logs;                   // First offset not consumed.
  Offset outcomes;
  std::uint64_t waiting_labels = 0;  // Outcomes consumed that wait for their event.
  ModelVersion version;          // Served.
  bool free_learning = false;
  bool logs_from_topic = false;      // Of this log; else the offsets count a file's lines.
  bool outcomes_from_topic = false;
};

// Adds what it finds in that partition to `report`:
// - every consumed `logs` offset gave exactly one of prediction, abstained, dead letter;
// - every consumed `outcomes` offset gave exactly one of example, unjoined, or is one of the waiting labels;
// - predictions, abstained and dead letters keep the order of the logs; no output names an offset that was not consumed;
// - model versions never go back along `predictions`, and each one named exists.
// Gaps in the topics' own offsets (compaction, control records) are not missing records; what retention has cut from the
// outputs is left out, and from inputs with gaps, too.
Result<void> verify_topics(TopicLog& log, const Consumed& consumed, VerifyReport& report);

}  // namespace weir
