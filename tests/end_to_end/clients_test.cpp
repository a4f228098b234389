// Goal: a consumer in any language reads what is published, and a producer in any language feeds the pipeline, with nothing of
// ours: by kcat (librdkafka) and by Kafka's own Java client, on a real broker. docs/clients.md says how; its commands are run here.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <sstream>

#include "core/records/partitioner.hpp"
#include "tests/end_to_end/doc_pages.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/kafka_broker.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kFlights = 1'500;
constexpr const char* kForYou[] = {"predictions", "abstained", "unjoined", "dead-letters"};
constexpr const char* kFormat = "%p\t%o\t%k\t%h\t%s\n";  // As docs/clients/ReadPredictions.java prints a record; no key: below.

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// Where Kafka's jars are; without them, a JDK and kcat there is nothing to test.
const std::string& jars() {
  static const std::string directory = [] {
    const ProcessResult result = run_process({(project_directory() / "scripts/kafka.sh").string(), "jars"});
    if (result.exit_code == 77) {
      std::printf("*** SKIPPED: clients_test: %s\n", result.err.c_str());
      std::fflush(stdout);
      ::_exit(77);
    }
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out.substr(0, result.out.find('\n'));
  }();
  return directory;
}

class Clients : public testing::Test {
 protected:
  Clients() {
    kafka_brokers();
    jars();
    delete_kafka_topics("flights.");
  }

