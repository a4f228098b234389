// Goal: bad input ends in a dead letter, an unjoined record, the `duplicate` mark, or a named error with its exit code; never in
// a crash, a hang, a silent drop or a wrong number. Invariants after every run that ends well: events = predicted + dead letters,
// outcomes = labelled + unjoined + waiting, and all of it recomputes.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>

#include "storage/embedded_core.hpp"
#include "storage/embedded_keys.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr const char* kConfig = R"(version: 1
name: small
schema:
  logs: {id: id, time: ts, fields: [{name: x, kind: number}, {name: shop, kind: category}]}
  outcomes: {label: label}
backup_interval: 0
placement: {pin: off, lock_memory: false}
)";

std::string seconds(int n) { return std::string(n < 10 ? "0" : "") + std::to_string(n); }
std::string event(int id, const std::string& x = "1", const std::string& more = "") {
  return "{\"id\":" + std::to_string(id) + ",\"ts\":\"2024-01-01T00:" + seconds(id / 60) + ":" + seconds(id % 60) + "Z\",\"x\":" + x +
         ",\"shop\":\"a\"" + more + "}";
}
std::string outcome(int id, const std::string& label, const std::string& time = "2024-01-01T01:00:00Z") {
  return "{\"id\":" + std::to_string(id) + ",\"ts\":\"" + time + "\",\"label\":" + label + "}";
}

class BadInput : public testing::Test {
 protected:
  BadInput() { write_file(path("small.yaml"), kConfig); }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::vector<std::string> arguments(const std::string& command, const std::string& config = "small.yaml") const {
    return {command, path(config), "--data", path("data"), "--set", "sources.logs.files=[" + logs_ + "]", "--set",
            "sources.outcomes.files=[" + outcomes_ + "]"};
  }
  ProcessResult run(const std::string& config = "small.yaml") { return run_weir(arguments("run", config)); }
  ProcessResult run(const std::vector<std::string>& events, const std::vector<std::string>& outcomes) {
    write_file(logs_, joined(events));
    write_file(outcomes_, joined(outcomes));
    return run();
  }
  std::string report() { return run_weir({"report", "--data", path("data"), "--json"}).out; }
  static std::int64_t number(const std::string& json, const std::string& key) { return std::stoll(json_value(json, key)); }
  // Nothing is missing and nothing is counted twice.
  void expect_conserved(std::int64_t events, std::int64_t outcomes) {
    const std::string r = report();
    EXPECT_EQ(number(r, "events"), events) << r;
    EXPECT_EQ(number(r, "predicted") + number(r, "dead_letters"), events) << r;
    EXPECT_EQ(number(r, "labelled") + number(r, "unjoined") + number(r, "waiting"), outcomes) << r;
    const ProcessResult verified = run_weir([&] { auto a = arguments("verify"); a.push_back("--recompute"); return a; }());
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  }
  // Offset → reason of the records of `topic` ("duplicate" for predictions that carry the mark).
  std::map<int, std::string> reasons(const std::string& topic) {
    std::map<int, std::string> out;
    for (const std::string& line : tail(path("data"), topic)) {
      const int offset = std::stoi(json_value(line, "weir-source-offset"));
      const std::string reason = json_value(line, "reason");
      EXPECT_TRUE(out.emplace(offset, reason).second) << topic << ", offset " << offset << " twice";
    }
    return out;
  }
  void expect_refused(const ProcessResult& result, int exit_code, const std::vector<std::string>& words) {
    EXPECT_EQ(result.exit_code, exit_code) << "signal " << result.signal << result.err;
    EXPECT_TRUE(result.err.starts_with("weir: ")) << result.err;
    for (const std::string& word : words) EXPECT_NE(result.err.find(word), std::string::npos) << word << " in: " << result.err;
  }

  TemporaryDirectory directory_;
  std::string logs_ = path("events.jsonl");
  std::string outcomes_ = path("outcomes.jsonl");
};

