#include <rocksdb/write_batch.h>

#include <algorithm>

#include "core/base/crash_point.hpp"
#include "storage/compaction.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

struct StoredBatch {
  Offset base;
  BatchHeader header;
  Offset end() const { return base.next(header.count); }
};

// Walks the stored batches of one partition.
class BatchWalk {
 public:
  BatchWalk(EmbeddedDatabase& database, const EmbeddedPartition& partition)
      : topic_(partition.topic),
        id_(partition.id),
        lower_(log_key(topic_, id_, Offset(0))),
        upper_(log_key(topic_, id_.next(), Offset(0))),
        lower_slice_(slice(lower_.view())),
        upper_slice_(slice(upper_.view())) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.iterate_lower_bound = &lower_slice_;
    options.iterate_upper_bound = &upper_slice_;
    iterator_.reset(database.db().NewIterator(options, database.family(ColumnFamily::kLog)));
  }
  void to_first(Offset at_or_after) { iterator_->Seek(slice(log_key(topic_, id_, at_or_after).view())); }
  void to_last(Offset at_or_before) { iterator_->SeekForPrev(slice(log_key(topic_, id_, at_or_before).view())); }
  void next() { iterator_->Next(); }

  // The batch it stands on; nullopt at the end. `records` is good until the next call.
  Result<std::optional<StoredBatch>> batch(std::string_view* records = nullptr) {
    if (!iterator_->Valid()) {
      if (!iterator_->status().ok()) return to_error(iterator_->status(), "log entries of " + std::string(short_name(topic_)));
      return std::optional<StoredBatch>();
    }
    StoredBatch out;
    out.base = log_key_offset(view(iterator_->key()));
    if (records == nullptr) {
      TRY(read_batch_header(view(iterator_->key()), view(iterator_->value()), out.header));
    } else {
      TRY(read_batch(view(iterator_->key()), view(iterator_->value()), out.header, *records, unpacked_));
    }
    return std::optional(out);
  }

 private:
  const Topic topic_;
  const PartitionId id_;
  const LogKey lower_, upper_;
  const rocksdb::Slice lower_slice_, upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  ByteBuffer unpacked_;
};

// The first batch that stays, found by halving: a batch says when it was appended and how many bytes came before it.
// Nullopt: all that end at or below the floor go.
Result<Offset> find_cut(BatchWalk& walk, const PartitionEntry& entry, const Retention& retention, Offset floor,
                        std::int64_t now_us) {
  const auto goes = [&](const StoredBatch& batch) {
    const bool too_old = retention.age && batch.header.append_time_us < now_us - retention.age->count();
    // The newest batch stays, also where it alone is more than the limit.
    const bool too_many = retention.bytes && batch.end() < entry.end && entry.bytes_appended - batch.header.bytes_before > *retention.bytes;
    return batch.end() <= floor && (too_old || too_many);
  };
  Offset low = entry.begin;  // Everything below goes.
  Offset high = floor;       // The batch that holds it, or begins there, stays.
  while (low < high) {
    const Offset middle(low.value + (high.value - low.value) / 2);
    walk.to_last(middle);
    TRY_ASSIGN(const std::optional<StoredBatch> batch, walk.batch());
    if (!batch || batch->end() <= low) {
      low = middle.next();  // A gap: nothing there to decide by.
    } else if (goes(*batch)) {
      low = std::max(batch->end(), low.next());
    } else {
      high = batch->base;
    }
  }
  return low;
}

