#pragma once
// A stage's keyed entries: a cache with a memory budget over committed state. Aggregates by key and waiting rows live here.
//
// Promise: find, upsert and erase behave as on a map that holds every entry ever written and not erased, whatever is
// resident. Entries are changed in memory, written by save() (dirty ones only, each once per transaction), and may be
// evicted (least recently used first) only when clean and committed. Entries that are not resident are read from the
// StateReader: ahead of the tick by prefetch, else on the spot (counted in cold_reads()).
//
// Owned by one stage, used on the task's thread, except for fetch(), which a reader thread calls. After warm-up find,
// upsert and erase allocate nothing while the number and size of resident entries stay as they were.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/records/state.hpp"

namespace weir {

// Keys collected for prefetch, with the prefix of the stage they belong to.
class KeyList {
 public:
  void add(std::string_view key) {
    bytes_.append(key);
    ends_.push_back(bytes_.size());
  }
  void clear() {
    bytes_.clear();
    ends_.clear();
  }
  std::size_t count() const { return ends_.size(); }
  std::string_view key(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return bytes_.view(begin, ends_[i] - begin);
  }

 private:
  ByteBuffer bytes_;
  std::vector<std::size_t> ends_;
};

// Entries read ahead of the tick, as of one commit.
struct FetchedEntries {
  CommitId as_of;                  // Every commit up to this one was visible to the read.
  KeyList keys;
  std::vector<std::string> values;
  std::vector<char> found;
};

class KeyedState {
 public:
  // `budget_bytes`: of resident entries, keys and index included. What is dirty or not yet committed stays beyond it.
  explicit KeyedState(std::size_t budget_bytes);
  ~KeyedState();
  KeyedState(const KeyedState&) = delete;
  KeyedState& operator=(const KeyedState&) = delete;

  // Starts over on committed state: entries are those under `prefix` + "k". Drops everything resident.
  Result<void> load(const StageState& state);

  // The entry's value, or an empty view with found == false. Valid until the next call that is not const.
  struct Found {
    char* data = nullptr;   // Change in place only after touch(), or through upsert().
    std::uint32_t size = 0;
    bool found = false;
    std::string_view view() const { return {data, size}; }
  };
  Found find(std::string_view key);
  // The entry's value with room for `size` bytes, made if absent (zeros; `found` tells). Keeps its first bytes when the size
  // changes. Marks it dirty.
  Found upsert(std::string_view key, std::uint32_t size);
  void erase(std::string_view key);

  // Writes every entry changed since the last save. They count as committed once committed() has been told
  // writer.commit() or later.
  void save(StateWriter& writer);
  void committed(CommitId id);

  // True if some entries may not be resident: then the reader thread fetches ahead. Any thread.
  bool needs_fetch() const { return maybe_cold_.load(std::memory_order_relaxed); }
  // Reads `entries.keys` from committed state. Any thread; touches nothing resident.
  Result<void> fetch(FetchedEntries& entries) const;
  // Makes them resident where they are not, unless they could be out of date: an entry evicted after `as_of`.
  void adopt(const FetchedEntries& entries);

  // The first failure of the StateReader, if any (kCorruption, kIo): find then says "not found", and the task must stop.
  const Error* error() const { return failed_ ? &error_ : nullptr; }

  std::size_t resident_bytes() const { return resident_bytes_; }
  std::size_t resident_count() const { return resident_count_; }
  std::uint64_t cold_reads() const { return cold_reads_; }
  std::uint64_t evictions() const { return evictions_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::atomic<bool> maybe_cold_{false};
  bool failed_ = false;
  Error error_;
  std::size_t resident_bytes_ = 0;
  std::size_t resident_count_ = 0;
  std::uint64_t cold_reads_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace weir
