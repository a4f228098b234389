#include "pipelines/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <map>
#include <sstream>

namespace weir {
namespace {

constexpr std::size_t kNodesMax = 100'000;
constexpr std::size_t kDepthMax = 64;

// Thrown through yaml-cpp's parser, caught below.
struct Refused {
  std::uint32_t line;
  std::string what;
};

std::uint32_t line_of(const YAML::Mark& mark) { return mark.line < 0 ? 0 : static_cast<std::uint32_t>(mark.line) + 1; }

class Builder final : public YAML::EventHandler {
 public:
  Builder(YamlNode& root, std::uint32_t origin) : root_(root), origin_(origin) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(node(mark, YamlNode::Kind::kNull), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchors_.find(anchor);
    if (named == anchors_.end()) throw Refused{line_of(mark), "an alias (*name) inside of what it names"};
    if (named->second.kind == YamlNode::Kind::kMap || named->second.kind == YamlNode::Kind::kList) refuse_as_key(line_of(mark));
    count(named->second, line_of(mark));  // Aliases of aliases could grow without bound.
    add(named->second, YAML::NullAnchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    YamlNode n = node(mark, YamlNode::Kind::kScalar);
    n.quoted = tag == "!";
    if (!n.quoted && (value == "null" || value == "~" || value.empty())) n.kind = YamlNode::Kind::kNull;
    n.scalar = value;
    add(std::move(n), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(node(mark, YamlNode::Kind::kList), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(node(mark, YamlNode::Kind::kMap), anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    bool has_key = false;
    std::string key;
    std::uint32_t key_line = 0;
  };

  void count_one(std::uint32_t line) {
    if (++count_ > kNodesMax) throw Refused{line, "more than 100000 values"};
  }
  void count(const YamlNode& node, std::uint32_t line) {
    count_one(line);
    for (const YamlNode& item : node.items) count(item, line);
    for (const YamlNode::Entry& entry : node.entries) count(entry.value, line);
  }
  void refuse_as_key(std::uint32_t line) const {
    if (!frames_.empty() && frames_.back().node.kind == YamlNode::Kind::kMap && !frames_.back().has_key)
      throw Refused{line, "a mapping or list as a key"};
  }

  YamlNode node(const YAML::Mark& mark, YamlNode::Kind kind) {
    count_one(line_of(mark));
    YamlNode n;
    n.kind = kind;
    n.origin = origin_;
    n.line = line_of(mark);
    return n;
  }
  void open(YamlNode n, YAML::anchor_t anchor) {
    if (frames_.size() >= kDepthMax) throw Refused{n.line, "more than 64 levels of nesting"};
    refuse_as_key(n.line);
    frames_.push_back({std::move(n), anchor, false, {}, 0});
  }
  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    add(std::move(frame.node), frame.anchor);
  }
  void add(YamlNode n, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = n;
    if (frames_.empty()) {
      root_ = std::move(n);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == YamlNode::Kind::kList) {
      frame.node.items.push_back(std::move(n));
    } else if (!frame.has_key) {
      frame.has_key = true;
      frame.key = n.scalar;
      frame.key_line = n.line;
    } else {
      frame.has_key = false;
      frame.node.entries.push_back({std::move(frame.key), frame.key_line, std::move(n)});
    }
  }

  YamlNode& root_;
  std::uint32_t origin_;
  std::size_t count_ = 0;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
};

bool parse_index(std::string_view text, std::size_t& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size();
}

// "a.b[2].c" -> a, b, 2, c. False for an empty part.
bool split_path(std::string_view path, std::vector<std::string>& parts) {
  std::string part;
  for (const char c : path) {
    if (c == '[' && part.empty() && !parts.empty()) continue;
    if (c == '.' || c == '[') {
      if (part.empty()) return false;
      parts.push_back(std::move(part));
      part.clear();
    } else if (c != ']') {
      part.push_back(c);
    }
  }
  if (part.empty()) return false;
  parts.push_back(std::move(part));
  return parts.size() <= kDepthMax;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}
YamlNode* YamlNode::find(std::string_view key) {
  return const_cast<YamlNode*>(static_cast<const YamlNode*>(this)->find(key));
}

bool parse_yaml(std::string_view text, std::uint32_t origin, YamlNode& out, YamlFailure& failure) {
  out = YamlNode();
  out.origin = origin;
  out.line = 1;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(out, origin);
    if (parser.HandleNextDocument(builder)) {
      YamlNode second;
      Builder other(second, origin);
      if (parser.HandleNextDocument(other)) throw Refused{second.line, "a second document (---)"};
    }
    return true;
  } catch (const Refused& refused) {
    failure = {refused.line, refused.what};
  } catch (const YAML::Exception& error) {
    failure = {line_of(error.mark), "not YAML: " + error.msg};
  }
  return false;
}

bool apply_set(std::string_view set, std::uint32_t origin, YamlNode& root, YamlFailure& failure) {
  const std::size_t equals = set.find('=');
  std::vector<std::string> parts;
  if (equals == std::string_view::npos || !split_path(set.substr(0, equals), parts)) {
    failure = {0, "no path, or no '='"};
    return false;
  }
  YamlNode value;
  if (!parse_yaml(set.substr(equals + 1), origin, value, failure)) return false;
  YamlNode* at = &root;
  std::string path;
  for (const std::string& part : parts) {
    if (at->kind == YamlNode::Kind::kNull) {
      at->kind = YamlNode::Kind::kMap;
      at->origin = origin;
    }
    std::size_t i = 0;
    if (at->kind == YamlNode::Kind::kList) {
      if (!parse_index(part, i) || i > at->items.size()) {
        failure = {0, "'" + part + "' as an index (from 0) into '" + path + "', a list of " + std::to_string(at->items.size())};
        return false;
      }
      if (i == at->items.size()) at->items.emplace_back();
      at = &at->items[i];
    } else if (at->kind == YamlNode::Kind::kMap) {
      YamlNode* next = at->find(part);
      if (next == nullptr) {
        at->entries.push_back({part, 0, YamlNode()});
        at->entries.back().value.origin = origin;
        next = &at->entries.back().value;
      }
      at = next;
    } else {
      failure = {0, "'" + part + "' below '" + path + "', which is a single value"};
      return false;
    }
    path += (path.empty() ? "" : ".") + part;
  }
  *at = std::move(value);
  return true;
}

}  // namespace weir
