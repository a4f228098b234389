#pragma once
// Durations and sizes as people write them in a config.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"

namespace weir {

// "1 ms", "10 min", "1h", "2 days", "1.5 s", "0". A number without a unit is refused (but for 0), as is anything negative
// or beyond 100 years. kInvalidInput.
Result<Duration> parse_duration(std::string_view text);
// The largest unit in which it is a whole number; reads back the same.
std::string duration_text(Duration duration);

// "64 MB" (2^20 bytes each), "1 KiB", "4096". kInvalidInput.
Result<std::uint64_t> parse_size(std::string_view text);
std::string size_text(std::uint64_t bytes);

}  // namespace weir
