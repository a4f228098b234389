// The JSON parser against simdjson's DOM parser: the same lines are JSON, the same values are in them.
#include <simdjson.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "core/records/line_parser.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace {

using namespace weir;
namespace dom = simdjson::dom;

EventSchema schema() {
  EventSchema out;
  out.id = "id";
  out.time = "ts";
  out.time_format = TimeFormat::kMicros;
  for (const auto& [name, kind] : {std::pair("x", FieldKind::kNumber), std::pair("n.y", FieldKind::kNumber),
                                   std::pair("c", FieldKind::kCategory), std::pair("n.m.t", FieldKind::kHashedText)}) {
    FieldSpec field;
    field.name = name;
    field.kind = kind;
    out.fields.push_back(field);
  }
  return out;
}

using Values = std::multimap<std::string, dom::element>;
void flatten(dom::object object, const std::string& prefix, Values& out) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    for (const char* declared : {"id", "ts", "x", "n.y", "c", "n.m.t"})
      if (name == declared) out.emplace(name, value);
    dom::object inner;
    if ((name == "n" || name == "n.m") && value.get(inner) == simdjson::SUCCESS) flatten(inner, name + ".", out);
  }
}

const dom::element* one(const Values& values, const char* name) {
  const auto at = values.find(name);
  return at == values.end() || at->second.is_null() ? nullptr : &at->second;
}

// Nothing in it that the parser might object to.
bool is_clean(const Values& values) {
  for (auto at = values.begin(); at != values.end(); ++at)
    if (values.count(at->first) > 1) return false;
  const dom::element* id = one(values, "id");
  const dom::element* time = one(values, "ts");
  if (id == nullptr || time == nullptr || !time->is_int64()) return false;
  const std::int64_t micros = time->get_int64().value();
  if (micros < -1'000'000'000'000'000 || micros > 1'000'000'000'000'000) return false;
  if (id->is_string()) {
    const std::string_view text = id->get_string().value();
    if (text.empty() || text.size() > 256) return false;
  } else if (!id->is_int64() && !id->is_uint64()) {
    return false;
  }
  for (const char* name : {"x", "n.y"})
    if (const dom::element* value = one(values, name); value != nullptr && !value->is_number()) return false;
  for (const char* name : {"c", "n.m.t"})
    if (const dom::element* value = one(values, name); value != nullptr && (value->is_object() || value->is_array())) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = make_line_parser(schema(), LineRole::kEvent);
  static ParseArena arena;
  static dom::parser oracle;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  arena.clear();
  ParsedRecord record;
  (*parser)->parse(input, arena, record);
  fuzz::check_record(record, input);

  std::string_view body = input;
  if (!body.empty() && body.back() == '\r') body.remove_suffix(1);
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
  dom::element root;
  const auto error = oracle.parse(simdjson::padded_string(body)).get(root);
  dom::object object;
  const bool is_object = error == simdjson::SUCCESS && root.get(object) == simdjson::SUCCESS;
  const bool malformed = record.kind == ParsedKind::kRefused && record.refusal.reason == Reason::kMalformed;
  if (!is_object) {
    if (malformed) return 0;
    // Where we say more: numbers beyond f64 or 64 bits, which the oracle cannot hold, and NaN where a number is declared.
    FUZZ_CHECK(error == simdjson::NUMBER_ERROR || error == simdjson::TAPE_ERROR);
    if (error == simdjson::TAPE_ERROR) {
      FUZZ_CHECK(record.kind == ParsedKind::kRefused);
      FUZZ_CHECK(input.find("NaN") != input.npos || input.find("Infinity") != input.npos);
    } else {
      std::size_t digits = 0, longest = 0;
      bool power = false;
      for (const char c : input) {
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        longest = std::max(longest, digits);
        power |= c == 'e' || c == 'E';
      }
      FUZZ_CHECK(longest >= 19 || power);
    }
    return 0;
  }
  FUZZ_CHECK(!malformed);
  Values values;
  flatten(object, "", values);
  if (is_clean(values)) FUZZ_CHECK(record.kind == ParsedKind::kEvent);
  if (record.kind != ParsedKind::kEvent) return 0;
  for (auto at = values.begin(); at != values.end(); ++at) FUZZ_CHECK(values.count(at->first) == 1);
  const Event& event = record.event;
  const dom::element* id = one(values, "id");
  FUZZ_CHECK(id != nullptr && one(values, "ts") != nullptr);
  if (id->is_string()) FUZZ_CHECK(!event.id.is_integer && id->get_string().value() == event.id.text);
  if (id->is_int64() && event.id.is_integer) FUZZ_CHECK(std::to_string(id->get_int64().value()) == event.id.text);
  if (one(values, "ts")->is_int64()) FUZZ_CHECK(one(values, "ts")->get_int64().value() == event.event_time.value);
  for (const auto& [name, index] : {std::pair("x", 0), std::pair("n.y", 1)}) {
    const dom::element* value = one(values, name);
    FUZZ_CHECK((value == nullptr) == event.fields[index].missing);
    if (value != nullptr) FUZZ_CHECK(value->get_double().value() == event.fields[index].number);
  }
  for (const auto& [name, index] : {std::pair("c", 2), std::pair("n.m.t", 3)}) {
    const dom::element* value = one(values, name);
    FUZZ_CHECK((value == nullptr) == event.fields[index].missing);
    if (value != nullptr && value->is_string()) FUZZ_CHECK(value->get_string().value() == event.fields[index].text);
  }
  return 0;
}
