#pragma once
// Committed records of one topic partition, in order.

#include <memory>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/records/record.hpp"

namespace weir {

// Used by one thread at a time; wake() may come from any.
class TopicReader {
 public:
  virtual ~TopicReader() = default;

  // The next batch (never empty), or nullptr if none was committed within `wait`: then the end of committed data had been
  // reached at that moment. Offsets may jump (compaction, retention): base() of the batch tells. kCorruption names topic,
  // partition and offset. kNotFound: retention has passed the position; seek to go on.
  virtual Result<std::shared_ptr<const RecordBatch>> poll(Duration wait) = 0;

  // The next poll gives records from `to` on.
  virtual Result<void> seek(Offset to) = 0;

  virtual Offset position() const = 0;  // The offset the next poll looks for.
  virtual Offset end() const = 0;       // One past the newest committed record now.

  // The same as last heard of, without asking anybody.
  virtual Offset known_end() const { return end(); }

  // Makes a poll that waits, or the next one, return at once.
  virtual void wake() = 0;
};

}  // namespace weir
