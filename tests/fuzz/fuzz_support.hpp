#pragma once
// What every fuzz target checks.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/base/hash.hpp"
#include "core/records/event.hpp"
#include "core/records/utf8.hpp"

#define FUZZ_CHECK(...)                                                            \
  do {                                                                             \
    if (!(__VA_ARGS__)) {                                                          \
      std::fprintf(stderr, "%s:%d: fails: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

namespace weir::fuzz {

// Whatever came in: a verdict, finite numbers, text that is UTF-8, ids within their bounds.
inline void check_record(const ParsedRecord& record, std::string_view input) {
  FUZZ_CHECK(record.kind != ParsedKind::kUnparsed);
  FUZZ_CHECK(record.line.size() <= input.size());
  if (record.kind == ParsedKind::kRefused) {
    FUZZ_CHECK(!record.refusal.detail.empty());
    FUZZ_CHECK(record.refusal.detail.size() < 2000);
    FUZZ_CHECK(is_utf8(record.refusal.detail));
    return;
  }
  if (record.kind != ParsedKind::kEvent) return;
  const Event& event = record.event;
  FUZZ_CHECK(!event.id.text.empty() && event.id.text.size() <= 256);
  FUZZ_CHECK(is_utf8(event.id.text));
  if (event.label) FUZZ_CHECK(std::isfinite(*event.label));
  for (const FieldValue& field : event.fields) {
    FUZZ_CHECK(std::isfinite(field.number));
    FUZZ_CHECK(is_utf8(field.text));
    if (field.hash != 0) FUZZ_CHECK(field.hash == hash64(field.text));
  }
}

}  // namespace weir::fuzz
