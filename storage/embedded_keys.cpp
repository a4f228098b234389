#include "storage/embedded_keys.hpp"

#include <lz4.h>

#include "core/base/crc32c.hpp"
#include "core/base/printable.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

constexpr char kCodecNone = 0;
constexpr char kCodecLz4 = 1;
constexpr std::size_t kCompressedFromBytes = 2048;
constexpr int kAcceleration = 8;

template <class T>
void append_big_endian(std::string& out, T value) {
  for (int shift = int(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

template <class T>
T read_big_endian(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[i]));
  return value;
}

std::string name_of_topic(char byte) {
  const auto index = static_cast<unsigned char>(byte);
  return index < kTopicCount ? std::string(short_name(static_cast<Topic>(index))) : "topic " + std::to_string(index);
}

std::string describe_task(const TaskSpec& task) { return printable(task.name) + "/" + std::to_string(task.partition.value); }

std::string to_string(const ByteBuffer& buffer) { return std::string(buffer.view()); }

}  // namespace

std::string_view name_of(ColumnFamily family) {
  switch (family) {
    case ColumnFamily::kLog: return "log";
    case ColumnFamily::kState: return "state";
    case ColumnFamily::kMeta: return "meta";
  }
  CHECK(false);
}

LogKey log_key(Topic topic, PartitionId partition, Offset base) {
  LogKey key;
  key.bytes[0] = static_cast<char>(topic);
  for (int i = 0; i < 4; ++i) key.bytes[1 + i] = static_cast<char>(static_cast<std::uint32_t>(partition.value) >> (24 - 8 * i));
  for (int i = 0; i < 8; ++i) key.bytes[5 + i] = static_cast<char>(static_cast<std::uint64_t>(base.value) >> (56 - 8 * i));
  return key;
}

Offset log_key_offset(std::string_view key) {
  CHECK(key.size() == 13);
  return Offset(static_cast<std::int64_t>(read_big_endian<std::uint64_t>(key.substr(5))));
}

std::string task_prefix(const TaskSpec& task) {
  std::string out;
  out.push_back(static_cast<char>(task.name.size()));
  out += task.name;
  append_big_endian(out, static_cast<std::uint32_t>(task.partition.value));
  return out;
}

bool parse_task_prefix(std::string_view bytes, TaskSpec& task, std::string_view& rest) {
  if (bytes.empty()) return false;
  const std::size_t name_bytes = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() < 1 + name_bytes + 4) return false;
  task.name = std::string(bytes.substr(1, name_bytes));
  task.partition = PartitionId(static_cast<std::int32_t>(read_big_endian<std::uint32_t>(bytes.substr(1 + name_bytes))));
  rest = bytes.substr(1 + name_bytes + 4);
  return true;
}

std::string format_key() { return "f"; }
std::string topic_key(Topic topic) { return {'t', static_cast<char>(topic)}; }
std::string partition_key(Topic topic, PartitionId partition) {
  std::string out = {'p', static_cast<char>(topic)};
  append_big_endian(out, static_cast<std::uint32_t>(partition.value));
  return out;
}
std::string task_key(const TaskSpec& task) { return "k" + task_prefix(task); }
std::string order_prefix(const TaskSpec& task) { return "o" + task_prefix(task); }
std::string order_key(const TaskSpec& task, CommitId commit) {
  std::string out = order_prefix(task);
  append_big_endian(out, commit.value);
  return out;
}

