#include "storage/kafka_local_state.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace weir {
namespace {

constexpr std::size_t kSlotsMin = 1024;
constexpr std::size_t kScanPiece = 256;
constexpr std::size_t kWipeBytes = 4u << 20;  // Of the keys that one write erases.

// To those that are written.
void add(const ChangeMap::Change& change, StateChanges& out) {
  if (change.erased) out.erase("", change.key);
  else out.put("", change.key, change.value);
}

}  // namespace

std::size_t ChangeMap::slot_of(std::uint64_t hash, std::string_view key) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {  // Ends: half of them are free.
    if (slots_[slot].entry == 0) return slot;
    if (slots_[slot].hash != hash >> 32) continue;
    const Entry& entry = entries_[slots_[slot].entry - 1];
    if (entry.hash == hash && bytes_.view(entry.key_at, entry.key_bytes) == key) return slot;
  }
}

void ChangeMap::grow() {
  slots_.assign(std::max(kSlotsMin, slots_.size() * 2), Slot());
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = entries_[i].hash & mask;
    while (slots_[slot].entry != 0) slot = (slot + 1) & mask;
    slots_[slot] = {static_cast<std::uint32_t>(entries_[i].hash >> 32), static_cast<std::uint32_t>(i + 1)};
  }
}

void ChangeMap::add(std::string_view prefix, std::string_view name, std::string_view value, bool erased) {
  if ((entries_.size() + 1) * 2 > slots_.size()) grow();
  const std::size_t at = bytes_.size();
  bytes_.append(prefix);
  bytes_.append(name);
  const std::string_view key = bytes_.view(at, bytes_.size() - at);
  const std::uint64_t hash = hash64(key);
  const std::size_t slot = slot_of(hash, key);
  if (slots_[slot].entry == 0) {
    entries_.push_back({hash, at, 0, static_cast<std::uint32_t>(key.size()), 0, false});
    slots_[slot] = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(entries_.size())};
  } else {
    bytes_.truncate(at);
  }
  Entry& entry = entries_[slots_[slot].entry - 1];
  entry.value_at = bytes_.size();
  entry.value_bytes = static_cast<std::uint32_t>(value.size());
  entry.erased = erased;
  bytes_.append(value);
}

std::optional<ChangeMap::Change> ChangeMap::find(std::string_view key) const {
  if (entries_.empty()) return std::nullopt;
  const std::uint32_t at = slots_[slot_of(hash64(key), key)].entry;
  if (at == 0) return std::nullopt;
  return change_of(entries_[at - 1]);
}

void ChangeMap::clear() {
  bytes_.clear();
  entries_.clear();
  std::ranges::fill(slots_, Slot());
}

void KafkaLocalState::apply(const StateChanges& changes, std::string_view prefix) {
  std::lock_guard lock(mutex_);
  changes.for_each([&](std::string_view key, std::string_view value, bool erased) { newer_.add(prefix, key, value, erased); });
}

std::optional<ChangeMap::Change> KafkaLocalState::find(std::string_view key) const {
  if (auto change = newer_.find(key)) return change;
  return older_.find(key);
}

Result<void> KafkaLocalState::commit() {
  const auto stored = store_->commit(transaction_);
  if (!stored.ok()) return stored.error();
  return {};
}

Result<void> KafkaLocalState::write(std::string_view stamp_key, std::string_view stamp) {
  transaction_.clear();
  for (; older_written_ < older_.size(); ++older_written_)
    if (const auto change = older_.at(older_written_); !newer_.find(change.key)) add(change, transaction_.state);
  newer_.for_each([&](const ChangeMap::Change& change) { add(change, transaction_.state); });
  transaction_.state.put("", stamp_key, stamp);
  TRY(commit());
  std::lock_guard lock(mutex_);  // Only now: who does not find a change here any more finds it in the store.
  newer_.clear();
  older_.clear();
  older_written_ = 0;
  return {};
}

Result<void> KafkaLocalState::write_older(std::size_t bytes, std::string_view stamp_key, std::string_view stamp) {
  transaction_.clear();
  for (; older_written_ < older_.size() && bytes > 0; ++older_written_) {
    const auto change = older_.at(older_written_);
    if (newer_.find(change.key)) continue;
    add(change, transaction_.state);
    bytes -= std::min(bytes, change.key.size() + change.value.size());
  }
  const bool ends = older_written_ == older_.size();
  if (ends) transaction_.state.put("", stamp_key, stamp);
  if (transaction_.state.empty()) return {};
  TRY(commit());
  if (!ends) return {};
  std::lock_guard lock(mutex_);
  older_.clear();
  older_written_ = 0;
  return {};
}

