#include "core/learning/replay_buffer.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/records/state_entry.hpp"
#include "core/records/state_pages.hpp"

namespace weir {
namespace {
constexpr char kEntryTag = 'e';
constexpr std::string_view kCountersKey = "r";
constexpr std::uint8_t kFormat = 1;
}  // namespace

ReplayBuffer::ReplayBuffer(std::uint32_t capacity, Rng rng, Keep keep)
    : slots_(capacity), dirty_(capacity, 0), rng_(rng), keep_(keep) {
  CHECK(capacity > 0);
}

std::optional<std::uint32_t> ReplayBuffer::offer() {
  counters_dirty_ = true;
  ++seen_;
  if (size_ < slots_.size()) return size_++;
  if (keep_ == Keep::kNewest) return static_cast<std::uint32_t>((seen_ - 1) % slots_.size());
  const std::uint64_t slot = rng_.below(seen_);
  if (slot >= slots_.size()) return std::nullopt;
  return static_cast<std::uint32_t>(slot);
}

void ReplayBuffer::put(std::uint32_t slot, std::string_view bytes) {
  CHECK(slot < size_);
  slots_[slot].assign(bytes);
  dirty_[slot] = 1;
}

std::uint32_t ReplayBuffer::draw() {
  counters_dirty_ = true;
  return static_cast<std::uint32_t>(rng_.below(size_));
}

void ReplayBuffer::save(StateWriter& writer) {
  if (!counters_dirty_) return;  // Every change goes through offer() or draw().
  counters_dirty_ = false;
  for_each_dirty(dirty_, [&](std::uint32_t slot) { writer.put(view_of(page_key(kEntryTag, slot)), slots_[slot]); });
  std::fill(dirty_.begin(), dirty_.end(), 0);
  std::array<char, 45> value;
  value[0] = kFormat;
  std::memcpy(&value[1], &size_, 4);
  std::memcpy(&value[5], &seen_, 8);
  std::memcpy(&value[13], rng_.state().data(), 32);
  writer.put(kCountersKey, {value.data(), value.size()});
}

Result<void> ReplayBuffer::load(const StageState& state) {
  StateEntry entry("replay buffer", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kCountersKey));
  if (!found) return {};
  size_ = entry.fixed<std::uint32_t>();
  seen_ = entry.fixed<std::uint64_t>();
  rng_ = Rng(entry.fixed<Rng::State>());
  TRY(entry.finish(size_ <= seen_));
  if (size_ > slots_.size() || (size_ < slots_.size() && size_ < seen_))
    return Error{ErrorCode::kConfig, entry.what() + " holds " + std::to_string(size_) +
                                         " entries, its capacity is now " + std::to_string(slots_.size()) +
                                         ": start with a new data directory, or set the capacity back"};
  std::uint32_t entries = 0;
  bool whole = true;
  TRY(state.scan({&kEntryTag, 1}, [&](std::string_view key, std::string_view value) {
    whole = entries < size_ && key == view_of(page_key(kEntryTag, entries));
    if (whole) slots_[entries++].assign(value);
    return whole;
  }));
  return entry.finish(whole && entries == size_);
}

}  // namespace weir
