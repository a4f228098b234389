#pragma once
// Prints a topic's records, each value as one JSON object a line.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "storage/topic_log.hpp"

namespace weir {

struct TailOptions {
  std::string topic;              // Short or full name.
  std::optional<PartitionId> partition;  // Else all: what is there now one after the other, so that the order is always the same.
  bool from_beginning = false;    // Else only what comes after now.
  bool follow = false;            // Go on past the end.
  bool envelope = false;          // {topic, partition, offset, key, event_time, headers, value}
  std::uint64_t limit = 0;        // Stop after so many; 0: no limit.
};

// The topic of that name: short ("predictions"), or full as the log knows it. kNotFound names those there are.
Result<TopicDescription> find_topic(const TopicLog& log, std::string_view name);

// Calls sink(lines) with one or more whole lines until the end, `stop`, or the sink returns false.
Result<void> tail_topic(TopicLog& log, const TailOptions& options, const std::atomic<int>* stop,
                        const std::function<bool(std::string_view)>& sink);

// One JSON array: each topic with its partitions, offsets, bytes, retention.
std::string topics_json(const TopicLog& log);

}  // namespace weir
