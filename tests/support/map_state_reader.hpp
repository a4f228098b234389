#pragma once
// A StateReader over a std::map: committed state for tests of stages and keyed entries, without a store.

#include <map>
#include <string>

#include "core/records/state.hpp"

namespace weir {

class MapStateReader : public StateReader {
 public:
  Result<bool> get(std::string_view key, std::string& value) const override {
    ++reads;
    const auto it = entries.find(std::string(key));
    if (it == entries.end()) return false;
    if (it->second == fail_value) return Error{ErrorCode::kCorruption, "entry '" + std::string(key) + "'"};
    value = it->second;
    return true;
  }
  Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values,
                        std::vector<char>& found) const override {
    values.assign(keys.size(), {});
    found.assign(keys.size(), 0);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto it = entries.find(std::string(keys[i]));
      if (it == entries.end()) continue;
      values[i] = it->second;
      found[i] = 1;
    }
    return {};
  }
  Result<void> scan_from(std::string_view prefix, std::string_view from,
                         const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    for (auto it = entries.lower_bound(std::string(std::max(prefix, from))); it != entries.end() && it->first.starts_with(prefix); ++it)
      if (!fn(it->first, it->second)) break;
    return {};
  }
  CommitId visible() const override { return last; }

  void apply(const StateChanges& changes, CommitId commit) {
    changes.for_each([&](std::string_view key, std::string_view value, bool erased) {
      if (erased) entries.erase(std::string(key));
      else entries[std::string(key)] = std::string(value);
    });
    last = commit;
  }

  std::map<std::string, std::string> entries;
  CommitId last;
  mutable std::uint64_t reads = 0;
  std::string fail_value = "\x01 the disk lost this one";
};

}  // namespace weir
