// Live traffic, open loop: 1,000 flights a second, each at its due time whatever became of those before, and their outcomes
// behind them in the order and at the distance (scaled) in which they really came. What is measured counts from the due time,
// so a stall is paid for by every event that it held up.
//
//   live_bench [SECONDS]

#include <time.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "actors/runtime/thread_setup.hpp"
#include "bench/bench_support.hpp"
#include "pipelines/running_pipeline.hpp"
#include "pipelines/topology.hpp"

namespace weir::bench {
namespace {

constexpr double kEventsPerSecond = 1000.0;
constexpr double kWarmUpSeconds = 2.0;

// The system's clock, but for a thread that has set `sent_us`: there the time is when its lines were due.
class DueClock final : public Clock {
 public:
  std::int64_t wall_us() const override { return sent_us != 0 ? sent_us : system_clock().wall_us(); }
  std::int64_t monotonic_ns() const override { return system_clock().monotonic_ns(); }
  static thread_local std::int64_t sent_us;
};
thread_local std::int64_t DueClock::sent_us = 0;

struct Load {
  std::vector<std::string> events;           // By id; number i is due at i / kEventsPerSecond.
  struct Outcome {
    double due;                              // Seconds since the first event.
    std::string line;
  };
  std::vector<Outcome> outcomes;             // By due time.
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}
std::string time_of(const std::string& line) { return line.substr(line.find("\"ts\":") + 6, 20); }  // Sorts as text.

Load make_load(std::size_t count) {
  Load load;
  load.events = lines_of(read_gzip(source_path("data/flights/events.jsonl.gz")));
  if (load.events.size() < count) give_up("live: fewer flights than seconds times rate");
  load.events.resize(count);
  std::size_t before = 0;  // Events that are not later than the outcome at hand.
  for (std::string& line : lines_of(read_gzip(source_path("data/flights/outcomes.jsonl.gz")))) {
    const std::string time = time_of(line);
    while (before < count && time_of(load.events[before]) <= time) ++before;
    if (before == count) break;
    load.outcomes.push_back({(double(before) - 0.5) / kEventsPerSecond, std::move(line)});
  }
  return load;
}

void sleep_until(double seconds) {
  const auto ns = static_cast<std::int64_t>(seconds * 1e9);
  timespec at{ns / 1'000'000'000, ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {}
}


void measure(const Load& load, const std::string& wait, const std::string& sync, Figures& figures, bool tick_too) {
  const std::string data = scratch("live");
  DueClock clock;
  const PipelineConfig config =
      must(load_config(source_path("configs/flights.yaml"),
                       {"data_dir=" + data, "sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival",
                        "placement.parse=task", "placement.wait=" + wait, "sync=" + sync}),
           "live");
  auto pipeline = must(RunningPipeline::start(config, clock), "live");
  TaskStatus* status = nullptr;
  for (const auto& s : pipeline->statuses())
    if (s->task == kInferenceTask) status = s.get();

  // Senders and readers stand for other machines: they keep off the task's core.
  const std::vector<int> cpus = allowed_cpus();
  const KeepOffCpus outside(cpus.size() > 1 ? std::vector<int>{cpus.back()} : std::vector<int>());
  const double start = now_seconds() + 0.5;
  const std::int64_t start_wall_us = system_clock().wall_us() + 500'000;
  std::atomic<bool> sent_all{false};
  std::vector<double> committed_us;
  std::thread reading([&] {
    auto reader = must(pipeline->log().open_reader(Topic::kPredictions, PartitionId(0), Offset(0)), "live: predictions");
    std::size_t seen = 0;
    double quiet_since = 0.0;
    while (seen < load.events.size()) {
      const auto batch = must(reader->poll(std::chrono::milliseconds(100)), "live: predictions");
      const double now = now_seconds();
      if (batch == nullptr) {
        if (!sent_all) continue;
        if (quiet_since == 0.0) quiet_since = now;
        if (now - quiet_since > 10.0) give_up("live: " + std::to_string(seen) + " predictions of " + std::to_string(load.events.size()) + " events");
        continue;
      }
      quiet_since = 0.0;
      batch->for_each([&](Offset, const Record& record) {
        ++seen;
        const double due = json_number(record.value, "id") / kEventsPerSecond;
        if (due >= kWarmUpSeconds) committed_us.push_back((now - start - due) * 1e6);
      });
    }
  });

  ProducedLines events(pipeline->config(), Topic::kLogs, std::nullopt), outcomes(pipeline->config(), Topic::kOutcomes, std::nullopt);
  std::size_t next = 0, next_outcome = 0;
  bool warm = false;
  while (next < load.events.size()) {
    const double due = double(next) / kEventsPerSecond;
    const bool outcome_first = next_outcome < load.outcomes.size() && load.outcomes[next_outcome].due <= due;
    sleep_until(start + (outcome_first ? load.outcomes[next_outcome].due : due));
    const double passed = now_seconds() - start;
    if (!warm && passed >= kWarmUpSeconds) {
      warm = true;
      status->tick.clear();
      status->arrival.clear();
    }
    if (outcome_first) {
      outcomes.clear();
      DueClock::sent_us = 0;
      for (; next_outcome < load.outcomes.size() && load.outcomes[next_outcome].due <= passed; ++next_outcome)
        must(outcomes.add(load.outcomes[next_outcome].line), "live: line");
      must(pipeline->produce(outcomes), "live: produce");
      continue;
    }
    events.clear();
    DueClock::sent_us = start_wall_us + static_cast<std::int64_t>(due * 1e6);  // Of the oldest, where one batch took several.
    for (; next < load.events.size() && double(next) / kEventsPerSecond <= passed; ++next)
      must(events.add(load.events[next]), "live: line");
    must(pipeline->produce(events), "live: produce");
  }
  DueClock::sent_us = 0;
  sent_all = true;
  reading.join();
  pipeline->stop();
  while (!pipeline->wait(std::chrono::seconds(1))) {}
  must(pipeline->result(), "live");

  const std::string how = "live 1,000/s, " + wait + ", sync: " + sync;
  const auto us = [](const LatencyHistogram& histogram, double fraction) { return double(histogram.percentile_ns(fraction)) / 1000.0; };
  if (tick_too) {
    figures.add(how + ": tick P50", us(status->tick, 0.5), "us");
    figures.add(how + ": tick P99", us(status->tick, 0.99), "us");
    figures.add(how + ": tick P99.9", us(status->tick, 0.999), "us");
    figures.add(how + ": arrival tick P50", us(status->arrival, 0.5), "us");
    figures.add(how + ": arrival tick P99", us(status->arrival, 0.99), "us");
    figures.add(how + ": arrival tick P99.9", us(status->arrival, 0.999), "us");
  }
  figures.add(how + ": committed P50", percentile(committed_us, 0.5) / 1000.0, "ms");
  figures.add(how + ": committed P99", percentile(committed_us, 0.99) / 1000.0, "ms");
  figures.add(how + ": committed P99.9", percentile(committed_us, 0.999) / 1000.0, "ms");
  for (std::string& warning : status->warnings()) note("warning: " + warning);
  pipeline.reset();
  remove(data);
}

// What the machine does to ten microseconds of arithmetic on a pinned thread that wakes up 1,000 times a second, with nothing
// else running: no tick can be steadier than this.
void measure_machine(double seconds, Figures& figures) {
  if (const auto cpus = allowed_cpus(); !cpus.empty()) pin_thread(cpus.back());
  volatile std::uint64_t sink = 1;
  const auto work = [&](int steps) {
    const double begin = now_seconds();
    std::uint64_t x = sink;
    for (int i = 0; i < steps; ++i) x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    sink = x;
    return (now_seconds() - begin) * 1e6;
  };
  double best = work(100'000);
  for (int i = 0; i < 20; ++i) best = std::min(best, work(100'000));
  const int steps = static_cast<int>(100'000 * 10.0 / best);
  std::vector<double> us;
  const double start = now_seconds();
  for (int i = 0; double(i) / kEventsPerSecond < seconds; ++i) {
    sleep_until(start + double(i) / kEventsPerSecond);
    us.push_back(work(steps));
  }
  figures.add("live 1,000/s, this machine: 10 us of arithmetic, P50", percentile(us, 0.5), "us");
  figures.add("live 1,000/s, this machine: 10 us of arithmetic, P99.9", percentile(us, 0.999), "us");
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  using namespace weir::bench;
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 0;
  const auto count = static_cast<std::size_t>((seconds > 0 ? seconds : quick() ? 6 : 20) * kEventsPerSecond);
  const Load load = make_load(count);
  Figures figures;
  measure(load, "futex", "interval", figures, true);
  measure(load, "spin", "interval", figures, true);
  measure(load, "futex", "always", figures, false);
  std::thread([&] { measure_machine(quick() ? 2.0 : 10.0, figures); }).join();
}
