#include "storage/kafka_local_state.hpp"

#include <algorithm>
#include <map>

#include "core/base/hash.hpp"

namespace weir {
namespace {

constexpr std::size_t kSlotsMin = 1024;
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

Result<void> KafkaLocalState::commit(std::string_view stamp_key, std::string_view stamp) {
  transaction_.state.put("", stamp_key, stamp);
  const auto stored = store_->commit(transaction_);
  if (!stored.ok()) return stored.error();
  return {};
}

Result<void> KafkaLocalState::write(std::string_view stamp_key, std::string_view stamp) {
  transaction_.clear();
  older_.for_each([&](const ChangeMap::Change& change) {
    if (!newer_.find(change.key)) add(change, transaction_.state);
  });
  newer_.for_each([&](const ChangeMap::Change& change) { add(change, transaction_.state); });
  TRY(commit(stamp_key, stamp));
  std::lock_guard lock(mutex_);  // Only now: who does not find a change here any more finds it in the store.
  newer_.clear();
  older_.clear();
  return {};
}

Result<void> KafkaLocalState::write_older(std::string_view stamp_key, std::string_view stamp) {
  if (!older_.empty()) {
    transaction_.clear();
    older_.for_each([&](const ChangeMap::Change& change) {
      if (!newer_.find(change.key)) add(change, transaction_.state);
    });
    TRY(commit(stamp_key, stamp));
  }
  std::lock_guard lock(mutex_);
  older_.clear();
  std::swap(newer_, older_);
  return {};
}

Result<void> KafkaLocalState::wipe() {
  {
    std::lock_guard lock(mutex_);
    newer_.clear();
    older_.clear();
  }
  for (;;) {
    transaction_.clear();
    TRY(state_->scan("", [&](std::string_view key, std::string_view) {
      transaction_.state.erase("", key);
      return transaction_.state.bytes() < kWipeBytes;
    }));
    if (transaction_.state.empty()) return {};
    const auto stored = store_->commit(transaction_);
    if (!stored.ok()) return stored.error();
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

Result<void> KafkaLocalState::scan_from(std::string_view prefix, std::string_view from,
                                        const std::function<bool(std::string_view, std::string_view)>& fn) const {
  std::map<std::string, std::optional<std::string>> changed;  // In key order; without a value: erased.
  {
    std::lock_guard lock(mutex_);
    for (const ChangeMap* part : {&older_, &newer_})
      part->for_each([&](const ChangeMap::Change& change) {
        if (!change.key.starts_with(prefix) || change.key < from) return;
        changed[std::string(change.key)] = change.erased ? std::nullopt : std::optional(std::string(change.value));
      });
  }
  auto next = changed.begin();
  bool more = true;
  const auto give_changed = [&] {
    if (next->second) more = fn(next->first, *next->second);
    ++next;
  };
  TRY(state_->scan_from(prefix, from, [&](std::string_view key, std::string_view value) {
    while (more && next != changed.end() && next->first < key) give_changed();
    if (!more) return false;
    if (next != changed.end() && next->first == key) give_changed();
    else more = fn(key, value);
    return more;
  }));
  while (more && next != changed.end()) give_changed();
  return {};
}

Result<void> KafkaLocalState::scan_written(std::string_view prefix, std::string_view from,
                                           const std::function<bool(std::string_view, std::string_view)>& fn) const {
  return state_->scan_from(prefix, from, [&](std::string_view key, std::string_view value) { return find(key) || fn(key, value); });
}

}  // namespace weir