std::string describe_entry(ColumnFamily family, std::string_view key) {
  const std::string raw = std::string(name_of(family)) + " entry with key '" + printable(key) + "'";
  TaskSpec task;
  std::string_view rest;
  switch (family) {
    case ColumnFamily::kLog:
      if (key.size() != 13) return raw;
      return "log entry " + name_of_topic(key[0]) + "/" + std::to_string(read_big_endian<std::uint32_t>(key.substr(1))) +
             " at offset " + std::to_string(log_key_offset(key).value);
    case ColumnFamily::kState:
      if (!parse_task_prefix(key, task, rest)) return raw;
      return "state entry " + describe_task(task) + " key '" + printable(rest) + "'";
    case ColumnFamily::kMeta:
      if (key == "f") return "meta entry 'format'";
      if (key.size() == 2 && key[0] == 't') return "meta entry 'topic " + name_of_topic(key[1]) + "'";
      if (key.size() == 6 && key[0] == 'p')
        return "meta entry 'partition " + name_of_topic(key[1]) + "/" +
               std::to_string(read_big_endian<std::uint32_t>(key.substr(2))) + "'";
      if (key.starts_with('k') && parse_task_prefix(key.substr(1), task, rest) && rest.empty())
        return "meta entry 'task " + describe_task(task) + "'";
      if (key.starts_with('o') && parse_task_prefix(key.substr(1), task, rest) && rest.size() == 8)
        return "meta entry 'order of " + describe_task(task) + " commit " +
               std::to_string(read_big_endian<std::uint64_t>(rest)) + "'";
      return raw;
  }
  CHECK(false);
}

std::uint32_t seal_crc(std::string_view key, std::string_view version_and_body) {
  return crc32c(version_and_body, crc32c(key));
}

std::string seal(std::string_view key, std::string_view body) {
  ByteBuffer out(kSealBytes + body.size());
  out.append_fixed(std::uint32_t{0});
  out.append(static_cast<char>(kStoredValueVersion));
  out.append(body);
  out.set_fixed(0, seal_crc(key, out.view().substr(4)));
  return to_string(out);
}

Result<std::string_view> unseal(ColumnFamily family, std::string_view key, std::string_view stored) {
  if (stored.size() < kSealBytes)
    return Error{ErrorCode::kCorruption, describe_entry(family, key) + ": " + std::to_string(stored.size()) +
                                             " bytes, expected at least " + std::to_string(kSealBytes)};
  ByteReader reader(stored);
  const auto crc = reader.fixed<std::uint32_t>();
  if (crc != seal_crc(key, stored.substr(4)))
    return Error{ErrorCode::kCorruption, describe_entry(family, key) + ": its CRC32C does not match"};
  const auto version = reader.fixed<std::uint8_t>();
  if (version > kStoredValueVersion)
    return Error{ErrorCode::kVersion, describe_entry(family, key) + ": version " + std::to_string(version) +
                                          ", this program knows versions up to " + std::to_string(kStoredValueVersion)};
  return reader.rest();
}

std::string encode(const FormatEntry& entry) {
  ByteBuffer out;
  out.append_fixed(entry.version);
  out.append_varint_bytes(entry.pipeline);
  return to_string(out);
}

bool decode(std::string_view body, FormatEntry& entry) {
  ByteReader reader(body);
  entry.version = reader.fixed<std::uint32_t>();
  entry.pipeline = std::string(reader.varint_bytes());
  return reader.ok();  // A newer version may have more.
}

std::string encode(const TopicSpec& spec) {
  ByteBuffer out;
  out.append_varint_bytes(spec.name);
  out.append_varint(static_cast<std::uint32_t>(spec.partitions));
  out.append(static_cast<char>((spec.retention.age ? 1 : 0) | (spec.retention.bytes ? 2 : 0) |
                               (spec.retention.compact ? 4 : 0)));
  out.append_varint(spec.retention.age ? static_cast<std::uint64_t>(spec.retention.age->count()) : 0);
  out.append_varint(spec.retention.bytes.value_or(0));
  return to_string(out);
}

bool decode(std::string_view body, TopicSpec& spec) {
  ByteReader reader(body);
  spec.name = std::string(reader.varint_bytes());
  spec.partitions = static_cast<std::int32_t>(reader.varint());
  const auto flags = reader.fixed<std::uint8_t>();
  const Duration age(static_cast<std::int64_t>(reader.varint()));
  const std::uint64_t bytes = reader.varint();
  spec.retention = Retention();
  if (flags & 1) spec.retention.age = age;
  if (flags & 2) spec.retention.bytes = bytes;
  spec.retention.compact = (flags & 4) != 0;
  return reader.finished() && flags < 8;
}

