// Goal: what other programs build on is as documented: the JSON of topics and reports, exit codes, every line format, standard
// input to its end, and what is for a person's terminal only.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "core/base/rng.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr int kEvents = 1'000;

// One stream of events, written in any format; the label is in the line.
struct Row {
  std::string id, x, shop, label;
  int second;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> made = [] {
    std::vector<Row> out;
    Rng rng(1);
    for (int i = 0; i < kEvents; ++i) {
      const std::string shop(1, char('a' + rng.below(3)));
      const int x = int(rng.below(200)) - 100;
      out.push_back({"n" + std::to_string(i), std::to_string(x), shop, int(rng.below(100)) - 50 < x + (shop == "a" ? 30 : 0) ? "1" : "0", 7 * i});
    }
    return out;
  }();
  return made;
}
std::string two(int n) { return (n < 10 ? "0" : "") + std::to_string(n); }
std::string clock_time(int second) { return two(second / 3600) + ":" + two(second / 60 % 60) + ":" + two(second % 60); }
std::string iso(int second) { return "2024-01-01T" + clock_time(second) + "Z"; }

class Interface : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  // A config over one file of lines; `prefix`: of the fields' names.
  void write_config(const std::string& format, const std::string& time, const std::string& prefix = "", const std::string& more = "", const std::string& label = "y") {
    write_file(path("c.yaml"), "version: 1\nname: small\nbackup_interval: 0\nplacement: {pin: off, lock_memory: false}\n"
                               "schema:\n  logs: {format: " + format + ", id: " + prefix + "id, " + time + ", label: " + prefix + label + ", fields: [{name: " + prefix +
                               "x, kind: number}, {name: " + prefix + "shop, kind: category}]}\nfeatures:\n  - {aggregate: mean, of: label, by: [" + prefix +
                               "shop], half_life: 1 h, prior: 1}\n" + more);
  }
  void write_json_lines(const std::string& name) {
    std::string text;
    for (const Row& r : rows())
      text += "{\"id\":\"" + r.id + "\",\"ts\":\"" + iso(r.second) + "\",\"x\":" + r.x + ",\"shop\":\"" + r.shop + "\",\"y\":" + r.label + "}\n";
    write_file(path(name), text);
  }
  ProcessResult run(const std::string& data, const std::string& file, const std::vector<std::string>& settings = {}) {
    std::vector<std::string> arguments = {"run", path("c.yaml"), "--data", path(data), "--set", "sources.logs.files=[" + path(file) + "]"};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    ProcessResult result = run_weir(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
  std::string values(const std::string& data, const std::string& topic) const {
    const ProcessResult result = run_weir({"tail", topic, "--data", path(data), "--from-beginning", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  std::string report(const std::string& data) const { return run_weir({"report", "--data", path(data), "--json"}).out; }
  // By a JSON Schema validator that is not ours: each line of `lines` against docs/schemas/SCHEMA. What it printed.
  std::string invalid(const std::string& lines, const std::string& schema) const {
    write_file(path("lines"), lines);
    const ProcessResult result = run_process({"/usr/bin/python3", "-c", R"(
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for line in open(sys.argv[2], encoding="utf-8", newline="\n"):
    for error in validator.iter_errors(json.loads(line)):
        print(line, error.message))", (project_directory() / "docs/schemas" / schema).string(), path("lines")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  TemporaryDirectory directory_;
};

// The keys of a JSON object's outermost level, in their order.
std::vector<std::string> keys_of(const std::string& json) {
  std::vector<std::string> out;
  int depth = 0;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '{' || json[i] == '[') ++depth;
    if (json[i] == '}' || json[i] == ']') --depth;
    if (json[i] != '"') continue;
    const std::size_t end = json.find('"', i + 1);  // Our reports escape nothing.
    if (depth == 1 && json[end + 1] == ':') out.push_back(json.substr(i + 1, end - i - 1));
    i = end;
  }
  return out;
}
std::size_t lines_in(const std::string& text) { return std::size_t(std::count(text.begin(), text.end(), '\n')); }

TEST_F(Interface, EveryLineFormatGivesTheSamePredictions) {
  std::string csv = "shop,id,y,ts,x\n", pairs, rfc5424, rfc3164;
  for (const Row& r : rows()) {
    csv += r.shop + "," + r.id + "," + r.label + "," + iso(r.second) + "," + r.x + "\n";
    pairs += "ts=" + iso(r.second) + " id=" + r.id + " x=" + r.x + " shop=" + r.shop + " y=" + r.label + "\n";
    rfc5424 += "<165>1 " + iso(r.second) + " host app 7 ID1 [e id=\"" + r.id + "\" x=\"" + r.x + "\" shop=\"" + r.shop + "\" y=\"" + r.label + "\"] sold\n";
    rfc3164 += "<34>Jan  1 " + clock_time(r.second) + " host app[7]: sold id=" + r.id + " x=" + r.x + " shop=" + r.shop + " y=" + r.label + "\n";
  }
  write_file(path("csv"), csv);
  write_file(path("pairs"), pairs);
  write_file(path("rfc5424"), rfc5424);
  write_file(path("rfc3164"), rfc3164);
  write_json_lines("json");
  write_config("json", "time: ts");
  run("json-data", "json");
  const std::string expected = values("json-data", "predictions");
  ASSERT_EQ(lines_in(expected), std::size_t(kEvents));
  struct Format {
    const char *file, *name, *time, *prefix;
  };
  for (const Format& f : {Format{"csv", "csv", "time: ts", ""}, Format{"pairs", "key_value", "time: ts", ""},
                          Format{"rfc5424", "syslog_5424", "time: timestamp", "e."},
                          Format{"rfc3164", "syslog_3164", "time: timestamp, time_format: syslog, year: 2024", ""}}) {
    for (const char* parse : {"ahead", "task"}) {
      SCOPED_TRACE(std::string(f.file) + ", " + parse);
      write_config(f.name, f.time, f.prefix);
      const std::string data = std::string(f.file) + "-" + parse;
      run(data, f.file, {std::string("placement.parse=") + parse});
      EXPECT_TRUE(values(data, "predictions") == expected) << values(data, "predictions").substr(0, 300) << values(data, "dead-letters").substr(0, 300);
    }
  }
}

TEST_F(Interface, StandardInputEndsTheRunAndGoesOnWithTheNextOne) {
  write_json_lines("json");
  write_config("json", "time: ts");
  run("files", "json");
  std::vector<std::string> lines;
  const std::string text = read_file(path("json"));
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) lines.push_back(text.substr(at, text.find('\n', at) - at));
  const auto middle = lines.begin() + kEvents / 3;
  for (const std::string& part : {joined({lines.begin(), middle}), joined({middle, lines.end()})}) {
    Process process({weir_binary().string(), "run", path("c.yaml"), "--data", path("piped"), "--set", "sources.logs={stdin: true}"}, {.pipe_stdin = true});
    process.write_stdin(part.substr(0, part.size() - 1));  // The last line without its newline counts, too.
    process.close_stdin();
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  }
  EXPECT_EQ(lines_in(values("piped", "logs")), std::size_t(kEvents));
  // Another topic's name aside (its lines are in a log) the bytes are those of the files.
  std::string expected = values("files", "predictions");
  for (std::size_t at = 0; (at = expected.find("\"topic\":\"logs\"", at)) != std::string::npos;) expected.replace(at, 14, "\"topic\":\"small.logs\"");
  EXPECT_TRUE(values("piped", "predictions") == expected) << values("piped", "predictions").substr(0, 300);
  EXPECT_EQ(run_weir({"verify", "--data", path("piped"), "--recompute"}).exit_code, 0);
}

TEST_F(Interface, TheReportHasItsKeysAndNullWhereNothingApplies) {
  const std::vector<std::string> quality = {"log_loss", "auc", "accuracy", "f1", "brier", "calibration_error", "base_rate", "majority_accuracy", "coverage", "mae", "rmse"};
  std::vector<std::string> keys = {"events", "predicted", "abstained", "labelled", "waiting", "unjoined", "unjoined_by_reason", "dead_letters", "dead_letters_by_reason"};
  keys.insert(keys.end(), quality.begin(), quality.end());
  keys.insert(keys.end(), {"model_version", "steps_undone", "lost", "seconds", "events_per_second", "last_half"});
  std::vector<std::string> half = {"labelled"};
  half.insert(half.end(), quality.begin(), quality.end());
  write_json_lines("json");
  const auto expect = [&](const std::string& data, const std::vector<std::string>& absent) {
    const std::string whole = report(data);
    EXPECT_EQ(keys_of(whole), keys) << whole;
    const std::string last_half = whole.substr(whole.find("\"last_half\":") + 12);
    EXPECT_EQ(keys_of(last_half), half) << whole;
    for (const std::string& key : quality) {
      const bool null = std::find(absent.begin(), absent.end(), key) != absent.end();
      EXPECT_EQ(json_value(whole, key) == "null", null) << key << whole;
      EXPECT_EQ(json_value(last_half, key) == "null", null) << key << whole;
    }
  };
  write_config("json", "time: ts");
  run("classified", "json");
  expect("classified", {"mae", "rmse"});
  run("ungated", "json", {"gate.kind=off"});
  expect("ungated", {"mae", "rmse", "coverage"});
  EXPECT_EQ(json_value(report("ungated"), "abstained"), "0");
  write_config("json", "time: ts", "", "model: {kind: linear}\n", "x");
  run("regressed", "json", {"schema.logs.fields=[{name: shop, kind: category}]"});
  expect("regressed", {"log_loss", "auc", "accuracy", "f1", "brier", "calibration_error", "base_rate", "majority_accuracy"});
}

TEST_F(Interface, WhatTheGateDropsIsCountedOnceAndFoundOnItsTopic) {
  write_json_lines("json");
  write_config("json", "time: ts");
  run("data", "json", {"gate.policy=drop"});
  const std::size_t predicted = lines_in(values("data", "predictions")), abstained = lines_in(values("data", "abstained"));
  EXPECT_GT(predicted, 100U);
  EXPECT_GT(abstained, 100U);
  EXPECT_EQ(predicted + abstained, std::size_t(kEvents));
  const std::string r = report("data");
  EXPECT_EQ(json_value(r, "events"), std::to_string(kEvents));
  EXPECT_EQ(json_value(r, "predicted"), std::to_string(predicted));
  EXPECT_EQ(json_value(r, "abstained"), std::to_string(abstained));
  EXPECT_EQ(json_value(r, "labelled"), std::to_string(kEvents));
  EXPECT_EQ(values("data", "predictions").find("\"certified\":false"), std::string::npos);
  EXPECT_EQ(values("data", "abstained").find("\"certified\":true"), std::string::npos);
  EXPECT_EQ(run_weir({"verify", "--data", path("data"), "--recompute"}).exit_code, 0);
}

TEST_F(Interface, EveryJsonTopicIsValidByItsSchema) {
  write_json_lines("json");
  write_config("json", "time: ts");
  // Every reason that one line can have; a duplicate, integers and odd texts as ids.
  write_file(path("odd"), read_file(path("json")) + "{\"id\":7,\"ts\":\"2024-01-02T00:00:00Z\",\"x\":1,\"shop\":\"a\",\"y\":1}\n{\"id\":7,\"ts\":\"2024-01-02T00:00:00Z\",\"x\":null,\"y\":0}\n"
                          "{\"id\":\"\\u00e9\\ud83d\\ude00\\\"\\\\\\n\",\"ts\":\"2024-01-02T00:00:01Z\",\"x\":1}\nno JSON\n\xff\xfe\n\n{\"ts\":\"2024-01-02T00:00:01Z\"}\n{\"id\":1}\n"
                          "{\"id\":{},\"ts\":\"2024-01-02T00:00:01Z\"}\n{\"id\":1,\"ts\":\"now\"}\n{\"id\":1,\"ts\":\"2024-01-02T00:00:01Z\",\"x\":\"a\"}\n{\"id\":1,\"ts\":\"2024-01-02T00:00:01Z\",\"x\":NaN}\n"
                          "{\"id\":1,\"ts\":\"2024-01-02T00:00:01Z\",\"x\":1,\"x\":1}\n{\"id\":1,\"ts\":\"2024-01-02T00:00:01Z\",\"y\":2}\n" + std::string(2'000'000, 'a') + "\n"
                          "{\"id\":9,\"ts\":\"2024-03-01T00:00:00Z\",\"x\":1,\"y\":1}\n");
  run("classified", "odd");
  const std::string dead = values("classified", "dead-letters");
  for (const char* reason : {"malformed", "too_long", "missing_id", "invalid_id", "missing_time", "invalid_time", "wrong_type", "not_finite", "repeated_field", "invalid_label", "time_jump"})
    EXPECT_NE(dead.find(std::string("\"reason\":\"") + reason + "\""), std::string::npos) << reason << dead.substr(0, 3000);
  EXPECT_NE(values("classified", "predictions").find("\"duplicate\":true"), std::string::npos);
  EXPECT_EQ(invalid(values("classified", "predictions"), "prediction.schema.json"), "");
  EXPECT_EQ(invalid(dead, "dead_letter.schema.json"), "");
  run("dropped", "json", {"gate.policy=drop"});
  EXPECT_EQ(invalid(values("dropped", "abstained"), "prediction.schema.json"), "");
  EXPECT_NE(invalid(dead, "prediction.schema.json"), "") << "the validator sees no difference: this shows nothing";

  write_file(path("events"), "{\"id\":1,\"ts\":\"2024-01-01T00:00:00Z\",\"x\":1}\n{\"id\":2,\"ts\":\"2024-01-01T00:00:00Z\",\"x\":1}\n{\"id\":3,\"ts\":\"2024-01-09T00:00:00Z\",\"x\":1}\n{\"id\":4,\"ts\":\"2024-01-09T00:00:00Z\",\"x\":1}\n");
  write_file(path("outcomes"), "{\"id\":1,\"ts\":\"2024-01-01T00:01:00Z\",\"y\":1}\n{\"id\":1,\"ts\":\"2024-01-01T00:01:00Z\",\"y\":1}\n{\"id\":\"a\\\"\",\"ts\":\"2024-01-01T00:02:00Z\",\"y\":1}\n"
                               "{\"ts\":\"2024-01-01T00:02:00Z\",\"y\":1}\n\xff\n{\"id\":2,\"ts\":\"2024-01-09T00:00:00Z\",\"y\":0}\n{\"id\":3,\"ts\":\"2024-01-09T00:00:00Z\",\"y\":0}\n");
  write_file(path("c.yaml"), "version: 1\nname: joined\nbackup_interval: 0\nplacement: {pin: off, lock_memory: false}\nmax_jump: 30 days\nschema:\n  logs: {id: id, time: ts, fields: [x]}\n  outcomes: {label: y}\n");
  run("joined", "events", {"sources.outcomes.files=[" + path("outcomes") + "]"});
  const std::string unjoined = values("joined", "unjoined");
  for (const char* reason : {"invalid", "no_id", "duplicate", "expired", "unmatched"})
    EXPECT_NE(unjoined.find(std::string("\"reason\":\"") + reason + "\""), std::string::npos) << reason << unjoined;
  EXPECT_EQ(invalid(unjoined, "unjoined.schema.json"), "");
  run("regressed", "events", {"sources.outcomes.files=[" + path("outcomes") + "]", "model.kind=linear", "gate.warm_up=0"});
  EXPECT_EQ(invalid(values("regressed", "predictions"), "prediction.schema.json"), "");
}

TEST_F(Interface, ProtobufSaysWhatJsonSays) {
  write_json_lines("json");
  write_file(path("odd"), read_file(path("json")) + "{\"id\":7,\"ts\":\"2024-01-02T00:00:00Z\",\"x\":1,\"y\":1}\n{\"id\":7,\"ts\":\"2024-01-02T00:00:00Z\",\"y\":0}\n"
                          "no JSON\n\xff\xfe\n{\"ts\":\"2024-01-02T00:00:01Z\"}\n" + std::string(2'000'000, 'a') + "\n");
  write_config("json", "time: ts");
  run("json-data", "odd");
  run("protobuf-data", "odd", {"topics.format=protobuf"});
  for (const char* topic : {"predictions", "dead-letters", "examples", "models"}) {
    const std::string expected = values("json-data", topic);
    EXPECT_GT(lines_in(expected), 0U);
    EXPECT_TRUE(values("protobuf-data", topic) == expected) << topic << values("protobuf-data", topic).substr(0, 300);
  }
  const auto timeless = [](std::string text) { return text.substr(0, text.find("\"seconds\"")); };
  EXPECT_EQ(timeless(report("protobuf-data")), timeless(report("json-data")));
  // Computed again in either format, by the config that it ran with and by one that has changed since.
  for (const char* data : {"json-data", "protobuf-data"})
    for (const char* format : {"json", "protobuf"}) {
      const ProcessResult verified = run_weir({"verify", path("c.yaml"), "--data", path(data), "--recompute", "--set", "sources.logs.files=[" + path("odd") + "]", "--set", "topics.format=" + std::string(format)});
      EXPECT_EQ(verified.exit_code, 0) << data << ", " << format << verified.out << verified.err;
    }
}

TEST_F(Interface, TheFormatMayChangeBetweenTwoRuns) {
  write_config("json", "time: ts");
  write_json_lines("json");
  const std::string text = read_file(path("json"));
  const std::size_t middle = text.find('\n', text.size() / 2) + 1;
  const auto pipe = [&](const std::string& data, const std::string& part, const std::string& format) {
    Process process({weir_binary().string(), "run", path("c.yaml"), "--data", path(data), "--set", "sources.logs={stdin: true}", "--set", "topics.format=" + format}, {.pipe_stdin = true});
    process.write_stdin(part);
    process.close_stdin();
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
  };
  pipe("one", text, "json");
  pipe("two", text.substr(0, middle), "json");
  pipe("two", text.substr(middle), "protobuf");
  EXPECT_EQ(lines_in(values("two", "predictions")), std::size_t(kEvents));
  EXPECT_TRUE(values("two", "predictions") == values("one", "predictions"));
  const ProcessResult verified = run_weir({"verify", "--data", path("two"), "--recompute"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  EXPECT_EQ(json_value(report("two"), "predicted"), std::to_string(kEvents));
}

TEST_F(Interface, VerifyEndsWithSevenWhereSomethingElseComesOut) {
  write_json_lines("json");
  write_config("json", "time: ts");
  run("data", "json");
  const auto verify = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"verify", path("c.yaml"), "--data", path("data"), "--set", "sources.logs.files=[" + path("json") + "]"});
    return run_weir(more);
  };
  EXPECT_EQ(verify({"--recompute"}).exit_code, 0);
  const ProcessResult other = verify({"--recompute", "--json", "--set", "trainer.learning_rate=0.06"});
  EXPECT_EQ(other.exit_code, 7);
  EXPECT_EQ(json_value(other.out, "recomputed"), "true") << other.out.substr(0, 300);
  EXPECT_GT(std::stoi(json_value(other.out, "violation_count")), kEvents / 2);
  EXPECT_NE(other.out.find("computed again"), std::string::npos);
}

TEST_F(Interface, DemoRunsTheShippedFlightsAndReports) {
  const ProcessResult demo = run_weir({"demo"}, {.directory = directory_.path(), .env = {{"TMPDIR", directory_.path().string()}}});
  ASSERT_EQ(demo.exit_code, 0) << demo.err;
  for (const char* part : {"51,955", "log-loss", "coverage", "weir tail predictions --data ", "weir verify --data "})
    EXPECT_NE(demo.out.find(part), std::string::npos) << part << demo.out;
  // The README shows the report of the same run: what no machine changes is the same there.
  const std::string readme = read_file(project_directory() / "README.md");
  std::size_t compared = 0;
  for (std::size_t at = demo.out.find("Records\n"); at < demo.out.find("Latency of the last run"); at = demo.out.find('\n', at) + 1) {
    const std::string line = demo.out.substr(at, demo.out.find('\n', at) - at);
    if (line.find(" events/s") != std::string::npos) continue;
    EXPECT_NE(readme.find(line + "\n"), std::string::npos) << "README.md lacks: " << line;
    ++compared;
  }
  EXPECT_GT(compared, 15U);
}

TEST_F(Interface, ColoursAndTheProgressBarAreForATerminal) {
  write_json_lines("json");
  write_config("json", "time: ts");
  const std::string run_line = weir_binary().string() + " run " + path("c.yaml") + " --set 'sources.logs.files=[" + path("json") + "]' --data " + path("data");
  const auto on_terminal = [&](const std::string& command) { return run_process({"script", "-qefc", command, "/dev/null"}); };
  const ProcessResult shown = on_terminal(run_line);
  EXPECT_EQ(shown.exit_code, 0) << shown.out;
  for (const char* part : {"\x1b[36m[########################] 100 %", "1000 events", "/s  log-loss 0."}) EXPECT_NE(shown.out.find(part), std::string::npos) << part << shown.out;
  EXPECT_EQ(on_terminal(run_line + "-quiet --quiet").out, "");
  const ProcessResult plain = run("plain", "json");
  EXPECT_EQ((plain.out + plain.err).find('\x1b'), std::string::npos);
  EXPECT_EQ(plain.err, "");

  const std::string check_line = weir_binary().string() + " check " + path("c.yaml") + " --set gate.coverge=1";
  const ProcessResult red = on_terminal(check_line);
  EXPECT_EQ(red.exit_code, 2);
  EXPECT_NE(red.out.find("\x1b[31m"), std::string::npos) << red.out;
  EXPECT_EQ(run_weir({"check", path("c.yaml"), "--set", "gate.coverge=1"}).err.find('\x1b'), std::string::npos);
}

TEST_F(Interface, ACoreThatMayNotBeUsedIsAWarningThatStatusShows) {
  write_config("json", "time: ts");
  Process process({weir_binary().string(), "run", path("c.yaml"), "--data", path("data"), "--set", "placement.pin=[1000]"});
  std::string status;
  EXPECT_TRUE(wait_until([&] {
    status = run_weir({"status", "--json", "--data", path("data")}).out;
    return status.find("not pinned to core 1000") != std::string::npos || !process.running();
  })) << status;
  process.send_signal(SIGTERM);
  EXPECT_EQ(process.wait(), (ExitStatus{0, 0}));
  EXPECT_NE(process.err().find("warning: not pinned to core 1000"), std::string::npos) << process.err();
}

// scripts/install_dependencies.sh on a machine where two packages are missing; all others are there.
TEST_F(Interface, MissingPackagesAreNamedOrInstalled) {
  const auto tool = [&](const std::string& name, const std::string& body) {
    write_file(path("bin/" + name), "#!/bin/bash\n" + body + "\n");
    std::filesystem::permissions(path("bin/" + name), std::filesystem::perms::owner_all);
  };
  std::filesystem::create_directory(path("bin"));
  tool("dpkg-query", "for package in \"${@:3}\"; do [ $package = libcaf-dev ] || [ $package = ninja-build ] || echo \"ii $package\"; done");
  tool("apt-get", "echo \"$@\" >> " + path("apt"));
  const auto install = [&](const std::string& user) {
    tool("id", "echo " + user);
    return run_process({(project_directory() / "scripts/install_dependencies.sh").string(), "build"}, {.env = {{"PATH", path("bin") + ":/usr/bin:/bin"}}});
  };
  const ProcessResult named = install("1000");
  EXPECT_EQ(named.exit_code, 1);
  EXPECT_NE(named.err.find("missing: libcaf-dev ninja-build\n"), std::string::npos) << named.err;
  EXPECT_FALSE(std::filesystem::exists(path("apt")));
  const ProcessResult installed = install("0");
  EXPECT_EQ(installed.exit_code, 0) << installed.err;
  EXPECT_NE(read_file(path("apt")).find("install -y --no-install-recommends libcaf-dev ninja-build\n"), std::string::npos) << read_file(path("apt"));
  tool("dpkg-query", "for package in \"${@:3}\"; do echo \"ii $package\"; done");
  const ProcessResult complete = install("1000");
  EXPECT_EQ(complete.exit_code, 0);
  EXPECT_EQ(complete.out + complete.err, "");
}

}  // namespace
}  // namespace weir
