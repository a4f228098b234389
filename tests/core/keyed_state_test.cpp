#include "core/records/keyed_state.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>

#include "core/base/rng.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

StageState state_of(const std::shared_ptr<MapStateReader>& reader) { return {reader, "stage."}; }

std::string text_of(KeyedState::Found found) { return std::string(found.view()); }

void put(KeyedState& keyed, std::string_view key, std::string_view value) {
  const auto found = keyed.upsert(key, static_cast<std::uint32_t>(value.size()));
  ASSERT_EQ(found.size, value.size());
  if (!value.empty()) std::memcpy(found.data, value.data(), value.size());
}

CommitId commit(KeyedState& keyed, MapStateReader& reader) {
  const CommitId id = reader.last.next();
  StateChanges changes;
  StateWriter writer(changes, "stage.", id);
  keyed.save(writer);
  reader.apply(changes, id);
  keyed.committed(id);
  return id;
}

TEST(KeyedState, KeepsFirstBytesAndZeroesTheRestWhenAnEntryGrows) {
  KeyedState keyed(1 << 20);
  EXPECT_FALSE(keyed.upsert("a", 4).found);
  put(keyed, "a", "wxyz");
  const auto grown = keyed.upsert("a", 5000);
  EXPECT_TRUE(grown.found);
  EXPECT_EQ(grown.view().substr(0, 4), "wxyz");
  EXPECT_EQ(grown.view().find_first_not_of('\0', 4), std::string_view::npos);
  EXPECT_EQ(keyed.upsert("a", 2).view(), "wx");
  EXPECT_EQ(keyed.upsert("a", 4).view(), std::string_view("wx\0\0", 4)) << "bytes given up do not come back";
}

TEST(KeyedState, WritesOnlyWhatChangedSinceTheLastSave) {
  KeyedState keyed(1 << 20);
  put(keyed, "a", "1");
  put(keyed, "b", "2");
  StateChanges first;
  StateWriter writer(first, "stage.", CommitId{1});
  keyed.save(writer);
  EXPECT_EQ(first.count(), 2u);
  put(keyed, "b", "3");
  put(keyed, "b", "4");
  keyed.find("a");
  StateChanges second;
  StateWriter again(second, "stage.", CommitId{2});
  keyed.save(again);
  ASSERT_EQ(second.count(), 1u);
  second.for_each([](std::string_view key, std::string_view value, bool erased) {
    EXPECT_EQ(key, "stage.kb");
    EXPECT_EQ(value, "4");
    EXPECT_FALSE(erased);
  });
}

TEST(KeyedState, AnEntryMadeAndErasedBetweenTwoSavesLeavesNoTrace) {
  KeyedState keyed(1 << 20);
  put(keyed, "a", "1");
  keyed.erase("a");
  keyed.erase("never there");
  StateChanges changes;
  StateWriter writer(changes, "stage.", CommitId{1});
  keyed.save(writer);
  EXPECT_TRUE(changes.empty());
  EXPECT_EQ(keyed.resident_count(), 0u);
}

TEST(KeyedState, MakesAnEntryWithoutAskingTheStore) {
  const auto reader = std::make_shared<MapStateReader>();
  for (int i = 0; i < 100; ++i) reader->entries["stage.ka" + std::to_string(i)] = std::string(50, 'x');
  KeyedState keyed(1 << 20);
  ASSERT_TRUE(keyed.load(state_of(reader), /*preload_bytes=*/0).ok());
  ASSERT_TRUE(keyed.needs_fetch());
  std::memcpy(keyed.make("anew", 1).data, "m", 1);
  keyed.make("agone", 1);
  keyed.erase("agone");
  EXPECT_FALSE(keyed.find("awaited").found) << "known to be absent from here on";
  std::memcpy(keyed.make("awaited", 1).data, "n", 1);
  EXPECT_EQ(keyed.cold_reads(), 1u);
  commit(keyed, *reader);
  EXPECT_EQ(reader->entries.at("stage.kanew"), "m");
  EXPECT_EQ(reader->entries.at("stage.kawaited"), "n");
  EXPECT_FALSE(reader->entries.contains("stage.kagone"));
}

