#include "core/records/number_text.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace weir {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `text`: digits with an optional point and exponent, no sign. from_chars says "out of range" for both ends of f64: the
// place of the first significant digit tells which.
double read_unsigned(std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc::result_out_of_range) return value;
  std::int64_t place = 0;  // Of the first significant digit, as a power of ten.
  std::int64_t power = 0;
  std::size_t i = 0;
  bool point = false, significant = false;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      point = true;
    } else {
      significant |= text[i] != '0';
      if (!point && significant) ++place;
      if (point && !significant) --place;
    }
  }
  if (i < text.size()) {
    ++i;
    bool down = false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) down = text[i++] == '-';
    for (; i < text.size() && is_digit(text[i]); ++i)
      if (power < 1'000'000'000'000) power = power * 10 + (text[i] - '0');
    if (down) power = -power;
  }
  return place + power > 0 ? std::numeric_limits<double>::infinity() : 0.0;
}

bool equal_folded(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((text[i] | 0x20) != lower[i]) return false;
  return true;
}

}  // namespace

namespace detail {

double to_double_slow(const ScannedNumber& number) {
  const double value = read_unsigned(number.text.substr(number.negative ? 1 : 0));
  return number.negative ? -value : value;
}

}  // namespace detail

NumberText parse_number_text(std::string_view text, double& value) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  // The plain case by the JSON scanner; it stops at what only this grammar allows.
  ScannedNumber number;
  if (!text.empty() && scan_json_number(text.data(), text.data() + text.size(), number) == text.data() + text.size()) {
    value = to_double(number);
    return std::isfinite(value) ? NumberText::kNumber : NumberText::kNotFinite;
  }
  bool negative = false;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (equal_folded(text, "nan") || equal_folded(text, "inf") || equal_folded(text, "infinity")) return NumberText::kNotFinite;
  std::size_t i = 0, digits = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) ++digits;
  if (i < text.size() && text[i] == '.')
    for (++i; i < text.size() && is_digit(text[i]); ++i) ++digits;
  if (digits == 0) return NumberText::kNoNumber;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (i == text.size()) return NumberText::kNoNumber;
    while (i < text.size() && is_digit(text[i])) ++i;
  }
  if (i != text.size() || !(is_digit(text.back()) || text.back() == '.')) return NumberText::kNoNumber;
  value = read_unsigned(text);
  if (!std::isfinite(value)) return NumberText::kNotFinite;
  if (negative) value = -value;
  return NumberText::kNumber;
}

}  // namespace weir