Result<void> cut(EmbeddedDatabase& database, EmbeddedPartition& partition, const Retention& retention, Offset floor,
                 std::int64_t now_us, bool& removed) {
  PartitionEntry entry;
  {
    std::lock_guard lock(partition.append_mutex);
    entry = partition.entry;
  }
  BatchWalk walk(database, partition);
  TRY_ASSIGN(const Offset cut, find_cut(walk, entry, retention, std::min(floor, entry.end), now_us));
  if (cut <= entry.begin) return {};
  walk.to_first(cut);
  TRY_ASSIGN(const std::optional<StoredBatch> first_kept, walk.batch());
  crash_point("retention.before_delete");
  std::lock_guard lock(partition.append_mutex);
  PartitionEntry after = partition.entry;
  after.begin = cut;
  after.bytes_removed = first_kept ? first_kept->header.bytes_before : entry.bytes_appended;
  rocksdb::WriteBatch batch;
  batch.DeleteRange(database.family(ColumnFamily::kLog), slice(log_key(partition.topic, partition.id, entry.begin).view()),
                    slice(log_key(partition.topic, partition.id, cut).view()));
  const std::string key = partition_key(partition.topic, partition.id);
  batch.Put(database.family(ColumnFamily::kMeta), key, seal(key, encode(after)));
  TRY(database.write(batch, "retention of " + std::string(short_name(partition.topic))));
  partition.entry = after;
  partition.begin.store(cut.value, std::memory_order_release);
  crash_point("retention.after_delete");
  removed = true;
  return {};
}

Result<void> put_batch(EmbeddedDatabase& database, const EmbeddedPartition& partition, const RecordBatch& run,
                       std::uint64_t bytes_before, rocksdb::WriteBatch& out) {
  const LogKey key = log_key(partition.topic, partition.id, run.base());
  ByteBuffer body;
  append_batch({run.count(), run.append_time_us(), bytes_before}, run.bytes(), body);
  return out.Put(database.family(ColumnFamily::kLog), slice(key.view()), seal(key.view(), body.view())).ok()
             ? Result<void>()
             : Error{ErrorCode::kIo, describe_entry(ColumnFamily::kLog, key.view()) + ": too large"};
}

// Rewrites one batch after the other, each in a write of its own: a kill in between leaves a partition that is a little
// less compacted, never one that lacks a newest record.
Result<void> compact(EmbeddedDatabase& database, EmbeddedPartition& partition, const Retention& retention, Offset floor,
                     std::int64_t now_us, bool& removed) {
  Compaction compaction(floor, now_us, retention.age);
  RecordBatch batch;
  std::string_view records;
  BatchWalk walk(database, partition);
  for (const bool observing : {true, false}) {
    for (walk.to_first(Offset(0));; walk.next()) {
      TRY_ASSIGN(const std::optional<StoredBatch> stored, walk.batch(&records));
      if (!stored) break;
      batch.assign(records, stored->header.count, stored->base, stored->header.append_time_us);
      if (observing) {
        if (!compaction.observe(batch))
          return malformed(ColumnFamily::kLog, log_key(partition.topic, partition.id, stored->base).view());
        continue;
      }
      if (stored->base >= floor) break;
      const Compaction::Outcome outcome = compaction.apply(batch);
      if (!outcome.changed) continue;
      rocksdb::WriteBatch changes;
      std::uint64_t kept_bytes = 0;
      if (outcome.runs.empty() || outcome.runs.front().base() != stored->base)
        changes.Delete(database.family(ColumnFamily::kLog),
                       slice(log_key(partition.topic, partition.id, stored->base).view()));
      for (const RecordBatch& run : outcome.runs) {
        TRY(put_batch(database, partition, run, stored->header.bytes_before, changes));
        kept_bytes += run.bytes().size();
      }
      if (!removed) crash_point("retention.before_delete");
      std::lock_guard lock(partition.append_mutex);
      PartitionEntry after = partition.entry;
      after.bytes_removed += records.size() - kept_bytes;
      const std::string key = partition_key(partition.topic, partition.id);
      changes.Put(database.family(ColumnFamily::kMeta), key, seal(key, encode(after)));
      TRY(database.write(changes, "compaction of " + std::string(short_name(partition.topic))));
      partition.entry = after;
      if (!removed) crash_point("retention.after_delete");
      removed = true;
    }
  }
  return {};
}

