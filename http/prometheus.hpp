#pragma once
// Writes the text format of Prometheus (0.0.4): families in turn, each with its help, its type and its samples.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/latency_histogram.hpp"

namespace weir {

class PrometheusText {
 public:
  // Names are ours and legal; values may be any text.
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::vector<Label>;

  // `common`: what every sample carries, first.
  explicit PrometheusText(const Labels& common);

  enum class Type : std::uint8_t { kCounter, kGauge, kHistogram };
  // The samples that follow are of this family. REQUIRES: each name once.
  void family(std::string_view name, Type type, std::string_view help);
  void sample(const Labels& labels, double value);
  void sample(const Labels& labels, std::uint64_t value);
  // Seconds, in buckets of 1, 2 and 5 from a microsecond to a minute. The histogram's own buckets are finer; one that reaches past a
  // bound counts above it, so that a quantile is never shown better than it was (and at most 3.2 % worse).
  void histogram(const Labels& labels, const LatencyHistogram& latencies);

  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view suffix, const Labels& labels, std::string_view le = {});
  void end(double value);
  void end(std::uint64_t value);

  std::string out_;
  std::string common_;
  std::string name_;
};

}  // namespace weir
