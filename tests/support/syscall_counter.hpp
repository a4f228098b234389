#pragma once
// Counts the system calls of a piece of code, by a seccomp filter in a thread of its own: each call traps, is counted,
// and is carried out. What the vDSO answers (clock_gettime) is no system call. Not under a sanitizer, whose runtime calls
// the system itself: list such a test below if(NOT WEIR_SANITIZE).

#include <cstdint>
#include <functional>
#include <vector>

namespace weir {

struct SyscallReport {
  std::uint64_t count = 0;
  std::vector<int> numbers;  // The first 16 calls, as in <sys/syscall.h>: which they were.
};

// Runs `warm_up`, then `watched`, on a new thread; reports the calls of `watched` alone. One at a time in a process.
// REQUIRES: `watched` starts no thread and no process (the process aborts with a message), and does not rely on a signal
// mask that it sets.
SyscallReport count_syscalls(const std::function<void()>& warm_up, const std::function<void()>& watched);

}  // namespace weir
