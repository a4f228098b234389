#pragma once
// The bytes of a task's changelog partition and of its copy in the local store (docs/formats.md §8). Free of librdkafka.
//
// Keys: 'b' and a number (u64, big-endian) a piece of a commit's changes of state (changelog_bundle.hpp); 't' the task entry;
// 'o' and a commit (u64, big-endian) its order (OrderOfCommit). A tombstone erases the key. Every value is sealed: CRC32C u32 over key, version
// and body; version u8; body. The local store holds 's' and a state key with its value, the other keys but 'b' with their
// bodies, and under '!' the stamp: how much of which changelog it holds.
//
// A bundle is never written again; the changelog forgets the oldest ones once every key that is still there has been written
// into a later one. Oldest first: what a bundle erases may stand in older ones only. How far that has come is in the task entry:
// it goes on after a restart.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/records/transaction.hpp"

namespace weir {

inline constexpr std::uint8_t kChangelogValueVersion = 1;
inline constexpr std::string_view kChangelogState = "s";
inline constexpr std::string_view kChangelogTask = "t";
inline constexpr std::string_view kChangelogOrder = "o";
inline constexpr std::string_view kChangelogBundle = "b";
inline constexpr std::string_view kLocalStamp = "!";

std::string changelog_bundle_key(std::uint64_t number);
std::string changelog_order_key(CommitId commit);
// REQUIRES: made by changelog_order_key.
CommitId changelog_order_commit(std::string_view key);

void append_sealed(std::string_view key, std::string_view body, ByteBuffer& out);
// The body. kCorruption or kVersion; `where` names the partition.
Result<std::string_view> unseal_changelog(std::string_view key, std::string_view value, std::string_view where);

// All state written anew, a part with each commit, in place of the bundles before `until`.
struct ChangelogRewrite {
  bool running = false;
  bool whole = false;             // All is written; old bundles are left to erase.
  std::uint64_t until = 0;
  std::string from;               // The first key not yet written.
  std::uint64_t live_bytes = 0;   // Written so far.
  std::uint64_t bytes_since = 0;  // Of the bundles from `until` on, about.
  bool operator==(const ChangelogRewrite&) const = default;
};

// Which bundles the changelog holds.
struct ChangelogBundles {
  std::uint64_t oldest = 0;      // Those before it are erased.
  std::uint64_t next = 0;        // The first number not given.
  std::uint64_t bytes = 0;       // Of those from `oldest` on, about.
  std::uint64_t live_bytes = 0;  // Of the state, when it was last written anew.
  ChangelogRewrite rewrite;
  bool operator==(const ChangelogBundles&) const = default;
};

// What a task knows of itself after a commit.
struct ChangelogTaskEntry {
  std::uint64_t owner = 0;  // Drawn at each recovery. One that finds another's has lost the task.
  CommitId last_commit;
  Attempts attempts{};
  Positions positions;
  ChangelogBundles bundles;

  // Of one and the same commit of one owner; how it was written down may differ.
  bool same_commit(const ChangelogTaskEntry& other) const {
    return owner == other.owner && last_commit == other.last_commit && attempts == other.attempts && positions == other.positions;
  }
};
void encode(const ChangelogTaskEntry& entry, ByteBuffer& out);
bool decode(std::string_view body, ChangelogTaskEntry& entry);

struct LocalStamp {
  std::string cluster;        // Of the brokers.
  Offset next;                // Everything before it is in the local store.
  std::int64_t time_us = 0;   // When that was written.
  std::uint64_t bundles = 0;  // Those before it are in the local store wholly; fewer where it is being filled from nothing.
};
void encode(const LocalStamp& stamp, ByteBuffer& out);
bool decode(std::string_view body, LocalStamp& stamp);

}  // namespace weir
