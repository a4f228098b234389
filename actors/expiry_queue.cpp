#include "actors/expiry_queue.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace weir {

ExpiryQueue::Key ExpiryQueue::key_of(std::uint64_t page) const {
  Key key{};
  key.bytes[0] = tag_;
  for (int i = 0; i < 8; ++i) key.bytes[1 + i] = static_cast<char>(page >> (56 - 8 * i));  // In key order, too.
  return key;
}

std::uint64_t ExpiryQueue::push(EventTime time, char kind, std::string_view id) {
  have_front_ = false;  // last_ may move.
  last_.append_fixed(time.value);
  last_.append(kind);
  last_.append_varint_bytes(id);
  last_changed_ = true;
  const std::uint64_t serial = tail_++;
  if (tail_ % kPageItems == 0) {
    put_tail();
    if (head_ / kPageItems == serial / kPageItems) {  // The first page too: it is read on from there.
      std::swap(first_, last_);
      have_first_ = true;
    }
    last_.clear();
    last_changed_ = false;
  }
  return serial;
}

void ExpiryQueue::put_tail() {
  const KeyedState::Found page = pages_.upsert(key_of((tail_ - 1) / kPageItems).view(), static_cast<std::uint32_t>(last_.size()));
  std::memcpy(page.data, last_.data(), last_.size());
}

ExpiryQueue::Item ExpiryQueue::read(ByteReader& reader, std::uint64_t serial) {
  Item item;
  item.serial = serial;
  item.time = EventTime(reader.fixed<std::int64_t>());
  item.kind = static_cast<char>(reader.fixed<std::uint8_t>());
  item.id = reader.varint_bytes();
  broken_ = broken_ || !reader.ok();
  return item;
}

std::string_view ExpiryQueue::bytes_of(std::uint64_t page) {
  if (page == tail_ / kPageItems) return last_.view();
  if (have_first_ && page == head_ / kPageItems) return first_.view();
  const KeyedState::Found found = pages_.find(key_of(page).view());
  if (!found.found) broken_ = true;
  return found.view();
}

void ExpiryQueue::read_front() {
  if (broken_) return;
  const std::uint64_t page = head_ / kPageItems;
  const bool in_last = page == tail_ / kPageItems;
  if (!in_last && !have_first_) {
    const std::string_view found = bytes_of(page);
    if (broken_) return;
    first_.clear();
    first_.append(found);
    have_first_ = true;
  }
  const std::string_view bytes = in_last ? last_.view() : first_.view();
  ByteReader reader(bytes.substr(std::min(read_at_, bytes.size())));
  front_ = read(reader, head_);
  if (broken_) return;
  first_at_ = bytes.size() - reader.left();
  have_front_ = true;
}

void ExpiryQueue::pop() {
  CHECK(front() != nullptr);
  have_front_ = false;
  read_at_ = first_at_;
  ++head_;
  if (head_ % kPageItems == 0) {
    pages_.erase_existing(key_of(head_ / kPageItems - 1).view());
    have_first_ = false;
    read_at_ = 0;
  }
}

void ExpiryQueue::save() {
  if (!last_changed_) return;
  put_tail();
  last_changed_ = false;
}

Result<void> ExpiryQueue::load(std::uint64_t head, std::uint64_t tail) {
  head_ = head;
  tail_ = tail;
  have_first_ = have_front_ = broken_ = last_changed_ = false;
  read_at_ = 0;
  first_.clear();
  last_.clear();
  if (tail % kPageItems != 0) {
    const KeyedState::Found page = pages_.find(key_of(tail / kPageItems).view());
    if (page.found) last_.append(page.view());
    else broken_ = true;
  }
  // The items of the first page that are gone already.
  const std::uint64_t gone = head % kPageItems;
  head_ = head - gone;
  for (std::uint64_t i = 0; i < gone && !broken_; ++i) {
    read_front();
    have_front_ = false;
    read_at_ = first_at_;
    ++head_;
  }
  head_ = head;
  if (head > tail) broken_ = true;
  if (broken_) {
    if (const Error* error = pages_.error()) return *error;
    return Error{ErrorCode::kCorruption, "expiry queue '" + std::string(1, tag_) + "': a page between items " +
                                             std::to_string(head) + " and " + std::to_string(tail) + " is missing or malformed"};
  }
  return {};
}

}  // namespace weir
