// Weir and two other stream engines on one job, in one run: bench/README.md says what is measured and how.
//
//   peers_bench [--quick] [--peers FILE] [--out FILE] [--engine REGEX] [--figure REGEX] [--rounds N]
//
// --peers: what bench/peers/build.sh printed; without it only Weir is measured. --engine, --figure: only these. --rounds: of
// rate and start (3).
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "bench/kafka_job.hpp"
#include "core/records/json_text.hpp"

namespace weir::bench {
namespace {

constexpr double kRate = 1000.0;  // Events a second, where latency counts.

struct Scale {
  std::int64_t count = 500'000;
  int rounds = 3;
  double warm_up_s = 5.0;
  double latency_s = 20.0;
  double before_kill_s = 6.0;  // Several of the longest checkpoint intervals.
};

struct Contestant {
  std::string name;
  std::string figures;  // Which of rate, latency, start, restart.
  Engine engine;
};

// One figure of one contestant, all its rounds.
struct Cell {
  std::string unit;
  std::vector<double> values;
  std::string void_reason;
};
using Cells = std::map<std::string, Cell>;  // By column.

struct Column {
  const char* name;
  const char* shown;
};
constexpr Column kColumns[] = {
    {"events", "events/s"},           {"cpu", "CPU s per M"},          {"rss", "RSS MB"},
    {"committed_p50", "P50 ms"},      {"committed_p99", "P99 ms"},     {"committed_p999", "P99.9 ms"}, {"cores", "cores at 1,000/s"},
    {"start", "start s"},             {"restart", "after kill -9 s"},  {"missing", "missing"},
    {"doubled", "doubled"},           {"state_errors", "state errors"}, {"unlearnt", "unlearnt"},
};

// Memory as these jobs need it: more heap makes neither faster here.
std::vector<std::string> java(const std::string& classpath, const std::string& heap) {
  return {"/usr/bin/env", "java", "-Xmx" + heap, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "--add-opens=java.base/java.lang=ALL-UNNAMED",
          "--add-opens=java.base/java.util=ALL-UNNAMED", "-cp", classpath};
}

Engine kafka_streams(const std::string& classpath, const std::vector<std::string>& settings) {
  return {"Kafka Streams", [=](const JobTopics& topics, const std::string& directory) {
            std::vector<std::string> out = java(classpath, "512m");
            for (const std::string& word : {std::string("KafkaStreamsJob"), topics.name, "bootstrap.servers=" + topics.brokers, "state.dir=" + directory + "/state",
                                            "num.stream.threads=" + std::to_string(topics.partitions)})
              out.push_back(word);
            for (const std::string& setting : settings) out.push_back(setting);
            return out;
          }};
}

Engine flink(const std::string& classpath, const std::string& checkpoint_interval) {
  return {"Flink", [=](const JobTopics& topics, const std::string& directory) {
            std::vector<std::string> out = java(classpath, "1g");
            for (const std::string& word : {std::string("FlinkJob"), topics.name, topics.brokers, directory + "/checkpoints", std::to_string(topics.partitions),
                                            std::string("state.backend.type=hashmap"), "execution.checkpointing.interval=" + checkpoint_interval})
              out.push_back(word);
            return out;
          }};
}

// "NAME CLASSPATH" a line.
std::map<std::string, std::string> read_peers(const std::string& path) {
  std::ifstream in(path);
  std::map<std::string, std::string> out;
  for (std::string name, classpath; in >> name >> classpath;) out[name] = classpath;
  return out;
}

std::vector<Contestant> contestants(const std::map<std::string, std::string>& peers) {
  const std::string config = source_path("bench/peers/weir.yaml");
  std::vector<Contestant> out = {
      {"Weir", "rate latency start restart", weir_engine(config, {})},
      {"Weir, commit_interval 5 ms", "latency", weir_engine(config, {"commit_interval=5ms"})},
  };
  if (const auto at = peers.find("kafka_streams"); at != peers.end()) {
    out.push_back({"Kafka Streams 4.1.1, commit 100 ms (default)", "rate latency start restart", kafka_streams(at->second, {})});
    out.push_back({"Kafka Streams, commit 10 ms", "latency", kafka_streams(at->second, {"commit.interval.ms=10"})});
    out.push_back({"Kafka Streams, static membership", "restart", kafka_streams(at->second, {"group.instance.id=peer"})});
  }
  if (const auto at = peers.find("flink"); at != peers.end()) {
    out.push_back({"Flink 2.0.0, checkpoint 1 s", "rate latency start restart", flink(at->second, "1s")});
    out.push_back({"Flink, checkpoint 100 ms", "latency", flink(at->second, "100ms")});
  }
  return out;
}

class Comparison {
 public:
  Comparison(const KafkaBroker& broker, const Scale& scale) : broker_(broker), scale_(scale) {}

