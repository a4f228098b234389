// Times and numbers as text: strtod is the oracle for numbers; times lie within their range and do not depend on what was read
// before.
#include <cmath>
#include <string>

#include "core/records/number_text.hpp"
#include "core/records/time_text.hpp"
#include "core/records/utf8.hpp"
#include "tests/fuzz/fuzz_support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  static TimeReader readers[] = {TimeReader(TimeFormat::kIso8601), TimeReader(TimeFormat::kSeconds), TimeReader(TimeFormat::kMillis),
                                 TimeReader(TimeFormat::kMicros), TimeReader(TimeFormat::kSyslog, 2012)};
  static constexpr TimeFormat kFormats[] = {TimeFormat::kIso8601, TimeFormat::kSeconds, TimeFormat::kMillis, TimeFormat::kMicros,
                                            TimeFormat::kSyslog};
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t i = 0; i < 5; ++i) {
    EventTime time, fresh_time;
    TimeReader fresh(kFormats[i], 2012);
    const bool ok = readers[i].read(text, time);
    FUZZ_CHECK(ok == fresh.read(text, fresh_time));
    if (!ok) continue;
    FUZZ_CHECK(time == fresh_time);
    FUZZ_CHECK(time.value >= -62135596800000000 && time.value < 253402300800000000);
  }

  double value = 0.0;
  const NumberText kind = parse_number_text(text, value);
  if (kind == NumberText::kNumber) {
    FUZZ_CHECK(std::isfinite(value));
    FUZZ_CHECK(value == std::strtod(text.c_str(), nullptr));
  } else if (kind == NumberText::kNotFinite) {
    FUZZ_CHECK(!std::isfinite(std::strtod(text.c_str(), nullptr)));
  }
  ScannedNumber scanned;
  const char* const end = scan_json_number(text.data(), text.data() + text.size(), scanned);
  if (end != nullptr) FUZZ_CHECK(to_double(scanned) == std::strtod(std::string(text.data(), end).c_str(), nullptr));

  FUZZ_CHECK(is_utf8(text) == (first_invalid_utf8(text) == text.size()));
  return 0;
}
