#pragma once
// What an actor drives: a loop cut into turns. Knows no thread and no actor.

#include <cstdint>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"

namespace weir {

enum class Turn : std::uint8_t {
  kProgress,  // Did something; call again.
  kWait,      // Nothing to do: wait() before the next call.
  kDrained,   // Told once: its sources have ended, all that comes of them is committed, and only feedback is still to be taken.
  kEnded,     // Everything is done and committed.
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual Result<Turn> turn() = 0;
  // Sleeps until there is something to do or `limit` has passed.
  virtual void wait(Duration limit) = 0;
  // Any thread: takes nothing new; the next turns finish what is there, then kEnded.
  virtual void stop() = 0;
};

}  // namespace weir
