// Goal: several processes share the four partitions of one pipeline on a real Kafka broker: one comes, one leaves, one is killed,
// one is stopped for longer than the others wait and wakes up as a zombie, one is started twice.
// Invariants: each event is answered once, in its partition (weir verify); a partition that does not move is not disturbed; what a
// dead process had is taken over within seconds; the same process is back at once.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <set>

#include "storage/open_storage.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kFlights = 4'000;
constexpr int kPartitions = 4;
// Taken over within 8 s of a death: 6 s until the group believes it, then the changelog. Twice that on a machine that is busy.
constexpr double kTakeOverSeconds = 16.0;
// The same process is back within 1.5 s; one that the group did not know would wait for the session of the former one, 6 s.
constexpr double kRestartSeconds = 5.5;

double seconds_since(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

class Processes : public testing::Test {
 protected:
  Processes() {
    kafka_brokers();
    delete_kafka_topics("flights.");
  }
  static const FlightFiles& flights() { return first_flights(kFlights); }

  // One process of the pipeline, with a directory of its own.
  struct Node {
    FlightsRun run;
    std::unique_ptr<Process> process;

    void start() {
      std::vector<std::string> command = run.arguments("run", {"--quiet"});
      command.insert(command.begin(), weir_binary().string());
      process = std::make_unique<Process>(std::move(command));
    }
    std::string status() const {
      const ProcessResult result = run_weir({"status", "--json", "--data", run.data.string()});
      return result.exit_code == 0 && result.out.find("\"running\":true") != std::string::npos ? result.out : "";
    }
    struct Task {
      std::string phase;
      int starts = 0;
    };
    // The inference tasks of this process by partition.
    std::map<int, Task> tasks() const {
      std::map<int, Task> out;
      std::string text = status();
      text.resize(std::min(text.find("\"members\":"), text.size()));  // What follows tells of other processes' tasks.
      constexpr std::string_view kBegin = "{\"task\":\"inference\"";
      for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at + 1)) {
        const std::string one = text.substr(at, text.find('}', at) - at + 1);
        out[std::stoi(json_value(one, "partition"))] = {json_value(one, "phase"), std::stoi(json_value(one, "starts"))};
      }
      return out;
    }
    std::set<int> owned() const { return in_phase("running"); }
    std::set<int> in_phase(const std::string& phase) const {
      std::set<int> out;
      for (const auto& [partition, task] : tasks())
        if (task.phase == phase) out.insert(partition);
      return out;
    }
    // Seconds until it runs these and no others.
    double wait_for(const std::set<int>& partitions, Clock::time_point from = Clock::now()) const {
      EXPECT_TRUE(wait_until([&] { return !process->running() || owned() == partitions; })) << status();
      EXPECT_TRUE(process->running()) << process->err();
      return seconds_since(from);
    }
    void leave() {
      process->send_signal(SIGTERM);
      EXPECT_EQ(process->wait(), (ExitStatus{0, 0})) << process->err();
    }
    void kill() {
      process->send_signal(SIGKILL);
      EXPECT_EQ(process->wait().signal, SIGKILL);
    }
  };

  Node node(const std::string& name, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"log.kind=kafka", "log.brokers=" + kafka_brokers(), "log.partitions=4", "sources.logs.files=[]", "sources.outcomes.files=[]",
                             "order=arrival", "idle_timeout=never", "process=" + name, "crc_every=100", "snapshot_every=500"});
    return {FlightsRun(directory_ / name, flights(), std::move(more)), nullptr};
  }

  // Records of all tasks' inputs that are not committed as consumed.
  static std::uint64_t lag_of(const std::string& status) {
    std::uint64_t sum = 0;
    for (std::size_t at = status.find("\"owners\":"); (at = status.find("\"records\":", at)) != std::string::npos; ++at) sum += std::stoull(status.substr(at + 10));
    return sum;
  }
  // The state entries of a task in a local store, or as the changelog gives them.
  static std::map<std::string, std::string> state_in(TopicLog& log, int partition) {
    const auto store = log.open_task({"inference", PartitionId(partition)});
    EXPECT_TRUE(store.ok()) << store.error().what;
    const auto recovered = (*store)->recover();
    EXPECT_TRUE(recovered.ok()) << recovered.error().what;
    std::map<std::string, std::string> out;
    EXPECT_TRUE(recovered->state->scan("", [&](std::string_view key, std::string_view value) { return out.emplace(key, value), true; }).ok());
    return out;
  }
  static std::map<std::string, std::string> local_state(const Node& node, int partition) {
    StorageOptions options;
    options.embedded.path = (node.run.data / "kafka").string();
    options.embedded.read_only = true;
    options.embedded.create_if_missing = false;
    const auto log = open_storage(options);
    EXPECT_TRUE(log.ok()) << log.error().what;
    std::map<std::string, std::string> out;
    for (auto& [key, value] : state_in(**log, partition))
      if (key.starts_with('s')) out[key.substr(1)] = value;  // The letters of docs/formats.md §7.
    return out;
  }
  static std::map<std::string, std::string> replayed_state(int partition) {
    StorageOptions options;
    options.kind = LogKind::kKafka;
    options.embedded.pipeline = "flights";
    options.embedded.read_only = true;
    options.kafka.brokers = kafka_brokers();
    const auto log = open_storage(options);
    EXPECT_TRUE(log.ok()) << log.error().what;
    return state_in(**log, partition);
  }

  // The next part of the flights, of ten, and of their outcomes, by way of this process.
  void produce_part(const Node& through) {
    ASSERT_LT(parts_, 10u);
    for (const auto& [topic, lines] : {std::pair("logs", &flights().event_lines), std::pair("outcomes", &flights().outcome_lines)}) {
      const auto from = lines->begin() + static_cast<std::ptrdiff_t>(lines->size() * parts_ / 10);
      const auto to = lines->begin() + static_cast<std::ptrdiff_t>(lines->size() * (parts_ + 1) / 10);
      write_file(directory_ / "part.jsonl", joined({from, to}));
      const ProcessResult produced = run_weir({"produce", topic, (directory_ / "part.jsonl").string(), "--data", through.run.data.string()});
      EXPECT_EQ(produced.exit_code, 0) << produced.err;
    }
    ++parts_;
    events_ = flights().event_lines.size() * parts_ / 10;
  }
  // All that was produced is answered.
  void expect_answered(const Node& asked) const {
    std::string last;
    EXPECT_TRUE(wait_until([&] {
      last = json_value(run_weir({"report", "--json", "--data", asked.run.data.string()}).out, "predicted");
      return last == std::to_string(events_);
    })) << last;
  }

  TemporaryDirectory directory_;
  std::size_t parts_ = 0;
  std::size_t events_ = 0;
};

