#pragma once
// What the config says of a log line: its format and where id, key, event time, fields and label are in it.

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

enum class LineFormat : std::uint8_t { kJson, kCsv, kKeyValue, kSyslog5424, kSyslog3164 };
enum class TimeFormat : std::uint8_t {
  kIso8601,  // 2013-01-01T10:15:00Z, with optional fraction and ±hh:mm; a missing zone is UTC.
  kSeconds,  // Since 1970, whole or with a fraction.
  kMillis,
  kMicros,
  kSyslog,   // 3164's "Jan  2 03:04:05": without a year; the schema's year counts.
};
enum class FieldKind : std::uint8_t { kNumber, kCategory, kHashedText };
// What stands in for a missing number; a missing category is a category of its own under kIndicator, else absent.
enum class Missing : std::uint8_t { kMean, kZero, kLast, kIndicator };

struct FieldSpec {
  std::string name;   // As it stands in the line; JSON: dots for nested objects ("request.tokens").
  FieldKind kind = FieldKind::kNumber;
  Missing missing = Missing::kMean;
  // Numbers: clipped to ±clip standard deviations after scaling; 0: not clipped.
  double clip = 0.0;
  // Numbers: bin edges, ascending. Not empty: one-hot of the bin beside the scaled value.
  std::vector<double> bins;
  // Numbers, instead of bins: ascending, at least two. A piecewise linear function: the two neighbours of a value share a
  // weight of 1 between them; beyond the ends it is that of the end.
  std::vector<double> knots;
  bool scaled = true;  // Numbers: whether the scaled value itself is a feature. False: only bins, knots, crosses, aggregates.
  // Numbers, for models of hashed features (core/features/hashed_features.hpp): counted in steps of this, 0: in quarters of a standard
  // deviation; and so many features, each twice as coarse as the one before.
  double step = 0.0;
  std::uint32_t levels = 1;
  // Categories: whether the one-hot itself is a feature. False: only crosses and aggregates.
  bool one_hot = true;
};

// One source's lines: events have fields, outcomes a label.
struct EventSchema {
  LineFormat format = LineFormat::kJson;
  std::string id;             // Field names.
  std::string key;            // Empty: no key.
  std::string time;
  TimeFormat time_format = TimeFormat::kIso8601;
  int year = 1970;            // For kSyslog.
  char delimiter = ',';       // CSV.
  std::vector<std::string> columns;  // CSV: the header, if the files carry none.
  std::string label;          // Empty: no label in these lines.
  bool label_required = false;  // A line without one is refused; of outcomes in any case.
  bool label_binary = false;    // Classification: 0 and 1 (also true and false) are the labels, anything else is refused.
  std::vector<FieldSpec> fields;
  std::uint64_t line_bytes_max = 1 << 20;
};

// Syslog: the parts of a message are fields named priority, facility, severity, version, hostname, appname, procid, msgid,
// message, timestamp, and SD-ID.param for structured data; key=value pairs inside the message are fields too.

}  // namespace weir
