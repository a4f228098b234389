// Writes a starter config from a sample of lines: guesses the format, the fields and what they are.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "pipelines/pipeline_config.hpp"
#include "pipelines/yaml_tree.hpp"
#include "sources/file_list.hpp"
#include "sources/standard_input.hpp"

namespace weir::cli {
namespace {

constexpr std::size_t kSampleLines = 500;

struct Column {
  std::uint64_t count = 0, numbers = 0, times = 0, with_spaces = 0;
  std::set<std::string> values;
  bool distinct = true;
};

// Words that recur are a category, also when many; what hardly ever recurs, or reads like a sentence, is text.
bool is_category(const Column& column) { return column.values.size() * 2 <= column.count + 2 && column.with_spaces * 2 <= column.count; }

struct Sample {
  std::string format;
  char delimiter = ',';
  std::uint64_t lines = 0;
  std::vector<std::string> names;  // In the order met.
  std::map<std::string, Column> columns;
};

Result<std::vector<std::string>> sample_lines(const std::string& path) {
  std::unique_ptr<InputSource> source;
  if (path == "-") {
    source = open_standard_input(1 << 20, false);
  } else {
    FileListOptions options;
    options.paths = {path};
    TRY_ASSIGN(source, open_file_list(options));
  }
  std::vector<std::string> lines;
  LineBatch batch;
  while (lines.size() < kSampleLines && !source->ended()) {
    batch.clear();
    TRY_ASSIGN(const bool any, source->read(batch, 64 << 10));
    if (!any && source->ended()) break;
    for (const LineBatch::Line& line : batch.lines)
      if (line.bytes > 0 && lines.size() < kSampleLines) lines.emplace_back(batch.bytes.view(line.begin, line.bytes));
  }
  if (lines.empty()) return Error{ErrorCode::kInvalidInput, path + ": no line to learn from"};
  return lines;
}

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && text.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

bool is_iso_time(const std::string& text) {
  return text.size() >= 16 && text[4] == '-' && text[7] == '-' && (text[10] == 'T' || text[10] == ' ') && text[13] == ':' &&
         std::all_of(text.begin(), text.begin() + 4, [](char c) { return c >= '0' && c <= '9'; });
}

void see(Sample& sample, const std::string& name, const std::string& value) {
  auto [at, fresh] = sample.columns.try_emplace(name);
  if (fresh) sample.names.push_back(name);
  Column& column = at->second;
  ++column.count;
  column.numbers += is_number(value);
  column.times += is_iso_time(value);
  column.with_spaces += value.find(' ') != std::string::npos;
  if (!column.values.insert(value).second) column.distinct = false;
}

void see_json(Sample& sample, const YamlNode& node, const std::string& prefix) {
  for (const YamlNode::Entry& entry : node.entries) {
    if (entry.value.kind == YamlNode::Kind::kMap) see_json(sample, entry.value, prefix + entry.key + ".");
    else if (entry.value.kind == YamlNode::Kind::kScalar) see(sample, prefix + entry.key, entry.value.scalar);
  }
}

std::vector<std::string> split(const std::string& line, char delimiter) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    else if (c == delimiter && !quoted) parts.emplace_back();
    else if (c != '\r') parts.back() += c;
  }
  return parts;
}

