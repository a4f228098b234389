// The program as Prometheus sees it: /metrics of a running process says what `weir status` and `weir report` say.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "core/records/codec.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/prometheus_reader.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

class Metrics : public testing::Test {
 protected:
  static std::vector<std::string> program(const FlightsRun& run) {
    std::vector<std::string> out = run.arguments("run", {"--quiet"});
    out.insert(out.begin(), weir_binary().string());
    return out;
  }
  // Waits for the process to listen.
  static std::uint16_t port_of(const FlightsRun& run, Process& process) {
    const std::filesystem::path file = run.data / "run" / "http";
    EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(file) || !process.running(); })) << process.err();
    const std::string url = read_file(file);
    EXPECT_EQ("\"" + url.substr(0, url.size() - 1) + "\"", "\"" + json_value(status(run), "http") + "\"");
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  static std::string status(const FlightsRun& run) { return run_weir({"status", "--json", "--data", run.data.string()}).out; }
  static std::string report(const FlightsRun& run) { return run_weir({"report", "--json", "--data", run.data.string()}).out; }
  static PrometheusPage scrape(std::uint16_t port) {
    const HttpReply reply = http_get(port, "/metrics");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.fields.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    PrometheusPage page = read_prometheus(reply.body);
    for (const std::string& complaint : page.complaints) ADD_FAILURE() << complaint;
    return page;
  }
  void produce(const FlightsRun& run, const std::string& topic, const std::string& lines) {
    const std::filesystem::path file = directory_ / (topic + ".lines");
    write_file(file, lines);
    const ProcessResult result = run_weir({"produce", topic, file.string(), "--data", run.data.string()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  TemporaryDirectory directory_;
};

double count_of(const std::string& json, const std::string& key) {
  const std::string text = json_value(json, key);
  return text.empty() ? std::nan("") : std::stod(text);
}
// Of {"a":1,"b":2} under `key`.
double count_in(const std::string& json, const std::string& key, std::string_view name) {
  const std::size_t at = json.find("\"" + key + "\":{");
  if (at == json.npos) return std::nan("");
  const std::string object = json.substr(at + key.size() + 3, json.find('}', at) - at);
  const std::string text = json_value(object, std::string(name));
  return text.empty() ? 0.0 : std::stod(text);
}

TEST_F(Metrics, AgreeWithStatusAndReport) {
  const FlightFiles files = cut_flights(directory_.path(), 4'000);
  const FlightsRun run(directory_ / "data", files, {"sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival", "join.rows_max=500", "max_line=1 KB"});
  const std::string bad_logs = "not JSON\n{\"id\":\"a\"}\n" + std::string(3'000, 'x') + "\n{\"ts\":\"2013-01-01T00:00:00Z\"}\n";
  const std::string bad_outcomes = "not JSON\n{\"ts\":\"2013-01-01T00:00:00Z\",\"label\":1}\n" + files.outcome_lines[0] + "\n";
  double model_version = 0;
  {
    Process process(program(run));
    const std::uint16_t port = port_of(run, process);
    const double events = double(files.event_lines.size()) + 4, outcomes = double(files.outcome_lines.size()) + 3;
    const auto reaches = [&](const char* metric, double count) {
      return wait_until([&] {
        const PrometheusPage page = scrape(port);
        return (page.sum(metric) == count && page.sum("weir_input_lag_records") == 0) || !process.running();
      });
    };
    // Piece by piece: later predictions know earlier outcomes, and half of each piece's rows expire.
    constexpr std::size_t kPieces = 4;
    const auto piece = [](const std::vector<std::string>& lines, std::size_t i) {
      return joined({lines.begin() + std::ptrdiff_t(lines.size() * i / kPieces), lines.begin() + std::ptrdiff_t(lines.size() * (i + 1) / kPieces)});
    };
    for (std::size_t i = 0; i < kPieces; ++i) {
      const bool last = i + 1 == kPieces;
      produce(run, "logs", piece(files.event_lines, i) + (last ? bad_logs : ""));
      ASSERT_TRUE(reaches("weir_events_total", last ? events : double(files.event_lines.size() * (i + 1) / kPieces))) << status(run);
      produce(run, "outcomes", piece(files.outcome_lines, i) + (last ? bad_outcomes : ""));
      ASSERT_TRUE(reaches("weir_outcomes_total", last ? outcomes : double(files.outcome_lines.size() * (i + 1) / kPieces))) << status(run);
    }
    const PrometheusPage page = scrape(port);
    const std::string now = status(run), made = report(run);
    EXPECT_EQ(count_of(now, "events"), events);
    EXPECT_EQ(count_of(now, "outcomes"), outcomes);
    EXPECT_EQ(page.sum("weir_input_records_total", {{"input", "logs"}}), events);
    EXPECT_EQ(page.sum("weir_commits_total"), count_of(now, "commits")) << now;
    EXPECT_EQ(page.sum("weir_last_commit_timestamp_seconds", {{"task", "inference"}}), count_of(now, "last_commit_us") * 1e-6);
    EXPECT_EQ(page.sum("weir_commit_seconds_count"), count_of(now, "commits"));
    EXPECT_EQ(page.sum("weir_aborted_transactions_total"), 0);
    EXPECT_EQ(page.sum("weir_tick_seconds_count"), events);
    EXPECT_EQ(page.sum("weir_arrival_seconds_count"), events);
    EXPECT_EQ(page.sum("weir_committed_seconds_count"), events + outcomes);
    EXPECT_EQ(page.sum("weir_acked_seconds_count"), events + outcomes);
    EXPECT_LE(page.sum("weir_acked_seconds_sum"), page.sum("weir_committed_seconds_sum"));
    EXPECT_NEAR(page.sum("weir_log_loss"), count_of(now, "log_loss"), 1e-9);
    EXPECT_EQ(page.sum("weir_task_restarts_total"), 0);
    EXPECT_EQ(page.sum("weir_warnings"), 0) << now;
    EXPECT_EQ(count_in(now, "logs", "records"), 0) << now;

    EXPECT_EQ(count_of(made, "events"), events);
    EXPECT_EQ(page.sum("weir_predictions_total"), count_of(made, "predicted"));
    EXPECT_EQ(page.sum("weir_abstained_total"), count_of(made, "abstained"));
    EXPECT_GT(page.sum("weir_abstained_total"), 0);
    EXPECT_EQ(page.sum("weir_examples_total"), count_of(made, "labelled"));
    EXPECT_EQ(page.sum("weir_waiting_labels"), count_of(made, "waiting"));
    EXPECT_EQ(page.sum("weir_dead_letters_total"), 4);
    for (std::size_t i = 0; i < kReasonCount; ++i) {
      const std::string reason(name_of(static_cast<Reason>(i)));
      EXPECT_EQ(page.sum("weir_dead_letters_total", {{"reason", reason}}), count_in(made, "dead_letters_by_reason", reason)) << reason;
    }
    EXPECT_EQ(page.sum("weir_dead_letters_total", {{"reason", "too_long"}}), 1);
    for (std::size_t i = 0; i < kUnjoinedReasonCount; ++i) {
      const std::string reason(name_of(static_cast<UnjoinedReason>(i)));
      EXPECT_EQ(page.sum("weir_unjoined_total", {{"reason", reason}}), count_in(made, "unjoined_by_reason", reason)) << reason;
    }
    EXPECT_GT(page.sum("weir_unjoined_total", {{"reason", "no_id"}}), 0);
    EXPECT_GT(page.sum("weir_unjoined_total", {{"reason", "expired"}}), 0);
    model_version = page.sum("weir_model_version");
    EXPECT_GE(model_version, std::stod(json_value(made, "model_version").substr(2)));  // That of the last prediction.
    EXPECT_LE(model_version, page.sum("weir_examples_total"));
    EXPECT_NEAR(page.sum("weir_coverage_ratio"), count_of(made, "coverage"), 1e-9);
    EXPECT_NEAR(page.sum("weir_coverage_ratio"), page.sum("weir_sets_covered_total") / page.sum("weir_sets_total"), 1e-12);
    EXPECT_EQ(page.sum("weir_coverage_target_ratio"), 0.9);
    EXPECT_NEAR(page.sum("weir_log_loss"), page.sum("weir_loss_total") / page.sum("weir_examples_total"), 1e-9);
    const std::string labels_process = page.families.at("weir_build_info").samples[0].labels.at("process");
    EXPECT_EQ(labels_process, json_value(now, "process"));
    process.send_signal(SIGTERM);
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
    EXPECT_FALSE(std::filesystem::exists(run.data / "run" / "http"));
  }
  // A process counts from its own start; what is since the first offset stays.
  const std::string before = report(run);
  Process process(program(run));
  const std::uint16_t port = port_of(run, process);
  ASSERT_TRUE(wait_until([&] { return http_get(port, "/ready").status == 200 || !process.running(); })) << process.err();
  const PrometheusPage page = scrape(port);
  EXPECT_EQ(page.sum("weir_events_total"), 0);
  EXPECT_EQ(page.sum("weir_dead_letters_total"), 0);
  EXPECT_EQ(page.sum("weir_loss_total"), 0);
  EXPECT_EQ(page.sum("weir_model_version"), model_version);
  EXPECT_NEAR(page.sum("weir_coverage_ratio"), count_of(before, "coverage"), 1e-9);
}

// A commit that cannot be made: lag grows and is told, in records and in time.
TEST_F(Metrics, LagIsWhatIsNotCommitted) {
  const FlightFiles files = cut_flights(directory_.path(), 500);
  // Outcomes are waited for: until one comes, no event can be taken in event-time order.
  const FlightsRun run(directory_ / "data", files, {"sources.logs.files=[]", "sources.outcomes.files=[]", "order=event_time", "idle_timeout=1 h", "log.stall_after=1s"});
  Process process(program(run));
  const std::uint16_t port = port_of(run, process);
  produce(run, "logs", joined(files.event_lines));
  const std::map<std::string, std::string> logs = {{"input", "logs"}, {"topic", "flights.logs"}, {"partition", "0"}};
  ASSERT_TRUE(wait_until([&] { return scrape(port).sum("weir_input_lag_records", logs) == 500 || !process.running(); }));
  ASSERT_TRUE(wait_until([&] { return scrape(port).sum("weir_input_lag_seconds", logs) > 1.5; }));
  EXPECT_EQ(count_in(status(run), "logs", "records"), 500);
  // That is no stall, however long: nothing is there that could be taken.
  EXPECT_EQ(scrape(port).sum("weir_task_stalled"), 0);
  EXPECT_EQ(http_get(port, "/health").status, 200);
  produce(run, "outcomes", "{\"id\":1,\"ts\":\"2014-01-01T00:00:00Z\",\"label\":1}\n");
  // One that far ahead is held; the next confirms it.
  produce(run, "outcomes", "{\"id\":2,\"ts\":\"2014-01-01T00:00:01Z\",\"label\":1}\n");
  ASSERT_TRUE(wait_until([&] { return scrape(port).sum("weir_input_lag_records", logs) == 0 || !process.running(); })) << status(run);
  EXPECT_EQ(scrape(port).sum("weir_input_lag_seconds", logs), 0);
  EXPECT_EQ(scrape(port).sum("weir_events_total"), 500);
}

// What the topics sums, models and alerts tell job by job, in figures; coupled in one task, free in three.
TEST_F(Metrics, JobsAreCountedWithWhatBecameOfThem) {
  const FlightFiles files = cut_flights(directory_.path(), 2'400, "hashtron");
  double promotions = 0;
  for (const std::string learning : {"coupled", "free"}) {
    SCOPED_TRACE(learning);
    FlightsRun run(directory_ / learning, files, {"sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival", "learning=" + learning, "trainer.hashtron.every=2"});
    run.config = "hashtron";
    Process process(program(run));
    const std::uint16_t port = port_of(run, process);
    FlightsFeed feed(files, directory_.path());
    for (int i = 0; i < 4; ++i) {
      feed.give(run.data, 600);
      ASSERT_TRUE(wait_until([&] { return scrape(port).sum("weir_outcomes_total") == double(feed.outcomes()) || !process.running(); })) << status(run);
    }
    // Everything is taken: each job is on sums, and what it said has been heard.
    PrometheusPage page;
    std::vector<std::string> sums;
    ASSERT_TRUE(wait_until([&] {
      sums = tail(run.data, "sums");
      page = scrape(port);
      return page.sum("weir_input_lag_records") == 0 && page.sum("weir_jobs_total") == double(sums.size());
    })) << status(run);
    ASSERT_GT(sums.size(), 100U);
    const auto value_of = [](const std::string& line) { return line.substr(line.find("\"value\":") + 8); };
    double accepted = 0, worse = 0;
    for (const std::string& line : sums) {
      const bool was = json_value(value_of(line), "accepted") == "true";
      accepted += was;
      worse += !was && count_of(value_of(line), "correct_after") < count_of(value_of(line), "correct_before");
    }
    EXPECT_EQ(page.sum("weir_jobs_total", {{"result", "accepted"}}), accepted);
    EXPECT_EQ(page.sum("weir_jobs_total", {{"result", "worse"}}), worse);
    EXPECT_GT(accepted, 0);
    EXPECT_GT(worse, 0);
    const std::string last = value_of(sums.back());
    for (const char* key : {"sweep", "neuron"}) EXPECT_EQ(page.sum(std::string("weir_job_") + key), count_of(last, key)) << last;
    const double neuron = count_of(last, "neuron");
    EXPECT_EQ(page.sum("weir_job_layer"), neuron < 25 ? 0 : neuron < 30 ? 1 : 2) << last;
    EXPECT_NEAR(page.sum("weir_train_accuracy_ratio"),
                count_of(last, json_value(last, "accepted") == "true" ? "correct_after" : "correct_before") / count_of(last, "n"), 1e-12) << last;
    EXPECT_EQ(page.sum("weir_job_seconds_count"), double(sums.size()));
    EXPECT_GT(page.sum("weir_job_seconds_sum"), 0);
    EXPECT_NEAR(page.sum("weir_held_out_examples_total") / page.sum("weir_examples_total"), 0.2, 0.07);
    EXPECT_GT(page.sum("weir_held_out_accuracy_ratio"), 0.5);
    EXPECT_NEAR(page.sum("weir_held_out_accuracy_ratio"), page.sum("weir_held_out_correct_total") / page.sum("weir_held_out_examples_total"), 1e-12);
    const std::string learner = learning == "coupled" ? "inference" : "learning";
    EXPECT_GT(page.sum("weir_cached_sums", {{"task", learner}}), 30);
    if (learning == "free") {
      EXPECT_EQ(page.sum("weir_cached_sums", {{"task", "capacity"}}), page.sum("weir_cached_sums", {{"task", "learning"}}));
    }
    EXPECT_LE(page.sum("weir_gold_neurons"), 31);
    std::map<std::string, double> begun, active;
    for (const std::string& line : tail(run.data, "alerts")) {
      const double value = count_of(value_of(line), "value");
      const std::string alert = json_value(value_of(line), "alert");
      active[alert] = value;
      begun[alert] += alert == "promotion" || alert == "rollback" || value == 1.0;
    }
    for (const char* alert : {"memorisation", "stagnation", "oscillation", "stuck", "constant"}) {
      EXPECT_EQ(page.sum("weir_alerts_total", {{"alert", alert}}), begun[alert]) << alert;
      EXPECT_EQ(page.sum("weir_alert_active", {{"alert", alert}}), active[alert]) << alert;
    }
    EXPECT_EQ(page.families.at("weir_alerts_total").samples.size(), 5U);
    EXPECT_EQ(page.sum("weir_promotions_total"), begun["promotion"]);
    EXPECT_EQ(page.sum("weir_rollbacks_total"), begun["rollback"]);
    EXPECT_EQ(page.families.at("weir_promotions_total").samples.size(), 1U);
    EXPECT_GT(page.sum("weir_alerts_total"), 0);
    promotions += page.sum("weir_promotions_total");
    process.send_signal(SIGTERM);
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  }
  EXPECT_GT(promotions, 0);
}

TEST_F(Metrics, ATakenPortEndsTheSecondProcessWithItsName) {
  const FlightFiles files = cut_flights(directory_.path(), 10);
  const FlightsRun first(directory_ / "first", files, {"sources.logs.files=[]", "sources.outcomes.files=[]"});
  Process process(program(first));
  const std::uint16_t port = port_of(first, process);
  const FlightsRun second(directory_ / "second", files, {"http.listen=127.0.0.1:" + std::to_string(port)});
  const ProcessResult refused = second.run();
  EXPECT_EQ(refused.exit_code, 6) << refused.err;
  EXPECT_NE(refused.err.find("http.listen: 127.0.0.1:" + std::to_string(port)), std::string::npos) << refused.err;
  const FlightsRun beside(directory_ / "second", files, {});
  beside.expect_run();  // The default collides with nobody.
}

TEST_F(Metrics, TheTokenIsNowhereToBeSeen) {
  const FlightFiles files = cut_flights(directory_.path(), 10);
  const FlightsRun run(directory_ / "data", files, {"sources.logs.files=[]", "sources.outcomes.files=[]", "http.token=env:WEIR_TEST_TOKEN"});
  ProcessOptions options;
  options.env = {{"WEIR_TEST_TOKEN", "hunter2-hunter2"}};
  Process process(program(run), options);
  const std::uint16_t port = port_of(run, process);
  EXPECT_EQ(http_get(port, "/metrics").status, 401);
  const HttpReply metrics = http_get(port, "/metrics", "Authorization: Bearer hunter2-hunter2\r\n");
  EXPECT_EQ(metrics.status, 200);
  std::string seen = metrics.body + status(run) + process.out() + process.err() + run_weir(run.arguments("check", {"--print"}), options).out;
  for (const auto& entry : std::filesystem::directory_iterator(run.data / "run"))
    if (entry.is_regular_file()) seen += read_file(entry.path());
  EXPECT_NE(seen.find("env:WEIR_TEST_TOKEN"), std::string::npos);
  EXPECT_EQ(seen.find("hunter2"), std::string::npos);
  // Given as itself, it is refused without being shown.
  const ProcessResult literal = run_weir(run.arguments("check", {"--set", "http.token=hunter2-hunter2"}));
  EXPECT_EQ(literal.exit_code, 2);
  EXPECT_NE(literal.err.find("http.token"), std::string::npos) << literal.err;
  EXPECT_EQ(literal.err.find("hunter2"), std::string::npos) << literal.err;
}

}  // namespace
}  // namespace weir
