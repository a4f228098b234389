#include "core/base/crash_point.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>

#include "core/base/check.hpp"

namespace weir::detail {
namespace {

struct Settings {
  std::string name;
  long hit = 1;
  bool stop = false;   // Stands still instead of dying.
  std::string record;  // INPUT/OFFSET; empty: whichever.
  const char* log_path = nullptr;
};

const Settings& settings() {
  static const Settings from_environment = [] {
    Settings s;
    const char* crash_at = std::getenv("WEIR_CRASH_AT");
    const char* stop_at = std::getenv("WEIR_STOP_AT");
    s.stop = crash_at == nullptr && stop_at != nullptr;
    if (const char* at = s.stop ? stop_at : crash_at; at != nullptr) {
      s.name = at;
      if (const auto sign = s.name.find('@'); sign != std::string::npos) {
        s.record = s.name.substr(sign + 1);
        s.name.resize(sign);
      }
      if (const auto colon = s.name.find(':'); colon != std::string::npos) {
        std::from_chars(s.name.data() + colon + 1, s.name.data() + s.name.size(), s.hit);
        s.name.resize(colon);
      }
    }
    s.log_path = std::getenv("WEIR_CRASH_LOG");
    return s;
  }();
  return from_environment;
}

std::array<std::atomic<long>, kCrashPoints.size()> passes;

void die_or_stop(bool stop) {
  ::kill(::getpid(), stop ? SIGSTOP : SIGKILL);
  while (!stop) ::pause();  // The signal is on its way.
}

}  // namespace

bool crash_points_armed = std::getenv("WEIR_CRASH_AT") != nullptr || std::getenv("WEIR_STOP_AT") != nullptr || std::getenv("WEIR_CRASH_LOG") != nullptr;

void pass_crash_point(std::string_view name) {
  const auto found = std::find(kCrashPoints.begin(), kCrashPoints.end(), name);
  CHECK(found != kCrashPoints.end());
  const long pass = ++passes[static_cast<std::size_t>(found - kCrashPoints.begin())];
  const Settings& s = settings();
  if (pass == 1 && s.log_path != nullptr) {
    if (const int file = ::open(s.log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644); file >= 0) {
      const std::string line = std::string(name) + '\n';
      [[maybe_unused]] const auto written = ::write(file, line.data(), line.size());
      ::close(file);
    }
  }
  if (name == s.name && s.record.empty() && pass == s.hit) die_or_stop(s.stop);
}

void pass_record(std::string_view name, std::string_view input, std::int64_t offset) {
  pass_crash_point(name);
  const Settings& s = settings();
  if (name == s.name && s.record == std::string(input) + '/' + std::to_string(offset)) die_or_stop(s.stop);
}

}  // namespace weir::detail