  // The flights, a line that is no event and outcomes that meet none, so that every topic has something.
  FlightFiles flights() const {
    FlightFiles files = cut_flights(directory_.path(), kFlights);
    write_file(files.events, read_file(files.events) + "no JSON \xff\n{\"ts\":\"2013-01-03T00:00:00Z\"}\n");
    write_file(files.outcomes, read_file(files.outcomes) + files.outcome_lines.back() + "\nnor this\n");
    return files;
  }
  FlightsRun on_kafka(const std::string& data, const FlightFiles& files, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"log.kind=kafka", "log.brokers=" + kafka_brokers(), "gate.policy=drop", "commit_interval=5ms"});
    return FlightsRun(directory_ / data, files, std::move(more));
  }
  static std::string kcat(const std::string& topic, const std::string& format, const std::string& isolation = "read_committed") {
    const ProcessResult result = run_process({"kcat", "-C", "-b", kafka_brokers(), "-t", topic, "-X", "isolation.level=" + isolation, "-o", "beginning", "-e", "-q", "-f", format});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  static std::string java(const std::string& program, const std::string& topic, const std::string& input = "") {
    Process process({"java", "-XX:TieredStopAtLevel=1", "-cp", jars() + "/*", (project_directory() / "docs/clients" / program).string(), kafka_brokers(), topic}, {.pipe_stdin = true});
    process.write_stdin(input);
    process.close_stdin();
    EXPECT_EQ(process.wait(), (ExitStatus{0, 0})) << process.err();
    return process.out();
  }
  // What `weir tail --envelope` shows, as kFormat prints it. REQUIRES: JSON values.
  static std::vector<std::string> as_printed(const std::vector<std::string>& envelopes) {
    std::vector<std::string> out;
    for (const std::string& line : envelopes) {
      const std::size_t headers = line.find("\"headers\":{") + 11, value = line.find("},\"value\":", headers);
      std::string text;
      for (std::size_t i = headers; i < value; ++i)
        if (line[i] != '"') text += line[i] == ':' ? '=' : line[i];
      const std::string key = line.find("\"key\":null") < headers ? "" : json_value(line, "key");
      out.push_back(json_value(line, "partition") + "\t" + json_value(line, "offset") + "\t" + key + "\t" + text + "\t" + line.substr(value + 10, line.size() - value - 11));
    }
    return out;
  }
  // By a JSON Schema validator that is not ours; what it found.
  std::string invalid(const std::vector<std::string>& values, const std::string& schema) const {
    write_file(directory_ / "values", joined(values));
    const ProcessResult result = run_process({"/usr/bin/python3", "-c", R"(
import json, jsonschema, sys
validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
for line in open(sys.argv[2], encoding="utf-8", newline="\n"):
    for error in validator.iter_errors(json.loads(line)):
        print(line, error.message))", (project_directory() / "docs/schemas" / schema).string(), (directory_ / "values").string()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }

  TemporaryDirectory directory_;
};

TEST_F(Clients, TheCommandsOfTheDocsRun) {
  delete_kafka_topics("compact.");
  EXPECT_GE(run_page(project_directory() / "docs/clients.md", "sh kafka", {{"127.0.0.1:19092", kafka_brokers()}}), 5u);
}

TEST_F(Clients, WhatReadmeShowsOnKafkaRuns) {
  delete_kafka_topics("flights.");
  EXPECT_EQ(run_page(project_directory() / "README.md", "sh kafka",
                     {{"127.0.0.1:19092", kafka_brokers()}, {"scripts/kafka.sh start ", "true "}, {"build/release/weir", "weir"}}),
            1u);
}

// Weir is killed and started again; and a transaction is left open in its topic, as by a process that is killed while it commits.
TEST_F(Clients, KcatAndJavaReadWhatIsCommittedAndNothingElse) {
  const FlightsRun run = on_kafka("data", flights());
  ProcessOptions crash;
  crash.env = {{"WEIR_CRASH_AT", "kafka.before_commit:6"}};
  EXPECT_EQ(run.run(crash).signal, SIGKILL);
  run.expect_run();
  const std::size_t published = lines_of(kcat("flights.predictions", kFormat)).size();
  leave_kafka_transaction_open("flights.predictions", "never committed");
  EXPECT_NE(kcat("flights.predictions", "%s\n", "read_uncommitted").find("never committed"), std::string::npos) << "this shows nothing";
  for (const std::string topic : kForYou) {
    SCOPED_TRACE(topic);
    const std::vector<std::string> expected = as_printed(tail(run.data, topic));
    const std::string read = kcat("flights." + topic, kFormat);
    EXPECT_GT(expected.size(), topic == "dead-letters" ? 1u : 0u);
    EXPECT_TRUE(lines_of(read) == expected) << read.substr(0, 500) << "\nexpected " << expected.front();
    std::vector<std::string> values;
    for (const std::string& line : expected) values.push_back(line.substr(line.rfind("\t{") + 1));
    const std::string schema = topic == "unjoined" ? "unjoined" : topic == "dead-letters" ? "dead_letter" : "prediction";
    EXPECT_EQ(invalid(values, schema + ".schema.json"), "");
  }
  EXPECT_EQ(lines_of(kcat("flights.predictions", kFormat)).size(), published);
  EXPECT_TRUE(java("ReadPredictions.java", "flights.predictions") == kcat("flights.predictions", kFormat));
  EXPECT_EQ(lines_of(java("ReadPredictions.java", "flights.dead-letters")).at(0).substr(0, 8), "0\t0\tnull");
}

// Every value of every topic, decoded by protoc with the published weir.proto alone.
TEST_F(Clients, ProtocDecodesWhatKcatReads) {
  const FlightFiles files = flights();
  const FlightsRun json(directory_ / "json", files, {"gate.policy=drop"});
  json.expect_run();
  const FlightsRun run = on_kafka("data", files, {"topics.format=protobuf"});
  run.expect_run();
  run.expect_verified();
  // A field for each record: what stands before each value here makes the whole topic one message.
  std::string proto = "syntax = \"proto3\";\nimport \"weir.proto\";\n";
  const std::pair<const char*, const char*> messages[] = {{"predictions", "PublishedPrediction"}, {"abstained", "PublishedPrediction"}, {"unjoined", "Unjoined"},
                                                          {"dead-letters", "DeadLetter"},        {"examples", "Example"},              {"models", "ModelVersion"}};
  for (const auto& [topic, message] : messages) {
    std::string type = std::string(topic) + "_all";
    std::replace(type.begin(), type.end(), '-', '_');
    proto += "message " + type + " { repeated weir.v1." + message + " record = 1; }\n";
  }
  write_file(directory_ / "all.proto", proto);
  for (const auto& [topic, message] : messages) {
    SCOPED_TRACE(topic);
    const std::vector<std::string> values = tail(json.data, topic);
    const std::string read = kcat("flights." + std::string(topic), "%R%s");
    std::string whole;
    std::size_t records = 0;
    for (std::size_t at = 0; at + 4 <= read.size(); ++records) {
      std::size_t bytes = 0;
      for (int i = 0; i < 4; ++i) bytes = bytes << 8 | static_cast<unsigned char>(read[at++]);
      ASSERT_LE(bytes, read.size() - at);
      EXPECT_NE(read[at], '{');
      whole += '\x0a';
      std::size_t left = bytes;
      for (; left >= 0x80; left >>= 7) whole += static_cast<char>(left | 0x80);
      whole += static_cast<char>(left);
      whole += read.substr(at, bytes);
      at += bytes;
    }
    EXPECT_EQ(records, values.size());
    std::string type = std::string(topic) + "_all";
    std::replace(type.begin(), type.end(), '-', '_');
    Process protoc({"protoc", "--decode=" + type, "--proto_path=" + (project_directory() / "docs/schemas").string(), "--proto_path=" + directory_.path().string(), "all.proto"},
                   {.pipe_stdin = true});
    protoc.write_stdin(whole);
    protoc.close_stdin();
    ASSERT_EQ(protoc.wait(), (ExitStatus{0, 0})) << protoc.err();
    std::size_t decoded = 0, unknown = 0;
    std::vector<std::string> ids;
    for (const std::string& line : lines_of(protoc.out())) {
      decoded += line == "record {";
      const std::size_t begin = line.find_first_not_of(' ');
      unknown += begin != std::string::npos && line[begin] >= '0' && line[begin] <= '9';  // protoc shows these by their number.
      if (line.starts_with("  id: \"")) ids.push_back(line.substr(7, line.size() - 8));
    }
    EXPECT_EQ(decoded, records);
    EXPECT_EQ(unknown, 0u);
    // The same records as in JSON, one by one.
    const std::vector<std::string> shown = tail(run.data, topic);
    ASSERT_EQ(shown.size(), values.size());
    std::vector<std::string> expected_ids;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = [](const std::string& line) { return line.substr(line.find("\"value\":")); };
      ASSERT_EQ(value(shown[i]), value(values[i])) << i;
      const std::string id = json_value(value(values[i]), "id");
      if (!id.empty() && id != "null") expected_ids.push_back(id);
    }
    EXPECT_EQ(ids, expected_ids);
  }
}

// Lines that kcat and Java key with their id, by the Java client's partitioner, come to the partition where `weir produce` puts
// them: every event meets its outcome, whoever produced the two.
TEST_F(Clients, ProducersOfOtherLanguagesFeedThePipeline) {
  constexpr std::int32_t kPartitions = 4;
  const FlightFiles files = cut_flights(directory_.path(), kFlights);
  const FlightsRun run = on_kafka("data", files, {"sources.logs.files=[]", "sources.outcomes.files=[]", "log.partitions=4", "order=arrival", "gate.policy=flag"});
  std::vector<std::string> command = run.arguments("run");
  command.insert(command.begin(), weir_binary().string());
  Process running(std::move(command));
  running.wait_for_err("takes outcomes from its topic");

  // A third each: by Java, by kcat, by weir; outcomes the other way round.
  enum Producer { kJava, kKcat, kWeir };
  const auto produce = [&](const std::string& topic, const std::vector<std::string>& lines, Producer producer) {
    std::string keyed;
    for (const std::string& line : lines) keyed += json_value(line, "id") + "\t" + line + "\n";
    write_file(directory_ / "lines", producer == kWeir ? joined(lines) : keyed);
    if (producer == kJava) {
      for (const std::string& sent : lines_of(java("ProduceLines.java", "flights." + topic, keyed))) {
        const std::size_t tab = sent.find('\t');
        EXPECT_EQ(std::stoi(sent.substr(0, tab)), partition_of(sent.substr(tab + 1), kPartitions).value) << sent;
      }
      return;
    }
    const ProcessResult result = producer == kKcat
        ? run_process({"kcat", "-P", "-b", kafka_brokers(), "-t", "flights." + topic, "-K", "\\t", "-X", "topic.partitioner=murmur2_random", "-l", (directory_ / "lines").string()})
        : run_weir({"produce", topic, (directory_ / "lines").string(), "--data", run.data.string()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
  };
  const auto third = [](const std::vector<std::string>& lines, std::size_t part) {
    const auto at = [&](std::size_t n) { return lines.begin() + static_cast<std::ptrdiff_t>(lines.size() * n / 3); };
    return std::vector<std::string>(at(part), at(part + 1));
  };
  produce("logs", third(files.event_lines, 0), kJava);
  produce("logs", third(files.event_lines, 1), kKcat);
  produce("logs", third(files.event_lines, 2), kWeir);
  produce("outcomes", third(files.outcome_lines, 0), kWeir);
  produce("outcomes", third(files.outcome_lines, 1), kJava);
  produce("outcomes", third(files.outcome_lines, 2), kKcat);

  const auto joined_now = [&] { return lines_of(kcat("flights.examples", "%k\n")).size(); };
  EXPECT_TRUE(wait_until([&] { return joined_now() >= files.outcome_lines.size() || !running.running(); }));
  EXPECT_EQ(joined_now(), files.outcome_lines.size());
  running.send_signal(SIGTERM);
  EXPECT_EQ(running.wait(), (ExitStatus{0, 0})) << running.err();
  run.expect_verified();

  std::set<std::string> partitions;
  for (const std::string topic : {"logs", "predictions"}) {
    const std::vector<std::string> placed = lines_of(kcat("flights." + topic, "%p\t%s\n"));
    EXPECT_EQ(placed.size(), kFlights);
    for (const std::string& line : placed) {
      const std::size_t tab = line.find('\t');
      EXPECT_EQ(std::stoi(line.substr(0, tab)), partition_of(json_value(line, "id"), kPartitions).value) << topic << ": " << line;
      partitions.insert(line.substr(0, tab));
    }
  }
  EXPECT_EQ(partitions.size(), std::size_t(kPartitions));
  EXPECT_EQ(kcat("flights.unjoined", "%s\n"), "");
  EXPECT_EQ(lines_of(java("ReadPredictions.java", "flights.predictions")).size(), kFlights);
}

}  // namespace
}  // namespace weir
