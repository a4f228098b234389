#include "bench/bench_support.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "core/base/clock.hpp"

extern char** environ;

namespace weir::bench {
namespace fs = std::filesystem;

bool quick() { return std::getenv("WEIR_BENCH_QUICK") != nullptr; }

namespace {

// What is left behind at an early end.
struct Leftovers {
  std::recursive_mutex mutex;  // Undoing may itself give up.
  std::set<pid_t> children;
  std::map<int, std::function<void()>> undo;
  int next_key = 0;

  void clear() {
    std::lock_guard lock(mutex);
    for (const pid_t pid : children) ::kill(pid, SIGKILL);
    children.clear();
    const auto all = std::exchange(undo, {});
    for (auto at = all.rbegin(); at != all.rend(); ++at) at->second();
  }
};
Leftovers& leftovers() {
  static auto* only = new Leftovers;  // Never destroyed: threads may still use it.
  return *only;
}

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void give_up(const std::string& what, int exit_code) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  leftovers().clear();
  std::_Exit(exit_code);
}

Undo::Undo(std::function<void()> undo) {
  static const bool watching = [] {  // A thread of its own, so that undoing may do anything.
    const sigset_t set = ending_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);  // Inherited by the threads to come.
    std::thread([set] {
      int signal = 0;
      ::sigwait(&set, &signal);
      leftovers().clear();
      std::_Exit(128 + signal);
    }).detach();
    return true;
  }();
  static_cast<void>(watching);
  std::lock_guard lock(leftovers().mutex);
  key_ = leftovers().next_key++;
  leftovers().undo[key_] = std::move(undo);
}

Undo::~Undo() {
  std::function<void()> undo;
  {
    std::lock_guard lock(leftovers().mutex);
    auto node = leftovers().undo.extract(key_);
    if (node.empty()) return;
    undo = std::move(node.mapped());
  }
  undo();
}

void note(const std::string& text) { std::fprintf(stderr, "  %s\n", text.c_str()); }

double now_seconds() { return double(system_clock().monotonic_ns()) * 1e-9; }

double median(std::vector<double> values) { return percentile(values, 0.5); }

double percentile(std::vector<double>& values, double fraction) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(fraction * double(values.size())))];
}

Figures::~Figures() { std::printf("[%s\n]\n", rows_.c_str()); }

void Figures::add(std::string name, double value, std::string_view unit) {
  char text[512];
  std::snprintf(text, sizeof text, "%s\n  {\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%.*s\"}", rows_.empty() ? "" : ",",
                name.c_str(), value, int(unit.size()), unit.data());
  rows_ += text;
}

std::string scratch(std::string_view name) {
  const std::string path = std::string(WEIR_BENCH_DATA) + "/" + std::string(name);
  std::error_code ec;
  fs::remove_all(path, ec);
  fs::create_directories(path, ec);
  if (ec) give_up(path + ": " + ec.message());
  return path;
}

void remove(const std::string& directory) {
  std::error_code ec;
  fs::remove_all(directory, ec);
}

void write_file(const std::string& path, std::string_view bytes) {
  const std::string partial = path + ".part";
  std::ofstream out(partial, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) give_up(path + ": cannot be written");
  fs::rename(partial, path);
}

Child Child::start(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.empty() ? "/dev/null" : log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;  // What this process blocks is not blocked there.
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  Child child;
  int error = 0;
  {
    std::lock_guard lock(leftovers().mutex);
    child.started_ = now_seconds();
    error = ::posix_spawn(&child.pid_, argv[0], &actions, &attributes, argv.data(), environ);
    if (error == 0) leftovers().children.insert(child.pid_);
  }
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) give_up(arguments[0] + ": " + std::strerror(error));
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), started_(other.started_), ended_(other.ended_), usage_(other.usage_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(started_, other.started_);
  std::swap(ended_, other.ended_);
  std::swap(usage_, other.usage_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0 && !ended_) kill();
}

Usage Child::wait() {
  if (ended_) return usage_;
  int status = 0;
  rusage used{};
  siginfo_t info{};  // Its number stays taken until it is no longer in the list.
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {}
  {
    std::lock_guard lock(leftovers().mutex);
    leftovers().children.erase(pid_);
  }
  while (::wait4(pid_, &status, 0, &used) < 0)
    if (errno != EINTR) give_up("wait4: " + std::string(std::strerror(errno)));
  ended_ = true;
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  usage_.seconds = now_seconds() - started_;
  usage_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  usage_.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  usage_.rss_peak_mb = double(used.ru_maxrss) / 1024.0;
  return usage_;
}

bool Child::running() {
  if (ended_) return false;
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void Child::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}

double Child::rss_mb() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/statm");
  double pages = 0.0, resident = 0.0;
  in >> pages >> resident;
  return resident * double(::sysconf(_SC_PAGESIZE)) / (1024.0 * 1024.0);
}

double Child::rss_peak_mb() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1024.0;
  return std::numeric_limits<double>::quiet_NaN();
}

double Child::cpu_seconds() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/stat");
  std::string text, field;
  std::getline(in, text);
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));  // From the third on: the second is a name.
  double ticks = 0.0;
  for (int number = 3; fields >> field; ++number)
    if (number == 14 || number == 15) ticks += std::strtod(field.c_str(), nullptr);  // User, system.
  return ticks / double(::sysconf(_SC_CLK_TCK));
}