TEST(KeyedState, AKindOfWhichAllEntriesAreResidentIsNotLookedUpInTheStore) {
  const auto reader = std::make_shared<MapStateReader>();
  for (int i = 0; i < 10; ++i) reader->entries["stage.ka" + std::to_string(i)] = std::string(50, 'x');
  for (int i = 0; i < 100; ++i) reader->entries["stage.kb" + std::to_string(i)] = std::string(50, 'x');
  KeyedState keyed(1 << 20);
  ASSERT_TRUE(keyed.load(state_of(reader), /*preload_bytes=*/1000).ok());
  EXPECT_TRUE(keyed.needs_fetch());
  EXPECT_TRUE(keyed.find("a9").found);
  EXPECT_FALSE(keyed.find("a10").found);
  EXPECT_EQ(keyed.cold_reads(), 0u);
  FetchedEntries entries;
  for (const char* key : {"a10", "b99", "c"}) entries.keys.add(key);
  ASSERT_TRUE(keyed.fetch(entries).ok());
  ASSERT_EQ(entries.keys.count(), 2u) << "c comes after what did not fit";
  EXPECT_EQ(entries.keys.key(0), "b99");
  EXPECT_TRUE(keyed.find("b99").found);
  EXPECT_EQ(keyed.cold_reads(), 1u);

  // What is evicted later counts, too.
  KeyedState small(64 << 10);
  ASSERT_TRUE(small.load(state_of(std::make_shared<MapStateReader>())).ok());
  put(small, "a", "1");
  for (int i = 0; i < 1000; ++i) put(small, "b" + std::to_string(i), std::string(100, 'x')), commit(small, *reader), small.find("a");
  EXPECT_TRUE(small.needs_fetch());
  EXPECT_GT(small.evictions(), 0u);
  const std::uint64_t before = small.cold_reads();
  EXPECT_FALSE(small.find("a1").found);
  EXPECT_EQ(small.cold_reads(), before);
}

TEST(KeyedState, ASmallStateIsResidentAfterLoadAndALargeOneIsReadOnDemand) {
  auto reader = std::make_shared<MapStateReader>();
  for (int i = 0; i < 100; ++i) reader->entries["stage.k" + std::to_string(i)] = std::string(50, 'x');
  KeyedState keyed(1 << 20);
  ASSERT_TRUE(keyed.load(state_of(reader)).ok());
  EXPECT_FALSE(keyed.needs_fetch());
  EXPECT_EQ(text_of(keyed.find("42")), std::string(50, 'x'));
  EXPECT_EQ(reader->reads, 0u);
  ASSERT_TRUE(keyed.load(state_of(reader), /*preload_bytes=*/1000).ok());
  EXPECT_TRUE(keyed.needs_fetch());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(text_of(keyed.find(std::to_string(i))), std::string(50, 'x'));
  EXPECT_GT(keyed.cold_reads(), 50u);
  EXPECT_LT(keyed.cold_reads(), 100u);
}

TEST(KeyedState, AFailedReadIsKeptAsItsError) {
  auto reader = std::make_shared<MapStateReader>();
  reader->entries["stage.ka"] = reader->fail_value;
  KeyedState keyed(1 << 20);
  ASSERT_TRUE(keyed.load(state_of(reader), 0).ok());
  EXPECT_EQ(keyed.error(), nullptr);
  EXPECT_FALSE(keyed.find("a").found);
  ASSERT_NE(keyed.error(), nullptr);
  EXPECT_EQ(keyed.error()->code, ErrorCode::kCorruption);
}

TEST(KeyedState, AFetchLeavesOutWhatIsResidentAndThatStaysForNow) {
  const auto reader = std::make_shared<MapStateReader>();
  constexpr std::uint64_t kKeys = 40'000;
  for (std::uint64_t i = 0; i < kKeys; ++i) reader->entries["stage.k" + std::to_string(i)] = std::string(100, 'x');
  KeyedState keyed(1 << 20);
  ASSERT_TRUE(keyed.load(state_of(reader), 0).ok());
  Rng rng(3);
  std::uint64_t next = 0, left_out = 0, lost = 0;
  for (; keyed.evictions() < 5000; ++next) keyed.find(std::to_string(next % kKeys));
  for (int round = 0; round < 3000; ++round) {
    const std::string key = std::to_string((next - 1 - rng.below(6000)) % kKeys);  // Long ago, or longer: some are still there.
    FetchedEntries fetched;
    fetched.keys.add(key);
    fetched.keys.add("never there");
    ASSERT_TRUE(keyed.fetch(fetched).ok());
    ASSERT_GE(fetched.keys.count(), 1u);
    ASSERT_EQ(fetched.keys.key(fetched.keys.count() - 1), "never there");
    ASSERT_EQ(fetched.found.back(), 0);
    if (fetched.keys.count() == 2) continue;  // It was fetched.
    for (int i = 0; i < 20; ++i) keyed.find(std::to_string(next++ % kKeys));  // Each drives others out.
    const std::uint64_t before = keyed.cold_reads();
    EXPECT_EQ(text_of(keyed.find(key)), std::string(100, 'x'));
    ++left_out;
    lost += keyed.cold_reads() - before;
  }
  EXPECT_GT(left_out, 500u);
  EXPECT_LT(lost * 100, left_out);  // Another key's hint may have taken the place.
}