std::string encode(const PartitionEntry& entry) {
  ByteBuffer out;
  out.append_varint(static_cast<std::uint64_t>(entry.begin.value));
  out.append_varint(static_cast<std::uint64_t>(entry.end.value));
  out.append_varint(entry.bytes_appended);
  out.append_varint(entry.bytes_removed);
  out.append_fixed(entry.last_append_us);
  return to_string(out);
}

bool decode(std::string_view body, PartitionEntry& entry) {
  ByteReader reader(body);
  entry.begin = Offset(static_cast<std::int64_t>(reader.varint()));
  entry.end = Offset(static_cast<std::int64_t>(reader.varint()));
  entry.bytes_appended = reader.varint();
  entry.bytes_removed = reader.varint();
  entry.last_append_us = reader.fixed<std::int64_t>();
  return reader.finished();
}

std::string encode(const TaskEntry& entry) {
  ByteBuffer out;
  out.append_varint(entry.last_commit.value);
  append_attempts(entry.attempts, out);
  append_positions(entry.positions, out);
  return to_string(out);
}

bool decode(std::string_view body, TaskEntry& entry) {
  ByteReader reader(body);
  entry.last_commit = CommitId(reader.varint());
  return read_attempts(reader, entry.attempts) && read_positions(reader, entry.positions) && reader.finished();
}

void append_batch(const BatchHeader& header, std::string_view records, ByteBuffer& out) {
  const std::size_t at = out.size();
  out.append(kCodecNone);
  out.append_fixed(header.count);
  out.append_fixed(header.append_time_us);
  out.append_fixed(header.bytes_before);
  if (records.size() >= kCompressedFromBytes && records.size() <= LZ4_MAX_INPUT_SIZE) {
    const std::size_t begin = out.size();
    const auto raw_bytes = static_cast<std::uint32_t>(records.size());
    out.append_fixed(raw_bytes);
    const int bound = LZ4_compressBound(static_cast<int>(raw_bytes));
    const int bytes = LZ4_compress_fast(records.data(), out.prepare(static_cast<std::size_t>(bound)), static_cast<int>(raw_bytes),
                                        bound, kAcceleration);
    if (bytes > 0 && static_cast<std::size_t>(bytes) < records.size() - records.size() / 8) {
      out.advance(static_cast<std::size_t>(bytes));
      out.set_fixed(at, kCodecLz4);
      return;
    }
    out.truncate(begin);
  }
  out.append(records);
}

bool decode_batch_header(std::string_view body, BatchHeader& header) {
  ByteReader reader(body);
  reader.fixed<char>();
  header.count = reader.fixed<std::uint32_t>();
  header.append_time_us = reader.fixed<std::int64_t>();
  header.bytes_before = reader.fixed<std::uint64_t>();
  return reader.ok() && header.count > 0;
}

bool decode_batch(std::string_view body, BatchHeader& header, std::string_view& records, ByteBuffer& unpacked) {
  if (!decode_batch_header(body, header)) return false;
  const std::string_view stored = body.substr(kBatchHeaderBytes);
  if (body[0] == kCodecNone) {
    records = stored;
    return true;
  }
  ByteReader reader(stored);
  const auto raw_bytes = reader.fixed<std::uint32_t>();
  const std::string_view block = reader.rest();
  // LZ4 gives at most 255 bytes for one: a length beyond that is damage, not a reason to ask for memory.
  if (!reader.ok() || body[0] != kCodecLz4 || block.empty() || raw_bytes > block.size() * 255 || raw_bytes > LZ4_MAX_INPUT_SIZE)
    return false;
  unpacked.clear();
  char* to = unpacked.prepare(raw_bytes);
  if (LZ4_decompress_safe(block.data(), to, static_cast<int>(block.size()), static_cast<int>(raw_bytes)) !=
      static_cast<int>(raw_bytes))
    return false;
  unpacked.advance(raw_bytes);
  records = unpacked.view();
  return true;
}

}  // namespace weir
