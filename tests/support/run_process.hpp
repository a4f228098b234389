#pragma once
// Other processes in tests: the weir program above all. Output goes to files, so that a silent reader blocks nobody.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/temporary_directory.hpp"

namespace weir {

// Only what hangs takes longer: a limit in a test must hold on a machine that is busy with other work, under a sanitizer, too.
inline constexpr std::chrono::milliseconds kHangLimit = std::chrono::minutes(4);

std::filesystem::path weir_binary();        // build/…/weir of this build.
std::filesystem::path project_directory();  // Where README.md is: configs and shipped data.

struct ProcessOptions {
  std::filesystem::path directory = {};                       // Empty: this process's.
  std::vector<std::pair<std::string, std::string>> env = {};  // Added to this process's environment.
  bool pipe_stdin = false;                                    // Else its standard input is empty.
};

struct ExitStatus {
  int code = -1;   // -1 if it did not exit by itself.
  int signal = 0;  // 0 if no signal ended it.
  bool operator==(const ExitStatus&) const = default;
};

// A running child. When this object goes, the child is killed if it still runs; it also dies with the thread that made it.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments, const ProcessOptions& options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void send_signal(int signal);  // Nothing happens when it has ended.
  // Waits for its end; past the time limit kills it and throws std::runtime_error with what it had printed.
  ExitStatus wait(std::chrono::milliseconds limit = kHangLimit);

  void write_stdin(std::string_view text);  // REQUIRES: pipe_stdin. All of it is written on return.
  void close_stdin();

  std::string out() const;  // What it has printed so far.
  std::string err() const;
  // Waits until out() (or err()) has `text`; throws std::runtime_error past the limit, or when the child ended without it.
  void wait_for_out(std::string_view text, std::chrono::milliseconds limit = kHangLimit);
  void wait_for_err(std::string_view text, std::chrono::milliseconds limit = kHangLimit);

 private:
  void wait_for_text(const std::filesystem::path& file, std::string_view text, std::chrono::milliseconds limit);
  std::string describe() const;

  std::vector<std::string> arguments_;
  TemporaryDirectory files_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int stdin_fd_ = -1;
  bool reaped_ = false;
  ExitStatus status_;
};

struct ProcessResult {
  int exit_code = -1;
  int signal = 0;
  std::string out;
  std::string err;
};

// Runs to the end. Throws std::runtime_error past the limit.
ProcessResult run_process(std::vector<std::string> arguments, const ProcessOptions& options = {},
                          std::chrono::milliseconds limit = kHangLimit);
// run_process({weir_binary(), arguments…}).
ProcessResult run_weir(std::vector<std::string> arguments, const ProcessOptions& options = {},
                       std::chrono::milliseconds limit = kHangLimit);

// Polls until `done` is true; false past the limit. For what another process does and tells nobody.
template <class Predicate> bool wait_until(Predicate done, std::chrono::milliseconds limit = kHangLimit);

void pause_between_polls();  // 2 ms.

template <class Predicate> bool wait_until(Predicate done, std::chrono::milliseconds limit) {
  for (const auto end = std::chrono::steady_clock::now() + limit; !done(); pause_between_polls())
    if (std::chrono::steady_clock::now() > end) return false;
  return true;
}

}  // namespace weir
