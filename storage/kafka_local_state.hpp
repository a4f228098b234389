#pragma once
// A task's copy of its changelog in this process: the local store, and before it the newest changes, in memory.
//
// What the changelog has committed need not be written here at once: a store that lags is filled up from its stamp on. So
// changes wait until there are many, in two parts: the older one is written while the newer one fills, without what has been
// overwritten or erased in the meantime. That part is right without it: who begins at its stamp meets the newer changes again. A
// row that waits for its outcome for less than that costs the store one small write in place of three. Internal to the kafka_*
// files.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/records/state.hpp"
#include "storage/task_store.hpp"

namespace weir {

// The last change of each key. Keeps its memory when cleared. Not thread-safe.
class ChangeMap {
 public:
  struct Change {
    std::string_view key;
    std::string_view value;
    bool erased = false;
  };
  void put(std::string_view key, std::string_view value) { add({}, key, value, false); }
  void erase(std::string_view key) { add({}, key, {}, true); }
  // The key is `prefix` and `key`.
  void add(std::string_view prefix, std::string_view key, std::string_view value, bool erased);
  // The views hold until the next change.
  std::optional<Change> find(std::string_view key) const;
  // The last change of each key, in the order in which the keys came.
  template <class Fn>
  void for_each(Fn&& fn) const {
    for (const Entry& entry : entries_) fn(change_of(entry));
  }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // In that order. REQUIRES: i < size().
  Change at(std::size_t i) const { return change_of(entries_[i]); }
  std::size_t bytes() const { return bytes_.size(); }  // Overwritten ones included.
  void clear();

 private:
  struct Entry {
    std::uint64_t hash;
    std::size_t key_at;
    std::size_t value_at;
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
    bool erased;
  };
  std::size_t slot_of(std::uint64_t hash, std::string_view key) const;  // Its own, or the free one where it belongs.
  void grow();
  Change change_of(const Entry& e) const { return {bytes_.view(e.key_at, e.key_bytes), bytes_.view(e.value_at, e.value_bytes), e.erased}; }

  ByteBuffer bytes_;
  std::vector<Entry> entries_;
  // A part of the entry's hash, so that few others are looked at, and its number + 1; 0: free. A power of two, at most half full.
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t entry = 0;
  };
  std::vector<Slot> slots_;
};

// Changes come from one thread, the task's committer; reading is thread-safe and sees every change that has returned.
class KafkaLocalState final : public StateReader {
 public:
  // `store`: recovered; `state` is its state.
  KafkaLocalState(std::unique_ptr<TaskStore> store, std::shared_ptr<const StateReader> state) : store_(std::move(store)), state_(std::move(state)) {}

  // `prefix`: before every key.
  void apply(const StateChanges& changes, std::string_view prefix = {});
  bool waits() const { return !newer_.empty() || !older_.empty(); }
  bool older_waits() const { return !older_.empty(); }
  std::size_t newer_bytes() const { return newer_.bytes(); }
  std::size_t bytes() const { return newer_.bytes() + older_.bytes(); }
  // Writes all that waits, and `stamp` under its key, in one piece.
  Result<void> write(std::string_view stamp_key, std::string_view stamp);
  // Writes about so many bytes more of the older part, and at its end its stamp: then nothing of it waits. Whoever dies in between
  // finds keys that are newer than the stamp. REQUIRES: `stamp` tells where that part ended.
  Result<void> write_older(std::size_t bytes, std::string_view stamp_key, std::string_view stamp);
  // The newer part becomes the older one. REQUIRES: !older_waits().
  void age();
  // Erases everything.
  Result<void> wipe();

  Result<bool> get(std::string_view key, std::string& value) const override;
  Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values, std::vector<char>& found) const override;
  Result<void> scan_from(std::string_view prefix, std::string_view from,
                         const std::function<bool(std::string_view, std::string_view)>& fn) const override;
  // Those entries of the store itself for which no change waits.
  Result<void> scan_written(std::string_view prefix, std::string_view from,
                            const std::function<bool(std::string_view, std::string_view)>& fn) const;
  CommitId visible() const override { return state_->visible(); }

 private:
  struct Changed {
    std::string key;
    std::optional<std::string> value;  // None: erased.
  };
  // Of what waits, in key order, so many at most.
  std::vector<Changed> first_changed(std::string_view prefix, std::string_view from, std::size_t count) const;
  std::optional<ChangeMap::Change> find(std::string_view key) const;  // Of what waits. REQUIRES: the mutex, or the committer.
  Result<void> commit();

  const std::unique_ptr<TaskStore> store_;
  const std::shared_ptr<const StateReader> state_;
  mutable std::mutex mutex_;
  ChangeMap newer_, older_;   // Changed under the mutex; the committer reads them without.
  std::size_t older_written_ = 0;  // Changes.
  Transaction transaction_;   // Of write() and wipe().
};

}  // namespace weir
