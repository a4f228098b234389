#pragma once
// What a pipeline wants of its log, for a look at it before it starts.

#include <cstdint>
#include <string>
#include <vector>

#include "storage/topic_log.hpp"

namespace weir {

struct TopicUse {
  TopicSpec spec;
  bool read = false;     // By a task. Every topic may be read by tail and verify.
  bool written = false;
};

struct StorageUse {
  std::vector<TopicUse> topics;
  std::vector<std::string> tasks;
  Duration commit_interval{};
  std::uint64_t line_bytes_max = 0;
};

}  // namespace weir
