#include "actors/runtime/thread_setup.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <string>

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

namespace {
int run_on(std::span<const int> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  return ::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
}
}  // namespace

KeepOffCpus::KeepOffCpus(const std::vector<int>& cpus) {
  std::vector<int> allowed = allowed_cpus();
  std::vector<int> others;
  for (const int cpu : allowed)
    if (std::find(cpus.begin(), cpus.end(), cpu) == cpus.end()) others.push_back(cpu);
  // Where the system refuses, threads share the cores as they would anyway.
  if (!others.empty() && others.size() < allowed.size() && run_on(others) == 0) before_ = std::move(allowed);
}

KeepOffCpus::~KeepOffCpus() {
  if (!before_.empty()) run_on(before_);
}

std::string pin_thread(int cpu) {
  const int error = run_on({&cpu, 1});
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

void name_thread(const std::string& name) { ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str()); }

}  // namespace weir