TEST(KeyedState, AStaleFetchDoesNotBringBackWhatWasEvictedOrErased) {
  auto reader = std::make_shared<MapStateReader>();
  reader->entries["stage.ka"] = "old";
  reader->entries["stage.kb"] = "old";
  KeyedState keyed(1 << 16);  // Little more than the index.
  ASSERT_TRUE(keyed.load(state_of(reader), 0).ok());
  FetchedEntries early;
  early.keys.add("a");
  early.keys.add("b");
  ASSERT_TRUE(keyed.fetch(early).ok());
  put(keyed, "a", "new");
  keyed.erase("b");
  commit(keyed, *reader);
  for (int i = 0; i < 5000; ++i) {  // Push "a" out.
    put(keyed, "filler" + std::to_string(i), "x");
    if (i % 10 == 0) commit(keyed, *reader);
  }
  ASSERT_GT(keyed.evictions(), 1000u);
  keyed.adopt(early);
  EXPECT_GE(keyed.refused_adoptions(), 1u);
  EXPECT_EQ(text_of(keyed.find("a")), "new");
  EXPECT_FALSE(keyed.find("b").found);
}

TEST(KeyedState, ResidentBytesStayWithinTheBudgetOnceCommitted) {
  auto reader = std::make_shared<MapStateReader>();
  constexpr std::size_t kBudget = 1 << 20;
  KeyedState keyed(kBudget);
  ASSERT_TRUE(keyed.load(state_of(reader)).ok());
  std::size_t most = 0;
  for (int i = 0; i < 100000; ++i) {
    put(keyed, "id" + std::to_string(i), std::string(static_cast<std::size_t>(i % 300), 'v'));
    if (i >= 50) keyed.erase("id" + std::to_string(i - 50 + (i % 3 == 0)));
    if (i % 20 == 0) commit(keyed, *reader);
    most = std::max(most, keyed.resident_bytes());
  }
  EXPECT_LT(most, kBudget + kBudget / 25) << "beyond it only what waits for its commit, and the clock's first round";
  for (int i = 0; i < 100000; i += 97) {
    const auto found = keyed.find("id" + std::to_string(i));
    const bool expected = reader->entries.contains("stage.kid" + std::to_string(i));
    ASSERT_EQ(found.found, expected) << i;
    if (expected) {
      ASSERT_EQ(found.size, static_cast<std::size_t>(i % 300));
    }
  }
}

// The goal: whatever is resident, evicted, fetched late or lost in a restart, KeyedState answers as a plain map does.
// Commits are pipelined: saved, then applied to the store, then told, each at its own time; fetches are adopted much later.
class KeyedStateAgainstAMap : public testing::TestWithParam<int> {};

