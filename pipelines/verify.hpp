#pragma once
// Reads what a pipeline consumed and published and checks what must hold (docs/architecture.md §3), from the topics alone.

#include <cstdint>
#include <functional>
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
  std::vector<Offset> waiting_labels;  // Outcomes consumed that wait for their event, ascending.
  ModelVersion version;          // Served.
  bool free_learning = false;
  bool logs_from_topic = false;      // Of this log; else the offsets count a file's lines.
  bool outcomes_from_topic = false;
  bool doubles = false;              // delivery: at_least_once: what was published after the last commit is published again.
  PartitionId model{0};              // Whose versions the predictions name: a partition of `models`.
};
// What has been consumed by now, where other processes may go on while the topics are read.
using ConsumedNow = std::function<Result<Consumed>()>;

// Adds what it finds in that partition to `report`:
// - every consumed `logs` offset gave exactly one of prediction, abstained, dead letter;
// - every consumed `outcomes` offset gave exactly one of example, unjoined, or is one of the waiting labels;
// - predictions, abstained and dead letters keep the order of the logs; no output names an offset that was not consumed, or at
//   which there is no record;
// - model versions never go back along `predictions`, and each one named exists.
// With `doubles` an offset may be answered again (report.doubled), also beyond what is consumed; everything else holds. What is
// answered for the first time keeps the order; versions go back only at or behind an answer that was given again; and of the consumed
// offsets that were answered once, each version named exists. (A version that was lost with what was not committed can be named only
// by answers that were given again, or are not consumed yet.)
// Gaps in the topics' own offsets (compaction, control records) are not missing records; what retention has cut from the
// outputs is left out, and from inputs with gaps, too.
//
// `consumed` is from before the call. `now`: may be empty where nothing moves; else it is asked once the outputs have been read:
// what they answer beyond `consumed` must have been consumed by then. Takes a bit of memory for each offset.
Result<void> verify_topics(TopicLog& log, const Consumed& consumed, const ConsumedNow& now, VerifyReport& report);

}  // namespace weir
