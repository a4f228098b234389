#include "tests/support/syscall_counter.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/base/check.hpp"

// One system call whose return address the filter knows and lets through: the handler's own.
extern "C" {
long weir_let_through(long number, long a, long b, long c, long d, long e, long f);
extern const char weir_let_through_return[];
}

#if defined(__x86_64__)
asm(R"(
  .text
  .globl weir_let_through
  .globl weir_let_through_return
  .type weir_let_through, @function
weir_let_through:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  mov %r8, %r10
  mov %r9, %r8
  mov 8(%rsp), %r9
  syscall
weir_let_through_return:
  ret
  .size weir_let_through, .-weir_let_through
)");
#define WEIR_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
asm(R"(
  .text
  .globl weir_let_through
  .globl weir_let_through_return
  .type weir_let_through, %function
weir_let_through:
  mov x8, x0
  mov x0, x1
  mov x1, x2
  mov x2, x3
  mov x3, x4
  mov x4, x5
  mov x5, x6
  svc #0
weir_let_through_return:
  ret
  .size weir_let_through, .-weir_let_through
)");
#define WEIR_AUDIT_ARCH AUDIT_ARCH_AARCH64
#else
#error "syscall_counter: an own system call stub is needed for this architecture"
#endif

namespace weir {
namespace {

constexpr std::size_t kKept = 16;
constinit bool counting = false;  // All three belong to the watched thread while it runs.
constinit std::uint64_t count = 0;
constinit std::array<int, kKept> numbers{};

bool starts_a_thread_or_process(int number) {
#if defined(__x86_64__)
  if (number == SYS_fork || number == SYS_vfork) return true;
#endif
  return number == SYS_clone || number == SYS_clone3;
}

void on_trap(int, siginfo_t* info, void* raw) {
  const int number = info->si_syscall;
  if (starts_a_thread_or_process(number)) {
    static constexpr char kMessage[] = "count_syscalls: the watched code started a thread or a process\n";
    weir_let_through(SYS_write, STDERR_FILENO, reinterpret_cast<long>(kMessage), sizeof(kMessage) - 1, 0, 0, 0);
    weir_let_through(SYS_exit_group, 134, 0, 0, 0, 0, 0);
  }
  if (counting) {
    if (count < kKept) numbers[count] = number;
    ++count;
  }
  auto& machine = static_cast<ucontext_t*>(raw)->uc_mcontext;
#if defined(__x86_64__)
  auto& r = machine.gregs;
  r[REG_RAX] = weir_let_through(number, r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]);
#else
  auto& r = machine.regs;
  r[0] = weir_let_through(number, r[0], r[1], r[2], r[3], r[4], r[5]);
#endif
}

void trap_this_thread() {
  const auto address = reinterpret_cast<std::uint64_t>(weir_let_through_return);
  constexpr auto kLow = offsetof(seccomp_data, instruction_pointer);
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WEIR_AUDIT_ARCH, 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 5, 0),  // The handler's way back.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kLow),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(address), 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kLow + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(address >> 32), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(filter), .filter = const_cast<sock_filter*>(filter)};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

}  // namespace

SyscallReport count_syscalls(const std::function<void()>& warm_up, const std::function<void()>& watched) {
  struct sigaction action {};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  struct sigaction before {};
  CHECK(sigaction(SIGSYS, &action, &before) == 0);

  SyscallReport report;
  std::thread([&] {
    warm_up();
    trap_this_thread();
    count = 0;
    counting = true;
    watched();
    counting = false;
    report.count = count;
    report.numbers.assign(numbers.begin(), numbers.begin() + std::ptrdiff_t(std::min<std::uint64_t>(count, kKept)));
  }).join();
  CHECK(sigaction(SIGSYS, &before, nullptr) == 0);
  return report;
}

}  // namespace weir