void KafkaLocalState::age() {
  CHECK(older_.empty());
  std::lock_guard lock(mutex_);
  std::swap(newer_, older_);
}

Result<void> KafkaLocalState::wipe() {
  {
    std::lock_guard lock(mutex_);
    newer_.clear();
    older_.clear();
    older_written_ = 0;
  }
  for (;;) {
    transaction_.clear();
    TRY(state_->scan("", [&](std::string_view key, std::string_view) {
      transaction_.state.erase("", key);
      return transaction_.state.bytes() < kWipeBytes;
    }));
    if (transaction_.state.empty()) return {};
    TRY(commit());
  }
}

Result<bool> KafkaLocalState::get(std::string_view key, std::string& value) const {
  {
    std::lock_guard lock(mutex_);
    if (const auto change = find(key)) {
      value.assign(change->value);
      return !change->erased;
    }
  }
  return state_->get(key, value);
}

Result<void> KafkaLocalState::get_many(std::span<const std::string_view> keys, std::vector<std::string>& values,
                                       std::vector<char>& found) const {
  values.resize(keys.size());
  found.assign(keys.size(), 0);
  std::vector<std::string_view> others;
  std::vector<std::size_t> places;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (const auto change = find(keys[i])) {
        values[i].assign(change->value);
        found[i] = !change->erased;
      } else {
        others.push_back(keys[i]);
        places.push_back(i);
      }
    }
  }
  if (others.empty()) return {};
  std::vector<std::string> their_values;
  std::vector<char> their_found;
  TRY(state_->get_many(others, their_values, their_found));
  for (std::size_t i = 0; i < places.size(); ++i) {
    values[places[i]] = std::move(their_values[i]);
    found[places[i]] = their_found[i];
  }
  return {};
}

std::vector<KafkaLocalState::Changed> KafkaLocalState::first_changed(std::string_view prefix, std::string_view from, std::size_t count) const {
  std::vector<Changed> out;
  std::lock_guard lock(mutex_);
  std::vector<ChangeMap::Change> all;
  const auto take = [&](const ChangeMap::Change& change) {
    if (change.key.starts_with(prefix) && change.key >= from) all.push_back(change);
  };
  newer_.for_each(take);
  older_.for_each([&](const ChangeMap::Change& change) {
    if (change.key.starts_with(prefix) && change.key >= from && !newer_.find(change.key)) all.push_back(change);
  });
  const auto by_key = [](const ChangeMap::Change& a, const ChangeMap::Change& b) { return a.key < b.key; };
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size()));
  std::partial_sort(all.begin(), end, all.end(), by_key);
  for (auto at = all.begin(); at != end; ++at)
    out.push_back({std::string(at->key), at->erased ? std::nullopt : std::optional(std::string(at->value))});
  return out;
}

// Piece by piece, for a caller whom a few are enough: what waits is copied, as it changes meanwhile. The store is looked at after
// that: what has left the waiting ones by then is there.
Result<void> KafkaLocalState::scan_from(std::string_view prefix, std::string_view from,
                                        const std::function<bool(std::string_view, std::string_view)>& fn) const {
  std::string begin(from);
  for (std::size_t count = kScanPiece;; count *= 4) {
    const std::vector<Changed> changed = first_changed(prefix, begin, count);
    const bool last = changed.size() < count;
    auto next = changed.begin();
    bool more = true;
    const auto give_changed = [&] {
      if (next->value) more = fn(next->key, *next->value);
      ++next;
    };
    TRY(state_->scan_from(prefix, begin, [&](std::string_view key, std::string_view value) {
      while (more && next != changed.end() && next->key < key) give_changed();
      if (!more || (!last && next == changed.end())) return false;
      if (next != changed.end() && next->key == key) give_changed();
      else more = fn(key, value);
      return more;
    }));
    while (more && next != changed.end()) give_changed();
    if (!more || last) return {};
    begin = changed.back().key + '\0';
  }
}

Result<void> KafkaLocalState::scan_written(std::string_view prefix, std::string_view from,
                                           const std::function<bool(std::string_view, std::string_view)>& fn) const {
  return state_->scan_from(prefix, from, [&](std::string_view key, std::string_view value) { return find(key) || fn(key, value); });
}

}  // namespace weir
