// Each counter finds what is planted on its own thread, and nothing else.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/allocation_counter.hpp"
#include "tests/support/lock_counter.hpp"
#include "tests/support/syscall_counter.hpp"

namespace weir {
namespace {

template <class F> std::uint64_t allocations_of(F f) {
  const auto before = allocations_on_this_thread();
  f();
  return allocations_on_this_thread() - before;
}

template <class F> std::uint64_t locks_of(F f) {
  const auto before = locks_on_this_thread();
  f();
  return locks_on_this_thread() - before;
}

void* volatile sink;  // The compiler may otherwise remove an allocation.
void* kept(void* block) {
  sink = block;
  return block;
}

struct alignas(64) Aligned {
  char bytes[64];
};

TEST(AllocationCounter, CountsEachWayToAllocate) {
  EXPECT_EQ(allocations_of([] { free(kept(malloc(10))); }), 1u);
  EXPECT_EQ(allocations_of([] { free(kept(calloc(2, 10))); }), 1u);
  EXPECT_EQ(allocations_of([] { free(kept(aligned_alloc(64, 64))); }), 1u);
  EXPECT_EQ(allocations_of([] {
              void* block = nullptr;
              ASSERT_EQ(posix_memalign(&block, 128, 256), 0);
              EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 128, 0u);
              sink = block;
              free(block);
            }),
            1u);
  EXPECT_EQ(allocations_of([] {
              sink = malloc(10);
              sink = realloc(sink, 100'000);
              free(sink);
            }),
            2u);
  EXPECT_EQ(allocations_of([] {
              int* number = new int(1);
              sink = number;
              delete number;
            }),
            1u);
  EXPECT_EQ(allocations_of([] {
              auto* aligned = new Aligned;
              sink = aligned;
              delete aligned;
            }),
            1u);
}

TEST(AllocationCounter, CountsInsideLibraries) {
  std::string text;
  EXPECT_EQ(allocations_of([&] { text.assign(1'000, 'x'); }), 1u);  // Grown by libstdc++.so's own code.
}

TEST(AllocationCounter, SeesNothingInWarmCode) {
  std::vector<int> numbers;
  numbers.reserve(100);
  EXPECT_EQ(allocations_of([&] {
              for (int i = 0; i < 100; ++i) numbers.push_back(i);
              numbers.clear();
            }),
            0u);
}

TEST(AllocationCounter, CountsEachThreadAlone) {
  std::uint64_t there = 0;
  std::thread thread;
  thread = std::thread([&] {
    there = allocations_of([] {
      for (int i = 0; i < 100; ++i) free(kept(malloc(10)));
    });
  });
  const auto here = allocations_of([&] { thread.join(); });
  EXPECT_EQ(there, 100u);
  EXPECT_EQ(here, 0u);
}

TEST(LockCounter, CountsEachKindOfLock) {
  std::mutex mutex;
  std::recursive_mutex recursive;
  std::timed_mutex timed;
  std::shared_mutex shared;
  EXPECT_EQ(locks_of([&] { std::lock_guard held(mutex); }), 1u);
  EXPECT_EQ(locks_of([&] { std::lock_guard held(recursive); }), 1u);
  EXPECT_EQ(locks_of([&] { std::unique_lock held(mutex, std::try_to_lock); }), 1u);
  EXPECT_EQ(locks_of([&] { std::unique_lock held(timed, std::chrono::seconds(1)); }), 1u);
  EXPECT_EQ(locks_of([&] { std::shared_lock held(shared); }), 1u);
  EXPECT_EQ(locks_of([&] { std::unique_lock held(shared); }), 1u);
}

TEST(LockCounter, CountsAWait) {
  std::mutex mutex;
  std::condition_variable changed;
  EXPECT_EQ(locks_of([&] {
              std::unique_lock held(mutex);
              changed.wait_for(held, std::chrono::microseconds(1));
            }),
            2u);
}

TEST(LockCounter, SeesNothingWithoutOne) {
  auto shared = std::make_shared<int>(1);
  EXPECT_EQ(locks_of([&] { auto copy = shared; }), 0u);
}

TEST(SyscallCounter, CountsAndCarriesOut) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  ssize_t written = 0;
  ssize_t failed = 0;
  int error = 0;
  char buffer[8] = {};
  const auto report = count_syscalls([] {},
                                     [&] {
                                       written = write(pipe_ends[1], "seven!!", 7);
                                       written += read(pipe_ends[0], buffer, sizeof(buffer));
                                       failed = read(-1, buffer, 1);
                                       error = errno;
                                     });
  EXPECT_EQ(report.count, 3u);
  EXPECT_EQ(report.numbers, (std::vector<int>{SYS_write, SYS_read, SYS_read}));
  EXPECT_EQ(written, 14);
  EXPECT_STREQ(buffer, "seven!!");
  EXPECT_EQ(failed, -1);
  EXPECT_EQ(error, EBADF);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(SyscallCounter, PassesAllSixArguments) {
  void* mapped = nullptr;
  const auto report =
      count_syscalls([] {}, [&] { mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); });
  EXPECT_EQ(report.numbers, std::vector<int>{SYS_mmap});
  ASSERT_NE(mapped, MAP_FAILED);
  *static_cast<char*>(mapped) = 1;
  munmap(mapped, 4096);
}

TEST(SyscallCounter, CountsNeitherTheWarmUpNorOtherThreads) {
  std::uint64_t sum = 0;
  const auto report = count_syscalls([] { getppid(); },
                                     [&] {
                                       for (std::uint64_t i = 0; i < 1'000; ++i) sum += i;
                                     });
  EXPECT_EQ(report.count, 0u);
  EXPECT_EQ(report.numbers, std::vector<int>{});
  EXPECT_EQ(sum, 499'500u);
}

TEST(SyscallCounter, CountsAContendedLocksWait) {
  std::mutex mutex;
  mutex.lock();
  std::thread holder;
  const auto report = count_syscalls(
      [&] {
        holder = std::thread([&] {
          // glibc's word of a lock that somebody waits for, or is about to, is 2.
          while (std::atomic_ref<int>(mutex.native_handle()->__data.__lock).load() != 2) std::this_thread::yield();
          mutex.unlock();  // Taken by the main thread; a default glibc mutex lets another one release it.
        });
      },
      [&] { std::lock_guard held(mutex); });
  holder.join();
  ASSERT_GE(report.count, 1u);
  EXPECT_EQ(report.numbers[0], SYS_futex);
}

TEST(SyscallCounterDeathTest, EndsWhenTheWatchedCodeStartsAThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(count_syscalls([] {}, [] { std::thread([] {}).join(); }), testing::ExitedWithCode(134), "started a thread");
}

}  // namespace
}  // namespace weir
