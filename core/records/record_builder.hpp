#pragma once
// What all line formats share: takes the values that a format finds for the declared names of a schema, in the order of the
// line, and makes an event, an outcome or a refusal of them. The formats know syntax only.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/records/event.hpp"
#include "core/records/event_schema.hpp"
#include "core/records/line_parser.hpp"
#include "core/records/number_text.hpp"
#include "core/records/time_text.hpp"

namespace weir {

// Declared names, numbered from 0; -1: a name that is not declared.
using SlotIndex = std::int32_t;
inline constexpr SlotIndex kNoSlot = -1;

class RecordBuilder {
 public:
  RecordBuilder(const EventSchema& schema, LineRole role);

  const std::vector<std::string>& names() const { return names_; }
  SlotIndex find(std::string_view name) const;  // By binary search; the formats remember what came at this place before.

  // Takes the line without its "\r" and byte order mark, which it returns. False: refused already (too long, not UTF-8).
  bool begin(std::string_view line, ParseArena& arena, ParsedRecord& out, std::string_view& body);

  // One value for a declared name; `slot` may be kNoSlot except where a number is given. JSON's types:
  void number(SlotIndex slot, const ScannedNumber& found);
  void string(SlotIndex slot, std::string_view text);
  void null(SlotIndex slot);
  void boolean(SlotIndex slot, bool value);
  void compound(SlotIndex slot, std::string_view what);  // "an object", "an array".
  void not_finite(SlotIndex slot, std::string_view token);  // NaN and the like, where a number is declared.
  bool takes_numbers(SlotIndex slot) const { return slot != kNoSlot && slots_[static_cast<std::size_t>(slot)].numeric; }
  // A value of a format without types; an empty one is missing.
  void text(SlotIndex slot, std::string_view text);

  // The line is not of the declared format: beats every other reason. `at`: byte in the line, -1 if it has no place.
  void malformed(std::string_view what, std::ptrdiff_t at = -1);

  // The verdict.
  void finish();

  ParseArena& arena() { return *arena_; }

 private:
  struct Slot {
    std::int32_t field = -1;  // In schema.fields.
    bool id = false, key = false, time = false, label = false;
    bool numeric = false;     // A number field or the label.
    std::uint64_t seen = 0;   // Number of the line that had it last.
  };
  // Marks the slot; null if it is not to be taken: undeclared, or a repetition (which refuses the line).
  Slot* take(SlotIndex slot);
  void set_text_field(Slot& slot, std::string_view text);
  void set_id(Slot& slot, SlotIndex index, std::string_view text, bool is_integer);
  void set_time(SlotIndex index, std::string_view text);
  void set_label(SlotIndex index, double value, std::string_view found);
  // Keeps the first one. The parts are joined in the arena.
  void refuse(Reason reason, std::initializer_list<std::string_view> parts);
  std::string_view join(std::initializer_list<std::string_view> parts);
  std::string_view excerpt(std::string_view text);

  const LineRole role_;
  const std::uint64_t line_bytes_max_;
  const bool label_required_;
  const bool label_binary_;
  const std::string id_name_, time_name_, label_name_;
  std::vector<std::string> names_;       // Sorted; a slot's index is its name's.
  std::vector<Slot> slots_;
  std::vector<FieldKind> kinds_;         // Of schema.fields.
  TimeReader time_;

  std::uint64_t line_number_ = 0;
  ParseArena* arena_ = nullptr;
  ParsedRecord* out_ = nullptr;
  FieldValue* fields_ = nullptr;
  bool malformed_ = false;
  bool refused_ = false;
  bool has_id_ = false, has_time_ = false, has_label_ = false;
  Refusal refusal_;
  Id id_, key_;
  bool has_key_ = false;
  EventTime event_time_;
  double label_ = 0.0;
};

// Arena memory for a copy.
inline char* arena_bytes(ParseArena& arena, std::size_t bytes) { return static_cast<char*>(arena.allocate(bytes, 1)); }

// One parser per format (line_parser_<format>.cpp). REQUIRES: the schema has been checked.
std::unique_ptr<LineParser> make_json_line_parser(const EventSchema& schema, LineRole role);
std::unique_ptr<LineParser> make_csv_line_parser(const EventSchema& schema, LineRole role);
std::unique_ptr<LineParser> make_key_value_line_parser(const EventSchema& schema, LineRole role);
std::unique_ptr<LineParser> make_syslog_line_parser(const EventSchema& schema, LineRole role);

}  // namespace weir
