// `kill -9` under load with a gigabyte of keyed state, then how long until a tail sees the first prediction of a record that
// was sent after the kill. The state is the pipeline's own: aggregates over windows by four keys that hardly ever come twice,
// and rows that wait for outcomes which never come.
//
//   restart_bench [EVENTS]

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench/served_weir.hpp"
#include "core/base/rng.hpp"

namespace weir::bench {
namespace {

constexpr std::int64_t kFirstUs = 1'700'000'000'000'000;

class Events {
 public:
  // Appends `count` lines, 1 ms of event time apart.
  void make(int count, std::string& out) {
    for (int i = 0; i < count; ++i, ++next_) line(std::to_string(next_), out);
  }
  void line(const std::string& id, std::string& out) {
    out += "{\"id\":\"" + id + "\",\"ts\":" + std::to_string(kFirstUs + next_ * 1000) + ",\"user\":\"u" + std::to_string(rng_.next_u64() >> 24) +
           "\",\"device\":\"d" + std::to_string(rng_.next_u64() >> 24) + "\",\"address\":\"a" + std::to_string(rng_.next_u64() >> 24) +
           "\",\"page\":\"p" + std::to_string(rng_.next_u64() >> 24) + "\",\"amount\":" + std::to_string(rng_.next_u64() % 1000) + "}\n";
  }
  std::int64_t count() const { return next_; }

 private:
  Rng rng_{1};
  std::int64_t next_ = 0;
};

double state_bytes(const std::string& data) {
  std::string text;
  run_weir({"inspect", "--data", data}, &text);
  double sum = 0.0;  // "features: 123 entries, 456 bytes"
  for (std::size_t at = text.find(" bytes"); at != std::string::npos; at = text.find(" bytes", at + 1)) {
    const std::size_t begin = text.rfind(' ', at - 1) + 1;
    sum += std::strtod(text.substr(begin, at - begin).c_str(), nullptr);
  }
  return sum;
}

void run(std::int64_t events_wanted) {
  const std::string data = scratch("restart");
  const std::string config = data + "/restart.yaml";
  write_file(config, kKeyedStateConfig);
  Events events;
  ServedWeir weir(config, data);
  const auto marker = [&](const std::string& name) {
    return [&, name](int n) {
      std::string line;
      events.line(name + std::to_string(n), line);
      line.pop_back();
      return line;
    };
  };
  weir.first_prediction(now_seconds(), "begin-", marker("begin-"));

  note("making keyed state of " + std::to_string(events_wanted) + " events");
  std::string lines;
  const double filling = now_seconds();
  while (events.count() < events_wanted) {
    lines.clear();
    events.make(5000, lines);
    if (!weir.produce("logs", lines)) give_up("weir has gone; see " + data + "/output.txt");
  }
  for (double done = 0.0; done < double(events_wanted); done = json_number(weir.status(), "events")) {
    if (!weir.child().running()) give_up("weir has gone; see " + data + "/output.txt");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const double filled = now_seconds() - filling;
  note("made in " + std::to_string(filled) + " s, RSS " + std::to_string(weir.child().rss_mb()) + " MB");

  std::vector<double> restarts;
  double rss = 0.0;
  for (int kill = 0; kill < 3; ++kill) {
    const double until = now_seconds() + 2.0;  // 2,000 events/s until it dies.
    std::atomic<bool> stop{false};
    std::thread load([&] {
      std::string batch;
      for (double due = now_seconds(); !stop; due += 0.01) {
        batch.clear();
        events.make(20, batch);
        if (!weir.produce("logs", batch)) return;
        const double left = due - now_seconds();
        if (left > 0) std::this_thread::sleep_for(std::chrono::duration<double>(left));
      }
    });
    while (now_seconds() < until) std::this_thread::sleep_for(std::chrono::milliseconds(7));
    rss = std::max(rss, weir.child().rss_mb());
    const double killed = now_seconds();
    weir.child().kill();
    weir = ServedWeir(config, data);
    stop = true;
    const std::string name = "after-kill-" + std::to_string(kill) + "-";
    restarts.push_back(weir.first_prediction(killed, name, marker(name)));
    load.join();
    note("restart " + std::to_string(kill + 1) + ": " + std::to_string(restarts.back()) + " s");
  }
  weir.child().kill();
  const double bytes = state_bytes(data);
  Figures figures;
  const std::string scale = quick() ? " (WEIR_BENCH_QUICK: less state)" : "";
  figures.add("restart after kill -9 under load, to first prediction" + scale, median(restarts), "s");
  figures.add("restart, slowest of " + std::to_string(restarts.size()) + scale, percentile(restarts, 1.0), "s");
  figures.add("restart, keyed state" + scale, bytes / 1e9, "GB");
  figures.add("restart, RSS under load" + scale, rss, "MB");
  figures.add("restart, making the state" + scale, double(events_wanted) / filled, "events/s");
  remove(data);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const long events = argc > 1 ? std::atol(argv[1]) : 0;
  weir::bench::run(events > 0 ? events : weir::bench::quick() ? 100'000 : 800'000);
}