// Order entries whose inputs have left retention go, oldest first: those commits cannot be computed again.
Result<void> forget_order(EmbeddedCore& core) {
  EmbeddedDatabase& database = *core.database;
  const auto begin_of = [&](const Position& position) -> std::optional<Offset> {
    const Topic topic = topic_of(position.input);
    std::lock_guard lock(core.mutex);
    const auto& found = core.topics[index_of(topic)];
    const auto index = static_cast<std::size_t>(position.partition.value);
    if (!found || found->spec.retention.compact || index >= found->partitions.size()) return std::nullopt;
    return Offset(found->partitions[index]->begin.load(std::memory_order_acquire));
  };
  const std::unique_ptr<rocksdb::Iterator> it(
      database.db().NewIterator(rocksdb::ReadOptions(), database.family(ColumnFamily::kMeta)));
  rocksdb::WriteBatch batch;
  TaskSpec task;
  std::string_view rest;
  OrderOfCommit entry;
  it->Seek("o");
  while (it->Valid() && it->key().starts_with("o") && parse_task_prefix(view(it->key()).substr(1), task, rest)) {
    const std::string prefix = order_prefix(task);
    const std::string first(view(it->key()));
    for (; it->Valid() && it->key().starts_with(prefix); it->Next()) {
      TRY_ASSIGN(const std::string_view body, unseal(ColumnFamily::kMeta, view(it->key()), view(it->value())));
      if (!decode(body, entry)) return malformed(ColumnFamily::kMeta, view(it->key()));
      if (!inputs_are_gone(entry.positions, begin_of)) break;
    }
    if (it->Valid() && view(it->key()) != first) {
      batch.DeleteRange(database.family(ColumnFamily::kMeta), first, it->key());
    } else if (!it->Valid()) {
      batch.DeleteRange(database.family(ColumnFamily::kMeta), first, prefix + std::string(9, '\xff'));
    }
    it->Seek(prefix + std::string(9, '\xff'));
  }
  if (!it->status().ok()) return to_error(it->status(), "order entries");
  return batch.Count() == 0 ? Result<void>() : database.write(batch, "retention of order entries");
}

// Frees the space: the addresses of what was deleted leave their files, and blob files that nothing points to go with them.
// Blob files that hold topics of different retention are rewritten once most of what is in them is dead.
Result<void> free_space(EmbeddedDatabase& database) {
  std::uint64_t live = 0, total = 0;
  rocksdb::ColumnFamilyHandle* log = database.family(ColumnFamily::kLog);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  if (const rocksdb::Status status = database.db().CompactRange(options, log, nullptr, nullptr); !status.ok())
    return to_error(status, "retention: freeing space");
  database.db().GetIntProperty(log, rocksdb::DB::Properties::kTotalBlobFileSize, &total);
  std::uint64_t garbage = 0;
  database.db().GetIntProperty(log, rocksdb::DB::Properties::kLiveBlobFileGarbageSize, &garbage);
  live = total - std::min(garbage, total);
  if (garbage <= live) return {};
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = 1.0;
  if (const rocksdb::Status status = database.db().CompactRange(options, log, nullptr, nullptr); !status.ok())
    return to_error(status, "retention: freeing space");
  return {};
}

}  // namespace

Result<Offset> oldest_record(EmbeddedDatabase& database, const EmbeddedPartition& partition, Offset begin, Offset end) {
  BatchWalk walk(database, partition);
  walk.to_first(begin);
  TRY_ASSIGN(const std::optional<StoredBatch> batch, walk.batch());
  return batch ? std::min(batch->base, end) : end;
}

Result<void> apply_embedded_retention(EmbeddedCore& core, const std::vector<TopicLog::Floor>& floors) {
  std::lock_guard maintenance(core.maintenance_mutex);
  EmbeddedDatabase& database = *core.database;
  const std::int64_t now_us = database.options().clock->wall_us();
  bool removed = false;
  for (const TopicTraits& traits : topic_table()) {
    Retention retention;
    EmbeddedTopic* topic = nullptr;
    {
      std::lock_guard lock(core.mutex);
      topic = core.topics[index_of(traits.topic)].get();
      if (topic == nullptr) continue;
      retention = topic->spec.retention;
    }
    for (const auto& partition : topic->partitions) {
      Offset floor = partition->signal.end();
      for (const TopicLog::Floor& f : floors)
        if (f.topic == traits.topic && f.partition == partition->id) floor = std::min(floor, f.offset);
      if (retention.compact) {
        TRY(compact(database, *partition, retention, floor, now_us, removed));
      } else if (retention.age || retention.bytes) {
        TRY(cut(database, *partition, retention, floor, now_us, removed));
      }
    }
  }
  TRY(forget_order(core));
  return removed ? free_space(database) : Result<void>();
}

}  // namespace weir
