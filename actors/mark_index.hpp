#pragma once
// Which ids have a mark, and on which page of the queue of marks each stands: 8 bytes a mark, however long its id is.
//
// It answers by hash, so what it finds is a guess that its user checks in the page. Open addressing over a room of fixed size,
// in the order of the hashes: it never grows and never allocates, and its memory is touched as marks come.
//
// Owned by one stage.

#include <cstddef>
#include <cstdint>

#include "core/base/wide_room.hpp"

namespace weir {

class MarkIndex {
 public:
  // Takes about that much memory.
  explicit MarkIndex(std::size_t bytes);

  std::uint64_t size() const { return size_; }
  std::uint64_t capacity() const { return capacity_; }
  // REQUIRES: size() < capacity().
  void add(std::uint64_t hash, std::uint64_t page);
  // Takes one such mark out. False: there is none.
  bool erase(std::uint64_t hash, std::uint64_t page);
  // Calls fn(page) for each mark that may have this hash, until it returns true. Pages are those that were added, modulo 2^32 - 1:
  // `first` is the lowest that is left.
  template <class Fn>
  bool find(std::uint64_t hash, std::uint64_t first, Fn&& fn) const {
    const std::uint32_t short_hash = short_of(hash);
    for (std::size_t at = home_of(short_hash); slots_[at].page != 0; at = next(at)) {  // Ends: some are always free.
      if (slots_[at].hash != short_hash) continue;
      const std::uint64_t behind = (slots_[at].page - 1 + kPages - first % kPages) % kPages;
      if (fn(first + behind)) return true;
    }
    return false;
  }
  void clear();

 private:
  static constexpr std::uint64_t kPages = 0xffffffff;
  struct Slot {
    std::uint32_t hash;
    std::uint32_t page;  // Modulo kPages, + 1; 0: free.
  };
  static std::uint32_t short_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  static std::uint32_t page_word(std::uint64_t page) { return static_cast<std::uint32_t>(page % kPages) + 1; }
  std::size_t home_of(std::uint32_t hash) const { return static_cast<std::size_t>(hash * std::uint64_t{count_} >> 32); }
  std::size_t next(std::size_t at) const { return at + 1 == count_ ? 0 : at + 1; }

  std::uint32_t count_;
  std::uint64_t capacity_;
  std::uint64_t size_ = 0;
  WideRoom room_;
  Slot* slots_;  // In it.
};

}  // namespace weir
