#include "tests/support/run_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "core/base/check.hpp"

extern char** environ;

namespace weir {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : added) replaced |= text.starts_with(name + "=");
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::filesystem::path weir_binary() { return WEIR_BINARY; }
std::filesystem::path project_directory() { return WEIR_SOURCE_DIR; }
void pause_between_polls() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

Process::Process(std::vector<std::string> arguments, const ProcessOptions& options) : arguments_(std::move(arguments)) {
  CHECK(!arguments_.empty());
  const std::string out_path = files_ / "out";
  const std::string err_path = files_ / "err";
  std::vector<std::string> environment = environment_with(options.env);
  const std::vector<char*> argv = pointers_to(arguments_);
  const std::vector<char*> envp = pointers_to(environment);
  int stdin_pipe[2] = {-1, -1};
  if (options.pipe_stdin) CHECK(pipe2(stdin_pipe, O_CLOEXEC) == 0);

  const pid_t parent = getpid();
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {  // Async-signal-safe calls only: other threads of the test may hold locks.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    const int in = options.pipe_stdin ? stdin_pipe[0] : open("/dev/null", O_RDONLY);
    const int out = open(out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open(err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(126);
    execvpe(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  if (options.pipe_stdin) {
    close(stdin_pipe[0]);
    stdin_fd_ = stdin_pipe[1];
  }
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  CHECK(pidfd_ >= 0);
}

Process::~Process() {
  close_stdin();
  if (!reaped_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(pidfd_);
}

bool Process::running() {
  if (reaped_) return false;
  pollfd ended{.fd = pidfd_, .events = POLLIN, .revents = 0};
  return poll(&ended, 1, 0) == 0;
}

void Process::send_signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

ExitStatus Process::wait(std::chrono::milliseconds limit) {
  if (reaped_) return status_;
  const auto end = std::chrono::steady_clock::now() + limit;
  pollfd ended{.fd = pidfd_, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    ready = poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) kill(pid_, SIGKILL);
  int raw = 0;
  CHECK(waitpid(pid_, &raw, 0) == pid_);
  reaped_ = true;
  if (WIFEXITED(raw)) status_.code = WEXITSTATUS(raw);
  if (WIFSIGNALED(raw)) status_.signal = WTERMSIG(raw);
  if (ready <= 0)
    throw std::runtime_error(describe() + " still ran after " + std::to_string(limit.count()) +
                             " ms; its standard error: " + err());
  return status_;
}

void Process::write_stdin(std::string_view text) {
  CHECK(stdin_fd_ >= 0);
  while (!text.empty()) {
    const ssize_t written = write(stdin_fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw std::runtime_error(describe() + ": standard input: " + std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Process::close_stdin() {
  if (stdin_fd_ >= 0) close(stdin_fd_);
  stdin_fd_ = -1;
}

std::string Process::out() const { return read_file(files_ / "out"); }
std::string Process::err() const { return read_file(files_ / "err"); }

void Process::wait_for_out(std::string_view text, std::chrono::milliseconds limit) {
  wait_for_text(files_ / "out", text, limit);
}
void Process::wait_for_err(std::string_view text, std::chrono::milliseconds limit) {
  wait_for_text(files_ / "err", text, limit);
}

void Process::wait_for_text(const std::filesystem::path& file, std::string_view text, std::chrono::milliseconds limit) {
  bool ended = false;
  bool found = false;
  wait_until(
      [&] {
        ended = !running();  // Before the look: what it printed at its end is seen.
        found = read_file(file).find(text) != std::string::npos;
        return found || ended;
      },
      limit);
  if (!found)
    throw std::runtime_error(describe() + (ended ? " ended" : " went on") + " without printing '" + std::string(text) +
                             "'; output: " + out() + "; standard error: " + err());
}

std::string Process::describe() const {
  std::string line;
  for (const std::string& argument : arguments_) line += (line.empty() ? "" : " ") + argument;
  return line;
}

ProcessResult run_process(std::vector<std::string> arguments, const ProcessOptions& options, std::chrono::milliseconds limit) {
  Process process(std::move(arguments), options);
  const ExitStatus status = process.wait(limit);
  return {.exit_code = status.code, .signal = status.signal, .out = process.out(), .err = process.err()};
}

ProcessResult run_weir(std::vector<std::string> arguments, const ProcessOptions& options, std::chrono::milliseconds limit) {
  arguments.insert(arguments.begin(), weir_binary());
  return run_process(std::move(arguments), options, limit);
}

}  // namespace weir
