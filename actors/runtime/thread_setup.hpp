#pragma once
// What a task's thread asks of the operating system: a core of its own, its priority, memory that stays. A refusal is no error:
// it is a warning that names what, and the task runs without.

#include <string>
#include <vector>

namespace weir {

// Cores this process may run on, ascending.
std::vector<int> allowed_cpus();
// Pins the calling thread. Returns a warning, or nothing.
std::string pin_thread(int cpu);
// Raises the nice value of the calling thread (lower priority).
std::string set_thread_nice(int nice);
// Keeps the process's memory from being paged out, where that can be promised: only pages that have been touched, and only
// without a limit (under a limit new mappings would fail instead).
std::string lock_memory();
void name_thread(const std::string& name);  // Shown by top and perf; 15 characters.

}  // namespace weir
