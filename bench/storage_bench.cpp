// What commits cost: CPU seconds per GB of records and per million state entries, RocksDB's own threads included, and how
// long a commit takes. Prints a JSON list of {name, value, unit}.
//
//   storage_bench [DIRECTORY] [MEGABYTES]

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/hash.hpp"
#include "core/base/rng.hpp"
#include "storage/embedded_log.hpp"

namespace weir {
namespace {

double cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double wall_seconds() { return double(system_clock().monotonic_ns()) / 1e9; }

bool first_figure = true;
void print(const char* name, double value, const char* unit) {
  std::printf("%s\n  {\"name\": \"storage: %s\", \"value\": %.4g, \"unit\": \"%s\"}", first_figure ? "[" : ",", name, value, unit);
  first_figure = false;
}

std::unique_ptr<TopicLog> open(const std::string& path, bool clean) {
  if (clean) std::filesystem::remove_all(path);
  EmbeddedLogOptions options;
  options.path = path;
  options.pipeline = "bench";
  auto log = open_embedded_log(options);
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().what.c_str());
    std::exit(1);
  }
  for (const Topic topic : {Topic::kPredictions, Topic::kExamples})
    if (auto made = (*log)->create({topic, "bench." + std::string(short_name(topic)), 1, {}}); !made) std::exit(1);
  return std::move(log).value();
}

// 300 events a commit, as at 300,000 a second and a commit a millisecond: a prediction of 250 bytes and an example of 400.
void fill_records(Transaction& transaction, Rng& rng, std::string& text) {
  Record record;
  record.has_key = true;
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t id = rng.next_u64();
    text = "{\"id\":\"" + std::to_string(id) + "\",\"key\":null,\"event_time\":" + std::to_string(id >> 12) +
           ",\"probability\":0." + std::to_string(id >> 8) + ",\"label_predicted\":1,\"certified\":true,\"set\":[1]," +
           "\"model_version\":\"0/" + std::to_string(id >> 44) + "\",\"source\":{\"topic\":\"flights.logs\",\"partition\":0}}";
    record.key = std::string_view(text).substr(7, 18);
    record.value = text;
    transaction.append(Topic::kPredictions, record);
    text.resize(400);
    for (std::size_t at = 0; at < 400; at += 8) {
      const std::uint64_t noise = rng.next_u64();
      std::memcpy(text.data() + at, &noise, at % 16 == 0 ? 8 : 4);
    }
    record.value = text;
    transaction.append(Topic::kExamples, record);
  }
}

void print_latency(const std::string& name, std::vector<double> commit_us) {
  std::sort(commit_us.begin(), commit_us.end());
  const auto at = [&](double q) { return commit_us[std::size_t(q * double(commit_us.size() - 1))]; };
  print((name + ": commit P50").c_str(), at(0.5), "us");
  print((name + ": commit P99").c_str(), at(0.99), "us");
  print((name + ": commit P99.9").c_str(), at(0.999), "us");
}

void bench(const std::string& path, double megabytes) {
  Rng rng(1);
  std::string text;
  // Made before the clock starts, so that the CPU time measured is the log's alone.
  std::vector<Transaction> ready(64);
  for (Transaction& transaction : ready) fill_records(transaction, rng, text);
  const double bytes = double(ready[0].record_bytes());
  {
    auto log = open(path, true);
    const int commits = int(megabytes * 1e6 / bytes);
    Transaction transaction;
    auto store = log->open_task({"inference", PartitionId(0)});
    if (!store || !(*store)->recover()) std::exit(1);
    const double cpu = cpu_seconds(), wall = wall_seconds();
    for (int i = 0; i < commits; ++i)
      if (auto id = (*store)->commit(ready[std::size_t(i) % ready.size()]); !id) {
        std::fprintf(stderr, "%s\n", id.error().what.c_str());
        std::exit(1);
      }
    const double gigabytes = commits * bytes / 1e9;
    print("records: rate as fast as it goes", gigabytes * 1e3 / (wall_seconds() - wall), "MB/s");
    store->reset();
    log.reset();
    print("records: CPU, threads of RocksDB included", (cpu_seconds() - cpu) / gigabytes, "s/GB");
    const double begin = cpu_seconds(), read_begin = wall_seconds();
    log = open(path, false);
    double read = 0;
    for (const Topic topic : {Topic::kPredictions, Topic::kExamples}) {
      auto reader = log->open_reader(topic, PartitionId(0), Offset(0));
      for (;;) {
        auto batch = (*reader)->poll(Duration::zero());
        if (!batch || *batch == nullptr) break;
        read += double((*batch)->bytes().size());
      }
    }
    print("reading back: rate", read / 1e6 / (wall_seconds() - read_begin), "MB/s");
    print("reading back: CPU", (cpu_seconds() - begin) / (read / 1e9), "s/GB");
  }
  {
    auto log = open(path, true);
    auto store = log->open_task({"inference", PartitionId(0)});
    if (!store || !(*store)->recover()) std::exit(1);
    std::vector<double> commit_us;
    const double start = wall_seconds();
    for (int i = 0; i < 4000; ++i) {
      while (wall_seconds() < start + i * 0.001) {
        const timespec nap = {0, 20'000};
        nanosleep(&nap, nullptr);
      }
      const double begin = wall_seconds();
      if (auto id = (*store)->commit(ready[std::size_t(i) % ready.size()]); !id) std::exit(1);
      commit_us.push_back((wall_seconds() - begin) * 1e6);
    }
    print_latency("200 MB/s, 1,000 commits/s", std::move(commit_us));
  }
  for (const bool random : {false, true}) {
    auto log = open(path, true);
    auto store = log->open_task({"inference", PartitionId(0)});
    if (!store || !(*store)->recover()) std::exit(1);
    std::vector<Transaction> states(200);
    std::uint64_t next = 0;
    const std::string value(100, 'v');
    const double total = 2e6;
    double cpu_total = 0;
    for (double done = 0; done < total;) {
      for (Transaction& transaction : states) {  // Rows that wait: put, and erased 3,000 puts later; or random keys.
        transaction.clear();
        for (int i = 0; i < 300; ++i) {
          const std::uint64_t id = random ? rng.below(2'000'000) : next++;
          std::uint64_t hashed = mix_hash(id, 7);
          transaction.state.put("join|", {reinterpret_cast<const char*>(&hashed), 8}, value);
          if (!random && id >= 3000) {
            hashed = mix_hash(id - 3000, 7);
            transaction.state.erase("join|", {reinterpret_cast<const char*>(&hashed), 8});
          }
        }
      }
      const double cpu = cpu_seconds();
      for (Transaction& transaction : states) {
        if (auto id = (*store)->commit(transaction); !id) std::exit(1);
        done += double(transaction.state.count());
      }
      cpu_total += cpu_seconds() - cpu;
    }
    print(random ? "state: CPU, random keys of 2 M, 100 bytes" : "state: CPU, put and erased 3,000 puts later",
          cpu_total / (total / 1e6), "s/M entries");
  }
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  std::string path = (std::filesystem::temp_directory_path() / "weir-storage-bench").string();
  double megabytes = 1000;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i)
    if (argv[i][0] != '-') words.push_back(argv[i]);  // bench/run.py passes --benchmark_format=json to every benchmark.
  if (!words.empty()) path = words[0];
  if (words.size() > 1) megabytes = std::atof(words[1].c_str());
  weir::bench(path, megabytes);
  std::printf("\n]\n");
  std::filesystem::remove_all(path);
}