TEST_F(BadInput, TrainingStepsThatAreNotFiniteAreUndoneAndShown) {
  write_file(path("small.yaml"), std::string(kConfig) + "model: {kind: linear}\ntrainer: {optimizer: sgd, learning_rate: 999, clip: 0}\n");
  std::vector<std::string> events, outcomes;
  for (int id = 0; id < 300; ++id) {
    events.push_back(event(id, std::to_string(id % 7)));
    outcomes.push_back(outcome(id, std::to_string(id % 5)));
  }
  const ProcessResult result = run(events, outcomes);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("warning: task 'inference': training steps that were not finite have been undone"), std::string::npos) << result.err;
  const std::int64_t undone = number(report(), "steps_undone");
  EXPECT_GT(undone, 0);
  EXPECT_LT(undone, 300);
  const std::string text = run_weir({"report", "--data", path("data")}).out;
  EXPECT_NE(text.find(" " + std::to_string(undone) + " training steps undone"), std::string::npos) << text;
  expect_conserved(300, 300);
}

TEST_F(BadInput, EachBadEventIsDeadLetteredWithOffsetAndReason) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {event(1), ""},
      {"{\"id\":2,\"ts\":", "malformed"},
      {event(3, "1", ",\"never_read\":[1,}"), "malformed"},
      {event(4, "NaN"), "not_finite"},
      {event(5, "1e999"), "not_finite"},
      {event(6, "-Infinity"), "not_finite"},
      {event(7, "\"seven\""), "wrong_type"},
      {event(8, "[1]"), "wrong_type"},
      {event(9, "true"), "wrong_type"},
      {"{\"ts\":\"2024-01-01T00:00:10Z\",\"x\":1,\"shop\":\"a\"}", "missing_id"},
      {event(11, "1", ",\"x\":2"), "repeated_field"},
      {event(1), ""},  // A duplicate id: predicted, and marked.
      {"{\"id\":13,\"ts\":\"2024-03-01T00:00:13Z\",\"x\":1,\"shop\":\"a\"}", "time_jump"},
      {event(14), ""},
      {"", "malformed"},
      {"[1,2]", "malformed"},
      {"{\"id\":17,\"ts\":\"yesterday\",\"x\":1}", "invalid_time"},
      {"{\"id\":18,\"x\":1}", "missing_time"},
      {"{\"id\":19,\"ts\":\"2024-01-01T00:00:19Z\",\"x\":null,\"shop\":null}", ""},
      {"{\"id\":20,\"ts\":\"2024-01-01T00:00:20Z\",\"x\":1,\"shop\":\"\xff\xfe\"}", "malformed"},
      {"{\"id\":21,\"ts\":\"2024-01-01T00:00:21Z\",\"x\":1,\"shop\":\"" + std::string(10'000'000, 'a') + "\"}", "too_long"},
      {event(22, "1", ",\"never_read\":\"\xc3\""), "malformed"},
      {std::string("{\"id\":23,\"ts\":\"2024-01-01T00:00:23Z\",\"x\":1,\"shop\":\"\0\"}", 55), "malformed"},
      {event(24), ""},
  };
  std::vector<std::string> events;
  std::map<int, std::string> dead, predicted;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    events.push_back(lines[i].first);
    (lines[i].second.empty() ? predicted : dead)[int(i)] = lines[i].second;
  }
  const ProcessResult result = run(events, {});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(reasons("dead-letters"), dead);
  EXPECT_EQ(reasons("predictions"), predicted);
  int marked = 0;
  for (const std::string& line : tail(path("data"), "predictions"))
    if (json_value(line, "duplicate") == "true") {
      ++marked;
      EXPECT_EQ(json_value(line, "weir-source-offset"), "11");
    }
  EXPECT_EQ(marked, 1);
  expect_conserved(std::int64_t(lines.size()), 0);
}

