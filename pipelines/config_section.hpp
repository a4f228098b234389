#pragma once
// Reading a config: one mapping after another, each key by its name, and what is wrong collected with where it stood. Only files
// that read configs include this.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/pipeline_config.hpp"
#include "pipelines/secret.hpp"
#include "pipelines/units.hpp"
#include "pipelines/yaml_tree.hpp"

namespace weir::config {

using Kind = YamlNode::Kind;

inline std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + (text.size() > 80 ? "…'" : "'"); }

inline std::string found_text(const YamlNode& node) {
  switch (node.kind) {
    case Kind::kNull: return "nothing";
    case Kind::kScalar: return config::quoted(node.scalar);
    case Kind::kList: return "a list";
    case Kind::kMap: return "a mapping";
  }
  return {};
}

inline std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

inline std::string nearest(std::string_view word, const std::vector<std::string_view>& known) {
  if (word.size() > 64) return {};
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

// A --set as it may be shown: what it gives to a key that may hold a secret, or lie beside one, is not.
inline std::string shown_set(std::string_view set) {
  std::string lower(set);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const std::string_view word : {"security", "properties", "password", "passphrase", "secret", "token", "jaas"})
    if (lower.find(word) != std::string::npos) return std::string(set.substr(0, std::min(set.find_first_of("={:, "), set.size()))) + "=…";
  return std::string(set);
}

// Collects problems; knows how to say where a node stood.
class Findings {
 public:
  Findings(std::string_view file_name, const std::vector<std::string>& sets) : file_name_(file_name), sets_(sets) {}

  ConfigProblem& add(const YamlNode& at, std::string key, std::string found, std::string expected) {
    return add(at.origin, at.line, std::move(key), std::move(found), std::move(expected));
  }
  ConfigProblem& add(std::uint32_t origin, std::uint32_t line, std::string key, std::string found, std::string expected) {
    ConfigProblem problem;
    problem.origin = origin;
    problem.line = line;
    problem.where = origin == 0 ? std::string(file_name_) + ":" + std::to_string(line) : "--set " + shown_set(sets_[origin - 1]);
    problem.key = std::move(key);
    problem.found = std::move(found);
    problem.expected = std::move(expected);
    problems_.push_back(std::move(problem));
    return problems_.back();
  }
  void warn(const YamlNode& at, std::string key, std::string found, std::string expected) {
    add(at, std::move(key), std::move(found), std::move(expected)).warning = true;
  }
  std::size_t count() const { return problems_.size(); }
  std::vector<ConfigProblem> take() {
    std::stable_sort(problems_.begin(), problems_.end(), [](const ConfigProblem& a, const ConfigProblem& b) {
      return a.origin != b.origin ? a.origin < b.origin : a.line < b.line;
    });
    return std::move(problems_);
  }

 private:
  std::string_view file_name_;
  const std::vector<std::string>& sets_;
  std::vector<ConfigProblem> problems_;
};

// One mapping of the document: each getter names a key, finish() refuses the keys that no getter named.
class Section {
 public:
  // `node`: nullptr if the section is not there; every getter then leaves its default.
  Section(Findings& findings, const YamlNode* node, std::string path) : findings_(findings), path_(std::move(path)) {
    if (node == nullptr || node->kind == Kind::kNull) return;
    if (node->kind != Kind::kMap) {
      findings_.add(*node, path_, found_text(*node), "a mapping (key: value)");
      return;
    }
    node_ = node;
    std::set<std::string_view> seen;
    for (const YamlNode::Entry& entry : node->entries)
      if (!seen.insert(entry.key).second) {
        const YamlNode* first = node->find(entry.key);
        findings_.add(entry.value.origin, entry.line, path_of(entry.key), "the key a second time",
                      "each key once (first at line " + std::to_string(first->line) + ")");
      }
  }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  bool present() const { return node_ != nullptr; }
  const YamlNode* node() const { return node_; }
  std::string path_of(std::string_view key) const { return path_.empty() ? std::string(key) : path_ + "." + std::string(key); }
  Findings& findings() { return findings_; }

