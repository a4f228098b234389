#pragma once
// Numbers as text, read in one pass. Every double is the nearest one to the decimal text (as strtod would give).

#include <cstdint>
#include <string_view>

namespace weir {

// A JSON number token taken apart; its value is mantissa * 10^exponent where `exact`.
struct ScannedNumber {
  std::string_view text;
  std::uint64_t mantissa = 0;   // First 19 significant digits.
  std::int32_t exponent = 0;
  std::uint32_t integer_digits = 0;  // Before the point, as written.
  bool exact = true;            // No digit was left out of the mantissa.
  bool negative = false;
  bool whole = true;            // Neither point nor exponent.
};

namespace detail {
// 10^0 … 10^22: the powers of ten that are doubles.
inline constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
double to_double_slow(const ScannedNumber& number);
}  // namespace detail

// Reads a number by JSON's grammar at `at` (a digit or '-'). Returns where it ends, or nullptr if it is none; what follows
// is the caller's to check.
inline const char* scan_json_number(const char* at, const char* end, ScannedNumber& out) {
  const char* const begin = at;
  out = ScannedNumber{};
  if (at != end && *at == '-') {
    out.negative = true;
    ++at;
  }
  const auto digit = [](char c) { return static_cast<unsigned>(static_cast<unsigned char>(c)) - '0'; };
  if (at == end || digit(*at) > 9) return nullptr;
  std::uint64_t mantissa = 0;
  const char* const integer = at;
  if (*at == '0') {
    ++at;
  } else {
    while (at != end && digit(*at) <= 9) mantissa = mantissa * 10 + digit(*at++);
  }
  out.integer_digits = static_cast<std::uint32_t>(at - integer);
  std::size_t digits = out.integer_digits;  // Upper bound of the significant ones.
  std::int32_t exponent = 0;
  if (at != end && *at == '.') {
    ++at;
    const char* const fraction = at;
    while (at != end && digit(*at) <= 9) mantissa = mantissa * 10 + digit(*at++);
    if (at == fraction) return nullptr;
    const auto count = static_cast<std::size_t>(at - fraction);
    digits += count;
    exponent = -static_cast<std::int32_t>(count < 1'000'000 ? count : 1'000'000);
    out.whole = false;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    bool down = false;
    if (at != end && (*at == '+' || *at == '-')) down = *at++ == '-';
    if (at == end || digit(*at) > 9) return nullptr;
    std::int32_t power = 0;
    while (at != end && digit(*at) <= 9) {
      if (power < 1'000'000) power = power * 10 + static_cast<std::int32_t>(digit(*at));
      ++at;
    }
    exponent += down ? -power : power;
    out.whole = false;
  }
  out.text = {begin, static_cast<std::size_t>(at - begin)};
  out.mantissa = mantissa;
  out.exponent = exponent;
  out.exact = digits <= 19;  // Else the mantissa may have wrapped; the text is read again.
  return at;
}

// The value; an infinity where it lies beyond f64.
inline double to_double(const ScannedNumber& number) {
  if (number.exact && number.mantissa <= (std::uint64_t(1) << 53) && number.exponent >= -22 && number.exponent <= 22) [[likely]] {
    // Both factors are exact, so one rounding gives the nearest double.
    double value = static_cast<double>(number.mantissa);
    value = number.exponent < 0 ? value / detail::kPowersOfTen[-number.exponent] : value * detail::kPowersOfTen[number.exponent];
    return number.negative ? -value : value;
  }
  return detail::to_double_slow(number);
}

enum class NumberText : std::uint8_t { kNumber, kNotFinite, kNoNumber };
// A number as CSV and key=value carry it: optional sign, digits with an optional point, optional exponent; blanks around it
// are ignored. "nan", "inf", "infinity" in any case and numbers beyond f64 are kNotFinite.
NumberText parse_number_text(std::string_view text, double& value);

}  // namespace weir
