// Goal: the local store with changes that wait in memory reads like a map that has them all; a commit's changes survive being
// cut into records of a changelog.
#include "storage/kafka_local_state.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "core/base/rng.hpp"
#include "storage/changelog_bundle.hpp"
#include "storage/memory_log.hpp"
#include "tests/storage/storage_support.hpp"

namespace weir {
namespace {

std::string key_of(Rng& rng) { return std::string(1, "abc"[rng.below(3)]) + std::to_string(rng.below(40)); }

TEST(ChangeMap, KeepsTheLastChangeOfEachKey) {
  Rng rng(1);
  ChangeMap changes;
  std::map<std::string, std::optional<std::string>> model;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i) {
      const std::string key = "key" + std::to_string(rng.below(2000));
      if (rng.below(3) == 0) {
        changes.erase(key);
        model[key] = std::nullopt;
      } else {
        const std::string value(rng.below(30), char('a' + rng.below(26)));
        changes.put(key, value);
        model[key] = value;
      }
    }
    std::size_t seen = 0;
    changes.for_each([&](const ChangeMap::Change& change) {
      ++seen;
      const auto& expected = model.at(std::string(change.key));
      EXPECT_EQ(change.erased, !expected.has_value());
      EXPECT_EQ(change.value, expected.value_or(""));
    });
    EXPECT_EQ(seen, model.size());
    EXPECT_FALSE(changes.find("key2000"));
    changes.clear();
    model.clear();
    EXPECT_TRUE(changes.empty());
    EXPECT_FALSE(changes.find("key1"));
  }
}

class LocalState : public testing::Test {
 protected:
  LocalState() {
    auto store = log_->open_task({"inference", PartitionId(0)});
    auto recovered = (*store)->recover();
    state_ = std::make_unique<KafkaLocalState>(std::move(store).value(), recovered->state);
  }
  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix, std::string_view from) const {
    std::vector<std::pair<std::string, std::string>> out;
    const auto scanned = state_->scan_from(prefix, from, [&](std::string_view key, std::string_view value) {
      out.emplace_back(key, value);
      return true;
    });
    EXPECT_TRUE(scanned.ok());
    return out;
  }

  ManualClock clock_;
  std::unique_ptr<TopicLog> log_ = make_memory_log("demo", clock_);
  std::unique_ptr<KafkaLocalState> state_;
};

TEST_F(LocalState, ReadsLikeAMapWhereverTheChangesAre) {
  Rng rng(7);
  std::map<std::string, std::string> model;
  StateChanges changes;
  for (int i = 0; i < 3000; ++i) {
    changes.clear();
    for (std::uint64_t n = rng.below(4); n > 0; --n) {
      const std::string key = key_of(rng);
      if (rng.below(3) == 0) {
        changes.erase("", key);
        model.erase(key);
      } else {
        const std::string value = std::to_string(i);
        changes.put("", key, value);
        model[key] = value;
      }
    }
    state_->apply(changes);
    if (rng.below(20) == 0) {
      ASSERT_OK(state_->write("!", "stamp"));
    }
    if (rng.below(20) == 0) {
      ASSERT_OK(state_->write_older(rng.below(80), "!", "stamp"));
      if (!state_->older_waits()) state_->age();
    }
    if (rng.below(500) == 0) {
      ASSERT_OK(state_->wipe());
      EXPECT_TRUE(scan("", "").empty());
      model.clear();
    }
    std::string keys[5];
    std::vector<std::string_view> views;
    for (std::string& key : keys) views.push_back(key = key_of(rng));
    std::vector<std::string> values;
    std::vector<char> found;
    ASSERT_OK(state_->get_many(views, values, found));
    for (std::size_t k = 0; k < views.size(); ++k) {
      const auto expected = model.find(keys[k]);
      ASSERT_EQ(found[k] != 0, expected != model.end()) << keys[k];
      if (expected != model.end()) {
        ASSERT_EQ(values[k], expected->second);
      }
      std::string value;
      const auto got = state_->get(keys[k], value);
      ASSERT_OK(got);
      ASSERT_EQ(*got, expected != model.end());
      if (*got) {
        ASSERT_EQ(value, expected->second);
      }
    }
    if (i % 10 != 0) continue;
    const std::string prefix(1, "abc"[rng.below(3)]);
    const std::string from = rng.below(2) == 0 ? prefix : prefix + std::to_string(rng.below(40));
    std::vector<std::pair<std::string, std::string>> expected;
    for (auto it = model.lower_bound(from); it != model.end() && it->first.starts_with(prefix); ++it) expected.emplace_back(*it);
    ASSERT_EQ(scan(prefix, from), expected);
  }
}

TEST_F(LocalState, AScanEndsWhenItIsToldTo) {
  StateChanges changes;
  for (const char* key : {"a1", "a3", "a5"}) changes.put("", key, "stored");
  state_->apply(changes);
  ASSERT_OK(state_->write("!", "stamp"));
  changes.clear();
  for (const char* key : {"a2", "a4", "a6"}) changes.put("", key, "waits");
  state_->apply(changes);
  for (std::size_t count = 1; count <= 6; ++count) {
    std::string seen;
    std::size_t left = count;
    ASSERT_OK(state_->scan_from("a", "a", [&](std::string_view key, std::string_view) {
      seen += key.substr(1);
      return --left > 0;
    }));
    EXPECT_EQ(seen, std::string("123456").substr(0, count));
  }
}