  // The value, or nullptr if the key is absent or null.
  const YamlNode* get(std::string_view key) {
    known_.push_back(key);
    const YamlNode* value = node_ == nullptr ? nullptr : node_->find(key);
    return value == nullptr || value->kind == Kind::kNull ? nullptr : value;
  }
  void refuse(const YamlNode& at, std::string_view key, std::string expected, std::string suggestion = {}) {
    findings_.add(at, path_of(key), found_text(at), std::move(expected)).suggestion = std::move(suggestion);
  }

  bool text(std::string_view key, std::string& out) {
    const YamlNode* value = get(key);
    if (value == nullptr) return false;
    if (value->kind != Kind::kScalar) return refuse(*value, key, "text"), false;
    out = value->scalar;
    return true;
  }
  void flag(std::string_view key, bool& out) {
    const YamlNode* value = get(key);
    if (value == nullptr) return;
    if (value->kind == Kind::kScalar && !value->quoted && (value->scalar == "true" || value->scalar == "false"))
      out = value->scalar == "true";
    else
      refuse(*value, key, "true or false");
  }
  // A finite number in [low, high], without the ends where `open`.
  bool number(std::string_view key, double& out, double low, double high, bool open = false) {
    const YamlNode* value = get(key);
    if (value == nullptr) return false;
    double parsed = 0;
    const std::string range = "a number " + (open ? "above " + shown(low) + (high < 1e300 ? " and below " + shown(high) : "")
                                                  : (high < 1e300 ? "from " + shown(low) + " to " + shown(high)
                                                                  : (low > -1e300 ? ">= " + shown(low) : "")));
    if (!read_number(*value, parsed) || parsed < low || parsed > high || (open && (parsed <= low || parsed >= high)))
      return refuse(*value, key, range), false;
    out = parsed;
    return true;
  }
  template <class T>
  void whole(std::string_view key, T& out, T low = 0, T high = std::numeric_limits<T>::max()) {
    const YamlNode* value = get(key);
    if (value == nullptr) return;
    T parsed{};
    const std::string& s = value->scalar;
    const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), parsed);
    if (value->kind != Kind::kScalar || value->quoted || ec != std::errc{} || end != s.data() + s.size() || parsed < low || parsed > high) {
      std::string expected = "a whole number >= " + std::to_string(low);
      if (high != std::numeric_limits<T>::max()) expected = "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
      return refuse(*value, key, std::move(expected));
    }
    out = parsed;
  }
  bool duration(std::string_view key, Duration& out, Duration low = Duration(0)) {
    const YamlNode* value = get(key);
    if (value == nullptr) return false;
    auto parsed = value->kind == Kind::kScalar ? parse_duration(value->scalar) : Result<Duration>(Error{});
    if (!parsed.ok() || *parsed < low)
      return refuse(*value, key, "a duration with its unit, as in '10 min'" + (low.count() > 0 ? ", at least " + duration_text(low) : std::string())), false;
    out = *parsed;
    return true;
  }
  // `may_be_never`: kNever is a value, too.
  void duration_or_auto(std::string_view key, std::optional<Duration>& out, bool may_be_never = false) {
    const YamlNode* value = get(key);
    if (value == nullptr) return;
    if (value->kind == Kind::kScalar && value->scalar == "auto") return out.reset();
    if (may_be_never && value->kind == Kind::kScalar && value->scalar == "never") return void(out = kNever);
    auto parsed = value->kind == Kind::kScalar ? parse_duration(value->scalar) : Result<Duration>(Error{});
    if (!parsed.ok()) return refuse(*value, key, std::string(may_be_never ? "auto, never" : "auto") + ", or a duration with its unit, as in '10 ms'");
    out = *parsed;
  }
  void size(std::string_view key, std::uint64_t& out, std::uint64_t low, std::uint64_t high) {
    const YamlNode* value = get(key);
    if (value == nullptr) return;
    auto parsed = value->kind == Kind::kScalar ? parse_size(value->scalar) : Result<std::uint64_t>(Error{});
    if (!parsed.ok() || *parsed < low || *parsed > high)
      return refuse(*value, key, "a size from " + size_text(low) + " to " + size_text(high) + ", as in '64 MB'");
    out = *parsed;
  }
  // One word of a table (config_words.hpp).
  template <class Table>
  bool word(std::string_view key, const Table& table, typename Table::value_type::value_type& out) {
    const YamlNode* value = get(key);
    if (value == nullptr) return false;
    std::vector<std::string_view> words;
    for (const auto& entry : table) {
      if (value->kind == Kind::kScalar && value->scalar == entry.word) return out = entry.value, true;
      words.push_back(entry.word);
    }
    return refuse(*value, key, (words.size() > 1 ? "one of " : "") + joined(words), nearest(value->scalar, words)), false;
  }
  // A list of texts; a single text is a list of one.
  bool texts(std::string_view key, std::vector<std::string>& out) {
    const YamlNode* value = get(key);
    if (value == nullptr) return false;
    std::vector<std::string> list;
    if (value->kind == Kind::kScalar) {
      list.push_back(value->scalar);
    } else if (value->kind == Kind::kList) {
      for (std::size_t i = 0; i < value->items.size(); ++i) {
        if (value->items[i].kind != Kind::kScalar) return refuse(value->items[i], std::string(key) + "." + std::to_string(i), "text"), false;
        list.push_back(value->items[i].scalar);
      }
    } else {
      return refuse(*value, key, "a list of texts, as in [a, b]"), false;
    }
    out = std::move(list);
    return true;
  }
  void numbers(std::string_view key, std::vector<double>& out) {
    const YamlNode* value = get(key);
    if (value == nullptr) return;
    if (value->kind != Kind::kList) return refuse(*value, key, "a list of numbers, as in [0, 10, 60]");
    std::vector<double> list;
    for (const YamlNode& item : value->items) {
      double parsed = 0;
      if (!read_number(item, parsed)) return refuse(item, key, "a list of numbers, as in [0, 10, 60]");
      list.push_back(parsed);
    }
    out = std::move(list);
  }
  // Where a secret is. What was found instead is not shown: it may be the secret itself.
  void secret(std::string_view key, SecretRef& out) {
    const YamlNode* value = get(key);
    if (value == nullptr) return;
    if (value->kind == Kind::kScalar && value->scalar.empty()) return;  // None.
    if (const auto ref = value->kind == Kind::kScalar ? parse_secret_ref(value->scalar) : std::nullopt) {
      out = *ref;
      return;
    }
    findings_.add(*value, path_of(key), "a value that is not shown", std::string(kSecretExpected));
  }
  const YamlNode* list(std::string_view key) {
    const YamlNode* value = get(key);
    if (value == nullptr || value->kind == Kind::kList) return value;
    refuse(*value, key, "a list");
    return nullptr;
  }

  void finish() {
    if (node_ == nullptr) return;
    for (const YamlNode::Entry& entry : node_->entries) {
      if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
      ConfigProblem& problem = findings_.add(entry.value.origin, entry.line, path_of(entry.key), "an unknown key",
                                             (path_.empty() ? "" : "in " + config::quoted(path_) + " ") + ("one of " + joined(known_)));
      problem.suggestion = nearest(entry.key, known_);
    }
  }

  static bool read_number(const YamlNode& node, double& out) {
    if (node.kind != Kind::kScalar || node.quoted) return false;
    std::string_view s = node.scalar;
    if (s.starts_with('+')) s.remove_prefix(1);
    const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
    return ec == std::errc{} && end == s.data() + s.size() && std::isfinite(out);
  }
  static std::string shown(double number) {
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
  }

 private:
  Findings& findings_;
  const YamlNode* node_ = nullptr;
  std::string path_;
  std::vector<std::string_view> known_;
};

}  // namespace weir::config
