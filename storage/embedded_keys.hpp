#pragma once
// The bytes of the embedded log: every key and value of the column families `log`, `state` and `meta` (docs/formats.md).
// Free of RocksDB.
//
// Keys are big-endian, so that they sort by number. Every value is sealed: CRC32C u32, version u8, body; the CRC covers
// key, version and body, so a value that turns up under another key is damage, too. These five bytes keep their meaning
// in every later version.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/records/transaction.hpp"
#include "storage/topic_log.hpp"

namespace weir {

inline constexpr std::uint32_t kFormatVersion = 1;      // Of the directory.
inline constexpr std::uint8_t kStoredValueVersion = 1;  // Of each value.
inline constexpr std::size_t kSealBytes = 5;
// After the seal of a batch: codec u8 (0: as they are, 1: LZ4), count u32, append time i64, bytes before u64.
inline constexpr std::size_t kBatchHeaderBytes = 21;

enum class ColumnFamily : std::uint8_t { kLog, kState, kMeta };
std::string_view name_of(ColumnFamily family);  // "log", "state", "meta".

// --- log: topic u8, partition u32, base offset u64
struct LogKey {
  std::array<char, 13> bytes;
  std::string_view view() const { return {bytes.data(), bytes.size()}; }
};
LogKey log_key(Topic topic, PartitionId partition, Offset base);
Offset log_key_offset(std::string_view key);  // REQUIRES: made by log_key.

// --- state: name length u8, name, partition u32, then the stage's key
std::string task_prefix(const TaskSpec& task);

// --- meta: a letter, then
std::string format_key();                                     // "f"
std::string topic_key(Topic topic);                           // "t", topic u8
std::string partition_key(Topic topic, PartitionId partition);  // "p", topic u8, partition u32
std::string task_key(const TaskSpec& task);                   // "k", task prefix
std::string order_prefix(const TaskSpec& task);               // "o", task prefix
std::string order_key(const TaskSpec& task, CommitId commit);   // "o", task prefix, commit u64
bool parse_task_prefix(std::string_view bytes, TaskSpec& task, std::string_view& rest);

// For errors: "log entry logs/0 at offset 12", "state entry inference/0 key 'fast|…'", …
std::string describe_entry(ColumnFamily family, std::string_view key);

// --- values
std::uint32_t seal_crc(std::string_view key, std::string_view version_and_body);
std::string seal(std::string_view key, std::string_view body);
// The body. kCorruption or kVersion, naming the entry.
Result<std::string_view> unseal(ColumnFamily family, std::string_view key, std::string_view stored);

struct FormatEntry {
  std::uint32_t version = kFormatVersion;
  std::string pipeline;
};
std::string encode(const FormatEntry& entry);
bool decode(std::string_view body, FormatEntry& entry);

std::string encode(const TopicSpec& spec);  // Its topic is in the key.
bool decode(std::string_view body, TopicSpec& spec);

struct PartitionEntry {
  Offset begin;                       // Where retention has cut.
  Offset end;
  std::uint64_t bytes_appended = 0;   // Record bytes, since the partition was made.
  std::uint64_t bytes_removed = 0;    // By retention and compaction.
  std::int64_t last_append_us = 0;
};
std::string encode(const PartitionEntry& entry);
bool decode(std::string_view body, PartitionEntry& entry);

struct TaskEntry {
  CommitId last_commit;
  Attempts attempts{};
  Positions positions;
};
std::string encode(const TaskEntry& entry);
bool decode(std::string_view body, TaskEntry& entry);

struct BatchHeader {
  std::uint32_t count = 0;
  std::int64_t append_time_us = 0;
  std::uint64_t bytes_before = 0;  // Record bytes of the partition before this batch, since it was made.
};
// The body of a stored batch: header, then the records, as an LZ4 block where that is clearly smaller. A small batch stays as it is:
// it is somebody waiting for one record.
void append_batch(const BatchHeader& header, std::string_view records, ByteBuffer& out);
bool decode_batch_header(std::string_view body, BatchHeader& header);
// `records` points into `body`, or into `unpacked`.
bool decode_batch(std::string_view body, BatchHeader& header, std::string_view& records, ByteBuffer& unpacked);

}  // namespace weir
