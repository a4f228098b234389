#include "core/learning/replay_buffer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

TEST(ReplayBuffer, KeepsEachEntryWithTheSameProbability) {
  constexpr int kSeen = 100, kRuns = 4000;
  constexpr std::uint32_t kCapacity = 10;
  std::vector<int> kept(kSeen, 0);
  for (int run = 0; run < kRuns; ++run) {
    ReplayBuffer buffer(kCapacity, Rng(static_cast<std::uint64_t>(run)));
    for (int i = 0; i < kSeen; ++i)
      if (const auto slot = buffer.offer()) buffer.put(*slot, std::to_string(i));
    ASSERT_EQ(buffer.size(), kCapacity);
    for (std::uint32_t s = 0; s < kCapacity; ++s) ++kept[std::stoul(std::string(buffer.at(s)))];
  }
  // Binomial(4000, 0.1): standard deviation 19; six of them over 100 entries.
  for (int i = 0; i < kSeen; ++i) EXPECT_NEAR(kept[static_cast<std::size_t>(i)], 400, 6 * 19) << "entry " << i;
}

TEST(ReplayBuffer, DrawsEverySlotAsOften) {
  ReplayBuffer buffer(8, Rng(3));
  for (int i = 0; i < 5; ++i) buffer.put(*buffer.offer(), "x");
  std::vector<int> drawn(8, 0);
  for (int i = 0; i < 10000; ++i) ++drawn[buffer.draw()];
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(drawn[static_cast<std::size_t>(i)], 2000, 250);
  for (int i = 5; i < 8; ++i) EXPECT_EQ(drawn[static_cast<std::size_t>(i)], 0);
}

TEST(ReplayBuffer, RestartsWhereItWasAndSavesWhatChanged) {
  ReplayBuffer unbroken(16, Rng(7));
  auto broken = std::make_unique<ReplayBuffer>(16, Rng(7));
  auto reader = std::make_shared<MapStateReader>();
  for (int i = 0; i < 500; ++i) {
    const auto a = unbroken.offer();
    const auto b = broken->offer();
    ASSERT_EQ(a, b) << i;
    const std::string bytes = "entry " + std::to_string(i);
    if (a) unbroken.put(*a, bytes);
    if (b) broken->put(*b, bytes);
    ASSERT_EQ(unbroken.draw(), broken->draw());
    StateChanges changes;
    StateWriter writer(changes, "r/", CommitId(1));
    broken->save(writer);
    EXPECT_LE(changes.count(), 2U);
    reader->apply(changes, CommitId(1));
    if (i % 13 == 5) {
      broken = std::make_unique<ReplayBuffer>(16, Rng(999));  // Its generator comes from the state.
      ASSERT_TRUE(broken->load(StageState(reader, "r/")).ok());
      for (std::uint32_t s = 0; s < broken->size(); ++s) ASSERT_EQ(broken->at(s), unbroken.at(s));
    }
  }
}

TEST(ReplayBuffer, NamesAStateThatDoesNotFit) {
  ReplayBuffer buffer(4, Rng(7));
  for (int i = 0; i < 10; ++i)
    if (const auto slot = buffer.offer()) buffer.put(*slot, "x");
  StateChanges changes;
  StateWriter writer(changes, "r/", CommitId(1));
  buffer.save(writer);
  auto reader = std::make_shared<MapStateReader>();
  reader->apply(changes, CommitId(1));
  const auto code = [&](std::uint32_t capacity) {
    ReplayBuffer other(capacity, Rng(1));
    const auto loaded = other.load(StageState(reader, "r/"));
    return loaded.ok() ? std::string("ok") : std::string(name_of(loaded.error().code));
  };
  EXPECT_EQ(code(4), "ok");
  EXPECT_EQ(code(3), "kConfig");
  EXPECT_EQ(code(5), "kConfig");
  reader->entries.erase(reader->entries.begin());
  EXPECT_EQ(code(4), "kCorruption");
}

TEST(ReplayBuffer, KeepsTheNewestWhereAsked) {
  ReplayBuffer buffer(10, Rng(1), ReplayBuffer::Keep::kNewest);
  for (int i = 0; i < 237; ++i) {
    const auto slot = buffer.offer();
    ASSERT_TRUE(slot.has_value());
    buffer.put(*slot, std::to_string(i));
    std::set<int> kept;
    for (std::uint32_t s = 0; s < buffer.size(); ++s) kept.insert(std::stoi(std::string(buffer.at(s))));
    ASSERT_EQ(kept.size(), std::size_t(std::min(i + 1, 10)));
    EXPECT_EQ(*kept.begin(), std::max(0, i - 9));
    EXPECT_EQ(*kept.rbegin(), i);
  }
}

}  // namespace
}  // namespace weir
