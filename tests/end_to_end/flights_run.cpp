#include "tests/end_to_end/flights_run.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

std::vector<std::string> gunzip_lines(const std::filesystem::path& path, std::size_t limit) {
  gzFile in = gzopen(path.c_str(), "rb");
  if (in == nullptr) throw std::runtime_error("cannot read " + path.string());
  std::vector<std::string> lines;
  char line[4096];
  while (lines.size() < limit && gzgets(in, line, sizeof line) != nullptr) {
    lines.emplace_back(line);
    if (lines.back().ends_with('\n')) lines.back().pop_back();
  }
  gzclose(in);
  return lines;
}

std::string id_of(const std::string& line) { return json_value(line, "id"); }

}  // namespace

FlightFiles cut_flights(const std::filesystem::path& directory, std::size_t count, const std::string& stream) {
  const auto shipped = project_directory() / "data" / stream;
  FlightFiles out;
  out.event_lines = gunzip_lines(shipped / "events.jsonl.gz", count);
  std::set<std::string> ids;
  for (const std::string& line : out.event_lines) ids.insert(id_of(line));
  for (std::string& line : gunzip_lines(shipped / "outcomes.jsonl.gz", SIZE_MAX))
    if (ids.contains(id_of(line))) out.outcome_lines.push_back(std::move(line));
  out.events = directory / "events.jsonl";
  out.outcomes = directory / "outcomes.jsonl";
  write_file(out.events, joined(out.event_lines));
  write_file(out.outcomes, joined(out.outcome_lines));
  return out;
}

