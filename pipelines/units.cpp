#include "pipelines/units.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace weir {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// The first name of each size is the one that is printed.
constexpr std::array<Unit, 18> kDurations = {{
    {"us", 1},           {"µs", 1},          {"ms", 1000},         {"s", 1'000'000},     {"sec", 1'000'000},
    {"second", 1'000'000}, {"seconds", 1'000'000}, {"min", 60'000'000},  {"minute", 60'000'000}, {"minutes", 60'000'000},
    {"h", 3'600'000'000}, {"hour", 3'600'000'000}, {"hours", 3'600'000'000}, {"day", 86'400'000'000}, {"days", 86'400'000'000},
    {"d", 86'400'000'000}, {"week", 604'800'000'000}, {"weeks", 604'800'000'000},
}};
constexpr std::array<Unit, 10> kSizes = {{
    {"", 1},
    {"B", 1},
    {"KB", 1 << 10},
    {"KiB", 1 << 10},
    {"kB", 1 << 10},
    {"MB", 1 << 20},
    {"MiB", 1 << 20},
    {"GB", 1 << 30},
    {"GiB", 1 << 30},
    {"TB", std::uint64_t(1) << 40},
}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Number and unit; false if there is no number at the front.
bool split(std::string_view text, double& number, std::string_view& unit) {
  text = trimmed(text);
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (ec != std::errc{} || !std::isfinite(number) || number < 0) return false;
  unit = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  return true;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const Error error{ErrorCode::kInvalidInput,
                    "'" + std::string(text) + "': expected a duration with its unit: us, ms, s, min, h, days or weeks, as in '10 min'"};
  double number = 0;
  std::string_view unit;
  if (!split(text, number, unit)) return error;
  if (unit.empty() && number == 0) return Duration(0);
  for (const Unit& known : kDurations) {
    if (known.name != unit) continue;
    const double us = number * static_cast<double>(known.size);
    if (us > 3.2e15 || us != std::floor(us)) return error;
    return Duration(static_cast<std::int64_t>(us));
  }
  return error;
}

std::string duration_text(Duration duration) {
  const auto us = static_cast<std::uint64_t>(duration.count());
  if (us == 0) return "0";
  for (std::string_view name : {"weeks", "days", "h", "min", "s", "ms"})
    for (const Unit& unit : kDurations)
      if (unit.name == name && us % unit.size == 0) {
        const std::uint64_t count = us / unit.size;
        if (count == 1 && name.ends_with('s') && name.size() > 2) name.remove_suffix(1);
        return std::to_string(count) + " " + std::string(name);
      }
  return std::to_string(us) + " us";
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const Error error{ErrorCode::kInvalidInput, "'" + std::string(text) + "': expected a size, as in '64 MB', '1 KB' or '4096'"};
  double number = 0;
  std::string_view unit;
  if (!split(text, number, unit)) return error;
  for (const Unit& known : kSizes) {
    if (known.name != unit) continue;
    const double bytes = number * static_cast<double>(known.size);
    if (bytes > 1e15 || bytes != std::floor(bytes)) return error;
    return static_cast<std::uint64_t>(bytes);
  }
  return error;
}

std::string size_text(std::uint64_t bytes) {
  for (std::string_view name : {"GB", "MB", "KB"})
    for (const Unit& unit : kSizes)
      if (unit.name == name && bytes != 0 && bytes % unit.size == 0)
        return std::to_string(bytes / unit.size) + " " + std::string(name);
  return std::to_string(bytes);
}

}  // namespace weir