TEST_F(Processes, ShareThePartitionsAsTheyComeAndGo) {
  Node a = node("a", {"standby=1"}), b = node("b", {"standby=1"}), c = node("c", {"standby=1"});
  a.start();
  a.wait_for({0, 1, 2, 3});
  produce_part(a);
  b.start();
  b.wait_for({2, 3});
  a.wait_for({0, 1});
  produce_part(b);
  c.start();
  c.wait_for({3});
  b.wait_for({2});
  produce_part(c);
  expect_answered(c);
  const std::string status = b.status();  // Of all, by any of them.
  EXPECT_NE(status.find(R"({"process":"a","host":"127.0.0.1","runs":"all","partitions":[0,1]},{"process":"b","host":"127.0.0.1","runs":"all","partitions":[2]},{"process":"c")"), std::string::npos) << status;
  for (const char* owner : {R"("partition":0,"process":"a")", R"("partition":2,"process":"b")", R"("partition":3,"process":"c")"})
    EXPECT_NE(status.find(R"({"task":"inference",)" + std::string(owner)), std::string::npos) << status;
  EXPECT_TRUE(wait_until([&] { return lag_of(b.status()) == 0; })) << b.status();

  // One stands still for longer than the others wait, with records to take, and wakes up as a zombie.
  auto from = Clock::now();
  c.process->send_signal(SIGSTOP);
  produce_part(b);
  EXPECT_TRUE(wait_until([&] { return lag_of(b.status()) > 0 || b.owned().contains(3); })) << b.status();
  const double stood_still = b.wait_for({2, 3}, from);
  expect_answered(b);
  produce_part(b);
  c.process->send_signal(SIGCONT);
  EXPECT_EQ(c.process->wait().code, 6) << c.process->err();
  EXPECT_NE(c.process->err().find("'c'"), std::string::npos) << c.process->err();
  expect_answered(b);
  EXPECT_TRUE(wait_until([&] { return lag_of(b.status()) == 0; })) << b.status();

  // One is killed; at full length one leaves, too: it is expected back for as long.
  double gone = 0;
  for (const int signal : full_faults() ? std::vector{SIGTERM, SIGKILL} : std::vector{SIGKILL}) {
    b.wait_for({2, 3});
    from = Clock::now();
    b.process->send_signal(signal);
    b.process->wait();
    gone = a.wait_for({0, 1, 2, 3}, from);
    produce_part(a);
    expect_answered(a);
    if (signal == SIGTERM) b.start();
  }
  for (const int unmoved : {0, 1}) EXPECT_EQ(a.tasks().at(unmoved).starts, 1);
  EXPECT_EQ(a.status().find("failed"), std::string::npos) << a.status();

  a.kill();
  from = Clock::now();
  a.start();
  const double again = a.wait_for({0, 1, 2, 3}, from);
  produce_part(a);
  expect_answered(a);
  a.leave();
  a.run.expect_verified();
  std::printf("taken over %.1f s after one stood still, %.1f s after one was gone; restarted in %.1f s\n", stood_still, gone, again);
  EXPECT_LT(stood_still, kTakeOverSeconds);
  EXPECT_LT(gone, kTakeOverSeconds);
  EXPECT_LT(again, kRestartSeconds);
}

