#pragma once
// Keeps the process's memory from being paged out, as far as the system lets it (placement.lock_memory).
//
// Without a limit (RLIMIT_MEMLOCK infinite, or CAP_IPC_LOCK): all pages, now and later, once they are touched. Under a limit that
// cannot be asked for: new mappings and threads would fail when it is reached. There the touched pages of the task's stack and
// of the heap are locked one mapping after the other until the limit is full, the small mappings first: they hold what every
// record needs (weights, scaler, transactions), the large ones tables of which a record needs a few lines.

#include <cstdint>
#include <string>

namespace weir {

// Call on the task's thread, once its state is loaded. Returns a warning that names what is not locked and why, or nothing.
std::string lock_memory();
// Locks what has been allocated since, where lock_memory() has found a limit. For the monitor, from time to time. Returns such a
// warning the first time that there is one in this process.
std::string lock_new_memory();

struct MemoryLockState {
  std::uint64_t locked_bytes = 0;
  std::uint64_t limit_bytes = 0;  // UINT64_MAX: none.
};
MemoryLockState memory_lock_state();

}  // namespace weir
