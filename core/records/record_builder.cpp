#include "core/records/record_builder.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <new>

#include "core/base/check.hpp"
#include "core/base/crc32c.hpp"
#include "core/base/hash.hpp"
#include "core/records/utf8.hpp"

namespace weir {
namespace {

constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kIntegerDigitsMax = 19;  // A whole number of more digits is taken as a string.
constexpr std::size_t kExcerptBytes = 64;

}  // namespace

RecordBuilder::RecordBuilder(const EventSchema& schema, LineRole role)
    : role_(role),
      line_bytes_max_(schema.line_bytes_max),
      label_required_(schema.label_required || role == LineRole::kOutcome),
      label_binary_(schema.label_binary),
      id_name_(schema.id),
      time_name_(schema.time),
      label_name_(schema.label),
      time_(schema.time_format, schema.year) {
  const auto add = [&](const std::string& name) {
    if (!name.empty()) names_.push_back(name);
  };
  add(schema.id);
  add(schema.key);
  add(schema.time);
  add(schema.label);
  for (const FieldSpec& field : schema.fields) add(field.name);
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  slots_.resize(names_.size());
  const auto slot = [&](const std::string& name) -> Slot& { return slots_[static_cast<std::size_t>(find(name))]; };
  slot(schema.id).id = true;
  if (!schema.key.empty()) slot(schema.key).key = true;
  slot(schema.time).time = true;
  if (!schema.label.empty()) {
    slot(schema.label).label = true;
    slot(schema.label).numeric = true;
  }
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    Slot& of_field = slot(schema.fields[i].name);
    of_field.field = static_cast<std::int32_t>(i);
    of_field.numeric |= schema.fields[i].kind == FieldKind::kNumber;
    kinds_.push_back(schema.fields[i].kind);
  }
}

SlotIndex RecordBuilder::find(std::string_view name) const {
  const auto at = std::lower_bound(names_.begin(), names_.end(), name);
  return at != names_.end() && *at == name ? static_cast<SlotIndex>(at - names_.begin()) : kNoSlot;
}

bool RecordBuilder::begin(std::string_view line, ParseArena& arena, ParsedRecord& out, std::string_view& body) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  arena_ = &arena;
  out_ = &out;
  ++line_number_;
  malformed_ = refused_ = has_id_ = has_time_ = has_label_ = has_key_ = false;
  id_ = key_ = Id{};
  out.line = line;
  out.line_bytes = line.size();
  out.line_crc = 0;
  out.event = Event{};
  out.outcome = Outcome{};
  out.refusal = Refusal{};
  if (line.size() > line_bytes_max_) {
    refuse_too_long(line.substr(0, kTooLongHeadBytes), line.size(), crc32c(line), line_bytes_max_, arena, out);
    return false;
  }
  if (!is_utf8(line)) {
    malformed("invalid UTF-8", static_cast<std::ptrdiff_t>(first_invalid_utf8(line)));
    finish();
    return false;
  }
  fields_ = nullptr;
  if (!kinds_.empty()) {
    fields_ = static_cast<FieldValue*>(arena.allocate(kinds_.size() * sizeof(FieldValue), alignof(FieldValue)));
    for (std::size_t i = 0; i < kinds_.size(); ++i) new (fields_ + i) FieldValue();
  }
  body = line;
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
  return true;
}

RecordBuilder::Slot* RecordBuilder::take(SlotIndex index) {
  if (index == kNoSlot) return nullptr;
  Slot& slot = slots_[static_cast<std::size_t>(index)];
  if (slot.seen == line_number_) [[unlikely]] {
    refuse(Reason::kRepeatedField, {"field \"", names_[static_cast<std::size_t>(index)], "\": found twice in one line"});
    return nullptr;
  }
  slot.seen = line_number_;
  return &slot;
}