  void measure(const Contestant& who, const std::string& figure) {
    std::fprintf(stderr, "%s: %s …\n", who.name.c_str(), figure.c_str());
    const double since = now_seconds();
    Cells& cells = cells_[who.name];
    try {
      if (figure == "rate") rate(who, cells);
      if (figure == "latency") latency(who, cells);
      if (figure == "start") add(cells, "start", "s", measure_start(broker_, who.engine, 1));
      if (figure == "restart") restart(who, cells);
    } catch (const Void& reason) {
      note("VOID: " + std::string(reason.what()));
      cells[figure == "rate" ? "events" : figure == "latency" ? "committed_p50" : figure].void_reason = reason.what();
      any_void_ = true;
    }
    note(std::to_string(int(now_seconds() - since)) + " s");
  }

  bool any_void() const { return any_void_; }
  std::string table(const std::vector<Contestant>& who) const;
  std::string json(const std::vector<Contestant>& who) const;

 private:
  void add(Cells& cells, const char* column, const char* unit, double value) {
    cells[column].unit = unit;
    cells[column].values.push_back(value);
    note(std::string(column) + " " + shown(value) + " " + unit);
  }
  void rate(const Contestant& who, Cells& cells) {
    const RateFigures f = measure_rate(broker_, who.engine, 1, scale_.count, Feed::kBehind);
    add(cells, "events", "1/s", f.events_per_second);
    add(cells, "cpu", "s", f.cpu_per_million);
    add(cells, "rss", "MB", f.rss_peak_mb);
  }
  void latency(const Contestant& who, Cells& cells) {
    const LatencyFigures f = measure_latency(broker_, who.engine, 1, kRate, scale_.warm_up_s, scale_.latency_s);
    add(cells, "committed_p50", "ms", percentile_of(f.committed_ms, 0.5));
    add(cells, "committed_p99", "ms", percentile_of(f.committed_ms, 0.99));
    add(cells, "committed_p999", "ms", percentile_of(f.committed_ms, 0.999));
    add(cells, "cores", "cores", f.cores);
  }
  void restart(const Contestant& who, Cells& cells) {
    RestartLoad load;
    load.rate = kRate;
    load.seconds_before = scale_.before_kill_s;
    const RestartFigures f = measure_restart(broker_, who.engine, 1, load);
    add(cells, "restart", "s", f.seconds[0]);
    add(cells, "missing", "", double(f.proof.missing));
    add(cells, "doubled", "", double(f.proof.doubled));
    add(cells, "state_errors", "", double(f.proof.state_errors));
    add(cells, "unlearnt", "", double(f.unlearnt));
  }
  static std::string shown(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value == double(std::int64_t(value)) ? "%.0f" : value >= 1000 ? "%.0f" : value >= 100 ? "%.1f" : "%.3g", value);
    return text;
  }

