// Weir on a real Kafka broker: events/s, latency at 1,000 events/s, idling, start, and restart after kill -9, with one partition
// and with four. The job is that of bench/peers; broker and load share this machine with it.
//
//   kafka_bench [--help] [rate|latency|idle|start|restart]...     default: all
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bench/kafka_job.hpp"
#include "core/base/rng.hpp"

namespace weir::bench {
namespace {

struct Scale {
  std::int64_t count = 500'000;
  int rounds = 3;
  double warm_up_s = 15.0;  // The broker compiles what transactions need as it goes.
  double latency_s = 20.0;
  double idle_s = 10.0;
  int starts = 5;
  std::int64_t fill = 1'000'000;  // About a gigabyte of state.
};

std::string job_config() { return source_path("bench/peers/weir.yaml"); }

void rate(const KafkaBroker& broker, const Scale& scale, const std::string& name, int partitions, Figures& figures) {
  const Engine weir = weir_engine(job_config(), {});
  std::vector<double> events, cpu, rss;
  for (int round = 0; round < scale.rounds; ++round) {
    const RateFigures f = measure_rate(broker, weir, partitions, scale.count, Feed::kPreloaded);
    events.push_back(f.events_per_second);
    cpu.push_back(f.cpu_per_million);
    rss.push_back(f.rss_peak_mb);
    note(name + ": " + std::to_string(int(events.back())) + " events/s");
  }
  figures.add(name + ", preloaded: events", median(events), "events/s");
  figures.add(name + ", preloaded: CPU of a million events", median(cpu), "s");
  figures.add(name + ", preloaded: peak RSS", median(rss), "MB");
}

void latency(const KafkaBroker& broker, const Scale& scale, const std::string& name, int partitions, const std::string& interval, Figures& figures) {
  note(name + ", commit_interval " + interval);
  double tick_p50 = 0.0, tick_p999 = 0.0;
  const auto ask_for_ticks = [&](JobRun& run) {
    std::string status;
    run_weir({"status", "--json", "--data", run.directory()}, &status);
    const std::size_t at = status.find("\"tick_us\":");
    if (at == std::string::npos) give_up("weir status shows no tick: " + status);
    tick_p50 = json_number(std::string_view(status).substr(at), "p50");
    tick_p999 = json_number(std::string_view(status).substr(at), "p999");
  };
  const Engine weir = weir_engine(job_config(), {"commit_interval=" + interval});
  const LatencyFigures f = measure_latency(broker, weir, partitions, 1000.0, scale.warm_up_s, scale.latency_s, ask_for_ticks);
  const std::string row = name + ", 1,000/s, commit_interval " + interval + ": ";
  figures.add(row + "tick P50", tick_p50, "us");
  figures.add(row + "tick P99.9", tick_p999, "us");
  figures.add(row + "acked P50", percentile_of(f.acked_ms, 0.5), "ms");
  figures.add(row + "acked P99", percentile_of(f.acked_ms, 0.99), "ms");
  figures.add(row + "committed P50", percentile_of(f.committed_ms, 0.5), "ms");
  figures.add(row + "committed P99", percentile_of(f.committed_ms, 0.99), "ms");
  figures.add(row + "committed P99.9", percentile_of(f.committed_ms, 0.999), "ms");
  figures.add(row + "cores", f.cores, "cores");
}

void idle(const KafkaBroker& broker, const Scale& scale, const std::string& name, int partitions, Figures& figures) {
  note(name + ", idle");
  const IdleFigures f = measure_idle(broker, weir_engine(job_config(), {}), partitions, scale.idle_s, "inference.changelog");
  figures.add(name + ", idle: transactions' records", double(f.records), "records");
  figures.add(name + ", idle: cores", f.cores, "cores");
}

void start(const KafkaBroker& broker, const Scale& scale, const std::string& name, int partitions, Figures& figures) {
  note(name + ", start");
  std::vector<double> seconds;
  for (int i = 0; i < scale.starts; ++i) seconds.push_back(measure_start(broker, weir_engine(job_config(), {}), partitions));
  figures.add(name + ", start to first committed prediction", median(seconds), "s");
}

void restart(const KafkaBroker& broker, const Scale& scale, Figures& figures) {
  note("Kafka, restart: making state of " + std::to_string(scale.fill) + " events");
  const std::string config = scratch("kafka-restart") + "/restart.yaml";
  write_file(config, std::string(kKeyedStateConfig) + "predictions: {count: true}\nlog: {kind: kafka, brokers: \"127.0.0.1:19092\"}\n");
  RestartLoad load;
  load.seconds_before = 3.0;
  load.kills = 3;
  load.between = 25'000;
  load.fill = scale.fill;
  load.log = [rng = Rng(1)](std::int64_t id, std::int64_t time_us, std::string& out) mutable {
    out = "{\"id\":" + std::to_string(id) + ",\"ts\":" + std::to_string(time_us);
    for (const char* key : {"user", "device", "address", "page"}) out += ",\"" + std::string(key) + "\":\"" + std::to_string(rng.next_u64() >> 24) + "\"";
    out += ",\"amount\":" + std::to_string(rng.next_u64() % 1000) + "}";
  };
  RestartFigures f = measure_restart(broker, weir_engine(config, {}), 1, load);
  for (const double seconds : f.seconds) note("restart: " + std::to_string(seconds) + " s");
  const std::string row = "Kafka, restart after kill -9";
  figures.add(row + ", to first committed prediction", median(f.seconds), "s");
  figures.add(row + ", slowest of 3", percentile(f.seconds, 1.0), "s");
  figures.add(row + ", local state", f.local_mb / 1000.0, "GB");
  figures.add(row + ", RSS under load", f.rss_mb, "MB");
  figures.add(row + ": missing", double(f.proof.missing), "records");
  figures.add(row + ": doubled", double(f.proof.doubled), "records");
  figures.add(row + ": state errors", double(f.proof.state_errors), "records");
  remove(scratch("kafka-restart"));
}

constexpr std::string_view kParts[] = {"rate", "latency", "idle", "start", "restart"};

void run(const std::vector<std::string>& wanted) {
  const auto runs = [&](std::string_view part) { return wanted.empty() || std::find(wanted.begin(), wanted.end(), part) != wanted.end(); };
  const Scale scale = quick() ? Scale{20'000, 1, 1.0, 3.0, 3.0, 2, 20'000} : Scale{};
  const KafkaBroker broker;
  Figures figures;
  note("warming up the broker");  // One that has just been started compiles its code first.
  static_cast<void>(measure_rate(broker, weir_engine(job_config(), {}), 1, scale.count / 5, Feed::kPreloaded));
  for (const int partitions : {1, 4}) {
    const std::string name = partitions == 1 ? "Kafka, 1 partition" : "Kafka, " + std::to_string(partitions) + " partitions";
    if (runs("rate")) rate(broker, scale, name, partitions, figures);
    for (const char* interval : {"5ms", "50ms"})
      if (runs("latency")) latency(broker, scale, name, partitions, interval, figures);
    if (runs("idle")) idle(broker, scale, name, partitions, figures);
    if (runs("start")) start(broker, scale, name, partitions, figures);
  }
  if (runs("restart")) restart(broker, scale, figures);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  using namespace weir::bench;
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  for (const std::string& part : wanted) {
    if (std::find(std::begin(kParts), std::end(kParts), part) != std::end(kParts)) continue;
    const bool help = part == "--help";
    std::fprintf(help ? stdout : stderr,
                 "%skafka_bench [PART]...\n\nWeir on a real Kafka broker, which it starts and stops. PART is of rate, latency, idle, start, restart; "
                 "default: all.\nWEIR_BENCH_QUICK=1 runs a small selection of each.\n",
                 help ? "" : ("kafka_bench: found '" + part + "', expected a PART\n").c_str());
    return help ? 0 : 2;
  }
  try {
    run(wanted);
  } catch (const Void& reason) {
    give_up(std::string("kafka_bench: ") + reason.what());
  }
}
