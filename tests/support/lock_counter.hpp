#pragma once
// Counts locks taken and waits begun per thread, by standing in front of pthread's mutexes, read-write locks, spin locks
// and condition variables in the whole program (libraries and std::mutex included). Link weir_lock_counter. Not under a
// sanitizer: list such a test below if(NOT WEIR_SANITIZE). A lock made of atomics alone is not seen; where it waits,
// the syscall counter sees it.

#include <cstdint>

namespace weir {

// Tries count, too: a try_lock on the tick is a lock on the tick. Always counting.
std::uint64_t locks_on_this_thread();

}  // namespace weir
