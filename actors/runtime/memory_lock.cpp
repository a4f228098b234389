#include "actors/runtime/memory_lock.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <vector>

namespace weir {
namespace {

constexpr std::uint64_t kUnlimited = UINT64_MAX;
constexpr std::uint64_t kRegionBytesMax = std::uint64_t(64) << 30;  // Larger ones are reservations of address space.
constexpr std::uint64_t kGapPages = 16;                              // Runs of touched pages this close are locked as one.

std::atomic<bool> limited{false};
std::atomic<bool> warned{false};

struct Range {
  std::uintptr_t begin, end;
  std::uint64_t bytes() const { return end - begin; }
};

std::uint64_t status_number(std::string_view name, int base) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line))
    if (line.starts_with(name)) return std::stoull(line.substr(name.size()), nullptr, base);
  return 0;
}

// What the kernel allows this process; with CAP_IPC_LOCK it does not apply RLIMIT_MEMLOCK.
std::uint64_t limit_bytes() {
  constexpr std::uint64_t kIpcLock = std::uint64_t(1) << 14;
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY || (status_number("CapEff:", 16) & kIpcLock) != 0 ? kUnlimited : limit.rlim_cur;
}

std::uint64_t locked_bytes() { return status_number("VmLck:", 10) * 1024; }

// Private, writable, of no file: heap, large allocations, stacks.
std::vector<Range> own_memory() {
  std::vector<Range> out;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    Range range{};
    char permissions[5] = {};
    unsigned long inode = 1;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &range.begin, &range.end, permissions, &inode) != 4) continue;
    if (std::string_view(permissions) == "rw-p" && inode == 0 && range.bytes() < kRegionBytesMax) out.push_back(range);
  }
  return out;
}

// The runs of touched pages in a range.
void append_touched(const Range& range, std::uintptr_t page, std::vector<Range>& out) {
  std::vector<unsigned char> present(range.bytes() / page);
  if (::mincore(reinterpret_cast<void*>(range.begin), range.bytes(), present.data()) != 0) return;  // Unmapped meanwhile.
  const std::size_t first = out.size();
  for (std::size_t i = 0; i < present.size(); ++i) {
    if ((present[i] & 1) == 0) continue;
    const std::uintptr_t begin = range.begin + i * page;
    if (out.size() > first && begin - out.back().end <= kGapPages * page)
      out.back().end = begin + page;
    else
      out.push_back({begin, begin + page});
  }
}

struct Outcome {
  std::uint64_t wanted = 0;
  std::uint64_t locked = 0;
  int error = 0;  // Of the first refusal that is not the limit.
};

Outcome lock_up_to(std::uint64_t limit) {
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  std::vector<Range> regions = own_memory();
  const auto here = reinterpret_cast<std::uintptr_t>(&regions);  // On the caller's stack.
  const auto rank = [&](const Range& range) { return here >= range.begin && here < range.end ? 0 : range.bytes(); };
  std::sort(regions.begin(), regions.end(), [&](const Range& a, const Range& b) { return rank(a) != rank(b) ? rank(a) < rank(b) : a.begin < b.begin; });
  std::vector<Range> touched;
  for (const Range& region : regions) append_touched(region, page, touched);
  Outcome out;
  bool full = false;
  for (const Range& range : touched) {
    out.wanted += range.bytes();
    // Up to the limit, page for page: what of a run is locked already counts once, so the room is known only by trying.
    for (std::uint64_t bytes = range.bytes(); !full && bytes >= page;) {
      if (::mlock2(reinterpret_cast<void*>(range.begin), bytes, MLOCK_ONFAULT) == 0) {
        full = bytes < range.bytes();
        break;
      }
      if (errno != ENOMEM && errno != EPERM && errno != EAGAIN) {
        if (out.error == 0) out.error = errno;
        break;
      }
      const std::uint64_t before = locked_bytes();
      const std::uint64_t room = limit > before ? (limit - before) / page * page : 0;
      if (room == 0) full = true;
      // ENOMEM is also what a range gives that was unmapped meanwhile: then there is room, and the range is left.
      if (room >= bytes) break;
      bytes = room;
    }
  }
  out.locked = locked_bytes();
  return out;
}

std::string kib(std::uint64_t bytes) { return std::to_string(bytes / 1024); }

std::string warning_of(const Outcome& outcome, std::uint64_t limit) {
  if (outcome.locked >= outcome.wanted && outcome.error == 0) return {};
  warned.store(true, std::memory_order_relaxed);
  return "memory locked in part: " + kib(outcome.locked) + " of the task's " + kib(outcome.wanted) + " KiB" +
         (outcome.error != 0 ? std::string(" (") + std::strerror(outcome.error) + ")" : "") + "; the limit (RLIMIT_MEMLOCK) is " + kib(limit) +
         " KiB: raise it ('ulimit -l unlimited', LimitMEMLOCK=infinity) or set placement.lock_memory to false";
}

}  // namespace

std::string lock_memory() {
  const std::uint64_t limit = limit_bytes();
  if (limit == kUnlimited) {
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return {};
    return std::string("memory not locked: ") + std::strerror(errno) + "; run with CAP_IPC_LOCK or set placement.lock_memory to false";
  }
  limited.store(true, std::memory_order_relaxed);
  return warning_of(lock_up_to(limit), limit);
}

std::string lock_new_memory() {
  if (!limited.load(std::memory_order_relaxed)) return {};
  const std::uint64_t limit = limit_bytes();
  const bool told = warned.load(std::memory_order_relaxed);
  const std::string warning = warning_of(lock_up_to(limit), limit);
  return told ? std::string() : warning;
}

MemoryLockState memory_lock_state() { return {locked_bytes(), limit_bytes()}; }

}  // namespace weir