TEST_F(Processes, OneNameTwiceIsAnErrorByName) {
  Node first = node("a"), second = node("other");
  for (std::string& setting : second.run.settings)
    if (setting == "process=other") setting = "process=a";
  first.start();
  first.wait_for({0, 1, 2, 3});
  second.start();
  EXPECT_EQ(first.process->wait().code, 6) << first.process->err();
  EXPECT_NE(first.process->err().find("'a'"), std::string::npos) << first.process->err();
  second.wait_for({0, 1, 2, 3});
  produce_part(second);
  expect_answered(second);
  second.leave();
  second.run.expect_verified();
}

TEST_F(Processes, AStandbyHoldsWhatTheOwnerHolds) {
  Node a = node("a", {"standby=1"}), b = node("b", {"standby=1"});
  a.start();
  a.wait_for({0, 1, 2, 3});
  produce_part(a);
  b.start();
  b.wait_for({2, 3});
  const auto close_behind = [](const Node& node, const std::set<int>& partitions) {
    EXPECT_TRUE(wait_until([&] {
      const std::string status = node.status();
      std::size_t current = 0;
      for (std::size_t at = 0; (at = status.find("\"standby_lag\":0", at)) != std::string::npos; ++at) ++current;
      return node.in_phase("standby") == partitions && current == partitions.size();
    })) << node.status();
  };
  produce_part(b);
  expect_answered(b);
  close_behind(a, {2, 3});
  close_behind(b, {0, 1});
  for (Node* node : {&a, &b}) node->process->send_signal(SIGTERM);  // Before either takes over from the other.
  for (Node* node : {&a, &b}) EXPECT_EQ(node->process->wait(), (ExitStatus{0, 0})) << node->process->err();
  for (int p = 0; p < kPartitions; ++p) {
    const auto replayed = replayed_state(p);
    EXPECT_GT(replayed.size(), 100u);
    EXPECT_EQ(local_state(a, p), replayed) << p;
    EXPECT_EQ(local_state(b, p), replayed) << p;
  }
  a.start();
  b.start();
  a.wait_for({0, 1});
  b.wait_for({2, 3});
  produce_part(a);
  expect_answered(b);
  a.leave();
  b.leave();
  b.run.expect_verified();
}

TEST_F(Processes, PartitionsCanBePinned) {
  Node even = node("even", {"placement.partitions=[0, 2]"}), odd = node("odd", {"placement.partitions=[1, 3]"});
  even.start();
  even.wait_for({0, 2});
  odd.start();
  odd.wait_for({1, 3});
  produce_part(even);
  expect_answered(odd);
  even.kill();
  even.start();
  even.wait_for({0, 2});
  produce_part(odd);
  expect_answered(even);
  EXPECT_EQ(odd.owned(), (std::set<int>{1, 3}));
  even.leave();
  odd.leave();
  odd.run.expect_verified();
}

}  // namespace
}  // namespace weir
