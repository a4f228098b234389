#pragma once
// The bytes of a task's changelog partition and of its copy in the local store (docs/formats.md §7). Free of librdkafka.
//
// Keys: 's' and a state key; 't' the task entry; 'o' and a commit (u64, big-endian) its order. A tombstone erases the key.
// Every value is sealed: CRC32C u32 over key, version and body; version u8; body. The local store holds the same keys with
// the bodies, and under '!' the stamp: how much of which changelog it holds.

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
inline constexpr std::string_view kLocalStamp = "!";

std::string changelog_order_key(CommitId commit);
// REQUIRES: made by changelog_order_key.
CommitId changelog_order_commit(std::string_view key);

void append_sealed(std::string_view key, std::string_view body, ByteBuffer& out);
// The body. kCorruption or kVersion; `where` names the partition.
Result<std::string_view> unseal_changelog(std::string_view key, std::string_view value, std::string_view where);

// What a task knows of itself after a commit.
struct ChangelogTaskEntry {
  std::uint64_t owner = 0;  // Drawn at each recovery. One that finds another's has lost the task.
  CommitId last_commit;
  Attempts attempts{};
  Positions positions;
  bool operator==(const ChangelogTaskEntry&) const = default;
};
void encode(const ChangelogTaskEntry& entry, ByteBuffer& out);
bool decode(std::string_view body, ChangelogTaskEntry& entry);

struct ChangelogOrderEntry {
  Positions positions;  // After the commit: they tell when its inputs have left retention.
  std::string_view order;
};
void encode(const ChangelogOrderEntry& entry, ByteBuffer& out);
bool decode(std::string_view body, ChangelogOrderEntry& entry);

struct LocalStamp {
  std::string cluster;        // Of the brokers.
  Offset next;                // Everything before it is in the local store.
  std::int64_t time_us = 0;   // When that was written.
};
void encode(const LocalStamp& stamp, ByteBuffer& out);
bool decode(std::string_view body, LocalStamp& stamp);

}  // namespace weir
