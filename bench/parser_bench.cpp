// How fast lines become events and outcomes, beside simdjson's DOM parser on the same lines (which only validates and builds
// its tape: no field is taken out).
//
// Input: the shipped flights, or WEIR_FLIGHTS=DIR with events.jsonl.gz and outcomes.jsonl.gz.

#include <benchmark/benchmark.h>
#include <simdjson.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/records/line_parser.hpp"

namespace weir {
namespace {

struct Lines {
  std::string bytes;
  std::vector<std::string_view> lines;
};

Lines load(const char* name) {
  const char* directory = std::getenv("WEIR_FLIGHTS");
  const std::string path = std::string(directory != nullptr ? directory : "data/flights") + "/" + name;
  Lines out;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "parser_bench: cannot open %s; set WEIR_FLIGHTS\n", path.c_str());
    std::exit(2);
  }
  char block[1 << 16];
  for (int n; (n = gzread(file, block, sizeof block)) > 0;) out.bytes.append(block, static_cast<std::size_t>(n));
  gzclose(file);
  const std::size_t size = out.bytes.size();
  out.bytes.append(simdjson::SIMDJSON_PADDING, '\0');
  for (std::size_t begin = 0; begin < size;) {
    const std::size_t end = out.bytes.find('\n', begin);
    out.lines.emplace_back(out.bytes.data() + begin, end - begin);
    begin = end + 1;
  }
  return out;
}

const Lines& events() {
  static const Lines lines = load("events.jsonl.gz");
  return lines;
}
const Lines& outcomes() {
  static const Lines lines = load("outcomes.jsonl.gz");
  return lines;
}

FieldSpec field(const char* name, FieldKind kind) {
  FieldSpec out;
  out.name = name;
  out.kind = kind;
  return out;
}

EventSchema flights_schema() {
  EventSchema schema;
  schema.id = "id";
  schema.time = "ts";
  for (const char* name : {"month", "weekday", "hour", "carrier", "origin", "dest"})
    schema.fields.push_back(field(name, FieldKind::kCategory));
  for (const char* name : {"distance", "sched_dur", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib", "dep_delay"})
    schema.fields.push_back(field(name, FieldKind::kNumber));
  return schema;
}

EventSchema outcomes_schema() {
  EventSchema schema;
  schema.id = "id";
  schema.time = "ts";
  schema.label = "label";
  schema.label_binary = true;
  return schema;
}

void parse_lines(benchmark::State& state, const Lines& input, const EventSchema& schema, LineRole role) {
  auto parser = make_line_parser(schema, role);
  ParseArena arena;
  ParsedRecord record;
  std::size_t next = 0;
  std::uint64_t refused = 0;
  for (auto _ : state) {
    if (next % 512 == 0) arena.clear();
    (*parser)->parse(input.lines[next], arena, record);
    refused += record.kind == ParsedKind::kRefused;
    if (++next == input.lines.size()) next = 0;
  }
  if (refused > 0) state.SkipWithError("a line was refused");
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void dom_lines(benchmark::State& state, const Lines& input) {
  simdjson::dom::parser parser;
  std::size_t next = 0;
  for (auto _ : state) {
    simdjson::dom::element element;
    if (parser.parse(input.lines[next].data(), input.lines[next].size(), false).get(element) != simdjson::SUCCESS)
      state.SkipWithError("simdjson refused a line");
    benchmark::DoNotOptimize(element);
    if (++next == input.lines.size()) next = 0;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void BM_events(benchmark::State& state) { parse_lines(state, events(), flights_schema(), LineRole::kEvent); }
void BM_events_simdjson_dom(benchmark::State& state) { dom_lines(state, events()); }
void BM_outcomes(benchmark::State& state) { parse_lines(state, outcomes(), outcomes_schema(), LineRole::kOutcome); }
void BM_outcomes_simdjson_dom(benchmark::State& state) { dom_lines(state, outcomes()); }
BENCHMARK(BM_events);
BENCHMARK(BM_events_simdjson_dom);
BENCHMARK(BM_outcomes);
BENCHMARK(BM_outcomes_simdjson_dom);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
