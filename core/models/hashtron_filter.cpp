#include "core/models/hashtron_filter.hpp"

#include <bit>
#include <string>
#include <utility>

#include "core/models/hashtron_hash.hpp"

namespace weir {
namespace {

enum Cell : std::uint32_t { kEmpty, kFalse, kTrue, kHop };

std::uint64_t bytes_of_cells(std::uint64_t cells) { return (cells + 3) / 4; }
std::uint64_t grown(std::uint64_t cells) { return (3 * cells + 1) / 2; }

std::uint32_t cell(const std::uint8_t* bytes, std::uint32_t at) { return bytes[at >> 2] >> ((at & 3) * 2) & 3; }
void set_cell(std::uint8_t* bytes, std::uint32_t at, std::uint32_t state) {
  const std::uint32_t shift = (at & 3) * 2;
  bytes[at >> 2] = static_cast<std::uint8_t>((bytes[at >> 2] & ~(3U << shift)) | state << shift);
}

// How many cells were changed; one more if no hop was left. Ends: at most kHashtronHopsMax cells are visited.
std::uint64_t insert(std::uint8_t* bytes, std::uint32_t cells, std::uint32_t key, bool answer) {
  std::uint64_t changes = 0;
  for (std::uint32_t hop = 0; hop < kHashtronHopsMax; ++hop, key = std::rotr(key, 1)) {
    const std::uint32_t at = hashtron_hash(key, hop, cells);
    const std::uint32_t state = cell(bytes, at);
    if (state == kHop) continue;
    if (state == kEmpty) {
      if (answer == ((key & 1) != 0)) return changes;
      set_cell(bytes, at, answer ? kTrue : kFalse);
      return changes + 1;
    }
    if (answer == (state == kTrue)) return changes;
    set_cell(bytes, at, kHop);
    ++changes;
  }
  return changes + 1;
}

}  // namespace

HashtronFilter::HashtronFilter(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {
  CHECK(bytes_.size() <= kHashtronFilterBytesMax);
  size_ = static_cast<std::uint32_t>(bytes_.size());
  bytes_.resize((bytes_.size() + 3) / 4 * 4, 0);
}

// Ends. At one size every sweep but the last makes a change, and changes are limited: at most `load_max` sweeps. Sizes grow by
// half until they pass the bound: at most 60 of them. Keys that cannot be told apart at any size, if there were any, give
// kFull.
Result<HashtronFilter> HashtronFilter::build(std::span<const HashtronEntry> entries) {
  for (std::size_t i = 1; i < entries.size(); ++i) CHECK(entries[i - 1].key < entries[i].key);
  std::vector<std::uint8_t> bytes;
  if (entries.empty()) return HashtronFilter();
  std::uint64_t load_max = entries.size();
  for (std::uint64_t size = bytes_of_cells(grown(entries.size())); size <= kHashtronFilterBytesMax;
       size = bytes_of_cells(grown(4 * size)), load_max = grown(load_max)) {
    bytes.assign(size, 0);
    std::uint64_t changes = 0;
    for (std::uint64_t before = ~std::uint64_t{0}; changes < load_max && changes != before;) {
      before = changes;
      for (const HashtronEntry& entry : entries) {
        changes += insert(bytes.data(), static_cast<std::uint32_t>(4 * size), entry.key, entry.answer);
        if (changes >= load_max) break;
      }
    }
    if (changes < load_max) return HashtronFilter(std::move(bytes));
  }
  return Error{ErrorCode::kFull, "hashtron filter: " + std::to_string(entries.size()) + " keys need more than " +
                                     std::to_string(kHashtronFilterBytesMax) +
                                     " bytes: train on fewer samples, or with a capacity"};
}

bool HashtronFilter::lookup(std::uint32_t key) const {
  if (empty()) return (key & 1) != 0;
  for (std::uint32_t hop = 0; hop < kHashtronHopsMax; ++hop, key = std::rotr(key, 1)) {
    switch (cell(bytes_.data(), hashtron_hash(key, hop, cells()))) {
      case kEmpty: return (key & 1) != 0;
      case kFalse: return false;
      case kTrue: return true;
      default: break;
    }
  }
  return false;
}

}  // namespace weir
