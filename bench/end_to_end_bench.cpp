// Flights from JSON lines to committed predictions, with all that is between: the `weir` program over configs/flights.yaml, run
// anew in an empty directory each time. Medians over the runs.
//
//   end_to_end_bench [RUNS]

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bench_support.hpp"

namespace weir::bench {
namespace {

void run(int runs) {
  const Flights flights = longer_flights(quick() ? 1 : 6);
  std::vector<double> rate, whole_rate, cpu, rss;
  double log_loss = 0.0;
  for (int i = 0; i < runs; ++i) {
    const std::string data = scratch("end-to-end");
    const Usage usage = run_weir({"run", source_path("configs/flights.yaml"), "--data", data, "--set",
                                  "sources.logs.files=[" + flights.events + "]", "--set",
                                  "sources.outcomes.files=[" + flights.outcomes + "]", "--quiet"});
    std::string report;
    run_weir({"report", "--data", data, "--json"}, &report);
    if (json_number(report, "predicted") != double(flights.count))
      give_up("end to end: " + std::to_string(json_number(report, "predicted")) + " predictions of " + std::to_string(flights.count) + " events");
    rate.push_back(json_number(report, "events_per_second"));
    whole_rate.push_back(double(flights.count) / usage.seconds);
    cpu.push_back(usage.cpu_seconds / double(flights.count) * 1e6);
    rss.push_back(usage.rss_peak_mb);
    log_loss = json_number(report, "log_loss");
    note("run " + std::to_string(i + 1) + ": " + std::to_string(static_cast<long>(rate.back())) + " events/s");
    remove(data);
  }
  Figures figures;
  figures.add("end to end", median(rate), "events/s");
  figures.add("end to end, program start and end included", median(whole_rate), "events/s");
  figures.add("end to end, CPU", median(cpu), "us/event");
  figures.add("end to end, RSS peak", median(rss), "MB");
  figures.add("end to end, log-loss (check)", log_loss, "");
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 0;  // bench/run.py passes an option for Google Benchmark: 0.
  weir::bench::run(runs > 0 ? runs : 3);
}
