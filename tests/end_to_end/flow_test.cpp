// Goal: a learner that is a hundred times too slow, or a consumer that does not read, grows the log, not the memory, holds nobody
// up, and catches up with nothing lost.
// Learning is free, and each outcome costs it a large replay batch, so inference is done long before it; until the learner's lag is
// most of the examples (a million of them in the full run). Then the process is stopped, and goes on with small batches.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

std::int64_t peak_mb(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) / 1024;
  return 0;
}

// The shipped two months again and again, a year later each time.
void write_copies(const FlightFiles& from, int copies, FlightFiles& to) {
  const auto write = [&](const std::vector<std::string>& lines, const std::filesystem::path& path) {
    std::ofstream out(path, std::ios::binary);
    for (int copy = 0; copy < copies; ++copy)
      for (std::string line : lines) {
        line.replace(line.find("\"id\":") + 5, 0, std::to_string(copy + 1) + (copy % 2 == 0 ? "0" : "00"));
        line.replace(line.find("\"ts\":\"") + 6, 4, std::to_string(2013 + copy));
        out << line << '\n';
      }
  };
  write(from.event_lines, to.events);
  write(from.outcome_lines, to.outcomes);
}

TEST(Flow, ASlowLearnerLagsInTheLogNotInMemory) {
  const TemporaryDirectory directory;
  FlightFiles files = cut_flights(directory.path(), full_faults() ? 60'000 : kSanitized ? 3'000 : 20'000);
  std::size_t events = files.event_lines.size(), outcomes = files.outcome_lines.size();
  if (full_faults()) {
    const int copies = 22;
    FlightFiles many = files;
    many.events = directory / "many-events.jsonl";
    many.outcomes = directory / "many-outcomes.jsonl";
    write_copies(files, copies, many);
    files = many;
    events *= copies;
    outcomes *= copies;
  }
  const auto run_with = [&](const std::string& batch) {
    return FlightsRun(directory / "data", files,
                      {"learning=free", "trainer.replay.every=1", "trainer.replay.batch=" + batch, "trainer.replay.capacity=1000",
                       "promotion.every=1000", "max_jump=500 days", "memory_budget=16MB", "backup_interval=0"});
  };
  const auto start = [](const FlightsRun& run) {
    std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
    arguments.insert(arguments.begin(), weir_binary().string());
    return std::make_unique<Process>(arguments);
  };
  const std::int64_t lag_wanted = full_faults() ? 1'000'000 : outcomes / 2;
  FlightsRun run = run_with("400");
  auto process = start(run);
  std::int64_t lag_max = 0, peak = 0;
  const auto sample = [&] {
    peak = std::max(peak, peak_mb(process->pid()));
    const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
    const auto records = [&](const char* task) {
      const std::size_t at = status.find(std::string("\"task\":\"") + task + "\"");
      return at == std::string::npos ? 0 : std::stoll(json_value(status.substr(at), "records"));
    };
    // Outcomes taken so far, nearly all of which are examples, less the examples learnt.
    if (json_value(status, "running") == "true")
      lag_max = std::max<std::int64_t>(lag_max, std::stoll(json_value(status, "outcomes")) - records("learning"));
    return !process->running();
  };
  ASSERT_TRUE(wait_until([&] { return sample() || lag_max > lag_wanted; }, std::chrono::minutes(10)));
  EXPECT_GT(lag_max, lag_wanted);
  process->send_signal(SIGTERM);
  EXPECT_EQ(process->wait(), (ExitStatus{0, 0})) << process->err();
  run = run_with("4");
  process = start(run);
  ASSERT_TRUE(wait_until(sample, std::chrono::minutes(10)));
  EXPECT_EQ(process->wait(), (ExitStatus{0, 0})) << process->err();
  if (!kSanitized) {
    EXPECT_LT(peak, 300);
  }
  const std::string report = run_weir({"report", "--json", "--data", run.data.string()}).out;
  EXPECT_EQ(json_value(report, "predicted"), std::to_string(events));
  EXPECT_EQ(json_value(report, "labelled"), std::to_string(outcomes));
  const ProcessResult verified = run_weir(run.arguments("verify"));
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  // All of it was learnt: the newest version has seen every thousand of them.
  const auto models = tail(run.data, "models");
  ASSERT_FALSE(models.empty());
  EXPECT_GE(std::stoll(json_value(models.back().substr(models.back().find("\"value\":")), "model_version").substr(2)) / 1000 * 1000,
            std::int64_t(outcomes) / 2000 * 1000);
}

TEST(Flow, AConsumerThatStandsStillHoldsNobodyUp) {
  const TemporaryDirectory directory;
  const FlightFiles files = cut_flights(directory.path(), kSanitized ? 5'000 : 40'000);
  FlightFiles live = files;
  live.events = directory / "live.jsonl";
  constexpr std::size_t kFirst = 100;
  write_file(live.events, joined({files.event_lines.begin(), files.event_lines.begin() + kFirst}));
  const FlightsRun run(directory / "data", live, {"sources.logs.follow=true", "sources.outcomes.follow=true", "order=arrival", "backup_interval=0"});
  std::vector<std::string> arguments = run.arguments("run", {"--quiet"});
  arguments.insert(arguments.begin(), weir_binary().string());
  Process process(arguments);
  const auto events = [&] {
    const std::string status = run_weir({"status", "--json", "--data", run.data.string()}).out;
    return json_value(status, "running") == "true" ? std::stoull(json_value(status, "events")) : 0;
  };
  ASSERT_TRUE(wait_until([&] { return events() == kFirst || !process.running(); })) << process.err();
  Process consumer({weir_binary().string(), "tail", "predictions", "--data", run.data.string(), "--from-beginning", "--follow"});
  consumer.wait_for_out("\"id\":");
  consumer.send_signal(SIGSTOP);
  const std::int64_t before = peak_mb(process.pid());
  std::ofstream(live.events, std::ios::app | std::ios::binary) << joined({files.event_lines.begin() + kFirst, files.event_lines.end()});
  EXPECT_TRUE(wait_until([&] { return events() == files.event_lines.size() || !process.running(); })) << events();
  if (!kSanitized) {
    EXPECT_LT(peak_mb(process.pid()), before + 150);
  }
  consumer.send_signal(SIGCONT);
  const auto received = [&] {
    const std::string out = consumer.out();
    return std::size_t(std::count(out.begin(), out.end(), '\n'));
  };
  EXPECT_TRUE(wait_until([&] { return received() == files.event_lines.size(); })) << received();
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  EXPECT_EQ(consumer.wait(), (ExitStatus{0, 0})) << consumer.err();
}

}  // namespace
}  // namespace weir