TEST_P(KeyedStateAgainstAMap, AgreesAfterEveryOperation) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  const std::size_t budget = 16384 + (std::size_t{1} << (10 + rng.below(7)));
  const std::uint64_t key_count = 20 + rng.below(400);
  auto reader = std::make_shared<MapStateReader>();
  auto keyed = std::make_unique<KeyedState>(budget);
  ASSERT_TRUE(keyed->load(state_of(reader)).ok());
  using Naive = std::map<std::string, std::string>;
  Naive naive;
  std::map<std::uint64_t, Naive> at_commit{{0, {}}};
  struct InFlight {
    CommitId id;
    StateChanges changes;
  };
  std::optional<InFlight> in_flight;
  std::deque<CommitId> untold;
  std::deque<FetchedEntries> fetched;
  CommitId next{1};
  const auto apply = [&] {
    reader->apply(in_flight->changes, in_flight->id);
    untold.push_back(in_flight->id);
    in_flight.reset();
  };
  std::uint64_t adopted = 0, restarts = 0, evictions = 0;
  for (int step = 0; step < 6000; ++step) {
    const std::string key = "key" + std::to_string(rng.below(key_count)) + std::string(rng.below(2) * 30, 'z');
    const std::uint64_t choice = rng.below(100);
    if (choice < 35) {
      const auto found = keyed->find(key);
      const auto it = naive.find(key);
      ASSERT_EQ(found.found, it != naive.end()) << key << " at step " << step;
      if (!found.found) continue;
      ASSERT_EQ(found.view(), it->second) << "step " << step;
      if (rng.below(3) == 0 && found.size > 0) {
        keyed->touch(found);
        found.data[0] = it->second[0] = static_cast<char>('a' + rng.below(26));
      }
    } else if (choice < 65) {
      const std::uint64_t size = rng.below(40) == 0 ? rng.below(40000) : rng.below(300);
      std::string& expected = naive[key];
      const auto found = keyed->upsert(key, static_cast<std::uint32_t>(size));
      expected.resize(size, '\0');
      ASSERT_EQ(found.view(), expected) << "step " << step;
      for (std::size_t i = 0; i < size; i += 1 + rng.below(50))
        found.data[i] = expected[i] = static_cast<char>(rng.below(256));
    } else if (choice < 75) {
      keyed->erase(key);
      naive.erase(key);
    } else if (choice < 82) {
      if (in_flight) apply();  // At most one commit is in flight.
      in_flight.emplace(next, StateChanges());
      StateWriter writer(in_flight->changes, "stage.", next);
      keyed->save(writer);
      at_commit[next.value] = naive;
      next = next.next();
    } else if (choice < 87) {
      if (in_flight) apply();
    } else if (choice < 92) {
      if (!untold.empty()) {
        keyed->committed(untold.front());
        untold.pop_front();
      }
    } else if (choice < 95) {
      FetchedEntries entries;
      for (std::uint64_t i = 0; i < 1 + rng.below(20); ++i) entries.keys.add("key" + std::to_string(rng.below(key_count)));
      ASSERT_TRUE(keyed->fetch(entries).ok());
      fetched.push_back(std::move(entries));
    } else if (choice < 99) {
      if (!fetched.empty()) {
        const std::size_t i = rng.below(fetched.size());
        keyed->adopt(fetched[i]);
        fetched.erase(fetched.begin() + static_cast<std::ptrdiff_t>(i));
        ++adopted;
      }
    } else if (rng.below(8) == 0) {  // A crash: what was not applied is lost.
      evictions += keyed->evictions();
      keyed = std::make_unique<KeyedState>(budget);
      const std::uint64_t preload = rng.below(3) * 10000;
      ASSERT_TRUE(keyed->load(state_of(reader), preload).ok());
      naive = at_commit.at(reader->last.value);
      next = reader->last.next();
      in_flight.reset();
      untold.clear();
      fetched.clear();
      ++restarts;
    }
  }
  for (const auto& [key, value] : naive) ASSERT_EQ(text_of(keyed->find(key)), value) << key;
  EXPECT_GT(adopted, 20u);
  EXPECT_GT(evictions + keyed->evictions(), 0u);
  EXPECT_EQ(keyed->error(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeyedStateAgainstAMap, testing::Range(0, 60));

TEST(KeyedState, ErasesWhatExistsWithoutReadingIt) {
  auto reader = std::make_shared<MapStateReader>();
  reader->entries["s/ka"] = "1";
  KeyedState state(0);
  ASSERT_TRUE(state.load(StageState(reader, "s/"), /*preload_bytes=*/0).ok());
  const std::uint64_t reads = reader->reads;
  state.erase_existing("a");
  EXPECT_EQ(reader->reads, reads);
  EXPECT_FALSE(state.find("a").found);
  StateChanges changes;
  StateWriter writer(changes, "s/", CommitId(1));
  state.save(writer);
  reader->apply(changes, CommitId(1));
  state.committed(CommitId(1));
  EXPECT_TRUE(reader->entries.empty());
  EXPECT_FALSE(state.find("a").found);
}

TEST(KeyedState, AValueThatShrinksGivesItsMemoryBack) {
  KeyedState state(1 << 20);
  ASSERT_TRUE(state.load(StageState(std::make_shared<MapStateReader>(), "s/")).ok());
  for (int i = 0; i < 100; ++i) state.upsert(std::to_string(i), 2000).data[0] = static_cast<char>(i);
  const std::size_t before = state.resident_bytes();
  for (int i = 0; i < 100; ++i) {
    const KeyedState::Found found = state.upsert(std::to_string(i), 1);
    EXPECT_TRUE(found.found);
    EXPECT_EQ(found.data[0], static_cast<char>(i)) << "the first bytes stay";
  }
  EXPECT_LT(state.resident_bytes() + 150000, before);
}

}  // namespace
}  // namespace weir
