// Memory over ten million distinct ids, one in 33 of which never gets its outcome: 100 events a second of event time, outcomes
// five minutes behind, a wait of an hour: 30,000 rows and 10,000 of the unlabelled wait, 350,000 marks stand. RSS is read ten
// times a second.
//
//   memory_bench [EVENTS]

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench_support.hpp"
#include "core/base/rng.hpp"

namespace weir::bench {
namespace {

constexpr const char* kConfig = R"(version: 1
name: memory
sources:
  logs: {files: [EVENTS]}
  outcomes: {files: [OUTCOMES]}
schema:
  logs:
    format: json
    id: id
    time: ts
    time_format: millis
    fields:
      - {name: user, kind: hashed_text}
      - {name: amount, kind: number}
  outcomes: {time: ts, label: label}
features:
  - {aggregate: mean, of: label, by: [user], half_life: 1 h, prior: 5}
join: {wait: 1 h, rows_max: 1000000}
)";

struct Sample {
  double events = 0.0;
  double rss_mb = 0.0;
};

// Least squares, MB per million events.
double slope(const std::vector<Sample>& samples, double from) {
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (const Sample& s : samples) {
    if (s.events < from) continue;
    const double x = s.events / 1e6;
    n += 1, sx += x, sy += s.rss_mb, sxx += x * x, sxy += x * s.rss_mb;
  }
  const double d = n * sxx - sx * sx;
  return d > 0 ? (n * sxy - sx * sy) / d : 0.0;
}

void make_input(std::int64_t count, const std::string& events_path, const std::string& outcomes_path) {
  std::ofstream events(events_path, std::ios::binary), outcomes(outcomes_path, std::ios::binary);
  Rng rng(7);
  std::string e, o;
  constexpr std::int64_t kFirstMs = 1'700'000'000'000, kDelayMs = 5 * 60'000;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t chance = rng.next_u64();
    const std::int64_t ms = kFirstMs + i * 10;
    e += "{\"id\":" + std::to_string(i) + ",\"ts\":" + std::to_string(ms) + ",\"user\":\"u" + std::to_string(chance % 100'000) + "\",\"amount\":" + std::to_string((chance >> 32) % 1000) + "}\n";
    if ((chance >> 42) % 100 >= 3)
      o += "{\"id\":" + std::to_string(i) + ",\"ts\":" + std::to_string(ms + kDelayMs) + ",\"label\":" + std::to_string((chance >> 32) % 1000 > 700) + "}\n";
    if (e.size() > (1 << 20) || i + 1 == count) {
      events << e;
      outcomes << o;
      e.clear();
      o.clear();
    }
  }
  events.close();
  outcomes.close();
  if (!events || !outcomes) give_up("memory: the input cannot be written");
}

void run(std::int64_t count) {
  const std::string data = scratch("memory");
  make_input(count, data + "/events.jsonl", data + "/outcomes.jsonl");
  std::string text = kConfig;
  text.replace(text.find("EVENTS"), 6, data + "/events.jsonl");
  text.replace(text.find("OUTCOMES"), 8, data + "/outcomes.jsonl");
  const std::string config = data + "/memory.yaml";
  write_file(config, text);
  std::vector<Sample> samples;
  Child weir = Child::start({weir_binary(), "run", config, "--data", data + "/data", "--quiet"}, data + "/output.txt");
  const double started = now_seconds();
  std::vector<std::pair<double, double>> by_time;
  while (weir.running()) {
    by_time.push_back({now_seconds() - started, weir.rss_mb()});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const Usage usage = weir.wait();
  if (usage.exit_code != 0) give_up("memory: weir ended with " + std::to_string(usage.exit_code) + "; see " + data + "/output.txt");
  for (const auto& [seconds, rss] : by_time)
    if (rss > 0) samples.push_back({double(count) * seconds / usage.seconds, rss});  // At a steady rate.
  std::string report;
  run_weir({"report", "--data", data + "/data", "--json"}, &report);
  if (json_number(report, "predicted") != double(count)) give_up("memory: not every event has a prediction");
  for (std::size_t i = 0; i < 11; ++i) {
    const Sample& s = samples[std::min(samples.size() - 1, i * samples.size() / 10)];
    note(std::to_string(static_cast<long>(s.events)) + " events: " + std::to_string(static_cast<long>(s.rss_mb)) + " MB");
  }
  Figures figures;
  const std::string scale = quick() ? " (WEIR_BENCH_QUICK: fewer ids)" : "";
  figures.add("memory, ids" + scale, double(count), "");
  figures.add("memory, RSS peak" + scale, usage.rss_peak_mb, "MB");
  figures.add("memory, growth over the last half" + scale, slope(samples, double(count) / 2), "MB/million events");
  figures.add("memory, never labelled" + scale, 1.0 - json_number(report, "labelled") / double(count), "");
  figures.add("memory, rate" + scale, double(count) / usage.seconds, "events/s");
  remove(data);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const long events = argc > 1 ? std::atol(argv[1]) : 0;
  weir::bench::run(events > 0 ? events : weir::bench::quick() ? 1'000'000 : 10'000'000);
}
