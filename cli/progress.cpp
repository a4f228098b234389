#include "cli/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "pipelines/formatted.hpp"

namespace weir::cli {

std::string progress_text(const RunProgress& now) {
  std::string out;
  const char* what = now.events > 0 || now.other_records == 0 ? "events" : now.examples > 0 ? "examples" : "records";
  const std::uint64_t count = now.events > 0 ? now.events : now.examples > 0 ? now.examples : now.other_records;
  const double rate = now.seconds > 0 ? double(count) / now.seconds : 0.0;
  if (now.bytes_total > 0) {
    const double share = std::min(1.0, double(now.bytes_read) / double(now.bytes_total));
    const int filled = int(share * 24);
    out += "[" + std::string(std::size_t(filled), '#') + std::string(std::size_t(24 - filled), '-') + "]";
    out += formatted(" %3.0f %%", share * 100);
    if (share > 0.01 && share < 1.0) out += formatted("  %.0f s left", std::ceil(now.seconds * (1 - share) / share));
    out += "  ";
  }
  out += formatted("%llu %s  %.0f/s", static_cast<unsigned long long>(count), what, rate);
  if (std::isfinite(now.log_loss)) out += formatted("  log-loss %.4f", now.log_loss);
  return out;
}

void Progress::show(const RunProgress& now) {
  if (!shown_) return;
  drawn_ = true;
  std::fprintf(stderr, "\r\x1b[K\x1b[36m%s\x1b[0m", progress_text(now).c_str());
  std::fflush(stderr);
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

}  // namespace weir::cli
