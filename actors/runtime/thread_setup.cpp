#include "actors/runtime/thread_setup.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir {

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

std::string pin_thread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
  if (error == 0) return {};
  return "not pinned to core " + std::to_string(cpu) + ": " + std::strerror(error) +
         "; set placement.pin to cores this process may use, or to 'off'";
}

std::string set_thread_nice(int nice) {
  if (nice == 0) return {};
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  if (::setpriority(PRIO_PROCESS, thread, nice) == 0) return {};
  return "priority of the thread not lowered to " + std::to_string(nice) + ": " + std::strerror(errno);
}

std::string lock_memory() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return std::string("memory not locked: ") + std::strerror(errno);
  if (limit.rlim_cur != RLIM_INFINITY)
    return "memory not locked: the limit is " + std::to_string(limit.rlim_cur / 1024) +
           " KiB; raise it ('ulimit -l unlimited', LimitMEMLOCK=infinity) or set placement.lock_memory to false";
  if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return {};
  return std::string("memory not locked: ") + std::strerror(errno) +
         "; run with CAP_IPC_LOCK or set placement.lock_memory to false";
}

void name_thread(const std::string& name) { ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str()); }

}  // namespace weir
