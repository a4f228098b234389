#include "actors/mark_index.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace weir {
namespace {

constexpr std::size_t kSlotsMin = 64;
constexpr std::size_t kSlotsMax = std::size_t{1} << 31;

}  // namespace

MarkIndex::MarkIndex(std::size_t bytes)
    : count_(static_cast<std::uint32_t>(std::clamp(bytes / sizeof(Slot), kSlotsMin, kSlotsMax))),
      capacity_(count_ / 4 * 3),
      room_(count_ * sizeof(Slot)),
      slots_(static_cast<Slot*>(room_.data())) {}

void MarkIndex::add(std::uint64_t hash, std::uint64_t page) {
  CHECK(size_ < capacity_);
  std::size_t at = home_of(short_of(hash));
  while (slots_[at].page != 0) at = next(at);
  slots_[at] = {short_of(hash), page_word(page)};
  ++size_;
}

bool MarkIndex::erase(std::uint64_t hash, std::uint64_t page) {
  const Slot wanted{short_of(hash), page_word(page)};
  std::size_t at = home_of(wanted.hash);
  while (slots_[at].page != 0 && (slots_[at].hash != wanted.hash || slots_[at].page != wanted.page)) at = next(at);
  if (slots_[at].page == 0) return false;
  // Later ones of its run move up, but none before its home.
  std::size_t hole = at;
  for (std::size_t i = next(at); slots_[i].page != 0; i = next(i)) {
    const std::size_t home = home_of(slots_[i].hash);
    const auto distance = [this](std::size_t from, std::size_t to) { return to >= from ? to - from : to + count_ - from; };
    if (distance(home, i) >= distance(hole, i)) {
      slots_[hole] = slots_[i];
      hole = i;
    }
  }
  slots_[hole] = {};
  --size_;
  return true;
}

void MarkIndex::clear() {
  if (size_ != 0) std::fill_n(slots_, count_, Slot{});
  size_ = 0;
}

}  // namespace weir
