#pragma once
// Ids in the order in which they came, with the clock of that moment: what falls due first stands in front. Any length: its
// pages are entries of a KeyedState, so only the first and the last one need be in memory.
//
// Owned by one stage. After warm-up push, front and pop allocate nothing.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/records/keyed_state.hpp"

namespace weir {

class ExpiryQueue {
 public:
  static constexpr std::uint64_t kPageItems = 64;

  struct Item {
    std::uint64_t serial = 0;  // 0, 1, 2 … in the order of push().
    EventTime time;
    char kind = 0;             // The pusher's own.
    std::string_view id;       // Valid until the next push() or pop().
  };

  // Its pages have the keys `tag` + page number in `pages`, which outlives it.
  ExpiryQueue(KeyedState& pages, char tag) : pages_(pages), tag_(tag) {}

  std::uint64_t push(EventTime time, char kind, std::string_view id);  // Returns its serial.
  // Null if empty, or if its page is not there (see broken()).
  const Item* front() {
    if (!have_front_ && head_ != tail_) read_front();
    return have_front_ ? &front_ : nullptr;
  }
  void pop();  // REQUIRES: front() gave one.
  // Calls fn(item) for those from serial `begin` to the end of its page; returns the serial after the last. fn changes no
  // entry of `pages` but in place, makes none resident that could drive a page out. REQUIRES: head() <= begin < tail().
  template <class Fn>
  std::uint64_t for_page(std::uint64_t begin, Fn&& fn) {
    const std::uint64_t page = begin / kPageItems;
    ByteReader reader(bytes_of(page));
    const std::uint64_t end = std::min(tail_, (page + 1) * kPageItems);
    for (std::uint64_t serial = page * kPageItems; serial < end && !broken_; ++serial) {
      const Item item = read(reader, serial);
      if (serial >= begin && !broken_) fn(item);
    }
    return end;
  }

  std::uint64_t head() const { return head_; }  // Serial of the first one …
  std::uint64_t tail() const { return tail_; }  // … and of the next to come: both go into the state of the stage.
  // A page that must be there was missing or malformed. The KeyedState's own error, if it has one, is the cause.
  bool broken() const { return broken_; }

  void save();  // Puts what is new into `pages`; call before its save().
  Result<void> load(std::uint64_t head, std::uint64_t tail);  // After pages.load().

 private:
  struct Key {
    char bytes[9];
    std::string_view view() const { return {bytes, sizeof(bytes)}; }
  };
  Key key_of(std::uint64_t page) const;
  void read_front();
  std::string_view bytes_of(std::uint64_t page);  // Valid until the next push() or change of the entries.
  Item read(ByteReader& reader, std::uint64_t serial);
  void put_tail();

  KeyedState& pages_;
  char tag_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  ByteBuffer first_;           // The page of head_, unless that is the last one too.
  bool have_first_ = false;
  std::size_t first_at_ = 0;   // Where the front's item ends in its page.
  std::size_t read_at_ = 0;    // Where the next one to be read begins.
  ByteBuffer last_;            // The page of tail_ as far as it goes.
  bool last_changed_ = false;
  Item front_;
  bool have_front_ = false;
  bool broken_ = false;
};

}  // namespace weir