  const KafkaBroker& broker_;
  Scale scale_;
  std::map<std::string, Cells> cells_;
  bool any_void_ = false;
};

std::string Comparison::table(const std::vector<Contestant>& who) const {
  std::string out = "| engine, exactly once |", rule = "|---|";
  for (const Column& column : kColumns) out += " " + std::string(column.shown) + " |", rule += "---:|";
  out += "\n" + rule + "\n";
  for (const Contestant& contestant : who) {
    const auto cells = cells_.find(contestant.name);
    if (cells == cells_.end()) continue;
    out += "| " + contestant.name + " |";
    for (const Column& column : kColumns) {
      const auto cell = cells->second.find(column.name);
      if (cell == cells->second.end()) out += " |";
      else if (!cell->second.void_reason.empty()) out += " void |";
      else out += " " + shown(median(cell->second.values)) + " |";
    }
    out += "\n";
  }
  return out;
}

std::string Comparison::json(const std::vector<Contestant>& who) const {
  ByteBuffer text;
  std::string out;
  const auto number = [](double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.6g", value);
    return std::string(digits);
  };
  for (const Contestant& contestant : who) {
    const auto cells = cells_.find(contestant.name);
    if (cells == cells_.end()) continue;
    for (const auto& [column, cell] : cells->second) {
      std::string rounds;
      for (const double value : cell.values) rounds += (rounds.empty() ? "" : ", ") + number(value);
      text.clear();
      json::append_string(text, cell.void_reason);
      const bool valid = cell.void_reason.empty();
      out += std::string(out.empty() ? "" : ",") + "\n  {\"engine\": \"" + contestant.name + "\", \"figure\": \"" + column + "\", \"value\": " +
             (valid ? number(median(cell.values)) : "null") + ", \"unit\": \"" + cell.unit + "\", \"rounds\": [" + rounds + "], \"void\": " +
             (valid ? "null" : std::string(text.view())) + "}";
    }
  }
  return "[" + out + "\n]\n";
}

struct Arguments {
  bool quick = false;
  std::string peers, out;
  std::regex engine{""}, figure{""};
  int rounds = 0;
};

Arguments parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--quick") {
      out.quick = true;
      continue;
    }
    if (++i == argc) give_up("usage: peers_bench [--quick] [--peers FILE] [--out FILE] [--engine REGEX] [--figure REGEX] [--rounds N]");
    if (name == "--peers") out.peers = argv[i];
    else if (name == "--out") out.out = argv[i];
    else if (name == "--engine") out.engine = argv[i];
    else if (name == "--figure") out.figure = argv[i];
    else if (name == "--rounds") out.rounds = std::atoi(argv[i]);
    else give_up("unknown option '" + name + "'");
  }
  return out;
}

int run(const Arguments& arguments) {
  Scale scale;
  if (arguments.quick || quick()) scale = {20'000, 1, 1.0, 3.0, 2.5};
  if (arguments.rounds > 0) scale.rounds = arguments.rounds;
  const std::vector<Contestant> all = contestants(read_peers(arguments.peers));
  const KafkaBroker broker;
  Comparison comparison(broker, scale);
  const auto wanted = [&](const Contestant& who, const std::string& figure) {
    return who.figures.find(figure) != std::string::npos && std::regex_search(who.name, arguments.engine) && std::regex_search(figure, arguments.figure);
  };
  {  // A broker that has just been started compiles its code first, at the cost of whoever comes first.
    note("warming up the broker");
    try {
      static_cast<void>(measure_rate(broker, all[0].engine, 1, scale.count / 5, Feed::kBehind));
    } catch (const Void& reason) {
      note(std::string("VOID: ") + reason.what());
    }
  }
  // The rounds are outermost: a machine that slows down does so for all.
  for (const std::string figure : {"rate", "start"})
    for (int round = 0; round < scale.rounds; ++round)
      for (const Contestant& who : all)
        if (wanted(who, figure)) comparison.measure(who, figure);
  for (const std::string figure : {"latency", "restart"})
    for (const Contestant& who : all)
      if (wanted(who, figure)) comparison.measure(who, figure);
  std::printf("%s", comparison.table(all).c_str());
  if (!arguments.out.empty()) write_file(arguments.out, comparison.json(all));
  return comparison.any_void() ? 1 : 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) { return weir::bench::run(weir::bench::parse(argc, argv)); }