// Many more changes wait than a scan copies at a time.
TEST_F(LocalState, AScanOverThousandsThatWait) {
  Rng rng(23);
  std::map<std::string, std::string> model;
  for (int part = 0; part < 3; ++part) {  // One in the store, one older, one newer.
    StateChanges changes;
    for (int i = 0; i < 3000; ++i) {
      const std::string key = "k" + std::to_string(rng.below(6000));
      if (rng.below(4) == 0) {
        changes.erase("", key);
        model.erase(key);
      } else {
        changes.put("", key, std::to_string(i));
        model[key] = std::to_string(i);
      }
    }
    state_->apply(changes);
    if (part == 0) ASSERT_OK(state_->write("!", "stamp"));
    if (part == 1) state_->age();
  }
  for (const std::string from : {"k", "k3", "k5999", "k6"}) {
    const std::vector<std::pair<std::string, std::string>> expected(model.lower_bound(from), model.end());
    EXPECT_EQ(scan("k", from), expected) << from;
  }
}

// A process may end at any moment: what the store holds then, and the changes from its stamp on, are the whole state.
TEST_F(LocalState, TheStampTellsFromWhereOnChangesMakeItWhole) {
  Rng rng(11);
  std::map<std::string, std::string> model;
  std::vector<StateChanges> changelog;
  std::size_t older_end = 0;  // Where the older part of what waits ends.
  std::size_t unwritten = 0;
  const auto open = [&] {
    state_.reset();
    auto store = log_->open_task({"inference", PartitionId(0)});
    auto recovered = (*store)->recover();
    state_ = std::make_unique<KafkaLocalState>(std::move(store).value(), recovered->state);
    std::string stamp;
    const auto stamped = state_->get("!", stamp);
    EXPECT_TRUE(stamped.ok());
    older_end = *stamped ? std::stoul(stamp) : 0;
    unwritten += changelog.size() - older_end;
    for (std::size_t i = older_end; i < changelog.size(); ++i) state_->apply(changelog[i]);
    ASSERT_OK(state_->write("!", std::to_string(changelog.size())));
    older_end = changelog.size();
  };
  for (int i = 0; i < 2000; ++i) {
    StateChanges& changes = changelog.emplace_back();
    const std::string key = key_of(rng);
    if (rng.below(3) == 0) {
      changes.erase("", key);
      model.erase(key);
    } else {
      changes.put("", key, std::to_string(i));
      model[key] = std::to_string(i);
    }
    state_->apply(changes);
    if (rng.below(6) == 0) {
      ASSERT_OK(state_->write_older(rng.below(80), "!", std::to_string(older_end)));
      if (!state_->older_waits()) {
        state_->age();
        older_end = changelog.size();
      }
    }
    if (rng.below(60) != 0) continue;
    open();
    std::vector<std::pair<std::string, std::string>> expected(model.begin(), model.end());
    expected.insert(expected.begin(), {"!", std::to_string(changelog.size())});
    ASSERT_EQ(scan("", ""), expected) << "after change " << i;
  }
  EXPECT_GT(unwritten, 200u) << "nothing ever waited";
}

using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

std::string record_of(std::string_view piece, bool ends, std::optional<std::uint64_t> anew) {
  ByteBuffer out;
  append_piece_head(ends, anew, out);
  out.append(piece);
  return std::string(out.view());
}

TEST(ChangelogBundle, GivesTheChangesBackFromWhateverPieces) {
  Rng rng(3);
  for (int round = 0; round < 20; ++round) {
    // Bundles before 7 are known: what is written anew in place of those before 8 is not, and that before 7 is passed over.
    const std::optional<std::uint64_t> anew = round % 3 == 0 ? std::nullopt : std::optional<std::uint64_t>(round % 3 == 1 ? 8 : 7);
    Changes changes;
    ByteBuffer run;
    for (std::uint64_t n = rng.below(50); n > 0; --n) {
      const std::string key(rng.below(200), 'k');
      std::optional<std::string> value;
      if (rng.below(4) != 0) value = std::string(rng.below(8) == 0 ? rng.below(3 * kBundleBytes) : rng.below(300), 'v');
      append_change(key, value.value_or(""), !value, run);
      changes.emplace_back(key, value);
    }
    BundleReader reader;
    Changes seen;
    std::size_t pieces = 0;
    cut_bundle(run.view(), [&](std::string_view piece, bool ends) {
      ++pieces;
      EXPECT_LE(piece.size(), kBundleBytes);
      EXPECT_TRUE(reader.take(record_of(piece, ends, anew), 7, [&](std::string_view key, std::string_view value, bool erased) {
        seen.emplace_back(key, erased ? std::nullopt : std::optional(std::string(value)));
      }));
      EXPECT_EQ(reader.unfinished(), !ends);
    });
    EXPECT_EQ(pieces, std::max<std::size_t>(1, (run.size() + kBundleBytes - 1) / kBundleBytes));
    EXPECT_EQ(seen, anew == 7 ? Changes() : changes);
  }
}

TEST(ChangelogBundle, RefusesWhatIsMalformed) {
  ByteBuffer run;
  append_change("key", "value", false, run);
  append_change("other", "", true, run);
  const std::string whole = record_of(run.view(), true, {}), anew = record_of(run.view(), true, 300);
  const auto ignore = [](std::string_view, std::string_view, bool) {};
  const auto takes = [&](std::string_view value) { return BundleReader().take(value, 0, ignore); };
  EXPECT_TRUE(takes(whole));
  EXPECT_TRUE(takes(anew));
  EXPECT_FALSE(takes(""));
  EXPECT_FALSE(takes('\4' + whole.substr(1)));
  EXPECT_FALSE(takes(anew.substr(0, 1)));
  EXPECT_FALSE(takes(anew.substr(0, 2)));
  std::size_t refused = 0;
  for (std::size_t size = 1; size < whole.size(); ++size) refused += takes(whole.substr(0, size)) ? 0 : 1;
  EXPECT_EQ(refused, whole.size() - 3);  // All but "no change" and "the first one alone".
}

}  // namespace
}  // namespace weir
