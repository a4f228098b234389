#include "actors/mark_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/base/hash.hpp"
#include "core/base/rng.hpp"

namespace weir {
namespace {

std::vector<std::uint64_t> pages_of(const MarkIndex& index, std::uint64_t hash, std::uint64_t first) {
  std::vector<std::uint64_t> out;
  index.find(hash, first, [&](std::uint64_t page) {
    out.push_back(page);
    return false;
  });
  return out;
}

TEST(MarkIndex, FindsWhatWasAddedAndNotErased) {
  MarkIndex index(4096);
  ASSERT_EQ(index.capacity(), 384u);
  Rng chance(7);
  std::multimap<std::uint64_t, std::uint64_t> model;  // The hash's high half: what it tells apart.
  for (int round = 0; round < 100000; ++round) {
    // Few hashes, at both ends and the middle, so that runs are long, meet, and come round.
    const std::uint64_t hash = (chance.below(3) * 0x7fffffffULL + chance.below(200)) << 32 | chance.below(2);
    const std::uint64_t page = 1000 + chance.below(4);
    if (index.size() < index.capacity() && chance.below(2) == 0) {
      index.add(hash, page);
      model.emplace(hash >> 32, page);
    } else {
      auto [at, end] = model.equal_range(hash >> 32);
      while (at != end && at->second != page) ++at;
      EXPECT_EQ(index.erase(hash, page), at != end);
      if (at != end) model.erase(at);
    }
    ASSERT_EQ(index.size(), model.size());
    std::vector<std::uint64_t> expected, found = pages_of(index, hash, 1000);
    for (auto [at, end] = model.equal_range(hash >> 32); at != end; ++at) expected.push_back(at->second);
    std::ranges::sort(expected);
    std::ranges::sort(found);
    ASSERT_EQ(found, expected) << "round " << round;
  }
  index.clear();
  EXPECT_EQ(index.size(), 0u);
  for (const auto& [hash, page] : model) EXPECT_TRUE(pages_of(index, hash << 32, 1000).empty());
}

TEST(MarkIndex, PagesGoOnForEver) {
  MarkIndex index(4096);
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{0xfffffffe}, std::uint64_t{0xffffffff}, std::uint64_t{1} << 40}) {
    for (std::uint64_t page = first; page < first + 5; ++page) index.add(hash64("a"), page);
    std::vector<std::uint64_t> found = pages_of(index, hash64("a"), first);
    std::ranges::sort(found);
    EXPECT_EQ(found, (std::vector<std::uint64_t>{first, first + 1, first + 2, first + 3, first + 4}));
    for (std::uint64_t page = first; page < first + 5; ++page) EXPECT_TRUE(index.erase(hash64("a"), page));
  }
}

}  // namespace
}  // namespace weir