std::string weir_binary() { return WEIR_BINARY; }
std::string source_path(std::string_view relative) { return std::string(WEIR_SOURCE_DIR) + "/" + std::string(relative); }

Usage run_weir(std::vector<std::string> arguments, std::string* output) {
  const std::string log = std::string(WEIR_BENCH_DATA) + "/weir.log";
  std::error_code ec;
  fs::create_directories(WEIR_BENCH_DATA, ec);
  const std::string command = arguments.empty() ? std::string() : arguments[0];
  arguments.insert(arguments.begin(), weir_binary());
  const Usage usage = Child::start(arguments, log).wait();
  std::ifstream in(log, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (usage.exit_code != 0) give_up("weir " + command + " ended with " + std::to_string(usage.exit_code) + ": " + text.str());
  if (output != nullptr) *output = text.str();
  return usage;
}

double json_number(std::string_view json, std::string_view name) {
  const std::string quoted = "\"" + std::string(name) + "\":";
  const std::size_t at = json.find(quoted);
  if (at == std::string_view::npos) return std::numeric_limits<double>::quiet_NaN();
  const std::string rest(json.substr(at + quoted.size(), 32));
  char* end = nullptr;
  const double value = std::strtod(rest.c_str(), &end);
  return end == rest.c_str() ? std::numeric_limits<double>::quiet_NaN() : value;
}

std::string read_gzip(const std::string& path) {
  gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) give_up(path + ": cannot be read");
  std::string out;
  std::vector<char> part(1 << 20);
  for (;;) {
    const int n = ::gzread(file, part.data(), static_cast<unsigned>(part.size()));
    if (n < 0) give_up(path + ": not gzip");
    if (n == 0) break;
    out.append(part.data(), static_cast<std::size_t>(n));
  }
  ::gzclose(file);
  return out;
}

namespace {

struct Line {
  std::int64_t id = 0;
  std::chrono::sys_seconds time;
  std::string_view before, between, after;  // Round the id and the time.
};

// {"id":17,"ts":"2013-01-01T10:15:00Z", …
std::vector<Line> read_lines(std::string_view text) {
  std::vector<Line> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t id = line.find("\"id\":");
    const std::size_t ts = line.find("\"ts\":\"");
    if (id == std::string_view::npos || ts == std::string_view::npos || ts < id) give_up("flights: an unexpected line: " + std::string(line));
    Line l;
    std::size_t digits = id + 5;
    while (digits < line.size() && line[digits] >= '0' && line[digits] <= '9') l.id = l.id * 10 + (line[digits++] - '0');
    const auto number = [&](std::size_t at, std::size_t count) {
      int value = 0;
      for (std::size_t i = 0; i < count; ++i) value = value * 10 + (line[ts + 6 + at + i] - '0');
      return value;
    };
    l.time = std::chrono::sys_days(std::chrono::year(number(0, 4)) / number(5, 2) / number(8, 2)) + std::chrono::hours(number(11, 2)) +
             std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2));
    l.before = line.substr(0, id + 5);
    l.between = line.substr(digits, ts + 6 - digits);
    l.after = line.substr(ts + 6 + 19);
    out.push_back(l);
  }
  return out;
}

void append(const Line& line, std::int64_t id_shift, std::chrono::days shift, std::string& out) {
  const std::chrono::sys_seconds time = line.time + shift;
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", int(date.year()) % 10000, unsigned(date.month()) % 100,
                unsigned(date.day()) % 100, int(clock.hours().count()), int(clock.minutes().count()), int(clock.seconds().count()));
  out.append(line.before).append(std::to_string(line.id + id_shift)).append(line.between).append(text).append(line.after).append("\n");
}

}  // namespace

Flights longer_flights(int times) {
  const std::string directory = std::string(WEIR_BENCH_DATA) + "/flights-" + std::to_string(times);
  Flights out{directory + "/events.jsonl", directory + "/outcomes.jsonl", 0};
  const std::string events = read_gzip(source_path("data/flights/events.jsonl.gz"));
  const std::vector<Line> event_lines = read_lines(events);
  out.count = event_lines.size() * static_cast<std::uint64_t>(times);
  if (fs::exists(out.events) && fs::exists(out.outcomes)) return out;
  note("making " + std::to_string(out.count) + " flights in " + directory);
  std::error_code ec;
  fs::create_directories(directory, ec);
  const std::string outcomes = read_gzip(source_path("data/flights/outcomes.jsonl.gz"));
  const std::vector<Line> outcome_lines = read_lines(outcomes);
  std::int64_t ids = 0;
  for (const Line& line : event_lines) ids = std::max(ids, line.id + 1);

  std::string text;
  for (int t = 0; t < times; ++t)
    for (const Line& line : event_lines) append(line, ids * t, std::chrono::days(59 * t), text);
  write_file(out.events, text);

  // The last outcomes of one round come after the first of the next.
  struct Due {
    std::chrono::sys_seconds time;
    const Line* line;
    int round;
  };
  std::vector<Due> due;
  for (int t = 0; t < times; ++t)
    for (const Line& line : outcome_lines) due.push_back({line.time + std::chrono::days(59 * t), &line, t});
  std::stable_sort(due.begin(), due.end(), [](const Due& a, const Due& b) { return a.time < b.time; });
  text.clear();
  for (const Due& d : due) append(*d.line, ids * d.round, std::chrono::days(59 * d.round), text);
  write_file(out.outcomes, text);
  return out;
}

}  // namespace weir::bench
