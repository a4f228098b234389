#include "http/prometheus.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace weir {
namespace {

struct Bound {
  std::int64_t ns;
  std::string_view le;  // In seconds.
};
constexpr std::array<Bound, 24> kBounds = {{{1'000, "1e-06"},         {2'000, "2e-06"},         {5'000, "5e-06"},         {10'000, "1e-05"},
                                            {20'000, "2e-05"},        {50'000, "5e-05"},        {100'000, "0.0001"},      {200'000, "0.0002"},
                                            {500'000, "0.0005"},      {1'000'000, "0.001"},     {2'000'000, "0.002"},     {5'000'000, "0.005"},
                                            {10'000'000, "0.01"},     {20'000'000, "0.02"},     {50'000'000, "0.05"},     {100'000'000, "0.1"},
                                            {200'000'000, "0.2"},     {500'000'000, "0.5"},     {1'000'000'000, "1"},     {2'000'000'000, "2"},
                                            {5'000'000'000, "5"},     {10'000'000'000, "10"},   {30'000'000'000, "30"},   {60'000'000'000, "60"}}};

void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty() && out.back() != '{') out += ',';
  out.append(name).append("=\"");
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  out += '"';
}

template <class Number>
void append_number(std::string& out, Number value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace

PrometheusText::PrometheusText(const Labels& common) {
  for (const auto& [name, value] : common) append_label(common_, name, value);
}

void PrometheusText::family(std::string_view name, Type type, std::string_view help) {
  constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
  name_ = name;
  out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ");
  out_.append(kTypes[static_cast<std::size_t>(type)]).append("\n");
}

void PrometheusText::begin(std::string_view suffix, const Labels& labels, std::string_view le) {
  out_.append(name_).append(suffix);
  if (!common_.empty() || !labels.empty() || !le.empty()) {
    std::string all = "{" + common_;
    for (const auto& [name, value] : labels) append_label(all, name, value);
    if (!le.empty()) append_label(all, "le", le);
    out_.append(all).append("}");
  }
  out_ += ' ';
}

void PrometheusText::end(double value) {
  if (std::isnan(value)) out_ += "NaN";
  else if (std::isinf(value)) out_ += value > 0 ? "+Inf" : "-Inf";
  else append_number(out_, value);
  out_ += '\n';
}

void PrometheusText::end(std::uint64_t value) {
  append_number(out_, value);
  out_ += '\n';
}

void PrometheusText::sample(const Labels& labels, double value) {
  begin("", labels);
  end(value);
}

void PrometheusText::sample(const Labels& labels, std::uint64_t value) {
  begin("", labels);
  end(value);
}

void PrometheusText::histogram(const Labels& labels, const LatencyHistogram& latencies) {
  std::array<std::uint64_t, kBounds.size()> counts{};
  std::uint64_t total = 0;
  std::size_t bound = 0;
  const double sum = double(latencies.sum_ns()) * 1e-9;
  latencies.for_each_bucket([&](std::int64_t most_ns, std::uint64_t count) {
    while (bound < kBounds.size() && most_ns > kBounds[bound].ns) ++bound;
    if (bound < kBounds.size()) counts[bound] += count;
    total += count;
  });
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    so_far += counts[i];
    begin("_bucket", labels, kBounds[i].le);
    end(so_far);
  }
  begin("_bucket", labels, "+Inf");
  end(total);
  begin("_sum", labels);
  end(sum);
  begin("_count", labels);
  end(total);
}

}  // namespace weir
