#pragma once
// Event times as text, exact to the microsecond (finer digits are cut off), from year 1 to year 9999.

#include <cstdint>
#include <string_view>

#include "core/base/strong_id.hpp"
#include "core/records/event_schema.hpp"

namespace weir {

// Days from 1970-01-01 in the Gregorian calendar. REQUIRES: 1 <= month <= 12.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day);
unsigned days_in_month(std::int64_t year, unsigned month);

// Reads times of one format. Remembers the last day, which is the next record's day nearly always: one per parser.
class TimeReader {
 public:
  explicit TimeReader(TimeFormat format, int year = 1970) : format_(format), year_(year) {}

  // False: not a time of this format, or none that exists (February 30th, hour 24).
  bool read(std::string_view text, EventTime& out);
  // Formats that are a number; the text may then come from a number or from a string.
  bool numeric() const {
    return format_ == TimeFormat::kSeconds || format_ == TimeFormat::kMillis || format_ == TimeFormat::kMicros;
  }
  // "a time like 2013-01-01T10:15:00Z": for messages.
  std::string_view expected() const;

 private:
  bool read_iso(std::string_view text, EventTime& out);
  bool read_decimal(std::string_view text, int digits, EventTime& out) const;
  bool read_syslog(std::string_view text, EventTime& out) const;

  TimeFormat format_;
  int year_;
  char day_text_[10] = {'1', '9', '7', '0', '-', '0', '1', '-', '0', '1'};  // The last day read,
  std::int64_t day_ = 0;                                                    // in days since 1970.
};

}  // namespace weir
