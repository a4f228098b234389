#pragma once
// What a task's thread asks of the operating system: a core of its own, its priority. A refusal is no error:
// it is a warning that names what, and the task runs without.

#include <string>
#include <vector>

namespace weir {

// Cores this process may run on, ascending.
std::vector<int> allowed_cpus();
// Pins the calling thread. Returns a warning, or nothing.
std::string pin_thread(int cpu);
// While it lives, the calling thread and every thread that it starts keep off these cores, if any other is allowed.
class KeepOffCpus {
 public:
  explicit KeepOffCpus(const std::vector<int>& cpus);
  ~KeepOffCpus();
  KeepOffCpus(const KeepOffCpus&) = delete;
  KeepOffCpus& operator=(const KeepOffCpus&) = delete;

 private:
  std::vector<int> before_;  // Empty: nothing to restore.
};
// Raises the nice value of the calling thread (lower priority).
std::string set_thread_nice(int nice);
void name_thread(const std::string& name);  // Shown by top and perf; 15 characters.

}  // namespace weir
