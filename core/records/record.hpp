#pragma once
// A record: key, value bytes, event time and where its cause came from; it lives at (topic, partition, offset).

#include <cstdint>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// Headers `weir-source-topic`, `-partition`, `-offset`: the input record that caused this one. Topic empty: no source.
struct Source {
  std::string_view topic;
  PartitionId partition;
  Offset offset;
  bool operator==(const Source&) const = default;
};

// The bytes of one record. Views point into the batch or buffer it was read from.
struct Record {
  std::string_view key;
  bool has_key = false;  // A record without a key differs from one with an empty key.
  std::string_view value;
  EventTime event_time;
  Source source;
  bool erases = false;  // A tombstone: compaction removes the key.
};

// Appends the stored form of a record (docs/formats.md §2); no CRC: that covers a whole batch.
void encode_record(const Record& record, ByteBuffer& out);
// Reads one; false at the end or on malformed bytes (reader.ok() tells which).
bool decode_record(ByteReader& reader, Record& out);

// Records of one topic partition, back to back in stored form. Keeps its memory when cleared.
class RecordBatch {
 public:
  void append(const Record& record) {
    encode_record(record, bytes_);
    ++count_;
  }
  void clear() {
    bytes_.clear();
    count_ = 0;
    base_ = Offset{0};
    append_time_us_ = 0;
  }
  // For readers: takes stored bytes of `count` records, the first at `base`.
  void assign(std::string_view bytes, std::uint32_t count, Offset base, std::int64_t append_time_us) {
    clear();
    bytes_.append(bytes);
    count_ = count;
    base_ = base;
    append_time_us_ = append_time_us;
  }

  std::uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::string_view bytes() const { return bytes_.view(); }
  std::size_t capacity() const { return bytes_.capacity(); }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }

  // What the log knows of a batch that was read from it. A batch given by a TopicReader is
  // dense: record i has offset base() + i (compaction cuts a batch at its gaps).
  Offset base() const { return base_; }
  std::int64_t append_time_us() const { return append_time_us_; }

  // Calls fn(Offset, const Record&) for each, in order; returns false if the bytes are malformed.
  template <class Fn>
  bool for_each(Fn&& fn) const {
    ByteReader reader(bytes());
    Record record;
    Offset offset = base_;
    while (decode_record(reader, record)) {
      fn(offset, static_cast<const Record&>(record));
      offset = offset.next();
    }
    return reader.ok();
  }

 private:
  ByteBuffer bytes_;
  std::uint32_t count_ = 0;
  Offset base_;
  std::int64_t append_time_us_ = 0;
};

}  // namespace weir
