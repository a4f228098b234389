#pragma once
// Compaction by key, the part that is the same for every backend: which records of a partition stay.
//
// Rule: a record stays if its offset is at or beyond the floor, if it has no key, or if it is the newest of its key; a
// tombstone that is the newest of its key goes once it is older than the topic's `age`. Offsets never change: what
// stays of a batch becomes one batch for each run of neighbours.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/clock.hpp"
#include "core/records/record.hpp"

namespace weir {

class Compaction {
 public:
  // `floor`: records from here on stay. `now_us`, `tombstone_age`: in append time.
  Compaction(Offset floor, std::int64_t now_us, std::optional<Duration> tombstone_age)
      : floor_(floor), now_us_(now_us), tombstone_age_(tombstone_age) {}

  // First pass, every batch in order: learns the newest offset of each key. False if the batch is malformed.
  bool observe(const RecordBatch& batch);

  // Second pass: what stays of a batch. `changed` false: all of it, and `runs` is empty.
  struct Outcome {
    bool changed = false;
    std::vector<RecordBatch> runs;  // Dense, each with its own base and the batch's append time.
  };
  Outcome apply(const RecordBatch& batch) const;

 private:
  bool stays(Offset offset, const Record& record, std::int64_t append_time_us) const;

  Offset floor_;
  std::int64_t now_us_;
  std::optional<Duration> tombstone_age_;
  std::unordered_map<std::string, Offset> newest_;  // Looked up only, never walked.
};

}  // namespace weir
