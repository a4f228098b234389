#pragma once
// A parser with its arena, and short ways to say what a line should give.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.hpp"
#include "core/records/line_parser.hpp"

namespace weir {

inline FieldSpec field(std::string name, FieldKind kind = FieldKind::kNumber) {
  FieldSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  return spec;
}

// id, time in ISO, numbers "x" and "y", category "c", text "t".
inline EventSchema simple_schema(LineFormat format) {
  EventSchema schema;
  schema.format = format;
  schema.id = "id";
  schema.time = "ts";
  schema.fields = {field("x"), field("y"), field("c", FieldKind::kCategory), field("t", FieldKind::kHashedText)};
  return schema;
}

class Parsing {
 public:
  explicit Parsing(const EventSchema& schema, LineRole role = LineRole::kEvent) {
    auto parser = make_line_parser(schema, role);
    if (!parser.ok()) ADD_FAILURE() << parser.error().what;
    parser_ = std::move(parser).value();
  }
  LineParser& parser() { return *parser_; }
  ParseArena& arena() { return arena_; }

  // Valid until the next call. The line is copied into memory of its exact size, so that a sanitizer sees every byte too many.
  const ParsedRecord& parse(std::string_view line) {
    line_ = std::make_unique<char[]>(line.size());
    std::copy(line.begin(), line.end(), line_.get());
    arena_.clear();
    record_ = ParsedRecord{};
    parser_->parse({line_.get(), line.size()}, arena_, record_);
    return record_;
  }
  // "" for a line that went through, else "reason: detail".
  std::string refusal(std::string_view line) {
    const ParsedRecord& record = parse(line);
    if (record.kind != ParsedKind::kRefused) return "";
    EXPECT_FALSE(record.refusal.detail.empty());
    return std::string(name_of(record.refusal.reason)) + ": " + std::string(record.refusal.detail);
  }
  std::string reason(std::string_view line) {
    const std::string text = refusal(line);
    return text.substr(0, text.find(':'));
  }

 private:
  std::unique_ptr<LineParser> parser_;
  ParseArena arena_;
  std::unique_ptr<char[]> line_;
  ParsedRecord record_;
};

}  // namespace weir