TEST_F(BadInput, EachBadOutcomeIsUnjoinedWithOffsetAndReason) {
  std::vector<std::string> events;
  for (int id = 0; id < 10; ++id) events.push_back(event(id));
  const ProcessResult result = run(events, {
      outcome(0, "1"), outcome(0, "1"), outcome(1, "2"), outcome(1, "NaN"), "{\"ts\":\"2024-01-01T01:00:00Z\",\"label\":1}",
      outcome(999, "1"), "{\"id\":14", outcome(2, "\"x\""), "{\"id\":3,\"ts\":\"2024-01-01T01:00:00Z\"}",
      outcome(4, "1", "2026-01-01T00:00:00Z"), outcome(5, "0"), "\xff\xfe", std::string(8'000'000, '{'), outcome(6, "0,\"label\":1")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::map<int, std::string> expected = {{1, "duplicate"}, {2, "invalid"}, {3, "invalid"}, {4, "no_id"}, {6, "invalid"}, {7, "invalid"},
                                               {8, "invalid"}, {9, "invalid"}, {11, "invalid"}, {12, "invalid"}, {13, "invalid"}};
  EXPECT_EQ(reasons("unjoined"), expected);
  EXPECT_EQ(number(report(), "labelled"), 2);
  EXPECT_EQ(number(report(), "waiting"), 1);  // 999 waits for its event.
  expect_conserved(10, 14);
}

TEST_F(BadInput, NothingButRubbishIsStillCounted) {
  std::vector<std::string> rubbish;
  for (int i = 0; i < 3000; ++i) rubbish.push_back(std::string(std::size_t(i % 50), char(i % 256 == '\n' ? 0 : i % 256)));
  ASSERT_EQ(run(rubbish, rubbish).exit_code, 0);
  EXPECT_EQ(number(report(), "predicted"), 0);
  expect_conserved(3000, 3000);
}

TEST_F(BadInput, AnEmptyFileIsNoError) {
  ASSERT_EQ(run({}, {}).exit_code, 0);
  expect_conserved(0, 0);
}

TEST_F(BadInput, NamesAFileThatIsNotThereOrIsADirectory) {
  expect_refused(run(), 2, {logs_, "check the path"});
  std::filesystem::create_directory(logs_);
  expect_refused(run(), 3, {logs_, "is a directory"});
}

TEST_F(BadInput, ATruncatedGzipIsNamedAndAWholeOneMustBeReadFromItsBeginning) {
  std::string lines;
  for (int id = 0; id < 3000; ++id) lines += event(id % 3000, std::to_string(std::sin(id))) + "\n";
  logs_ = path("events.jsonl.gz");
  gzFile out = gzopen(logs_.c_str(), "wb");
  ASSERT_EQ(gzwrite(out, lines.data(), unsigned(lines.size())), int(lines.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
  const std::string whole = read_file(logs_);
  write_file(logs_, whole.substr(0, whole.size() / 2));
  write_file(outcomes_, "");
  expect_refused(run(), 3, {logs_, "gzip", "truncated"});
  write_file(logs_, whole);
  // Refused if a part of the damaged file is committed already; else nothing of it counts and the whole file is read.
  ProcessResult again = run();
  if (again.exit_code != 0) {
    expect_refused(again, 3, {logs_, "has changed", "grown"});
    std::filesystem::remove_all(path("data"));
    again = run();
  }
  ASSERT_EQ(again.exit_code, 0) << again.err;
  expect_conserved(3000, 0);
}

TEST_F(BadInput, AChangedFileIsRefusedAtTheNextStart) {
  std::vector<std::string> events;
  for (int id = 0; id < 100; ++id) events.push_back(event(id));
  ASSERT_EQ(run(events, {}).exit_code, 0);
  events[50][7] = '7';
  expect_refused(run(events, {}), 3, {logs_, "has changed"});
  events.resize(50);
  expect_refused(run(events, {}), 3, {logs_, "has changed", "shrunk"});
  EXPECT_EQ(number(report(), "predicted"), 100);
}

TEST_F(BadInput, StartsInVainDoNotCostTheNextRecord) {
  ASSERT_EQ(run({event(1)}, {}).exit_code, 0);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(run().exit_code, 0);  // Nothing new.
  const std::string there = logs_;
  write_file(path("more.jsonl"), event(2) + "\n");
  logs_ = there + "," + path("more.jsonl") + "," + path("none.jsonl");
  for (int i = 0; i < 5; ++i) expect_refused(run(), 2, {"none.jsonl"});
  logs_ = there + "," + path("more.jsonl");
  ASSERT_EQ(run().exit_code, 0);
  EXPECT_EQ(number(report(), "predicted"), 2);
  expect_conserved(2, 0);
}

TEST_F(BadInput, TheDirectoryOfAnotherPipelineIsRefused) {
  ASSERT_EQ(run({event(1)}, {}).exit_code, 0);
  std::string other = kConfig;
  write_file(path("other.yaml"), other.replace(other.find("small"), 5, "other"));
  expect_refused(run("other.yaml"), 2, {"'small'", "'other'"});
}

TEST_F(BadInput, ANewerFormatIsRefusedWithBothNumbers) {
  ASSERT_EQ(run({event(1)}, {}).exit_code, 0);
  {
    EmbeddedLogOptions options;
    options.path = path("data");
    options.pipeline = "small";
    auto database = EmbeddedDatabase::open(options);
    ASSERT_TRUE(database.ok()) << database.error().what;
    const std::string value = seal(format_key(), encode(FormatEntry{kFormatVersion + 1, "small"}));
    ASSERT_TRUE((*database)->db().Put({}, (*database)->family(ColumnFamily::kMeta), slice(format_key()), slice(value)).ok());
  }
  const std::vector<std::string> both = {"version " + std::to_string(kFormatVersion + 1), "up to " + std::to_string(kFormatVersion)};
  expect_refused(run(), 5, both);
  expect_refused(run_weir({"report", "--data", path("data"), "--json"}), 5, both);
}

TEST_F(BadInput, AReadOnlyDirectoryIsNamed) {
  write_file(logs_, event(1) + "\n");
  write_file(outcomes_, "");
  // A file in the directory's place holds off root, too.
  write_file(path("data"), "");
  expect_refused(run(), 4, {path("data")});
  std::filesystem::remove(path("data"));
  std::filesystem::create_directory(path("data"));
  std::filesystem::permissions(path("data"), std::filesystem::perms(0555));
  if (::geteuid() != 0) expect_refused(run(), 4, {path("data")});
}

TEST_F(BadInput, AFullDiskIsNamedAndTheNextRunGoesOn) {
  // A limit on file sizes stands for the disk's end: the write fails in the same place.
  const FlightFiles files = cut_flights(directory_.path(), 8'000);
  const FlightsRun flights(directory_ / "flights", files, {"backup_interval=0", "commit_interval=1us"});
  std::vector<std::string> limited = {"bash", "-c", "ulimit -f 2000; exec \"$0\" \"$@\"", weir_binary().string()};
  for (const std::string& argument : flights.arguments("run", {"--quiet"})) limited.push_back(argument);
  expect_refused(run_process(limited), 4, {"File too large"});
  const std::size_t before = tail(flights.data, "predictions").size();
  EXPECT_LT(before, 8'000U);
  flights.expect_run();
  flights.expect_verified();
  EXPECT_EQ(tail(flights.data, "predictions").size(), 8'000U);
}

TEST_F(BadInput, DamagedFilesAreCorruptionWithTheirName) {
  const FlightFiles files = cut_flights(directory_.path(), 30'000);
  const FlightsRun flights(directory_ / "flights", files, {"backup_interval=30ms"});
  flights.expect_run();
  // Flips a few bytes in the middle of each kind of file in turn.
  std::map<std::string, std::filesystem::path> largest;
  for (const auto& entry : std::filesystem::directory_iterator(flights.data / "db")) {
    const std::string kind = entry.path().extension();
    if ((kind == ".sst" || kind == ".blob" || kind == ".log") && entry.file_size() > 4096 &&
        (largest[kind].empty() || entry.file_size() > std::filesystem::file_size(largest[kind])))
      largest[kind] = entry.path();
  }
  ASSERT_FALSE(largest.empty());  // A clean end leaves little or nothing in the log.
  for (const auto& [kind, file] : largest) {
    SCOPED_TRACE(file.string());
    const std::string whole = read_file(file);
    std::string damaged = whole;
    for (std::size_t i = 0; i < 16; ++i) damaged[whole.size() / 3 + i] = char(~damaged[whole.size() / 3 + i]);
    write_file(file, damaged);
    const ProcessResult verified = run_weir(flights.arguments("verify", {"--recompute"}));
    EXPECT_EQ(verified.exit_code, 5) << verified.out << verified.err;
    EXPECT_NE(verified.err.find("weir: "), std::string::npos);
    write_file(file, whole);
  }
  flights.expect_verified();
}

}  // namespace
}  // namespace weir
