// CSV, key=value and syslog: any bytes give a verdict. CSV: what is accepted and written again by RFC 4180 gives the same.
// FUZZ_FORMATS: the formats of this target; the first byte of the input chooses.
#include <memory>
#include <string>
#include <vector>

#include "core/records/line_parser.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace weir;

constexpr LineFormat kFormats[] = {FUZZ_FORMATS};

EventSchema schema(LineFormat format) {
  const bool syslog = format == LineFormat::kSyslog5424 || format == LineFormat::kSyslog3164;
  EventSchema out;
  out.format = format;
  out.id = "id";
  out.time = syslog ? "timestamp" : "ts";
  out.time_format = format == LineFormat::kSyslog3164 ? TimeFormat::kSyslog : TimeFormat::kIso8601;
  out.label = "label";
  std::vector<std::pair<const char*, FieldKind>> fields = {{"x", FieldKind::kNumber}, {"c", FieldKind::kCategory}};
  if (syslog) {
    fields.emplace_back("severity", FieldKind::kNumber);
    fields.emplace_back("procid", FieldKind::kCategory);
    fields.emplace_back("message", FieldKind::kHashedText);
    fields.emplace_back("s@1.p", FieldKind::kHashedText);
  }
  for (const auto& [name, kind] : fields) {
    FieldSpec field;
    field.name = name;
    field.kind = kind;
    out.fields.push_back(field);
  }
  if (format == LineFormat::kCsv) out.columns = {"id", "ts", "x", "c", "label"};
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::vector<std::unique_ptr<LineParser>> parsers = [] {
    std::vector<std::unique_ptr<LineParser>> out;
    for (const LineFormat format : kFormats) out.push_back(std::move(make_line_parser(schema(format), LineRole::kEvent)).value());
    return out;
  }();
  static ParseArena arena;
  if (size == 0) return 0;
  const std::size_t which = data[0] % parsers.size();
  const auto line = std::make_unique<char[]>(size - 1);  // Of its exact size, so that the sanitizer sees every byte too many.
  std::copy(data + 1, data + size, line.get());
  const std::string_view input(line.get(), size - 1);
  arena.clear();
  ParsedRecord record;
  parsers[which]->parse(input, arena, record);
  fuzz::check_record(record, input);
  if (kFormats[which] != LineFormat::kCsv) return 0;

  static auto fresh = make_line_parser([] {
    EventSchema out = schema(LineFormat::kCsv);
    out.columns.clear();
    return out;
  }(), LineRole::kEvent);
  (void)(*fresh)->header(input);  // Any bytes may come as a header.
  if (record.kind != ParsedKind::kEvent) return 0;
  const auto quoted = [](std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
  };
  const Event& event = record.event;
  const std::string again = quoted(event.id.text) + ",2013-01-01T10:15:00Z,," + (event.fields[1].missing ? "" : quoted(event.fields[1].text)) + ",";
  ParsedRecord second;
  parsers[which]->parse(again, arena, second);
  FUZZ_CHECK(second.kind == ParsedKind::kEvent);
  FUZZ_CHECK(second.event.id == event.id);
  FUZZ_CHECK(second.event.fields[1].text == event.fields[1].text);
  return 0;
}