Sample look_at(const std::vector<std::string>& lines) {
  Sample sample;
  const std::string& first = lines.front();
  if (first[0] == '{') {
    sample.format = "json";
  } else if (first[0] == '<') {
    const std::size_t end = first.find('>');
    const bool versioned = end != std::string::npos && end + 2 < first.size() && first[end + 1] == '1' && first[end + 2] == ' ';
    sample.format = versioned ? "syslog_5424" : "syslog_3164";
  } else {
    const auto count = [&](char c) { return std::count(first.begin(), first.end(), c); };
    const auto spaces = count(' ');
    if (count('=') > 0 && count('=') >= spaces) {
      sample.format = "key_value";
    } else {
      sample.format = "csv";
      for (const char c : {',', ';', '\t', '|'})
        if (count(c) > count(sample.delimiter)) sample.delimiter = c;
    }
  }
  std::vector<std::string> header;
  for (const std::string& line : lines) {
    if (sample.format == "json") {
      YamlNode node;
      YamlFailure failure;
      if (!parse_yaml(line, 0, node, failure)) continue;
      see_json(sample, node, "");
    } else if (sample.format == "key_value") {
      for (const std::string& part : split(line, ' '))
        if (const std::size_t equals = part.find('='); equals != std::string::npos && equals > 0) see(sample, part.substr(0, equals), part.substr(equals + 1));
    } else if (sample.format == "csv") {
      if (header.empty()) {
        header = split(line, sample.delimiter);
        continue;
      }
      const auto values = split(line, sample.delimiter);
      for (std::size_t i = 0; i < std::min(values.size(), header.size()); ++i)
        if (!values[i].empty()) see(sample, header[i], values[i]);
    }
    ++sample.lines;
  }
  if (sample.format.starts_with("syslog"))
    for (const char* name : {"hostname", "appname", "severity", "message"}) sample.names.emplace_back(name);
  return sample;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return text;
}

std::string pick(const Sample& sample, std::initializer_list<std::string_view> names) {
  for (const std::string_view wanted : names)
    for (const std::string& name : sample.names)
      if (lower(name) == wanted) return name;
  return {};
}

std::string id_of(const Sample& sample) {
  std::string id = pick(sample, {"id", "event_id", "request_id", "uuid", "msgid", "key"});
  for (const std::string& name : sample.names) {
    const auto column = sample.columns.find(name);
    if (id.empty() && column != sample.columns.end() && column->second.distinct && lower(name).ends_with("id")) id = name;
  }
  return id;
}

std::string time_of(const Sample& sample) {
  if (sample.format.starts_with("syslog")) return "timestamp";
  std::string time = pick(sample, {"ts", "time", "timestamp", "event_time", "@timestamp", "datetime", "date"});
  for (const std::string& name : sample.names)
    if (const auto column = sample.columns.find(name); time.empty() && column != sample.columns.end() && column->second.times == column->second.count) time = name;
  return time;
}

std::string time_format_of(const Sample& sample, const std::string& time) {
  if (sample.format == "syslog_3164") return "syslog";
  const auto column = sample.columns.find(time);
  if (column == sample.columns.end() || column->second.numbers == 0) return "iso8601";
  const double value = std::strtod(column->second.values.begin()->c_str(), nullptr);
  return value > 1e14 ? "micros" : value > 1e11 ? "millis" : "seconds";
}

std::string label_of(const Sample& sample) { return pick(sample, {"label", "y", "target", "outcome", "class"}); }

std::string word(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  return plain && !is_number(name) && name != "y" && name != "n" && name != "null" ? name : json_text(name);
}

std::string delimiter_line(const Sample& sample) {
  if (sample.format != "csv") return {};
  return "    delimiter: " + (sample.delimiter == '\t' ? std::string("tab") : json_text(std::string(1, sample.delimiter))) + "\n";
}
std::string time_format_line(const Sample& sample, const std::string& time) {
  const std::string format = time_format_of(sample, time);
  return "    time_format: " + format + "\n" + (format == "syslog" ? "    year: 1970                  # These lines carry none: say which.\n" : "");
}

}  // namespace

