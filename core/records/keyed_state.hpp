#pragma once
// A stage's keyed entries: a cache with a memory budget over committed state. Aggregates by key and waiting rows live here.
//
// Promise: find, upsert and erase behave as on a map that holds every entry ever written and not erased, whatever is
// resident. Entries are changed in memory, written by save() (dirty ones only, each once per transaction), and may be
// evicted (least recently used first) only when clean and committed. Entries that are not resident are read from the
// StateReader: ahead of the tick by prefetch, else on the spot (counted in cold_reads()). It counts
// those that are not resident by the first byte of the key: where there are none, what is not here is nowhere. So a stage that tells
// kinds of entries apart by it does not have those that fit looked up in the store because others do not.
//
// Owned by one stage, used on the task's thread, except for fetch(), which a reader thread calls. After warm-up find,
// upsert and erase allocate nothing while the number and size of resident entries stay as they were. A resident lookup is
// a hash and two cache lines; each lookup that makes an entry resident pays for a bounded part of the eviction.

#include <cstdint>
#include <functional>
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
  void add(std::string_view key) { add({}, key); }
  void add(std::string_view prefix, std::string_view key) {
    bytes_.append(prefix);
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

  // Starts over on committed state: entries are those under `prefix` + "k". Drops everything resident, then reads the first
  // entries until `preload_bytes` or half the budget: a small state is resident at once and never asks for a fetch.
  Result<void> load(const StageState& state, std::size_t preload_bytes = 4 << 20);

  // The entry's value, 8-byte aligned, or an empty view with found == false. Valid until the next call that is not const.
  struct Found {
    char* data = nullptr;   // Change in place only after touch(), or through upsert().
    std::uint32_t size = 0;
    bool found = false;
    void* entry = nullptr;  // For touch().
    std::string_view view() const { return {data, size}; }
  };
  Found find(std::string_view key);
  // Hints: the keys of one record, told before the first of them is looked up, wait for memory together, not one by one.
  // First the index for all, then the entries for all. Change nothing.
  void prefetch_index(std::string_view key) const;
  void prefetch_entry(std::string_view key) const;
  // The entry's value with room for `size` bytes, made if absent (zeros; `found` tells). Keeps its first bytes when the size
  // changes, new ones are zero. Marks it dirty.
  Found upsert(std::string_view key, std::uint32_t size);
  // Marks what find() has just returned dirty, without looking it up again. REQUIRES: found.
  void touch(const Found& found);
  // The same without asking the store. REQUIRES: there is no such entry.
  Found make(std::string_view key, std::uint32_t size);
  void erase(std::string_view key);
  // The same without reading an entry that is not resident. REQUIRES: the entry exists.
  void erase_existing(std::string_view key);

  // Writes every entry changed since the last save. They count as committed once committed() has been told
  // writer.commit() or later.
  void save(StateWriter& writer);
  void committed(CommitId id);

  // Committed entries whose key begins so, in key order, as the StateReader has them now. For looking at a restored state.
  Result<void> scan_committed(std::string_view prefix, const std::function<void(std::string_view key, std::string_view value)>& fn) const;

  // True if some entries are not resident: then the reader thread fetches ahead. Any thread.
  bool needs_fetch() const;
  // Reads `entries.keys` from committed state, but those that are resident or known to be absent: they are taken out of the list; the
  // former stay for now. Any thread, not during load().
  Result<void> fetch(FetchedEntries& entries) const;
  // Makes them resident where they are not (absent ones too, as known to be absent), unless they could be out of date: an
  // entry changed after `as_of` and evicted since. The guard keeps the commit per group of keys, so it may refuse too much,
  // never too little.
  void adopt(const FetchedEntries& entries);

  // The first failure of the StateReader, if any (kCorruption, kIo): find then says "not found", and the task must stop.
  const Error* error() const;

  std::size_t resident_bytes() const;
  std::size_t resident_count() const;   // Entries, known-absent ones included.
  std::uint64_t cold_reads() const;     // Lookups that had to ask the StateReader on the spot.
  std::uint64_t evictions() const;
  std::uint64_t refused_adoptions() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
