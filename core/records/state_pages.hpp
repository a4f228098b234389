#pragma once
// A flat array in a task's state: pages of a fixed number of items, each an entry under a tag and its number; only pages that
// changed are written.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/records/state.hpp"

namespace weir {

// The tag, then the page's number, big-endian, so that a scan gives pages in order.
inline std::array<char, 5> page_key(char tag, std::uint32_t page) {
  return {tag, static_cast<char>(page >> 24), static_cast<char>(page >> 16), static_cast<char>(page >> 8),
          static_cast<char>(page)};
}
inline std::string_view view_of(const std::array<char, 5>& key) { return {key.data(), key.size()}; }

// Calls fn(page) for each set flag, in order.
template <class Fn>
void for_each_dirty(std::span<const char> dirty, Fn&& fn) {
  const char* at = dirty.data();
  const char* end = at + dirty.size();
  while (at != end && (at = static_cast<const char*>(std::memchr(at, 1, static_cast<std::size_t>(end - at)))) != nullptr)
    fn(static_cast<std::uint32_t>(at++ - dirty.data()));
}

template <class T>
void save_page(StateWriter& writer, char tag, std::uint32_t page, std::span<const T> items, std::uint32_t page_items) {
  const std::size_t begin = std::size_t(page) * page_items;
  const std::size_t count = std::min<std::size_t>(page_items, items.size() - begin);
  writer.put(view_of(page_key(tag, page)), {reinterpret_cast<const char*>(items.data() + begin), count * sizeof(T)});
}

// Pages that were never written keep what `items` holds. kCorruption names a page of another size or beyond the end.
template <class T>
Result<void> load_pages(const StageState& state, char tag, std::span<T> items, std::uint32_t page_items) {
  Result<void> result;
  TRY(state.scan({&tag, 1}, [&](std::string_view key, std::string_view value) {
    std::uint64_t page = 0;
    for (std::size_t i = 1; i < key.size(); ++i) page = page << 8 | static_cast<unsigned char>(key[i]);
    const std::size_t begin = page * page_items;
    if (key.size() != 5 || begin >= items.size() ||
        value.size() != std::min<std::size_t>(page_items, items.size() - begin) * sizeof(T)) {
      result = Error{ErrorCode::kCorruption, "state page '" + std::string(1, tag) + std::to_string(page) + "' of " + state.prefix() +
                                                 ": " + std::to_string(value.size()) + " bytes do not fit the model"};
      return false;
    }
    std::memcpy(static_cast<void*>(items.data() + begin), value.data(), value.size());
    return true;
  }));
  return result;
}

}  // namespace weir
