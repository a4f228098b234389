// The program itself: exit codes, what it prints, and that a running pipeline answers other processes.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>

#include "tests/support/run_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr const char* kConfig = R"(version: 1
name: small
schema:
  logs: {id: id, time: ts, fields: [{name: x, kind: number}, {name: shop, kind: category}]}
  outcomes: {label: label}
features:
  - {aggregate: mean, of: label, by: [shop], half_life: 1 h, prior: 1}
backup_interval: 0
placement: {pin: off, lock_memory: false}
)";

std::string event_line(int id) {
  return "{\"id\":" + std::to_string(id) + ",\"ts\":\"2024-01-01T00:" + (id / 60 % 60 < 10 ? "0" : "") + std::to_string(id / 60 % 60) + ":" +
         (id % 60 < 10 ? "0" : "") + std::to_string(id % 60) + "Z\",\"x\":" + std::to_string(id % 7) + ",\"shop\":\"s" + std::to_string(id % 3) + "\"}\n";
}

class Cli : public testing::Test {
 protected:
  Cli() { write("small.yaml", kConfig); }
  void write(const std::string& name, const std::string& text) { std::ofstream(path(name), std::ios::binary) << text; }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  static int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }
  TemporaryDirectory directory_;
};

TEST_F(Cli, UsageMistakesEndWithTwoAndSayWhat) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {}, {"rnu"}, {"run"}, {"run", path("none.yaml")}, {"check", path(".")}, {"tail", "predictions", "--data", path("none")}, {"report"}, {"check", path("small.yaml"), "--set", "gate=3"}}) {
    const ProcessResult result = run_weir(arguments);
    EXPECT_EQ(result.exit_code, 2) << (arguments.empty() ? "" : arguments[0]);
    EXPECT_NE(result.err, "");
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(Cli, EveryCommandHasHelpWithExamples) {
  for (const char* command : {"run", "check", "init", "produce", "tail", "topics", "status", "report", "verify", "inspect", "repair", "train", "models", "demo", "version"}) {
    const ProcessResult result = run_weir({command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_NE(result.out.find(std::string("  weir ") + command), std::string::npos) << command << result.out;
  }
}

TEST_F(Cli, CheckNamesFileLineKeyAndSuggestion) {
  write("wrong.yaml", std::string(kConfig) + "gate: {coverge: 0.95}\njoin: {wait: 90}\ntrainr: {}\n");
  const ProcessResult result = run_weir({"check", path("wrong.yaml")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("wrong.yaml:10: gate.coverge: found an unknown key"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("wrong.yaml:11: join.wait"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("wrong.yaml:12: trainr"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("Did you mean 'trainer'?"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find('\x1b'), std::string::npos);  // No colours: it is no terminal.
  EXPECT_EQ(run_weir({"check", path("small.yaml"), "--print"}).exit_code, 0);
}

TEST_F(Cli, RunsAFileToItsEndReportsItAndGoesOnFromThere) {
  std::string events, outcomes;
  for (int i = 0; i < 300; ++i) {
    events += event_line(i);
    if (i < 200) outcomes += "{\"id\":" + std::to_string(i) + ",\"ts\":\"2024-01-01T01:00:00Z\",\"label\":" + std::to_string(i % 3 == 0) + "}\n";
  }
  write("events.jsonl", events + "not JSON\n");
  write("outcomes.jsonl", outcomes);
  const std::vector<std::string> run = {"run", path("small.yaml"), "--data", path("d"), "--set", "sources.logs.files=[" + path("events.jsonl") + "]",
                                        "--set", "sources.outcomes.files=[" + path("outcomes.jsonl") + "]"};
  const ProcessResult first = run_weir(run);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const ProcessResult report = run_weir({"report", "--data", path("d"), "--json"});
  ASSERT_EQ(report.exit_code, 0) << report.err;
  for (const char* part : {"\"events\":301,", "\"predicted\":300,", "\"labelled\":200,", "\"waiting\":0,", "\"unjoined\":0,", "\"dead_letters\":1,", "\"dead_letters_by_reason\":{\"malformed\":1}", "\"mae\":null", "\"last_half\":{"})
    EXPECT_NE(report.out.find(part), std::string::npos) << part << "\n" << report.out;
  const ProcessResult tail = run_weir({"tail", "predictions", "--data", path("d"), "--from-beginning", "--json"});
  EXPECT_EQ(lines(tail.out), 300);
  const ProcessResult again = run_weir(run);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(run_weir({"report", "--data", path("d"), "--json"}).out, report.out);
  EXPECT_EQ(run_weir({"verify", "--data", path("d"), "--recompute"}).exit_code, 0);
  EXPECT_EQ(run_weir({"topics", "--data", path("d"), "--json"}).exit_code, 0);
  EXPECT_EQ(run_weir({"inspect", "--data", path("d")}).exit_code, 0);
}

TEST_F(Cli, StartsThatTakeNoRecordAreNotHeldAgainstIt) {
  write("events.jsonl", event_line(0) + event_line(1));
  const std::vector<std::string> run = {"run", path("small.yaml"), "--data", path("d"), "--set", "sources.logs.files=[" + path("events.jsonl") + "]",
                                        "--set", "sources.outcomes.files=[" + path("outcomes.jsonl") + "]"};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run_weir(run).exit_code, 2);  // The outcomes are not there yet.
  write("outcomes.jsonl", "");
  const ProcessResult result = run_weir(run);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_NE(run_weir({"report", "--data", path("d"), "--json"}).out.find("\"predicted\":2,"), std::string::npos);
}

TEST_F(Cli, LinesThatCarryTheirLabelNeedNoOutcomes) {
  std::string orders = "order_id,created,shop,amount,late\n";
  for (int i = 0; i < 200; ++i) orders += std::to_string(i) + ",2024-03-01T00:0" + std::to_string(i / 60) + ":" + (i % 60 < 10 ? "0" : "") + std::to_string(i % 60) + "Z,s" + std::to_string(i % 3) + ",3.5," + std::to_string(i % 3 == 0) + "\n";
  write("orders.csv", orders);
  EXPECT_EQ(run_weir({"init", path("orders.csv"), "--output", path("orders.yaml"), "--label", "lat"}).exit_code, 2);
  ASSERT_EQ(run_weir({"init", path("orders.csv"), "--output", path("orders.yaml"), "--label", "late"}).exit_code, 0);
  const ProcessResult run = run_weir({"run", path("orders.yaml"), "--data", path("d")});  // Ends: nothing else is waited for.
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::string report = run_weir({"report", "--data", path("d"), "--json"}).out;
  EXPECT_NE(report.find("\"predicted\":200,"), std::string::npos) << report;
  EXPECT_NE(report.find("\"labelled\":200,"), std::string::npos) << report;
  const ProcessResult verify = run_weir({"verify", "--data", path("d"), "--recompute"});  // By the config of the last run.
  EXPECT_EQ(verify.exit_code, 0) << verify.out << verify.err;
}

// Each way in: a list of files, a followed file, standard input, `produce` to a running and to a stopped pipeline. Two files
// that name their columns in another order, so that a line read by the other's header is seen.
TEST_F(Cli, CsvIsReadByTheHeaderOfItsOwnFileOnEveryWayIn) {
  const std::string config = "version: 1\nname: csv\nschema:\n  logs: {format: csv, id: id, time: ts, time_format: seconds, label: y, fields: [{name: x, kind: number}]}\n"
                             "backup_interval: 0\nplacement: {pin: off, lock_memory: false}\n";
  write("csv.yaml", config);
  write("a.csv", "id,ts,x,y\n1,1000,5,1\n2,1001,6,0\n");
  write("b.csv", "y,x,ts,id\n1,7,1002,3\n");
  const auto ids = [&](const std::string& data) {
    std::string out;
    const ProcessResult tail = run_weir({"tail", "predictions", "--data", data, "--from-beginning"});
    for (std::size_t at = 0; (at = tail.out.find("\"id\":\"", at)) != std::string::npos; at += 6) out += tail.out[at + 6];
    return out;
  };
  const auto expect_whole = [&](const std::string& data) {
    EXPECT_EQ(ids(data), "123") << run_weir({"tail", "dead-letters", "--data", data, "--from-beginning"}).out;
    const ProcessResult verify = run_weir({"verify", path("csv.yaml"), "--data", data, "--recompute", "--set", "sources.logs.files=[]"});
    EXPECT_EQ(verify.exit_code, 0) << verify.out << verify.err;
  };
  const std::string both = "sources.logs.files=[" + path("a.csv") + ", " + path("b.csv") + "]";
  ASSERT_EQ(run_weir({"run", path("csv.yaml"), "--data", path("files"), "--set", both}).exit_code, 0);
  EXPECT_EQ(ids(path("files")), "123");
  EXPECT_EQ(run_weir({"verify", path("csv.yaml"), "--data", path("files"), "--set", both, "--recompute"}).exit_code, 0);

  {  // Followed, over a restart in the middle of the file.
    write("grows.csv", "id,ts,x,y\n1,1000,5,1\n2,1001,6,0\n");
    const std::vector<std::string> run = {weir_binary().string(), "run", path("csv.yaml"), "--data", path("followed"), "--set",
                                          "sources.logs={files: [" + path("grows.csv") + "], follow: true}"};
    Process first(run);
    ASSERT_TRUE(wait_until([&] { return ids(path("followed")) == "12"; })) << first.err();
    first.send_signal(SIGTERM);
    EXPECT_EQ(first.wait(std::chrono::seconds(10)), (ExitStatus{0, 0}));
    std::ofstream(path("grows.csv"), std::ios::app) << "3,1002,7,1\n";  // After a restart the header is not read as a line.
    Process second(run);
    ASSERT_TRUE(wait_until([&] { return ids(path("followed")) == "123"; })) << second.err();
    second.send_signal(SIGTERM);
    EXPECT_EQ(second.wait(std::chrono::seconds(10)), (ExitStatus{0, 0}));
    expect_whole(path("followed"));
  }
  {
    Process pipeline({weir_binary().string(), "run", path("csv.yaml"), "--data", path("produced")});
    ASSERT_TRUE(wait_until([&] { return run_weir({"status", "--data", path("produced"), "--json"}).out.find("\"running\":true") != std::string::npos; }));
    const ProcessResult produced = run_weir({"produce", "logs", path("a.csv"), path("b.csv"), "--data", path("produced")});
    EXPECT_EQ(produced.out, "{\"produced\":2,\"end\":2}\n{\"produced\":1,\"end\":3}\n") << produced.err;
    write("other.csv", "id,ts,z\n4,1003,8\n");
    EXPECT_EQ(run_weir({"produce", "logs", path("other.csv"), "--data", path("produced")}).exit_code, 3);  // No column x: none of it is taken.
    EXPECT_TRUE(wait_until([&] { return ids(path("produced")) == "123"; }));
    pipeline.send_signal(SIGTERM);
    EXPECT_EQ(pipeline.wait(std::chrono::seconds(10)), (ExitStatus{0, 0}));
    expect_whole(path("produced"));
  }
  {
    EXPECT_EQ(run_weir({"produce", "logs", path("a.csv"), path("b.csv"), "--config", path("csv.yaml"), "--data", path("before")}).exit_code, 0);
    EXPECT_EQ(run_weir({"produce", "logs", path("."), "--config", path("csv.yaml"), "--data", path("before")}).exit_code, 3);
    Process pipeline({weir_binary().string(), "run", path("csv.yaml"), "--data", path("before")});
    EXPECT_TRUE(wait_until([&] { return ids(path("before")) == "123"; }));
    EXPECT_EQ(run_weir({"repair", "--data", path("before")}).exit_code, 6);  // It is in use; nothing is said of deleting it.
    pipeline.send_signal(SIGTERM);
    EXPECT_EQ(pipeline.wait(std::chrono::seconds(10)), (ExitStatus{0, 0}));
    expect_whole(path("before"));
  }
}

TEST_F(Cli, ARunningPipelineTakesRecordsAndAnswers) {
  Process pipeline({weir_binary().string(), "run", path("small.yaml"), "--data", path("d")});
  ASSERT_TRUE(wait_until([&] { return run_weir({"status", "--data", path("d"), "--json"}).out.find("\"running\":true") != std::string::npos; }));
  EXPECT_EQ(run_weir({"run", path("small.yaml"), "--data", path("d")}).exit_code, 6);
  std::string events;
  for (int i = 0; i < 50; ++i) events += event_line(i);
  write("events.jsonl", events);
  const ProcessResult produced = run_weir({"produce", "logs", path("events.jsonl"), "--data", path("d")});
  EXPECT_EQ(produced.exit_code, 0) << produced.err;
  EXPECT_EQ(produced.out, "{\"produced\":50,\"end\":50}\n");
  EXPECT_TRUE(wait_until([&] { return lines(run_weir({"tail", "predictions", "--data", path("d"), "--from-beginning"}).out) == 50; }));
  Process follower({weir_binary().string(), "tail", "predictions", "--data", path("d"), "--from-beginning", "--follow", "--envelope"});
  follower.wait_for_out("\"offset\":49,");
  write("more.jsonl", event_line(50));
  EXPECT_EQ(run_weir({"produce", "logs", path("more.jsonl"), "--data", path("d")}).exit_code, 0);
  follower.wait_for_out("\"offset\":50,");
  EXPECT_NE(run_weir({"report", "--data", path("d"), "--json"}).out.find("\"predicted\":51,"), std::string::npos);
  EXPECT_EQ(run_weir({"produce", "predictions", path("more.jsonl"), "--data", path("d")}).exit_code, 2);
  pipeline.send_signal(SIGTERM);
  EXPECT_EQ(pipeline.wait(), (ExitStatus{0, 0}));
  EXPECT_EQ(follower.wait(), (ExitStatus{0, 0}));  // A follower hears of the end.
  EXPECT_EQ(follower.err(), "");
  EXPECT_EQ(lines(run_weir({"tail", "predictions", "--data", path("d"), "--from-beginning"}).out), 51);
}

TEST_F(Cli, ProduceNamesTheProcessThatDiesUnderIt) {
  std::string events;
  for (int i = 0; i < 50; ++i) events += event_line(i);
  write("events.jsonl", events);
  // Appended, and dead before it could say so.
  Process pipeline({weir_binary().string(), "run", path("small.yaml"), "--data", path("d")}, {.env = {{"WEIR_CRASH_AT", "commit.after_write:1"}}});
  ASSERT_TRUE(wait_until([&] { return run_weir({"status", "--data", path("d"), "--json"}).out.find("\"running\":true") != std::string::npos; }));
  const ProcessResult produced = run_weir({"produce", "logs", path("events.jsonl"), "--data", path("d")});
  EXPECT_EQ(pipeline.wait().signal, SIGKILL);
  EXPECT_EQ(produced.exit_code, 4);
  EXPECT_EQ(produced.out, "");
  for (const std::string& part : {"data directory '" + path("d") + "': the process that runs its pipeline ended in the middle of a request",
                                  "of 50 lines sent from '" + path("events.jsonl") + "' it had acknowledged 0", std::string("see the topic's end (weir topics)")})
    EXPECT_NE(produced.err.find(part), std::string::npos) << produced.err;
  EXPECT_EQ(lines(run_weir({"tail", "logs", "--data", path("d"), "--from-beginning"}).out), 50);
}

TEST_F(Cli, AFollowerOfAReplayGetsItsLastRecordToo) {
  std::string events;
  for (int i = 0; i < 3000; ++i) events += event_line(i);
  write("events.jsonl", events);
  write("outcomes.jsonl", "");
  Process pipeline({weir_binary().string(), "run", path("small.yaml"), "--quiet", "--data", path("d"), "--set", "sources.logs.files=[]", "--set", "sources.outcomes.files=[" + path("outcomes.jsonl") + "]"});
  ASSERT_TRUE(wait_until([&] { return run_weir({"status", "--data", path("d"), "--json"}).out.find("\"running\":true") != std::string::npos; }));
  Process follower({weir_binary().string(), "tail", "logs", "--data", path("d"), "--from-beginning", "--follow"});
  write("first.jsonl", event_line(3000));
  EXPECT_EQ(run_weir({"produce", "logs", path("first.jsonl"), "--data", path("d")}).exit_code, 0);
  follower.wait_for_out("\"id\":");  // It is there before the end is.
  EXPECT_EQ(run_weir({"produce", "logs", path("events.jsonl"), "--data", path("d")}).exit_code, 0);
  pipeline.send_signal(SIGINT);
  EXPECT_EQ(pipeline.wait(), (ExitStatus{0, 0}));
  EXPECT_EQ(follower.wait(), (ExitStatus{0, 0}));
  EXPECT_EQ(lines(follower.out()), 3001);
}

TEST_F(Cli, InitWritesAConfigThatChecks) {
  write("sales.csv", "id;time;amount;shop\n1;2024-01-01T00:00:00Z;3.5;a\n2;2024-01-01T00:00:01Z;4;b\n");
  const ProcessResult init = run_weir({"init", path("sales.csv"), "--output", path("made.yaml")});
  ASSERT_EQ(init.exit_code, 0) << init.err;
  EXPECT_EQ(run_weir({"check", path("made.yaml")}).exit_code, 0);
  EXPECT_EQ(run_weir({"init", path("sales.csv"), "--output", path("made.yaml")}).exit_code, 2);
  const std::string printed = run_weir({"check", path("made.yaml"), "--print"}).out;
  EXPECT_NE(printed.find("format: csv"), std::string::npos) << printed;
  EXPECT_NE(printed.find("{name: amount, kind: number"), std::string::npos) << printed;

  // Logs and outcomes of different formats; the directory it shall use; and it runs as it is.
  write("deals.jsonl", "{\"id\":1,\"ts\":\"2024-01-01T00:00:00Z\",\"amount\":3}\n");
  write("results.csv", "id;ts;label\n1;2024-01-01T00:01:00Z;1\n");
  const ProcessResult both = run_weir({"init", path("deals.jsonl"), "--outcomes", path("results.csv"), "--output", path("both.yaml"), "--data", path("both")});
  ASSERT_EQ(both.exit_code, 0) << both.err;
  EXPECT_EQ(run_weir({"run", path("both.yaml")}).exit_code, 0);
  EXPECT_NE(run_weir({"report", "--data", path("both"), "--json"}).out.find("\"labelled\":1,"), std::string::npos);
  write("sys.log", "<34>Oct 11 22:14:15 host su: id=7 x=2\n");
  EXPECT_NE(run_weir({"init", path("sys.log"), "--output", "-"}).out.find("    year: 1970 "), std::string::npos);
}

}  // namespace
}  // namespace weir
