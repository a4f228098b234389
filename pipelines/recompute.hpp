#pragma once
// Computes tasks again from their inputs and their order alone, in memory, and compares what they publish.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/runtime/task_plan.hpp"
#include "core/base/result.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// The log's topics whose records are the same however often they are computed.
std::vector<Topic> compared_topics(const TopicLog& log);

struct RecomputeProgress {
  std::uint64_t records = 0;  // Input records processed so far.
};

// Runs every task of `plans` over the order that `original` keeps for it, writing to `copy`, an empty log with the same
// topics. Inputs that no task of `plans` writes are read from `original` (or their files), the others from `copy`; so each
// task goes on as far as what it reads has been computed. kNotFound: the order or an input no longer reaches back to the
// first record. kCorruption: a task's order asks for a record that is never computed.
Result<void> recompute(const std::vector<TaskPlan>& plans, TopicLog& original, TopicLog& copy, const Clock& clock,
                       const std::function<bool(const RecomputeProgress&)>& go_on);

// Compares the sequences of (key, value, weir-* headers) of one partition. Each difference: topic, partition, offset, what was
// found and expected; what retention or compaction took from `original` is left out, and, with kPublished, what `copy` has beyond
// its end. Returns the number of differences; at most `texts_max` are described.
enum class CompareTo : std::uint8_t { kEnd, kPublished };
Result<std::uint64_t> compare_topic(Topic topic, PartitionId partition, TopicLog& original, TopicLog& copy, CompareTo to,
                                    std::size_t texts_max, std::vector<std::string>& texts);

}  // namespace weir
