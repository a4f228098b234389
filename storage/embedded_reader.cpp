#include <rocksdb/iterator.h>

#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"

namespace weir {
namespace {

// An iterator holds on to files and write buffers that the database could free otherwise: it is made anew after this much.
constexpr std::uint64_t kIteratorBytesMax = 64u << 20;

class EmbeddedReader final : public TopicReader {
 public:
  EmbeddedReader(std::shared_ptr<EmbeddedCore> core, EmbeddedTopic& topic, EmbeddedPartition& partition, Offset from)
      : core_(std::move(core)), topic_(topic), partition_(partition) {
    move_to(from);
  }

  Result<std::shared_ptr<const RecordBatch>> poll(Duration wait) override {
    for (;;) {
      const Offset begin(partition_.begin.load(std::memory_order_acquire));
      if (position_ < begin) {
        drop_iterator();
        return Error{ErrorCode::kNotFound,
                     where(position_) + ": left retention; the oldest kept is " + std::to_string(begin.value)};
      }
      const Offset end = partition_.signal.end();
      if (position_ < end) {
        TRY_ASSIGN(std::shared_ptr<const RecordBatch> batch, read_next(end));
        if (batch) return batch;
        continue;  // Nothing but gaps up to the end, or retention was faster.
      }
      drop_iterator();
      if (!partition_.signal.wait_beyond(position_, wait, woken_)) return std::shared_ptr<const RecordBatch>();
    }
  }

  Result<void> seek(Offset to) override {
    move_to(to);
    return {};
  }
  Offset position() const override { return position_; }
  Offset end() const override { return partition_.signal.end(); }
  void wake() override { partition_.signal.wake(woken_); }

 private:
  void move_to(Offset to) {
    drop_iterator();
    position_ = std::max(to, Offset(partition_.begin.load(std::memory_order_acquire)));
    in_a_row_ = 0;
  }
  void drop_iterator() {
    iterator_.reset();
    in_a_row_ = 0;
  }

  // The batch at position_ or the next one; nullptr if there is none below `end`, and position_ moves up to there unless
  // retention has passed it. REQUIRES: position_ < end.
  Result<std::shared_ptr<const RecordBatch>> read_next(Offset end) {
    rocksdb::DB& db = core_->database->db();
    rocksdb::ColumnFamilyHandle* family = core_->database->family(ColumnFamily::kLog);
    // A reader at the end finds its batch by key, which is cheaper than an iterator; one that is behind walks.
    if (!iterator_ && in_a_row_ < 2) {
      const LogKey key = key_of(position_);
      const rocksdb::Status status = db.Get(rocksdb::ReadOptions(), family, slice(key.view()), &stored_);
      if (status.ok()) {
        ++in_a_row_;
        auto batch = take(key.view(), view(stored_));
        stored_.Reset();
        return batch;
      }
      if (!status.IsNotFound()) return to_error(status, where(position_));
    }
    if (iterator_ && walked_bytes_ < kIteratorBytesMax) {
      iterator_->Next();
    } else {
      TRY(start_iterator(db, family));
    }
    if (!iterator_->Valid()) {
      if (!iterator_->status().ok()) return to_error(iterator_->status(), where(position_));
      if (fresh_ && partition_.begin.load(std::memory_order_acquire) <= position_.value) position_ = end;
      drop_iterator();  // An older iterator does not see the newest commits: a new one does.
      return std::shared_ptr<const RecordBatch>();
    }
    if (log_key_offset(view(iterator_->key())) >= end) {  // Written, not published yet.
      if (fresh_) position_ = end;
      drop_iterator();
      return std::shared_ptr<const RecordBatch>();
    }
    walked_bytes_ += iterator_->value().size();
    fresh_ = false;
    return take(view(iterator_->key()), view(iterator_->value()));
  }

  Result<void> start_iterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
    lower_ = key_of(Offset(0));
    upper_ = log_key(partition_.topic, partition_.id.next(), Offset(0));
    lower_slice_ = slice(lower_.view());
    upper_slice_ = slice(upper_.view());
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.iterate_lower_bound = &lower_slice_;
    options.iterate_upper_bound = &upper_slice_;
    iterator_.reset(db.NewIterator(options, family));
    walked_bytes_ = 0;
    fresh_ = true;
    const LogKey key = key_of(position_);
    iterator_->SeekForPrev(slice(key.view()));
    if (iterator_->Valid()) {
      BatchHeader header;
      const std::string_view found = view(iterator_->key());
      if (Result<void> read = read_batch_header(found, view(iterator_->value()), header); !read)
        return damaged(found, read.error());
      if (log_key_offset(found).next(header.count) <= position_) iterator_->Next();
    } else if (iterator_->status().ok()) {
      iterator_->Seek(slice(key.view()));
    }
    return {};
  }

  Result<std::shared_ptr<const RecordBatch>> take(std::string_view key, std::string_view stored) {
    BatchHeader header;
    std::string_view records;
    if (Result<void> read = read_batch(key, stored, header, records, unpacked_); !read) return damaged(key, read.error());
    const Offset base = log_key_offset(key);
    auto batch = std::make_shared<RecordBatch>();
    if (base >= position_) {
      batch->assign(records, header.count, base, header.append_time_us);
    } else {
      ByteReader reader(records);
      Record record;
      for (Offset offset = base; offset < position_; offset = offset.next())
        if (!decode_record(reader, record)) return malformed(ColumnFamily::kLog, key);
      const auto skipped = static_cast<std::uint32_t>(position_.value - base.value);
      batch->assign(reader.rest(), header.count - skipped, position_, header.append_time_us);
    }
    position_ = base.next(header.count);
    return std::shared_ptr<const RecordBatch>(std::move(batch));
  }

  LogKey key_of(Offset offset) const { return log_key(partition_.topic, partition_.id, offset); }
  std::string where(Offset offset) const {
    return "topic '" + topic_.spec.name + "' partition " + std::to_string(partition_.id.value) + " offset " +
           std::to_string(offset.value);
  }
  Error damaged(std::string_view key, const Error& error) {
    drop_iterator();
    return {error.code, where(log_key_offset(key)) + ": " + error.what};
  }

  std::shared_ptr<EmbeddedCore> core_;
  EmbeddedTopic& topic_;
  EmbeddedPartition& partition_;
  Offset position_;
  WakeFlag woken_{false};
  int in_a_row_ = 0;  // Batches found by key since the reader was at the end.
  rocksdb::PinnableSlice stored_;
  ByteBuffer unpacked_;
  LogKey lower_, upper_;
  rocksdb::Slice lower_slice_, upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  std::uint64_t walked_bytes_ = 0;
  bool fresh_ = false;  // The iterator sees everything below `end`.
};

}  // namespace

std::unique_ptr<TopicReader> make_embedded_reader(std::shared_ptr<EmbeddedCore> core, EmbeddedTopic& topic,
                                                  EmbeddedPartition& partition, Offset from) {
  return std::make_unique<EmbeddedReader>(std::move(core), topic, partition, from);
}

}  // namespace weir
