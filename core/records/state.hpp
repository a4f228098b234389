#pragma once
// A task's state as the store sees it: small entries, key -> bytes. Read at recovery and on demand; written as changes.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// Before the keys of what a task keeps for itself; its stages have prefixes of their own.
inline constexpr std::string_view kRuntimePrefix = "runtime/";

// What changed in one transaction: key -> new bytes, or erased. The last change of a key wins.
class StateChanges {
 public:
  void put(std::string_view prefix, std::string_view key, std::string_view value) { add(prefix, key, value, false); }
  void erase(std::string_view prefix, std::string_view key) { add(prefix, key, {}, true); }
  void clear() {
    bytes_.clear();
    entries_.clear();
  }
  std::size_t count() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::size_t bytes() const { return bytes_.size(); }

  // Puts the changes in the order of their keys, which stores insert faster. Changes of one key keep theirs.
  void sort() {
    std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
      const int order = bytes_.view(a.at, a.key_bytes).compare(bytes_.view(b.at, b.key_bytes));
      return order != 0 ? order < 0 : a.at < b.at;
    });
  }
  // Calls fn(key, value, erased) in the order of the changes.
  template <class Fn>
  void for_each(Fn&& fn) const {
    for (const Entry& e : entries_) fn(bytes_.view(e.at, e.key_bytes), bytes_.view(e.at + e.key_bytes, e.value_bytes), e.erased);
  }

 private:
  struct Entry {
    std::size_t at;
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
    bool erased;
  };
  void add(std::string_view prefix, std::string_view key, std::string_view value, bool erased) {
    entries_.push_back({bytes_.size(), static_cast<std::uint32_t>(prefix.size() + key.size()),
                        static_cast<std::uint32_t>(value.size()), erased});
    bytes_.append(prefix);
    bytes_.append(key);
    bytes_.append(value);
  }
  ByteBuffer bytes_;
  std::vector<Entry> entries_;
};

// Committed state. Thread-safe; sees every commit that returned before the call.
class StateReader {
 public:
  virtual ~StateReader() = default;
  // True and `value` filled, or false if there is no such key. kCorruption names the entry.
  virtual Result<bool> get(std::string_view key, std::string& value) const = 0;
  // Many at once, in the order of `keys`; `found[i]` is 0 or 1. Cheaper than single calls when cold.
  virtual Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values,
                                std::vector<char>& found) const = 0;
  // Every entry whose key begins with `prefix` and is not before `from`, in key order, until fn returns false.
  virtual Result<void> scan_from(std::string_view prefix, std::string_view from,
                                 const std::function<bool(std::string_view key, std::string_view value)>& fn) const = 0;
  // All that begin with `prefix`.
  Result<void> scan(std::string_view prefix, const std::function<bool(std::string_view key, std::string_view value)>& fn) const {
    return scan_from(prefix, prefix, fn);
  }
  // The task's last commit that this reader's next call is sure to see.
  virtual CommitId visible() const = 0;
};

// A part of a task's state: one stage's entries, under its own prefix. Keys given and returned are without the prefix.
class StateWriter {
 public:
  StateWriter(StateChanges& changes, std::string_view prefix, CommitId commit)
      : changes_(changes), prefix_(prefix), commit_(commit) {}
  CommitId commit() const { return commit_; }  // The commit that these changes will be part of.
  void put(std::string_view key, std::string_view value) { changes_.put(prefix_, key, value); }
  void erase(std::string_view key) { changes_.erase(prefix_, key); }

 private:
  StateChanges& changes_;
  std::string_view prefix_;
  CommitId commit_;
};

// The same part, for reading.
class StageState {
 public:
  StageState(std::shared_ptr<const StateReader> reader, std::string prefix)
      : reader_(std::move(reader)), prefix_(std::move(prefix)) {}
  Result<bool> get(std::string_view key, std::string& value) const { return reader_->get(prefix_ + std::string(key), value); }
  Result<void> scan(std::string_view prefix,
                    const std::function<bool(std::string_view key, std::string_view value)>& fn) const {
    return reader_->scan(prefix_ + std::string(prefix), [&](std::string_view key, std::string_view value) {
      return fn(key.substr(prefix_.size()), value);
    });
  }
  const std::shared_ptr<const StateReader>& reader() const { return reader_; }
  const std::string& prefix() const { return prefix_; }

 private:
  std::shared_ptr<const StateReader> reader_;
  std::string prefix_;
};

}  // namespace weir
