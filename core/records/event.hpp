#pragma once
// What a log line says once it is parsed, and what becomes of it on the way to a prediction and an example.
//
// All of these are views or plain values; their bytes belong to the batch, the buffer or the stage that made them and
// live until that one's next record.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/strong_id.hpp"
#include "core/records/record.hpp"

namespace weir {

// One declared field of an event. A number has `number`; a category or text has `text` and its `hash` (hash64).
// An absent field and a JSON null are missing.
struct FieldValue {
  double number = 0.0;
  std::uint64_t hash = 0;
  std::string_view text;
  bool missing = true;
};

// An identifier of at most 256 bytes of UTF-8. A JSON integer is held as its decimal text and written back as one.
struct Id {
  std::string_view text;
  bool is_integer = false;
  bool operator==(const Id& other) const { return text == other.text && is_integer == other.is_integer; }
};

struct Event {
  Id id;
  Id key;
  bool has_key = false;
  EventTime event_time;
  std::optional<double> label;          // If the line already carries it.
  std::span<const FieldValue> fields;   // In the order of the schema.
};

struct Outcome {
  Id id;
  EventTime event_time;
  double label = 0.0;  // Classification: 0 or 1. Regression: any finite number.
};

// Why a line, or a settled outcome, did not go through. The names are published (docs/formats.md): see name_of().
enum class Reason : std::uint8_t {
  kMalformed,        // Not the declared format: bad JSON, CSV with another number of columns, invalid UTF-8 …
  kTooLong,          // Longer than max_line.
  kMissingId,        // No id, or null.
  kInvalidId,        // Not a string or whole number, empty, or longer than 256 bytes.
  kMissingTime,
  kInvalidTime,
  kWrongType,        // A declared field with another type.
  kNotFinite,        // NaN or an infinity, or a number beyond f64.
  kRepeatedField,    // A declared field twice in one line.
  kInvalidLabel,
  kTimeJump,         // More than max_jump ahead of its input.
  kPoison,           // Processing it killed the task.
  kMissingLabel,
};
inline constexpr std::size_t kReasonCount = 13;
std::string_view name_of(Reason reason);  // "malformed", "too_long", …

struct Refusal {
  Reason reason = Reason::kMalformed;
  std::string_view detail;  // For a person: which field, what was found, what was expected.
};

// The refusal of a record that stopped its task; the same words live and when recomputed.
inline Refusal poison_refusal() { return {Reason::kPoison, "processing it stopped the task again and again"}; }

// One line after parsing: exactly one of the three.
enum class ParsedKind : std::uint8_t { kUnparsed, kEvent, kOutcome, kRefused };
struct ParsedRecord {
  ParsedKind kind = ParsedKind::kUnparsed;
  Offset offset;
  std::string_view line;        // The bytes as they came, without the newline; for kTooLong the first 4 KiB.
  std::uint64_t line_bytes = 0;  // The length of the whole line, also where `line` holds only its head.
  std::uint32_t line_crc = 0;   // CRC32C of the whole line; only set where line_bytes > line.size().
  std::uint64_t cursor = 0;     // Where the source stands after this line (Position::cursor).
  std::int64_t sent_us = 0;     // Of a topic's record: when it was appended there (wall clock); 0: a line of a file.
  Event event;
  Outcome outcome;
  Refusal refusal;

  // Event time of an event or outcome; nothing for a refused line.
  std::optional<EventTime> time() const {
    if (kind == ParsedKind::kEvent) return event.event_time;
    if (kind == ParsedKind::kOutcome) return outcome.event_time;
    return std::nullopt;
  }
};

// An event after normalisation: what a model reads. Of one that reads hashed features: these are `indices`, any 32-bit numbers in a
// fixed order, with values of 1, and nothing is dense.
struct Sample {
  std::span<const float> dense;            // Scaled numbers and aggregates.
  std::span<const std::uint32_t> indices;  // Positions in the sparse block, each below its size; may repeat.
  std::span<const float> values;           // Same length as indices.
};

enum class TaskKind : std::uint8_t { kClassification, kRegression };

// The prediction of one event, as published.
struct Prediction {
  double value = 0.0;        // Classification: probability of label 1. Regression: the value.
  double label = 0.0;        // label_predicted: 0 or 1, or the value.
  bool certified = false;    // The gate stands behind it.
  // Regression: the set is [low, high]. Classification: where the base rate stands in for the model, the model's own value.
  double low = 0.0, high = 0.0;
  bool has_set = false;           // False with gate `off`.
  bool in_set[2] = {false, false};  // Classification: labels in the set.
  ModelVersion version;
  bool duplicate = false;    // A second event with a waiting id.
};

// A prediction joined with its outcome: all that learning reads. Also, without the outcome part, the waiting row.
struct Example {
  Id id;
  Id key;
  bool has_key = false;
  EventTime event_time;
  Source source;             // Of the event.
  Sample sample;
  Prediction prediction;
  std::span<const std::uint64_t> label_keys;  // Keys of the label aggregates to update, in the schema's order.
  float last_outcome = -1.0f;  // Baseline of the report: the last outcome of its route at that moment; -1: none yet.
  // The outcome:
  double label = 0.0;
  EventTime outcome_time;
  Source outcome_source;
};

}  // namespace weir
