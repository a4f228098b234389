// On a real broker: control records are no lag, and the acknowledgement comes before the commit.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/prometheus_reader.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

TEST(KafkaMetrics, TellLagAndTheTwoLatencies) {
  const std::string& brokers = kafka_brokers();
  delete_kafka_topics("flights.");
  const TemporaryDirectory directory;
  const FlightFiles files = cut_flights(directory.path(), 1'000);
  const FlightsRun run(directory / "data", files,
                       {"log.kind=kafka", "log.brokers=" + brokers, "sources.logs.files=[]", "sources.outcomes.files=[]", "order=arrival"});
  std::vector<std::string> command = run.arguments("run", {"--quiet"});
  command.insert(command.begin(), weir_binary().string());
  Process process(command);
  const std::filesystem::path address = run.data / "run" / "http";
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(address) || !process.running(); })) << process.err();
  const std::string url = read_file(address);
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  ASSERT_TRUE(wait_until([&] { return http_get(port, "/ready").status == 200 || !process.running(); })) << process.err();
  const auto scrape = [&] { return read_prometheus(http_get(port, "/metrics").body); };
  // In pieces: each is a transaction, and leaves a control record behind it.
  for (std::size_t piece = 0; piece < 4; ++piece) {
    const auto quarter = [&](const std::vector<std::string>& lines) {
      return joined({lines.begin() + std::ptrdiff_t(lines.size() * piece / 4), lines.begin() + std::ptrdiff_t(lines.size() * (piece + 1) / 4)});
    };
    write_file(directory / "logs", quarter(files.event_lines));
    write_file(directory / "outcomes", quarter(files.outcome_lines));
    for (const char* topic : {"logs", "outcomes"}) {
      const ProcessResult produced = run_weir({"produce", topic, (directory / topic).string(), "--data", run.data.string()});
      ASSERT_EQ(produced.exit_code, 0) << produced.err;
    }
  }
  const double outcomes = double(files.outcome_lines.size());
  EXPECT_TRUE(wait_until([&] {
    const PrometheusPage page = scrape();
    return (page.sum("weir_events_total") == 1'000 && page.sum("weir_outcomes_total") == outcomes && page.sum("weir_input_lag_records") == 0) || !process.running();
  })) << run_weir({"status", "--json", "--data", run.data.string()}).out << process.err();
  const PrometheusPage page = scrape();
  for (const std::string& complaint : page.complaints) ADD_FAILURE() << complaint;
  EXPECT_EQ(page.sum("weir_input_lag_seconds", {{"topic", "flights.logs"}}), 0);
  EXPECT_EQ(page.sum("weir_committed_seconds_count"), 1'000 + outcomes);
  EXPECT_EQ(page.sum("weir_acked_seconds_count"), 1'000 + outcomes);
  EXPECT_GT(page.sum("weir_acked_seconds_sum"), 0);
  EXPECT_LT(page.sum("weir_acked_seconds_sum"), page.sum("weir_committed_seconds_sum"));
  EXPECT_GE(page.sum("weir_aborted_transactions_total"), 0);
  EXPECT_EQ(page.sum("weir_commit_seconds_count"), page.sum("weir_commits_total", {{"task", "inference"}}));
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
}

}  // namespace
}  // namespace weir
