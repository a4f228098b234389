#pragma once
// Which of a pipeline's partitions this process runs, where several processes share them.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"
#include "core/records/topics.hpp"

namespace weir {

struct MembershipOptions {
  Topic topic = Topic::kLogs;  // Whose partitions are shared.
  std::string only;  // Says which of the tasks it runs, and it shares with its like; empty: all tasks.
  std::string process;  // Under this name; two live processes must not have the same.
  Duration session_timeout = std::chrono::seconds(6);  // So long after a process's last sign of life others take over.
  std::uint32_t standbys = 0;  // So many other processes keep a copy of each partition's state.
};

struct MembershipChange {
  enum class Kind : std::uint8_t {
    kRebalancing,  // Partitions are about to be dealt out anew: from now on others may take what is still this process's.
    kLost,         // The same, after the others had to take this process for dead.
    kAssigned,     // `partitions` are this process's, no others are.
    kStandby,      // Of the others it stands by for these, no others. Comes after kAssigned, where standbys are wanted.
  };
  Kind kind = Kind::kAssigned;
  std::vector<PartitionId> partitions;  // kAssigned, kStandby: in order.
};

// Used by one thread at a time, but for will_not_return().
class Membership {
 public:
  virtual ~Membership() = default;
  using Tell = std::function<void(const MembershipChange&)>;
  // Tells of changes as they come, for `wait`; must be called again within seconds. `tell` returns at once: the other
  // processes wait for it. kFenced: another process has joined under this name.
  virtual Result<void> poll(Duration wait, const Tell& tell) = 0;
  // Any thread: once this object is gone others take over at once. Else they wait for the process until the session timeout has
  // passed: it may be starting again.
  virtual void will_not_return() = 0;
};

// A process that shares the pipeline's partitions.
struct Member {
  std::string process;
  std::string host;
  std::string only;  // See MembershipOptions.
  std::vector<PartitionId> partitions;
};

// The partitions for which `process` stands by: those of the `standbys` members before it, the first one coming after the last.
// `members`: ordered by name.
std::vector<PartitionId> standby_partitions(const std::vector<Member>& members, const std::string& process, std::uint32_t standbys);

}  // namespace weir
