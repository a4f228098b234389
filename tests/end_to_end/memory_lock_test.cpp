// Goal: under a limit on locked memory as much is locked as it allows, the program goes on, and says how much that is.
#include "actors/runtime/memory_lock.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// The kernel applies the limit to nobody who has CAP_IPC_LOCK.
bool give_up_ipc_lock() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  data[0].effective &= ~(1U << CAP_IPC_LOCK);
  return ::syscall(SYS_capset, &header, data) == 0;
}

// Runs `body` in a child under the limit; its words if something was not as it should be.
template <class Body> std::string in_child(std::uint64_t limit, Body body) {
  int pipe[2];
  if (::pipe(pipe) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit memory{limit, limit};
    std::string wrong = ::setrlimit(RLIMIT_MEMLOCK, &memory) == 0 && give_up_ipc_lock() ? "" : "cannot set the limit";
    if (wrong.empty()) wrong = body();
    if (::write(pipe[1], wrong.data(), wrong.size()) != static_cast<ssize_t>(wrong.size())) ::_exit(2);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string wrong;
  char buffer[4096];
  for (ssize_t got; (got = ::read(pipe[0], buffer, sizeof buffer)) > 0;) wrong.append(buffer, static_cast<std::size_t>(got));
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? wrong : "the child ended with status " + std::to_string(status) + " " + wrong;
}

TEST(MemoryLock, UnderALimitAsMuchIsLockedAsItAllows) {
  EXPECT_EQ(in_child(2 * kMiB, [] {
    std::vector<char> table(16 * kMiB, 'x');
    const std::string warning = lock_memory();
    const MemoryLockState state = memory_lock_state();
    if (!warning.starts_with("memory locked in part: ")) return "warning: " + warning;
    if (warning.find("the limit (RLIMIT_MEMLOCK) is 2048 KiB") == std::string::npos) return "no limit in: " + warning;
    if (warning.find(" " + std::to_string(state.locked_bytes / 1024) + " of the task's ") == std::string::npos) return "other sum in: " + warning;
    if (state.limit_bytes != 2 * kMiB) return "limit " + std::to_string(state.limit_bytes);
    if (state.locked_bytes < kMiB || state.locked_bytes > 2 * kMiB) return "locked " + std::to_string(state.locked_bytes);
    // What comes later is not refused.
    std::vector<char> later(64 * kMiB, 'y');
    std::thread([] {}).join();
    lock_new_memory();
    return memory_lock_state().locked_bytes > 2 * kMiB ? std::string("over the limit") : std::string();
  }), "");
}

TEST(MemoryLock, WithRoomAllOfItIsLockedAndWhatComesLaterToo) {
  // 8 MiB: what Debian gives every process.
  EXPECT_EQ(in_child(8 * kMiB, [] {
    std::vector<char> table(kMiB, 'x');
    if (const std::string warning = lock_memory(); !warning.empty()) return warning;
    const std::uint64_t first = memory_lock_state().locked_bytes;
    if (first < kMiB) return "locked " + std::to_string(first);
    std::vector<char> later(kMiB, 'y');
    lock_new_memory();
    const std::uint64_t second = memory_lock_state().locked_bytes;
    return second < first + kMiB ? "then " + std::to_string(second) + " after " + std::to_string(first) : std::string();
  }), "");
}

TEST(MemoryLock, StatusShowsIt) {
  const TemporaryDirectory directory;
  const FlightFiles files = cut_flights(directory.path(), 2'000);
  const FlightsRun run(directory / "data", files, {"sources.logs.follow=true", "sources.outcomes.follow=true", "placement.lock_memory=true"});
  std::vector<std::string> arguments = {"/bin/sh", "-c", "ulimit -l 4096 && exec \"$@\"", "sh"};
  if (::geteuid() == 0) arguments.insert(arguments.end(), {"setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"});
  arguments.push_back(weir_binary().string());
  for (std::string& argument : run.arguments("run", {"--quiet"})) arguments.push_back(std::move(argument));
  Process process(arguments);
  std::string status;
  EXPECT_TRUE(wait_until([&] {
    status = run_weir({"status", "--json", "--data", run.data.string()}).out;
    return status.find("memory locked in part: ") != std::string::npos || !process.running();
  })) << status;
  EXPECT_EQ(json_value(status, "memory_lock_limit_bytes"), std::to_string(4 * kMiB)) << status << process.err();
  const std::uint64_t locked = std::stoull("0" + json_value(status, "memory_locked_bytes"));
  EXPECT_GT(locked, 2 * kMiB) << status;
  EXPECT_LE(locked, 4 * kMiB) << status;
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  EXPECT_NE(process.err().find("warning: memory locked in part: "), std::string::npos) << process.err();
}

}  // namespace
}  // namespace weir
