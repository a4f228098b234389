#pragma once
// What the end-to-end benchmarks share: child processes with what they used, scratch directories, longer flights, and the
// list of figures that bench/run.py reads. A benchmark that cannot measure ends the process: there is nothing to go on with.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace weir::bench {

// WEIR_BENCH_QUICK is set: smaller inputs, and figures that say so.
bool quick();

[[noreturn]] void give_up(const std::string& what, int exit_code = 1);

// What would outlive this process otherwise: `undo` runs when the object goes, and also where the process gives up or is asked
// to end (SIGINT, SIGTERM). Children that still run are killed then, too.
class Undo {
 public:
  explicit Undo(std::function<void()> undo);
  ~Undo();
  Undo(const Undo&) = delete;

 private:
  int key_;
};
void note(const std::string& text);  // To standard error: progress, or why a figure is not what it should be.

template <class T>
T must(Result<T> result, std::string_view what) {
  if (!result.ok()) give_up(std::string(what) + ": " + result.error().what);
  return std::move(result).value();
}
inline void must(Result<void> result, std::string_view what) {
  if (!result.ok()) give_up(std::string(what) + ": " + result.error().what);
}

double now_seconds();  // Monotonic.
double median(std::vector<double> values);
double percentile(std::vector<double>& values, double fraction);  // Sorts them.

// Printed as JSON when it is destroyed.
class Figures {
 public:
  ~Figures();
  void add(std::string name, double value, std::string_view unit);

 private:
  std::string rows_;
};

// A pipeline named "restart" whose state grows with its events: aggregates over windows by four keys that hardly ever come twice,
// and rows that wait for outcomes which never come.
inline constexpr const char* kKeyedStateConfig = R"(version: 1
name: restart
schema:
  logs:
    format: json
    id: id
    time: ts
    time_format: micros
    fields:
      - {name: user, kind: hashed_text}
      - {name: device, kind: hashed_text}
      - {name: address, kind: hashed_text}
      - {name: page, kind: hashed_text}
      - {name: amount, kind: number}
  outcomes: {time: ts, label: label}
features:
  - {aggregate: mean, of: amount, by: [user], window: 1 h}
  - {aggregate: rate, of: events, by: [user], window: 1 h}
  - {aggregate: mean, of: amount, by: [device], window: 1 h}
  - {aggregate: rate, of: events, by: [device], window: 1 h}
  - {aggregate: mean, of: amount, by: [address], window: 1 h}
  - {aggregate: rate, of: events, by: [address], window: 1 h}
  - {aggregate: mean, of: amount, by: [page], window: 1 h}
  - {aggregate: rate, of: events, by: [page], window: 1 h}
join: {wait: 30 days, rows_max: 100000000}
order: arrival
)";

// An empty directory of that name under the build's bench-data; what was there is gone.
std::string scratch(std::string_view name);
void remove(const std::string& directory);
void write_file(const std::string& path, std::string_view bytes);

struct Usage {
  int exit_code = -1;        // Negative: the signal.
  double seconds = 0.0;      // From its start to its end.
  double cpu_seconds = 0.0;  // All threads, user and system.
  double rss_peak_mb = 0.0;
};

// A child process. Killed, if it still runs, when the object goes.
class Child {
 public:
  // Its standard output and error go to `log`, or to nowhere.
  static Child start(const std::vector<std::string>& arguments, const std::string& log = {});
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();
  Usage wait();
  bool running();
  void kill();  // SIGKILL, and waits.
  double rss_mb() const;
  double rss_peak_mb() const;
  double cpu_seconds() const;  // So far, all threads, user and system.
  pid_t pid() const { return pid_; }

 private:
  Child() = default;
  pid_t pid_ = -1;
  double started_ = 0.0;
  bool ended_ = false;
  Usage usage_;
};

std::string weir_binary();
std::string source_path(std::string_view relative);
// `weir ARGUMENTS…`; gives up unless its exit code is 0. `output`: what it printed.
Usage run_weir(std::vector<std::string> arguments, std::string* output = nullptr);
// The number after "NAME": in a JSON text; NaN if there is none.
double json_number(std::string_view json, std::string_view name);

// The shipped flights `times` times, one after the other: ids go on, times move on by 59 days a time. Plain JSON lines, kept
// for the next call.
struct Flights {
  std::string events;    // Paths.
  std::string outcomes;
  std::uint64_t count = 0;
};
Flights longer_flights(int times);
std::string read_gzip(const std::string& path);

}  // namespace weir::bench
