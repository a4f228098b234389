// What one event and its outcome cost in the join, rows resident; what a prediction's JSON and an example's bytes cost.

#include <benchmark/benchmark.h>

#include <charconv>
#include <vector>

#include "actors/outcome_join.hpp"
#include "core/records/codec.hpp"

namespace weir {
namespace {

struct Row {  // As flights have it: 20 numbers, 20 one-hot indices, two label aggregates.
  Row() : dense(20, 0.25f), indices(20), values(20, 1.0f), label_keys{1, 2} {
    for (std::uint32_t i = 0; i < indices.size(); ++i) indices[i] = 100 * i;
    sample = {dense, indices, values};
    prediction.value = 0.123456789012345;
    prediction.has_set = prediction.certified = prediction.in_set[0] = true;
    event.id = {"123456", true};
    event.event_time = EventTime(1357035300000000);
  }
  std::vector<float> dense;
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  std::vector<std::uint64_t> label_keys;
  Sample sample;
  Prediction prediction;
  Event event;
  Source source{"flights.logs", PartitionId(0), Offset(123456)};
};

struct NullOutput final : Output {
  void emit(RecordView&) override {}
  void feed_back(InputId, RecordView& record) override { benchmark::DoNotOptimize(record.example->label); }
  void append(Topic topic, const Record& record) override {
    if (transaction.record_bytes() > (1 << 20)) transaction.clear();
    transaction.append(topic, record);
  }
  void fail(Error error) override { std::abort(), static_cast<void>(error); }
  Transaction transaction;
};

// `waiting` rows wait at any time; a commit every 300 events; marks are kept for 2,000 events.
void store_and_join(benchmark::State& state) {
  const auto waiting = static_cast<std::uint64_t>(state.range(0));
  OutcomeJoinSettings settings;
  settings.wait = Duration(2000);
  settings.budget_bytes = std::size_t(64) << 20;
  OutcomeJoin join(settings);
  Row row;
  NullOutput out;
  StateChanges changes;
  std::uint64_t n = 0, commit = 0;
  char id[20];
  const auto text = [&](std::uint64_t value) { return std::string_view(id, static_cast<std::size_t>(std::to_chars(id, id + 20, value).ptr - id)); };
  const auto event = [&] {
    row.event.id.text = text(n);
    row.event.event_time = EventTime(static_cast<std::int64_t>(n));
    RecordView view;
    view.source = row.source;
    view.event = &row.event;
    view.sample = &row.sample;
    view.prediction = &row.prediction;
    view.label_keys = row.label_keys;
    join.process(InputId::kLogs, view, out);
    ++n;
  };
  const auto one = [&] {
    event();
    const Outcome outcome{{text(n - waiting), true}, EventTime(static_cast<std::int64_t>(n)), 1.0};
    RecordView view;
    view.source = row.source;
    view.outcome = &outcome;
    join.process(InputId::kOutcomes, view, out);
    if (n % 300 == 0) {
      StateWriter writer(changes, "outcome_join/", CommitId(++commit));
      join.save(writer);
      join.keyed()->committed(CommitId(commit));
      changes.clear();
    }
  };
  while (n < waiting) event();
  for (int i = 0; i < 20000; ++i) one();
  for (auto _ : state) one();
  state.counters["events/s"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(store_and_join)->Name("join/store_and_join")->Arg(250)->Arg(1000);

void prediction_json(benchmark::State& state) {
  Row row;
  ByteBuffer out;
  double p = 0.1;
  for (auto _ : state) {
    out.clear();
    row.prediction.value = p += 1e-9;
    write_prediction(ValueFormat::kJson, row.event, row.prediction, row.source, TaskKind::kClassification, PartitionId(0), out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(prediction_json)->Name("codec/prediction_json");

void example_bytes(benchmark::State& state) {
  Row row;
  Example example;
  example.id = row.event.id;
  example.sample = row.sample;
  example.prediction = row.prediction;
  example.label_keys = row.label_keys;
  example.source = example.outcome_source = row.source;
  ByteBuffer out;
  ExampleScratch scratch;
  Example back;
  for (auto _ : state) {
    out.clear();
    encode_example(example, out);
    if (state.range(0) == 1) benchmark::DoNotOptimize(decode_example(out.view(), scratch, back));
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(example_bytes)->Name("codec/example_encode")->Arg(0);
BENCHMARK(example_bytes)->Name("codec/example_encode_decode")->Arg(1);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