void RecordBuilder::number(SlotIndex index, const ScannedNumber& found) {
  Slot* slot = take(index);
  if (slot == nullptr) return;
  const std::string_view name = names_[static_cast<std::size_t>(index)];
  if (slot->numeric) {
    const double value = to_double(found);
    if (!std::isfinite(value)) {
      refuse(slot->label ? Reason::kInvalidLabel : Reason::kNotFinite,
             {"field \"", name, "\": found ", excerpt(found.text), ", which is beyond f64"});
      return;
    }
    if (slot->field >= 0 && kinds_[static_cast<std::size_t>(slot->field)] == FieldKind::kNumber) {
      fields_[slot->field].number = value;
      fields_[slot->field].missing = false;
    }
    if (slot->label) set_label(index, value, found.text);
  }
  set_text_field(*slot, found.text);
  if (slot->id || slot->key) {
    if (!found.whole) {
      refuse(Reason::kInvalidId, {"field \"", name, "\": found the number ", excerpt(found.text),
                                  ", expected a string or a whole number"});
    } else {
      const std::string_view text = found.text == "-0" ? std::string_view("0") : found.text;
      set_id(*slot, index, text, found.integer_digits <= kIntegerDigitsMax);
    }
  }
  if (slot->time) {
    if (time_.numeric()) {
      set_time(index, found.text);
    } else {
      refuse(Reason::kInvalidTime,
             {"field \"", name, "\": found the number ", excerpt(found.text), ", expected ", time_.expected()});
    }
  }
}

void RecordBuilder::string(SlotIndex index, std::string_view text) {
  Slot* slot = take(index);
  if (slot == nullptr) return;
  const std::string_view name = names_[static_cast<std::size_t>(index)];
  if (slot->numeric) {
    refuse(slot->label ? Reason::kInvalidLabel : Reason::kWrongType,
           {"field \"", name, "\": found the string \"", excerpt(text), "\", expected a number"});
    return;
  }
  set_text_field(*slot, text);
  if (slot->id || slot->key) set_id(*slot, index, text, false);
  if (slot->time) set_time(index, text);
}

void RecordBuilder::null(SlotIndex index) { take(index); }

void RecordBuilder::boolean(SlotIndex index, bool value) {
  Slot* slot = take(index);
  if (slot == nullptr) return;
  const std::string_view name = names_[static_cast<std::size_t>(index)];
  const std::string_view text = value ? "true" : "false";
  if (slot->label) set_label(index, value ? 1.0 : 0.0, text);
  if (slot->field >= 0 && kinds_[static_cast<std::size_t>(slot->field)] == FieldKind::kNumber)
    refuse(Reason::kWrongType, {"field \"", name, "\": found ", text, ", expected a number"});
  set_text_field(*slot, text);
  if (slot->id || slot->key)
    refuse(Reason::kInvalidId, {"field \"", name, "\": found ", text, ", expected a string or a whole number"});
  if (slot->time) refuse(Reason::kInvalidTime, {"field \"", name, "\": found ", text, ", expected ", time_.expected()});
}

void RecordBuilder::compound(SlotIndex index, std::string_view what) {
  Slot* slot = take(index);
  if (slot == nullptr) return;
  const Reason reason = slot->id || slot->key ? Reason::kInvalidId
                        : slot->time          ? Reason::kInvalidTime
                        : slot->label         ? Reason::kInvalidLabel
                                              : Reason::kWrongType;
  const bool number = slot->numeric && !slot->id && !slot->key && !slot->time;
  refuse(reason, {"field \"", names_[static_cast<std::size_t>(index)], "\": found ", what, ", expected ",
                  number ? "a number" : "a single value"});
}

void RecordBuilder::not_finite(SlotIndex index, std::string_view token) {
  Slot* slot = take(index);
  if (slot == nullptr) return;
  refuse(slot->label ? Reason::kInvalidLabel : Reason::kNotFinite,
         {"field \"", names_[static_cast<std::size_t>(index)], "\": found ", excerpt(token), ", expected a finite number"});
}

void RecordBuilder::text(SlotIndex index, std::string_view text) {
  Slot* slot = take(index);
  if (slot == nullptr || text.empty()) return;
  const std::string_view name = names_[static_cast<std::size_t>(index)];
  if (slot->numeric) {
    double value = 0.0;
    NumberText kind = parse_number_text(text, value);
    const bool of_field = slot->field >= 0 && kinds_[static_cast<std::size_t>(slot->field)] == FieldKind::kNumber;
    if (slot->label && !of_field && (text == "true" || text == "false")) {
      kind = NumberText::kNumber;
      value = text == "true" ? 1.0 : 0.0;
    }
    if (kind != NumberText::kNumber) {
      const bool infinite = kind == NumberText::kNotFinite;
      refuse(slot->label ? Reason::kInvalidLabel : infinite ? Reason::kNotFinite : Reason::kWrongType,
             {"field \"", name, "\": found \"", excerpt(text), "\", expected a ", infinite ? "finite " : "", "number"});
      return;
    }
    if (of_field) {
      fields_[slot->field].number = value;
      fields_[slot->field].missing = false;
    }
    if (slot->label) set_label(index, value, text);
  }
  set_text_field(*slot, text);
  if (slot->id || slot->key) set_id(*slot, index, text, false);
  if (slot->time) set_time(index, text);
}

