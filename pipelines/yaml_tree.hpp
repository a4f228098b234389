#pragma once
// A YAML document as a plain tree that remembers where each value stood. yaml-cpp is used in the .cpp only.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  bool quoted = false;         // A scalar that is text whatever it looks like.
  std::uint32_t origin = 0;    // 0: the file; i: the i-th --set.
  std::uint32_t line = 0;      // From 1.
  std::string scalar;
  std::vector<YamlNode> items;   // kList
  std::vector<Entry> entries;    // kMap, in the order of the file; keys may repeat.

  const YamlNode* find(std::string_view key) const;  // The first one; nullptr if there is none.
  YamlNode* find(std::string_view key);
};

struct YamlNode::Entry {
  std::string key;
  std::uint32_t line = 0;
  YamlNode value;
};

struct YamlFailure {
  std::uint32_t line = 0;
  std::string what;
};

// One document. False and `failure` for what is not YAML, more than one document, aliases, more than 100,000 values, keys
// that are no plain text, or nesting deeper than 64.
bool parse_yaml(std::string_view text, std::uint32_t origin, YamlNode& out, YamlFailure& failure);

// Applies "a.b.2.c=VALUE": maps are made on the way where nothing is; a number steps into a list ([2] works too).
bool apply_set(std::string_view set, std::uint32_t origin, YamlNode& root, YamlFailure& failure);

}  // namespace weir
