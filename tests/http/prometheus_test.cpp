// The text format: what is written reads back, whatever the labels hold; the reader of the tests refuses what is wrong.
#include "http/prometheus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "core/base/rng.hpp"
#include "http/process_metrics.hpp"
#include "tests/support/prometheus_reader.hpp"

namespace weir {
namespace {

using Type = PrometheusText::Type;

PrometheusPage read_right(const std::string& text) {
  PrometheusPage page = read_prometheus(text);
  for (const std::string& complaint : page.complaints) ADD_FAILURE() << complaint << "\n" << text;
  return page;
}

TEST(Prometheus, WritesFamiliesWithHelpTypeAndSamples) {
  PrometheusText out(PrometheusText::Labels{{"pipeline", "p"}});
  out.family("weir_events_total", Type::kCounter, "Events.");
  out.sample({{"task", "a"}}, std::uint64_t(18446744073709551615u));
  out.sample({}, std::uint64_t(0));
  out.family("weir_log_loss", Type::kGauge, "Loss.");
  out.sample({}, 0.1);
  EXPECT_EQ(out.take(),
            "# HELP weir_events_total Events.\n# TYPE weir_events_total counter\n"
            "weir_events_total{pipeline=\"p\",task=\"a\"} 18446744073709551615\nweir_events_total{pipeline=\"p\"} 0\n"
            "# HELP weir_log_loss Loss.\n# TYPE weir_log_loss gauge\nweir_log_loss{pipeline=\"p\"} 0.1\n");
}

TEST(Prometheus, LabelsHoldAnyText) {
  const std::string odd = "a\\b\"c\nd{e},f=\"g\" é";
  PrometheusText out(PrometheusText::Labels{{"pipeline", odd}});
  out.family("weir_x", Type::kGauge, "X.");
  for (const double value : {std::nan(""), double(INFINITY), double(-INFINITY), -1e300, 5e-324}) out.sample({{"n", std::to_string(value)}, {"topic", odd}}, value);
  const PrometheusPage page = read_right(out.take());
  ASSERT_EQ(page.families.at("weir_x").samples.size(), 5u);
  for (const PrometheusSample& sample : page.families.at("weir_x").samples) {
    EXPECT_EQ(sample.labels.at("topic"), odd);
    EXPECT_EQ(sample.labels.at("pipeline"), odd);
  }
  EXPECT_EQ(page.families.at("weir_x").samples[4].value, 5e-324);
}

// Against sorting the durations: each bucket counts those below its bound, but for what a bucket of the histogram cannot tell.
TEST(Prometheus, HistogramBucketsCountWhatIsBelowTheirBound) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    LatencyHistogram latencies;
    std::vector<double> durations;
    double sum = 0.0;
    for (int i = 0; i < 1000; ++i) {
      const auto ns = static_cast<std::int64_t>(rng.next_u64() >> (rng.next_u64() % 44 + 20));
      latencies.add(ns);
      durations.push_back(double(ns) * 1e-9);
      sum += durations.back();
    }
    PrometheusText out(PrometheusText::Labels{});
    out.family("weir_tick_seconds", Type::kHistogram, "T.");
    out.histogram({{"task", "t"}}, latencies);
    const PrometheusPage page = read_right(out.take());
    EXPECT_EQ(page.sum("weir_tick_seconds_count"), 1000.0);
    EXPECT_NEAR(page.sum("weir_tick_seconds_sum"), sum, sum * 1e-9);
    for (const PrometheusSample& sample : page.families.at("weir_tick_seconds").samples) {
      if (!sample.name.ends_with("_bucket")) continue;
      const double le = sample.labels.at("le") == "+Inf" ? INFINITY : std::stod(sample.labels.at("le"));
      const auto below = [&](double bound) { return double(std::count_if(durations.begin(), durations.end(), [&](double d) { return d <= bound; })); };
      EXPECT_LE(sample.value, below(le)) << "seed " << seed << ", le " << le;
      EXPECT_GE(sample.value, below(le * (1 - 1.0 / 32))) << "seed " << seed << ", le " << le;
    }
  }
}

TEST(Prometheus, ProcessMetricsAreThisProcesss) {
  PrometheusText out(PrometheusText::Labels{});
  append_process_metrics(out);
  const PrometheusPage page = read_right(out.take());
  EXPECT_GT(page.sum("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(page.sum("process_virtual_memory_bytes"), page.sum("process_resident_memory_bytes"));
  EXPECT_GE(page.sum("process_threads"), 1.0);
  EXPECT_GE(page.sum("process_open_fds"), 3.0);
  EXPECT_GE(page.sum("process_cpu_seconds_total"), 0.0);
  const double now = double(std::time(nullptr));
  EXPECT_GT(page.sum("process_start_time_seconds"), now - 3600);
  EXPECT_LT(page.sum("process_start_time_seconds"), now + 60);
}

TEST(PrometheusReader, FindsEachKindOfMistake) {
  const std::string head = "# HELP a_total A.\n# TYPE a_total counter\n";
  const std::string histogram = "# HELP h_seconds H.\n# TYPE h_seconds histogram\n";
  EXPECT_TRUE(read_prometheus(head + "a_total{x=\"\"} 1\n").complaints.empty());
  EXPECT_TRUE(read_prometheus(histogram + "h_seconds_bucket{le=\"1\"} 1\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 3\nh_seconds_count 2\n").complaints.empty());
  for (const std::string& wrong : {
           head + "a_total 1", head + "\n", head + "a_total 1 \n", head + "a_total  1\n", head + "a_total 1 17\n", head + "a_total one\n", head + "a_total -1\n",
           head + "a_total 1\na_total 1\n", head + "b_total 1\n", head + "a_total{x=1} 1\n", head + "a_total{x=\"1\",} 1\n", head + "a_total{x=\"1\" 1\n",
           head + "a_total{x=\"\\t\"} 1\n", head + "a_total{x=\"1\",x=\"2\"} 1\n", head + "a_total{1=\"1\"} 1\n", head + "a_total{x=\"1\"}1\n", head + head,
           std::string("a_total 1\n"), std::string("# TYPE a_total counter\na_total 1\n"), std::string("# HELP a_total A.\na_total 1\n"), std::string("# hello\n"),
           std::string("# HELP a A.\n# TYPE a counter\na 1\n"), std::string("# HELP a_total A.\n# TYPE a_total gauge\n"),
           std::string("# HELP a_ms A.\n# TYPE a_ms gauge\n"), std::string("# HELP a-b A.\n# TYPE a-b gauge\n"), std::string("# HELP a\n# TYPE a gauge\n"),
           histogram + "h_seconds_bucket{le=\"1\"} 3\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 3\nh_seconds_count 2\n",
           histogram + "h_seconds_bucket{le=\"2\"} 1\nh_seconds_bucket{le=\"1\"} 2\nh_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 3\nh_seconds_count 2\n",
           histogram + "h_seconds_bucket{le=\"1\"} 1\nh_seconds_sum 3\nh_seconds_count 1\n",
           histogram + "h_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_count 2\n", histogram + "h_seconds_bucket{le=\"+Inf\"} 2\nh_seconds_sum 1\nh_seconds_count 3\n",
           histogram + "h_seconds_bucket 2\n"})
    EXPECT_FALSE(read_prometheus(wrong).complaints.empty()) << wrong;
}

}  // namespace
}  // namespace weir
