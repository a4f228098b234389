#pragma once
// A config as text: lines of YAML, each two spaces a level in.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

class YamlLines {
 public:
  // No value: what follows, a level further in, is it.
  void line(int level, std::string_view key, std::string_view value) {
    out_.append(static_cast<std::size_t>(level) * 2, ' ').append(key).append(value.empty() ? ":" : ": ").append(value).append("\n");
  }
  void flag(int level, std::string_view key, bool value) { line(level, key, value ? "true" : "false"); }
  void whole(int level, std::string_view key, std::uint64_t value) { line(level, key, std::to_string(value)); }
  void raw(std::string_view lines) { out_.append(lines); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace weir
