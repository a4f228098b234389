#include "core/records/time_text.hpp"

#include <array>
#include <cmath>
#include <cstring>

#include "core/records/number_text.hpp"

namespace weir {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
constexpr std::int64_t kTimeMin = -62'135'596'800 * kMicrosPerSecond;      // 0001-01-01T00:00:00Z
constexpr std::int64_t kTimeMax = 253'402'300'800 * kMicrosPerSecond - 1;  // The end of 9999.

bool in_range(std::int64_t micros) { return micros >= kTimeMin && micros <= kTimeMax; }

unsigned digit(char c) { return static_cast<unsigned>(static_cast<unsigned char>(c)) - '0'; }

// Two digits; 100 or more if they are none.
unsigned two(const char* at) {
  const unsigned high = digit(at[0]), low = digit(at[1]);
  return high > 9 || low > 9 ? 100 : high * 10 + low;
}

// hh:mm:ss at `at`; a leap second counts as the first second of the next minute.
bool clock_time(const char* at, std::int64_t& seconds) {
  const unsigned hour = two(at), minute = two(at + 3), second = two(at + 6);
  if (hour > 23 || minute > 59 || second > 60 || at[2] != ':' || at[5] != ':') return false;
  seconds = hour * 3600 + minute * 60 + second;
  return true;
}

}  // namespace

std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  // Years begin in March here, so that the leap day is the last one; an era is 400 years.
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

unsigned days_in_month(std::int64_t year, unsigned month) {
  static constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

bool TimeReader::read(std::string_view text, EventTime& out) {
  switch (format_) {
    case TimeFormat::kIso8601: return read_iso(text, out);
    case TimeFormat::kSeconds: return read_decimal(text, 6, out);
    case TimeFormat::kMillis: return read_decimal(text, 3, out);
    case TimeFormat::kMicros: return read_decimal(text, 0, out);
    case TimeFormat::kSyslog: return read_syslog(text, out);
  }
  return false;
}

std::string_view TimeReader::expected() const {
  switch (format_) {
    case TimeFormat::kIso8601: return "a time like 2013-01-01T10:15:00Z";
    case TimeFormat::kSeconds: return "seconds since 1970";
    case TimeFormat::kMillis: return "milliseconds since 1970";
    case TimeFormat::kMicros: return "microseconds since 1970";
    case TimeFormat::kSyslog: return "a time like Jan  2 03:04:05";
  }
  return "a time";
}

bool TimeReader::read_iso(std::string_view text, EventTime& out) {
  if (text.size() < 19) return false;
  const char* at = text.data();
  const char* const end = at + text.size();
  if (std::memcmp(at, day_text_, sizeof day_text_) != 0) {
    const unsigned century = two(at), year_of_century = two(at + 2), month = two(at + 5), day = two(at + 8);
    if (century > 99 || year_of_century > 99 || at[4] != '-' || at[7] != '-') return false;
    const std::int64_t year = century * 100 + year_of_century;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
    day_ = days_from_civil(year, month, day);
    std::memcpy(day_text_, at, sizeof day_text_);
  }
  std::int64_t seconds = 0;
  if ((at[10] != 'T' && at[10] != 't' && at[10] != ' ') || !clock_time(at + 11, seconds)) return false;
  at += 19;
  std::int64_t micros = 0;
  if (at != end && (*at == '.' || *at == ',')) {
    const char* const fraction = ++at;
    for (std::int64_t unit = kMicrosPerSecond / 10; at != end && digit(*at) <= 9; ++at, unit /= 10) micros += unit * digit(*at);
    if (at == fraction) return false;
  }
  if (at != end) {
    if (*at == 'Z' || *at == 'z') {
      ++at;
    } else if (*at == '+' || *at == '-') {
      const bool west = *at++ == '-';
      if (end - at < 2) return false;
      const unsigned hours = two(at);
      at += 2;
      if (at != end && *at == ':') {
        ++at;
        if (end - at < 2) return false;
      }
      unsigned minutes = 0;
      if (end - at >= 2) {
        minutes = two(at);
        at += 2;
      }
      if (hours > 23 || minutes > 59) return false;
      const std::int64_t shift = hours * 3600 + minutes * 60;
      seconds += west ? shift : -shift;
    }
    if (at != end) return false;
  }
  const std::int64_t time = day_ * kMicrosPerDay + seconds * kMicrosPerSecond + micros;
  if (!in_range(time)) return false;
  out = EventTime(time);
  return true;
}

// A number whose unit is 10^digits microseconds. Decimal text is read exactly: as a double, seconds of today would be off
// in the last digit.
bool TimeReader::read_decimal(std::string_view text, int digits, EventTime& out) const {
  ScannedNumber number;
  if (text.empty() || scan_json_number(text.data(), text.data() + text.size(), number) != text.data() + text.size())
    return false;
  const std::string_view found = number.text.substr(number.negative ? 1 : 0);
  if (found.find_first_of("eE") != std::string_view::npos) {
    const double time = to_double(number) * detail::kPowersOfTen[digits];
    if (!(std::abs(time) < 1e18) || !in_range(static_cast<std::int64_t>(time))) return false;
    out = EventTime(static_cast<std::int64_t>(time));
    return true;
  }
  if (number.integer_digits > 18) return false;
  std::int64_t time = 0;
  std::size_t i = 0;
  for (; i < found.size() && found[i] != '.'; ++i) time = time * 10 + digit(found[i]);
  if (i < found.size()) ++i;
  for (int k = 0; k < digits; ++k) {
    if (time > kTimeMax) return false;  // Before it can overflow.
    time = time * 10 + (i < found.size() ? digit(found[i++]) : 0);
  }
  if (number.negative) time = -time;
  if (!in_range(time)) return false;
  out = EventTime(time);
  return true;
}

bool TimeReader::read_syslog(std::string_view text, EventTime& out) const {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // "Jan  2 03:04:05": the day is padded with a blank (or, by some senders, a zero).
  if (text.size() != 15 || text[3] != ' ' || text[6] != ' ') return false;
  unsigned month = 1;
  while (month <= 12 && kMonths[month - 1] != text.substr(0, 3)) ++month;
  if (month > 12) return false;
  const unsigned day = text[4] == ' ' ? digit(text[5]) : two(text.data() + 4);
  if (day < 1 || day > days_in_month(year_, month)) return false;
  std::int64_t seconds = 0;
  if (!clock_time(text.data() + 7, seconds)) return false;
  const std::int64_t time = days_from_civil(year_, month, day) * kMicrosPerDay + seconds * kMicrosPerSecond;
  if (!in_range(time)) return false;
  out = EventTime(time);
  return true;
}

}  // namespace weir
