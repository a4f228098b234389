#pragma once
// Lets one thread sleep until another has something for it. A futex: notify() without a sleeper is one atomic increment and
// one load; nothing is lost between a look and the sleep.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace weir {

class WakeSignal {
 public:
  // Take a ticket, look whether there is work, and if not, wait with the ticket.
  std::uint32_t ticket() const { return epoch_.load(std::memory_order_seq_cst); }

  void notify() {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) ::syscall(SYS_futex, address(), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

  // Returns at once if there was a notify() since the ticket, else at the next one or after `ns`.
  void wait(std::uint32_t ticket, std::int64_t ns) {
    if (ns <= 0) return;
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (epoch_.load(std::memory_order_seq_cst) == ticket) {
      timespec timeout{};
      timeout.tv_sec = ns / 1'000'000'000;
      timeout.tv_nsec = ns % 1'000'000'000;
      ::syscall(SYS_futex, address(), FUTEX_WAIT_PRIVATE, ticket, &timeout, nullptr, 0);
    }
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

 private:
  std::uint32_t* address() { return reinterpret_cast<std::uint32_t*>(&epoch_); }

  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::uint32_t> sleepers_{0};
};

}  // namespace weir
