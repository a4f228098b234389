#include "core/records/line_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "core/base/check.hpp"
#include "core/records/record_builder.hpp"

namespace weir {

// The bytes follow the header; malloc's alignment serves every type that allocate() is for.
struct alignas(std::max_align_t) ParseArena::Block {
  Block* next = nullptr;
  std::size_t bytes = 0;
  char* begin() { return reinterpret_cast<char*>(this + 1); }
};

namespace {
constexpr std::size_t kBlockBytes = 256 * 1024;
}

ParseArena::~ParseArena() {
  while (first_ != nullptr) std::free(std::exchange(first_, first_->next));
}
ParseArena::ParseArena(ParseArena&& other) noexcept
    : first_(std::exchange(other.first_, nullptr)),
      current_(std::exchange(other.current_, nullptr)),
      at_(std::exchange(other.at_, nullptr)),
      end_(std::exchange(other.end_, nullptr)) {}
ParseArena& ParseArena::operator=(ParseArena&& other) noexcept {
  std::swap(first_, other.first_);
  std::swap(current_, other.current_);
  std::swap(at_, other.at_);
  std::swap(end_, other.end_);
  return *this;
}

void ParseArena::enter(Block* block) {
  current_ = block;
  at_ = block->begin();
  end_ = at_ + block->bytes;
}

void ParseArena::clear() {
  if (first_ != nullptr) enter(first_);
}

void* ParseArena::allocate_slow(std::size_t bytes) {
  // The next block that is large enough; smaller ones stay in the chain for later rounds.
  Block* last = current_;
  while (last != nullptr && last->next != nullptr) {
    last = last->next;
    if (last->bytes >= bytes) {
      enter(last);
      at_ += bytes;
      return last->begin();
    }
  }
  const std::size_t room = std::max(bytes, kBlockBytes);
  void* memory = std::malloc(sizeof(Block) + room);
  CHECK(memory != nullptr);
  Block* block = new (memory) Block();
  block->bytes = room;
  (last == nullptr ? first_ : last->next) = block;
  enter(block);
  at_ += bytes;
  return block->begin();
}

namespace {

Error config_error(std::string what) { return Error{ErrorCode::kConfig, "schema: " + std::move(what)}; }

Result<void> check_schema(const EventSchema& schema, LineRole role) {
  if (schema.id.empty()) return config_error("no id: name the field that holds it");
  if (schema.time.empty()) return config_error("no time: name the field that holds the event time");
  if (role == LineRole::kOutcome && schema.label.empty())
    return config_error("no label: name the field of the outcomes that holds it");
  if (schema.label_required && schema.label.empty()) return config_error("a label is required, but no field is named for it");
  if (schema.line_bytes_max == 0) return config_error("max_line is 0: expected at least 1");
  std::set<std::string> names;
  for (const FieldSpec& field : schema.fields) {
    if (field.name.empty()) return config_error("a field without a name");
    if (!names.insert(field.name).second) return config_error("field \"" + field.name + "\" is declared twice");
    if (!std::isfinite(field.clip) || field.clip < 0)
      return config_error("field \"" + field.name + "\": clip must be 0 or more");
    if (!field.bins.empty() && field.kind != FieldKind::kNumber)
      return config_error("field \"" + field.name + "\": only numbers have bins");
    for (std::size_t i = 0; i < field.bins.size(); ++i) {
      if (!std::isfinite(field.bins[i]) || (i > 0 && !(field.bins[i - 1] < field.bins[i])))
        return config_error("field \"" + field.name + "\": bins must ascend");
    }
  }
  if (schema.format == LineFormat::kCsv) {
    if (schema.delimiter == '"' || schema.delimiter == '\n' || schema.delimiter == '\r' || schema.delimiter == '\0' ||
        static_cast<unsigned char>(schema.delimiter) >= 0x80)
      return config_error("the delimiter must be an ASCII character other than a quote or a line end");
    std::set<std::string> columns;
    for (const std::string& column : schema.columns)
      if (!columns.insert(column).second) return config_error("column \"" + column + "\" is declared twice");
    names.insert({schema.id, schema.time});
    if (!schema.key.empty()) names.insert(schema.key);
    if (!schema.label.empty()) names.insert(schema.label);
    for (const std::string& name : names)
      if (!columns.empty() && !columns.contains(name))
        return config_error("\"" + name + "\" is none of the declared columns");
  }
  if (schema.time_format == TimeFormat::kSyslog && (schema.year < 1 || schema.year > 9999))
    return config_error("year " + std::to_string(schema.year) + ": expected 1 to 9999");
  return {};
}

}  // namespace

Result<std::unique_ptr<LineParser>> make_line_parser(const EventSchema& schema, LineRole role) {
  TRY(check_schema(schema, role));
  switch (schema.format) {
    case LineFormat::kJson: return make_json_line_parser(schema, role);
    case LineFormat::kCsv: return make_csv_line_parser(schema, role);
    case LineFormat::kKeyValue: return make_key_value_line_parser(schema, role);
    case LineFormat::kSyslog5424:
    case LineFormat::kSyslog3164: return make_syslog_line_parser(schema, role);
  }
  return config_error("unknown line format");
}

void refuse_too_long(std::string_view head, std::uint64_t line_bytes, std::uint32_t line_crc, std::uint64_t limit,
                     ParseArena& arena, ParsedRecord& out) {
  out.kind = ParsedKind::kRefused;
  out.line = head;
  out.line_bytes = line_bytes;
  out.line_crc = line_crc;
  out.event = Event{};
  out.outcome = Outcome{};
  char found[20], expected[20];
  const auto digits = [](char(&text)[20], std::uint64_t value) {
    return std::string_view(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
  };
  char* const detail = arena_bytes(arena, 128);
  std::size_t bytes = 0;
  for (const std::string_view part : {std::string_view("line of "), digits(found, line_bytes),
                                      std::string_view(" bytes: expected at most "), digits(expected, limit)}) {
    std::memcpy(detail + bytes, part.data(), part.size());
    bytes += part.size();
  }
  out.refusal = Refusal{Reason::kTooLong, {detail, bytes}};
}

}  // namespace weir
