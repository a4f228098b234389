#pragma once
// The whole backend in memory: for tests, simulation and `verify --recompute`. Keeps every promise of the interfaces for as
// long as the object lives: a task store that is dropped and opened again finds its last commit, as after a restart.

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "storage/topic_log.hpp"

namespace weir {

class MemoryLog : public TopicLog {
 public:
  enum class Operation : std::uint8_t { kCommit, kRead };  // kRead: a poll that has a batch to give.
  // The `nth` such operation from now on, over all tasks and readers, fails with `error`. `after_effect`: it takes effect
  // all the same, as when an answer is lost on its way.
  struct Fault {
    Operation operation = Operation::kCommit;
    std::uint64_t nth = 1;
    Error error;
    bool after_effect = false;
  };
  virtual void fail(Fault fault) = 0;
  virtual std::uint64_t calls(Operation operation) const = 0;  // So far, failed ones included.
};

// `clock` gives append times and outlives the log.
std::unique_ptr<MemoryLog> make_memory_log(std::string pipeline, const Clock& clock);

}  // namespace weir
