// The stages features and normalization on parsed flights events (two months), as in a tick: every event through both,
// every outcome through features when it comes, state saved every 1,000 events. And one lookup in KeyedState.

#include <benchmark/benchmark.h>
#include <simdjson.h>
#include <zlib.h>

#include <cstdio>
#include <deque>
#include <fstream>

#include "actors/features.hpp"
#include "actors/normalization.hpp"
#include "core/base/hash.hpp"
#include "pipelines/pipeline_config.hpp"

namespace weir {
namespace {

// What the quick start does with the same flights.
const PipelineConfig& config() {
  static const PipelineConfig loaded = [] {
    auto check = check_config_file(WEIR_SOURCE_DIR "/configs/flights.yaml");
    if (!check.ok() || !check->ok()) std::fprintf(stderr, "configs/flights.yaml is not fine\n"), std::exit(1);
    return std::move(check->config);
  }();
  return loaded;
}

struct Flights {
  std::vector<std::vector<FieldValue>> fields;
  std::vector<std::int64_t> times;
  struct Arrival {
    std::int64_t time;
    std::size_t event;
    double label;
  };
  std::vector<Arrival> arrivals;
  std::deque<std::string> texts;
};

std::string inflate(const std::string& path) {
  std::string out;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) std::fprintf(stderr, "%s cannot be opened\n", path.c_str()), std::exit(1);
  char buffer[1 << 16];
  for (int n = 0; (n = gzread(file, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
  gzclose(file);
  return out;
}

std::int64_t time_us(std::string_view iso) {  // 2013-01-01T10:15:00Z
  const auto digits = [&](std::size_t at, std::size_t n) {
    std::int64_t x = 0;
    for (std::size_t i = at; i < at + n; ++i) x = x * 10 + (iso[i] - '0');
    return x;
  };
  static constexpr std::int64_t kDaysBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};  // 2013
  const std::int64_t days = 15706 + kDaysBefore[digits(5, 2) - 1] + digits(8, 2) - 1;
  return ((days * 24 + digits(11, 2)) * 60 + digits(14, 2)) * 60 * 1'000'000;
}

const Flights& flights() {
  static const Flights data = [] {
    Flights f;
    const EventSchema& schema = config().logs_schema;
    simdjson::dom::parser parser;
    const std::string folder = WEIR_SOURCE_DIR "/data/flights/";
    const std::string events = inflate(folder + "events.jsonl.gz");
    simdjson::dom::document_stream lines = parser.parse_many(events);
    for (const auto line : lines) {
      std::vector<FieldValue> fields(schema.fields.size());
      for (std::size_t i = 0; i < fields.size(); ++i) {
        const simdjson::dom::element value = line[schema.fields[i].name];
        if (value.is_null()) continue;
        fields[i].missing = false;
        if (schema.fields[i].kind == FieldKind::kNumber) {
          fields[i].number = value.get_double();
        } else {
          f.texts.push_back(value.is_string() ? std::string(value.get_string().value()) : std::to_string(value.get_int64().value()));
          fields[i].text = f.texts.back();
          fields[i].hash = hash64(f.texts.back());
        }
      }
      f.fields.push_back(std::move(fields));
      f.times.push_back(time_us(line["ts"].get_string().value()));
    }
    const std::string outcomes = inflate(folder + "outcomes.jsonl.gz");
    simdjson::dom::document_stream arrivals = parser.parse_many(outcomes);
    for (const auto line : arrivals)
      f.arrivals.push_back({time_us(line["ts"].get_string().value()), static_cast<std::size_t>(line["id"].get_int64().value()),
                            double(line["label"].get_int64().value())});
    return f;
  }();
  return data;
}

class Chain : public Output {
 public:
  void emit(RecordView& record) override {
    if (next != nullptr) {
      Stage* stage = next;
      next = nullptr;
      stage->process(input, record, *this);
    }
  }
  void feed_back(InputId, RecordView&) override {}
  void append(Topic, const Record&) override {}
  void fail(Error error) override { std::fprintf(stderr, "%s\n", error.what.c_str()), std::exit(1); }
  InputId input = InputId::kLogs;
  Stage* next = nullptr;
};

void features_and_normalization(benchmark::State& state) {
  const Flights& data = flights();
  const bool with_outcomes = state.range(0) != 0;
  std::size_t state_bytes = 0;
  double sum = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto features = std::move(*Features::make(config().features, config().logs_schema, 8 << 20));
    auto normalization = std::move(*Normalization::make(config().features, config().logs_schema));
    std::vector<std::uint64_t> keys(16 * data.times.size());
    std::vector<std::uint8_t> key_count(data.times.size());
    StateChanges changes;
    Chain chain;
    std::uint64_t commit = 1;
    std::size_t arrived = 0;
    state_bytes = 0;
    state.ResumeTiming();
    for (std::size_t i = 0; i < data.times.size(); ++i) {
      while (with_outcomes && arrived < data.arrivals.size() && data.arrivals[arrived].time < data.times[i]) {
        const auto& arrival = data.arrivals[arrived++];
        Example example;
        example.label = arrival.label;
        example.outcome_time = EventTime{arrival.time};
        example.event_time = EventTime{data.times[arrival.event]};
        example.label_keys = {&keys[16 * arrival.event], key_count[arrival.event]};
        RecordView record;
        record.example = &example;
        chain.input = InputId::kExamples;
        features->process(InputId::kExamples, record, chain);
      }
      Event event;
      event.event_time = EventTime{data.times[i]};
      event.fields = data.fields[i];
      RecordView record;
      record.event = &event;
      chain.input = InputId::kLogs;
      chain.next = normalization.get();
      features->process(InputId::kLogs, record, chain);
      sum += static_cast<double>(record.sample->dense[0]);
      key_count[i] = static_cast<std::uint8_t>(record.label_keys.size());
      std::copy(record.label_keys.begin(), record.label_keys.end(), &keys[16 * i]);
      if (i % 1000 == 999) {
        changes.clear();
        StateWriter to_features(changes, "features.", CommitId{commit});
        features->save(to_features);
        StateWriter to_normalization(changes, "normalization.", CommitId{commit});
        normalization->save(to_normalization);
        features->keyed()->committed(CommitId{commit++});
        state_bytes += changes.bytes();
      }
    }
  }
  benchmark::DoNotOptimize(sum);
  const double events = static_cast<double>(data.times.size());
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(data.times.size()));
  state.counters["state_per_event_bytes"] = static_cast<double>(state_bytes) / events;
}
BENCHMARK(features_and_normalization)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void keyed_state_find(benchmark::State& state) {
  KeyedState keyed(64 << 20);
  const auto count = static_cast<std::uint64_t>(state.range(0));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t key = mix_hash(i, 1);
    keyed.upsert({reinterpret_cast<const char*>(&key), 8}, 40);
  }
  std::uint64_t i = 0;
  std::size_t found = 0;
  for (auto _ : state) {
    const std::uint64_t key = mix_hash(i++ * 7919 % count, 1);
    found += keyed.find({reinterpret_cast<const char*>(&key), 8}).found;
  }
  if (found != i) state.SkipWithError("an entry was lost");
}
BENCHMARK(keyed_state_find)->Arg(3000)->Arg(300000);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
