#include "tests/support/prometheus_reader.hpp"

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace weir {
namespace {

bool legal_name(std::string_view name, bool colons) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && !(colons && c == ':')) return false;
  return true;
}

bool parse_value(std::string_view text, double& out) {
  if (text == "+Inf") return out = std::numeric_limits<double>::infinity(), true;
  if (text == "-Inf") return out = -std::numeric_limits<double>::infinity(), true;
  if (text == "NaN") return out = std::nan(""), true;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size() && std::isfinite(out);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  PrometheusPage read() {
    if (!text_.empty() && !text_.ends_with('\n')) complain("the last line has no newline");
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      ++line_number_;
      line(text_.substr(at, end - at));
      at = end + 1;
    }
    close_family();
    return std::move(page_);
  }

 private:
  void complain(const std::string& what) { page_.complaints.push_back("line " + std::to_string(line_number_) + ": " + what); }

  void line(std::string_view line) {
    if (line.empty()) return complain("an empty line");
    if (line.starts_with("# HELP ")) return help(line.substr(7));
    if (line.starts_with("# TYPE ")) return type(line.substr(7));
    if (line.starts_with('#')) return complain("a comment that is neither HELP nor TYPE");
    sample(line);
  }

  void help(std::string_view rest) {
    close_family();
    const std::size_t space = rest.find(' ');
    const std::string name(rest.substr(0, space));
    if (!legal_name(name, false)) complain("'" + name + "' is no metric name");
    if (space == rest.npos || rest.size() == space + 1) return complain(name + " has no help");
    const auto [family, fresh] = page_.families.try_emplace(name);
    if (!fresh) complain(name + " a second time");
    family_ = &family->second;
    family_->name = name;
    family_->help = rest.substr(space + 1);
    typed_ = false;
  }

  void type(std::string_view rest) {
    const std::size_t space = rest.find(' ');
    if (family_ == nullptr || rest.substr(0, space) != family_->name || space == rest.npos) return complain("TYPE without its HELP before it");
    if (typed_ || !family_->samples.empty()) complain("a second TYPE, or one behind samples");
    typed_ = true;
    family_->type = rest.substr(space + 1);
    const std::string& name = family_->name;
    if (family_->type == "counter") {
      if (!name.ends_with("_total")) complain("counter " + name + " does not end in _total");
    } else if (family_->type == "gauge" || family_->type == "histogram") {
      if (name.ends_with("_total") || name.ends_with("_count") || name.ends_with("_sum") || name.ends_with("_bucket"))
        complain(family_->type + " " + name + " ends like a counter");
      if (family_->type == "histogram" && !name.ends_with("_seconds") && !name.ends_with("_bytes")) complain(name + " has no base unit");
    } else {
      complain("type '" + family_->type + "'");
    }
    for (const char* unit : {"_ms", "_us", "_ns", "_milliseconds", "_microseconds", "_kb", "_mb", "_percent"})
      if (name.ends_with(unit) || name.find(std::string(unit) + "_") != name.npos) complain(name + ": no base unit");
  }

  void sample(std::string_view line) {
    if (family_ == nullptr || !typed_) return complain("a sample before HELP and TYPE");
    PrometheusSample out;
    std::size_t at = line.find_first_of("{ ");
    if (at == line.npos) return complain("no value");
    out.name = line.substr(0, at);
    if (!legal_name(out.name, false)) complain("'" + out.name + "' is no metric name");
    if (!belongs(out.name)) complain(out.name + " among the samples of " + family_->name);
    if (line[at] == '{') {
      ++at;
      while (at < line.size() && line[at] != '}') {
        const std::size_t equals = line.find("=\"", at);
        if (equals == line.npos) return complain("a label without =\"");
        const std::string name(line.substr(at, equals - at));
        if (!legal_name(name, false) || name.starts_with("__")) complain("'" + name + "' is no label name");
        std::string value;
        for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
          if (line[at] != '\\') {
            value += line[at];
            continue;
          }
          if (++at == line.size() || (line[at] != '\\' && line[at] != '"' && line[at] != 'n')) return complain("an escape that there is not");
          value += line[at] == 'n' ? '\n' : line[at];
        }
        if (at >= line.size()) return complain("a label without its end");
        if (!out.labels.emplace(name, value).second) complain("label " + name + " twice");
        ++at;
        if (at < line.size() && line[at] == ',') {
          ++at;
          if (at < line.size() && line[at] == '}') return complain("a comma behind the last label");
        } else if (at >= line.size() || line[at] != '}') {
          return complain("expected , or } behind a label");
        }
      }
      if (at >= line.size()) return complain("labels without their end");
      ++at;
    }
    if (at >= line.size() || line[at] != ' ') return complain("expected one blank before the value");
    if (!parse_value(line.substr(at + 1), out.value)) return complain("'" + std::string(line.substr(at + 1)) + "' is no value");
    if (family_->type == "counter" && !(out.value >= 0)) complain("a counter below 0");
    if (!seen_.insert({out.name, out.labels}).second) complain(out.name + ": the same labels twice");
    family_->samples.push_back(std::move(out));
  }

  bool belongs(std::string_view name) const {
    if (family_->type != "histogram") return name == family_->name;
    if (!name.starts_with(family_->name)) return false;
    const std::string_view suffix = name.substr(family_->name.size());
    return suffix == "_bucket" || suffix == "_sum" || suffix == "_count";
  }

  void close_family() {
    if (family_ == nullptr) return;
    if (!typed_) complain(family_->name + " has no TYPE");
    if (family_->type == "histogram") check_histogram();
    family_ = nullptr;
  }

  void check_histogram() {
    struct Series {
      std::vector<std::pair<double, double>> buckets;
      double sum = std::nan(""), count = std::nan("");
    };
    std::map<std::map<std::string, std::string>, Series> all;
    for (const PrometheusSample& sample : family_->samples) {
      auto labels = sample.labels;
      const bool bucket = sample.name.ends_with("_bucket");
      double le = 0.0;
      if (bucket != labels.contains("le") || (bucket && !parse_value(labels["le"], le))) complain(sample.name + ": le");
      labels.erase("le");
      Series& series = all[labels];
      if (bucket) series.buckets.emplace_back(le, sample.value);
      else (sample.name.ends_with("_sum") ? series.sum : series.count) = sample.value;
    }
    for (const auto& [labels, series] : all) {
      for (std::size_t i = 1; i < series.buckets.size(); ++i)
        if (!(series.buckets[i - 1].first < series.buckets[i].first) || series.buckets[i - 1].second > series.buckets[i].second)
          complain(family_->name + ": buckets that do not ascend");
      if (series.buckets.empty() || !std::isinf(series.buckets.back().first) || series.buckets.back().second != series.count)
        complain(family_->name + ": the last bucket is not +Inf, or not the count");
      if (!(series.sum >= 0)) complain(family_->name + ": no sum");
    }
  }

  std::string_view text_;
  std::size_t line_number_ = 0;
  PrometheusPage page_;
  PrometheusFamily* family_ = nullptr;
  bool typed_ = false;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen_;
};

}  // namespace

double PrometheusPage::sum(std::string_view sample_name, const std::map<std::string, std::string>& labels) const {
  double out = std::nan("");
  for (const auto& [_, family] : families)
    for (const PrometheusSample& sample : family.samples) {
      if (sample.name != sample_name) continue;
      bool matches = true;
      for (const auto& [name, value] : labels) {
        const auto found = sample.labels.find(name);
        matches = matches && found != sample.labels.end() && found->second == value;
      }
      if (matches) out = (std::isnan(out) ? 0.0 : out) + sample.value;
    }
  return out;
}

PrometheusPage read_prometheus(std::string_view text) { return Reader(text).read(); }

}  // namespace weir