const FlightFiles& first_flights(std::size_t count) {
  static const TemporaryDirectory directory;
  static std::map<std::size_t, FlightFiles> cut;
  auto at = cut.find(count);
  if (at == cut.end()) {
    const std::filesystem::path own = directory / std::to_string(count);
    std::filesystem::create_directory(own);
    at = cut.emplace(count, cut_flights(own, count)).first;
  }
  return at->second;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

FlightsRun::FlightsRun(std::filesystem::path data_directory, const FlightFiles& files, std::vector<std::string> more)
    : data(std::move(data_directory)),
      settings({"sources.logs.files=[" + files.events.string() + "]", "sources.outcomes.files=[" + files.outcomes.string() + "]",
                "placement.pin=off", "placement.lock_memory=false",
                "process=test"}) {  // On Kafka the next test's would wait for this one's to come back, were it another.
  settings.insert(settings.end(), more.begin(), more.end());
}

std::vector<std::string> FlightsRun::arguments(const std::string& command, const std::vector<std::string>& more) const {
  std::vector<std::string> out = {command, (project_directory() / "configs" / (config + ".yaml")).string(), "--data", data.string()};
  for (const std::string& setting : settings) out.insert(out.end(), {"--set", setting});
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void FlightsRun::expect_run() const {
  const ProcessResult result = run();
  EXPECT_EQ(result.exit_code, 0) << "signal " << result.signal << "\n" << result.err;
}

void FlightsRun::expect_verified() const {
  const ProcessResult result = run_weir(arguments("verify", {"--recompute"}));
  EXPECT_EQ(result.exit_code, 0) << "signal " << result.signal << "\n" << result.out << result.err;
}

void FlightsFeed::produce(const std::filesystem::path& data, const std::string& topic, std::vector<std::string> lines) {
  if (lines.empty()) return;
  const std::filesystem::path piece = scratch_ / (topic + ".piece");
  write_file(piece, joined(lines));
  const ProcessResult produced = run_weir({"produce", topic, piece.string(), "--data", data.string()});
  EXPECT_EQ(produced.exit_code, 0) << produced.err;
}

void FlightsFeed::give(const std::filesystem::path& data, std::size_t events) {
  const auto end = std::min(events_ + events, files_.event_lines.size());
  if (end == events_) return;
  const std::string now = json_value(files_.event_lines[end - 1], "ts");
  std::size_t outcomes = outcomes_;
  while (outcomes < files_.outcome_lines.size() && json_value(files_.outcome_lines[outcomes], "ts") <= now) ++outcomes;
  const auto cut = [](const std::vector<std::string>& lines, std::size_t from, std::size_t to) {
    return std::vector<std::string>(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.begin() + static_cast<std::ptrdiff_t>(to));
  };
  produce(data, "logs", cut(files_.event_lines, events_, end));
  produce(data, "outcomes", cut(files_.outcome_lines, outcomes_, outcomes));
  events_ = end;
  outcomes_ = outcomes;
}

std::uint64_t records_of_tasks(const std::filesystem::path& data, const std::string& task) {
  return records_in_status(run_weir({"status", "--json", "--data", data.string()}).out, task);
}

std::uint64_t records_in_status(std::string status, const std::string& task) {
  status.resize(std::min(status.size(), status.find("\"members\":")));  // What follows tells of other processes' tasks.
  const std::string name = "{\"task\":\"" + task + "\"";
  std::uint64_t sum = 0;
  for (std::size_t at = status.find(name); at != std::string::npos; at = status.find(name, at + 1))
    sum += std::stoull("0" + json_value(status.substr(at), "records"));
  return sum;
}

std::vector<std::string> tail(const std::filesystem::path& data, const std::string& topic) {
  const ProcessResult result = run_weir({"tail", topic, "--data", data.string(), "--from-beginning", "--json", "--envelope"});
  EXPECT_EQ(result.exit_code, 0) << topic << ": " << result.err;
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < result.out.size();) {
    const std::size_t newline = std::min(result.out.find('\n', at), result.out.size());
    lines.push_back(result.out.substr(at, newline - at));
    at = newline + 1;
  }
  return lines;
}

std::uint64_t newest_version_served(const std::filesystem::path& data, const std::string& model) {
  std::uint64_t newest = 0;
  for (const std::string& line : tail(data, "predictions")) {
    const std::string version = json_value(line.substr(line.find("\"value\":")), "model_version");
    EXPECT_TRUE(version.starts_with(model + "/")) << line;
    newest = std::max<std::uint64_t>(newest, std::stoull("0" + version.substr(version.find('/') + 1)));
  }
  return newest;
}

Topics tail_all(const std::filesystem::path& data, const std::vector<std::string>& more) {
  Topics out;
  for (const std::string& topic : more) out[topic] = tail(data, topic);
  for (const char* topic : {"predictions", "abstained", "examples", "unjoined", "dead-letters", "models"}) out[topic] = tail(data, topic);
  return out;
}

void expect_same(const Topics& expected, const Topics& found, const std::vector<std::string>& thinned) {
  for (const auto& [topic, lines] : expected) {
    const auto& others = found.at(topic);
    const bool may_lack = std::find(thinned.begin(), thinned.end(), topic) != thinned.end();
    std::size_t at = 0;
    for (const std::string& other : others) {
      while (may_lack && at < lines.size() && lines[at] != other) ++at;
      if (at == lines.size()) {
        ADD_FAILURE() << topic << ": not in the unbroken run, or not in its place: " << other.substr(0, 400);
        break;
      }
      if (lines[at] != other) {
        ADD_FAILURE() << topic << ": found    " << other.substr(0, 400) << "\nexpected " << lines[at].substr(0, 400);
        break;
      }
      ++at;
    }
    if (!may_lack) {
      EXPECT_EQ(others.size(), lines.size()) << topic;
    }
  }
}

std::string json_value(const std::string& json, const std::string& key) {
  const std::string quoted = "\"" + key + "\":";
  const std::size_t found = json.find(quoted);
  if (found == std::string::npos) return "";
  const std::size_t begin = found + quoted.size();
  if (begin < json.size() && json[begin] == '"') return json.substr(begin + 1, json.find('"', begin + 1) - begin - 1);
  return json.substr(begin, json.find_first_of(",}]", begin) - begin);
}

std::size_t damage_files(const std::filesystem::path& db, const std::string& extension) {
  std::size_t hit = 0;
  for (const auto& entry : std::filesystem::directory_iterator(db)) {
    const std::uintmax_t bytes_min = extension == ".sst" ? 10'000 : 1'000;
    if (entry.path().extension() != extension || entry.file_size() < bytes_min || entry.hard_link_count() > 1) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file << std::string(200, 'x');
    ++hit;
  }
  return hit;
}

}  // namespace weir