Result<int> init_command(const InitArguments& arguments) {
  TRY_ASSIGN(const auto lines, sample_lines(arguments.logs));
  const Sample logs = look_at(lines);
  Sample outcomes;
  if (!arguments.outcomes.empty()) {
    TRY_ASSIGN(const auto outcome_lines, sample_lines(arguments.outcomes));
    outcomes = look_at(outcome_lines);
  }
  std::string name = arguments.name;
  if (name.empty()) {
    name = arguments.logs == "-" ? "pipeline" : std::filesystem::path(arguments.logs).filename().string();
    name = name.substr(0, name.find('.'));
  }
  if (!valid_name(name)) name = "pipeline";
  const std::string id = id_of(logs), time = time_of(logs);
  const std::string label = outcomes.lines == 0 && !arguments.label.empty() ? arguments.label : label_of(logs);
  if (!arguments.label.empty()) {
    const auto& names = outcomes.lines > 0 ? outcomes.names : logs.names;
    if (std::find(names.begin(), names.end(), arguments.label) == names.end())
      return Error{ErrorCode::kNotFound, "--label " + arguments.label + ": no such field in the sample"};
  }

  std::string out = "# Made by weir init from " + std::to_string(lines.size()) + " lines: a guess to correct. Every key: configs/reference.yaml.\n";
  out += "version: 1\nname: " + word(name) + "\n" + (arguments.data.empty() ? "" : "data_dir: " + json_text(arguments.data) + "\n") + "\nsources:\n";
  out += arguments.logs == "-" ? "  logs: {stdin: true}\n" : "  logs: {files: [" + json_text(arguments.logs) + "]}  # follow: true goes on as the file grows\n";
  if (!arguments.outcomes.empty()) out += "  outcomes: {files: [" + json_text(arguments.outcomes) + "]}\n";
  out += "\nschema:\n  logs:\n    format: " + logs.format + "\n";
  out += delimiter_line(logs);
  out += "    id: " + (id.empty() ? "id                    # Not found in the sample: name the field that identifies a record." : word(id)) + "\n";
  out += "    time: " + (time.empty() ? "ts                  # Not found in the sample: name the field with the event time." : word(time)) + "\n";
  out += time_format_line(logs, time);
  if (!label.empty()) out += "    label: " + word(label) + "                # The line carries its own label: it is not one of the fields.\n";
  out += "    fields:                     # number, category, or hashed_text; missing: mean, zero, last, indicator\n";
  std::string first_category;
  for (const std::string& field : logs.names) {
    if (field == id || field == time || field == label) continue;
    const auto found = logs.columns.find(field);
    const bool number = found != logs.columns.end() && found->second.count > 0 && found->second.numbers == found->second.count;
    const bool category = found == logs.columns.end() ? field != "message" : is_category(found->second);
    out += "      - {name: " + word(field) + ", kind: " + (number ? "number" : category ? "category" : "hashed_text") + "}\n";
    if (!number && category && first_category.empty()) first_category = field;
  }
  if (outcomes.lines > 0) {
    const std::string outcome_id = id_of(outcomes), outcome_time = time_of(outcomes), outcome_label = arguments.label.empty() ? label_of(outcomes) : arguments.label;
    out += "  outcomes:\n    format: " + outcomes.format + "\n" + delimiter_line(outcomes) + "    id: " + word(outcome_id.empty() ? "id" : outcome_id) + "\n    time: " +
           word(outcome_time.empty() ? "ts" : outcome_time) + "\n" + time_format_line(outcomes, outcome_time) + "    label: " +
           (outcome_label.empty() ? "label              # Not found in the sample: name the field with the label." : word(outcome_label)) + "\n";
  } else if (label.empty()) {
    out += "  outcomes:                     # What comes later and says how it went. No sample was given (--outcomes), nor --label for\n    label: label                # lines that carry their label themselves; so they are awaited from: weir produce outcomes\n";
  }
  out += "\nfeatures:";
  out += first_category.empty() ? " []\n" : "\n  - {aggregate: mean, of: label, by: [" + word(first_category) + "], half_life: 1 day, prior: 10}\n";
  out += "\nmodel: {kind: logistic}         # linear for a label that is a number\ngate: {kind: conformal, coverage: 0.9}\n";

  const std::string path = arguments.output.empty() ? name + ".yaml" : arguments.output;
  if (path == "-") {
    print(out);
    return kDone;
  }
  if (std::filesystem::exists(path) && !arguments.force) return Error{ErrorCode::kConfig, path + ": is there already; --force replaces it, --output names another"};
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << out;
  if (!file.flush()) return Error{ErrorCode::kIo, path + ": cannot be written"};
  const ConfigCheck check = parse_config(out, path);
  std::fputs(check.text().c_str(), stderr);
  print(path + ": written; see what it says with: weir check " + path + "\n");
  return kDone;
}

}  // namespace weir::cli
