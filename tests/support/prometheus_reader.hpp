#pragma once
// Reads the text format of Prometheus (0.0.4), and refuses what is not exactly that. Stricter than Prometheus itself where the
// documentation recommends something: names, units, help for everything.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct PrometheusSample {
  std::string name;  // With _bucket, _sum or _count of a histogram.
  std::map<std::string, std::string> labels;
  double value = 0.0;
};

struct PrometheusFamily {
  std::string name, help, type;
  std::vector<PrometheusSample> samples;
};

struct PrometheusPage {
  std::map<std::string, PrometheusFamily> families;
  std::vector<std::string> complaints;  // "line 7: …"; empty: the text is right.

  // Sum over the samples that have all of these labels; NaN if there is none.
  double sum(std::string_view sample_name, const std::map<std::string, std::string>& labels = {}) const;
};

PrometheusPage read_prometheus(std::string_view text);

}  // namespace weir