void RecordBuilder::set_text_field(Slot& slot, std::string_view text) {
  if (slot.field < 0 || kinds_[static_cast<std::size_t>(slot.field)] == FieldKind::kNumber) return;
  FieldValue& field = fields_[slot.field];
  field.text = text;
  field.hash = hash64(text);
  field.missing = false;
}

void RecordBuilder::set_id(Slot& slot, SlotIndex index, std::string_view text, bool is_integer) {
  const std::string_view name = names_[static_cast<std::size_t>(index)];
  if (text.size() > kIdBytesMax) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, text.size()).ptr;
    refuse(Reason::kInvalidId, {"field \"", name, "\": found ", std::string_view(digits, static_cast<std::size_t>(end - digits)),
                                " bytes, expected at most 256"});
    return;
  }
  if (slot.id) {
    if (text.empty()) {
      refuse(Reason::kInvalidId, {"field \"", name, "\": found an empty string, expected an id"});
      return;
    }
    id_ = Id{text, is_integer};
    has_id_ = true;
  }
  if (slot.key) {
    key_ = Id{text, is_integer};
    has_key_ = true;
  }
}

void RecordBuilder::set_time(SlotIndex index, std::string_view text) {
  if (time_.read(text, event_time_)) {
    has_time_ = true;
  } else {
    refuse(Reason::kInvalidTime, {"field \"", names_[static_cast<std::size_t>(index)], "\": found \"", excerpt(text),
                                  "\", expected ", time_.expected()});
  }
}

void RecordBuilder::set_label(SlotIndex index, double value, std::string_view found) {
  if (label_binary_ && value != 0.0 && value != 1.0) {
    refuse(Reason::kInvalidLabel,
           {"field \"", names_[static_cast<std::size_t>(index)], "\": found ", excerpt(found), ", expected 0 or 1"});
    return;
  }
  label_ = value;
  has_label_ = true;
}

void RecordBuilder::malformed(std::string_view what, std::ptrdiff_t at) {
  if (malformed_) return;
  malformed_ = refused_ = true;
  refusal_.reason = Reason::kMalformed;
  if (at < 0) {
    refusal_.detail = join({what});
  } else {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, at).ptr;
    refusal_.detail = join({"byte ", std::string_view(digits, static_cast<std::size_t>(end - digits)), ": ", what});
  }
}

void RecordBuilder::finish() {
  if (!refused_) [[likely]] {
    if (!has_id_) {
      refuse(Reason::kMissingId, {"field \"", id_name_, "\": none, or null; expected an id"});
    } else if (!has_time_) {
      refuse(Reason::kMissingTime, {"field \"", time_name_, "\": none, or null; expected ", time_.expected()});
    } else if (label_required_ && !has_label_) {
      refuse(Reason::kMissingLabel, {"field \"", label_name_, "\": none, or null; expected a label"});
    }
  }
  ParsedRecord& out = *out_;
  if (refused_) {
    out.kind = ParsedKind::kRefused;
    out.refusal = refusal_;
    return;
  }
  if (role_ == LineRole::kOutcome) {
    out.kind = ParsedKind::kOutcome;
    out.outcome = Outcome{id_, event_time_, label_};
    return;
  }
  out.kind = ParsedKind::kEvent;
  out.event.id = id_;
  out.event.key = key_;
  out.event.has_key = has_key_;
  out.event.event_time = event_time_;
  if (has_label_) out.event.label = label_;
  out.event.fields = {fields_, kinds_.size()};
}

void RecordBuilder::refuse(Reason reason, std::initializer_list<std::string_view> parts) {
  if (refused_) return;
  refused_ = true;
  refusal_ = Refusal{reason, join(parts)};
}

std::string_view RecordBuilder::join(std::initializer_list<std::string_view> parts) {
  std::size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  char* const begin = arena_bytes(*arena_, bytes);
  char* at = begin;
  for (const std::string_view part : parts) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return {begin, bytes};
}

std::string_view RecordBuilder::excerpt(std::string_view text) {
  if (text.size() <= kExcerptBytes) return text;
  return join({utf8_prefix(text, kExcerptBytes), "…"});
}

}  // namespace weir
