#pragma once
// What the parts of the embedded log share: the open database, its topics and tasks. Internal to the embedded_* files.

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/embedded_keys.hpp"
#include "storage/embedded_log.hpp"
#include "storage/partition_signal.hpp"

namespace weir {

// The database and its column families; closed when destroyed. Thread-safe.
class EmbeddedDatabase {
 public:
  // Opens or makes `<path>/db`; checks nothing of what is in it.
  static Result<std::unique_ptr<EmbeddedDatabase>> open(const EmbeddedLogOptions& options);
  ~EmbeddedDatabase();

  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* family(ColumnFamily family) { return families_[static_cast<std::size_t>(family)]; }
  const EmbeddedLogOptions& options() const { return options_; }
  bool made_now() const { return made_now_; }  // There was no database before.

  // Writes all of the batch or nothing, as durable as the sync policy says; `force_sync`: in any case.
  Result<void> write(rocksdb::WriteBatch& batch, std::string_view what, bool force_sync = false);
  Result<void> sync();

  // A sealed entry's body. `found` false: there is none.
  Result<bool> get(ColumnFamily family, std::string_view key, std::string& body) const;
  Result<void> put_meta(std::string_view key, std::string_view body, bool force_sync);

 private:
  EmbeddedDatabase() = default;
  void start_syncing();
  Result<void> sync_now();
  Result<void> check_sync_mark();
  std::uint64_t log_bytes() const;          // Of the write-ahead log.
  std::uint64_t background_errors() const;  // So far.
  bool broken() const;                      // Something failed that Resume() has not repaired.

  EmbeddedLogOptions options_;
  std::unique_ptr<rocksdb::Env> env_;  // Only with an own file system.
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, 3> families_{};
  rocksdb::ColumnFamilyHandle* default_family_ = nullptr;
  bool made_now_ = false;

  std::atomic<bool> failed_{false};  // The last write failed: ask RocksDB to recover before the next.
  std::atomic<std::uint64_t> errors_survived_{0};
  std::atomic<bool> dirty_{false};   // Something was written since the last sync.
  int mark_file_ = -1;               // `<path>/synced`: see sync_mark.hpp.
  std::mutex sync_mutex_;
  std::condition_variable stop_syncing_;
  bool stopping_ = false;
  std::optional<Error> sync_error_;  // Of the background thread; the next write gives it.
  std::optional<Error> write_error_;  // The last write's that failed; under sync_mutex_.
  std::thread syncer_;
};

struct EmbeddedPartition {
  EmbeddedPartition(Topic t, PartitionId p) : topic(t), id(p) {}
  const Topic topic;
  const PartitionId id;
  std::mutex append_mutex;        // One commit or retention at a time changes `entry`.
  PartitionEntry entry;
  std::atomic<std::int64_t> begin{0};  // As in `entry`, for readers.
  PartitionSignal signal;
};

struct EmbeddedTopic {
  TopicSpec spec;  // `retention` changes, under the core's mutex; the rest is fixed.
  std::vector<std::unique_ptr<EmbeddedPartition>> partitions;
};

// Shared by the log, its readers, task stores and state readers.
struct EmbeddedCore {
  std::unique_ptr<EmbeddedDatabase> database;
  mutable std::mutex mutex;
  std::array<std::unique_ptr<EmbeddedTopic>, kTopicCount> topics;  // Made under `mutex`; never removed.
  std::set<std::pair<std::string, std::int32_t>> open_tasks;
  std::mutex maintenance_mutex;  // One retention or backup at a time.

  EmbeddedTopic* topic(Topic topic) const {
    std::lock_guard lock(mutex);
    return topics[index_of(topic)].get();
  }
};

inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }
Error malformed(ColumnFamily family, std::string_view key);  // Its CRC is right, its body is not.

// Reads a stored batch; `records` points into `stored` or `unpacked`.
Result<void> read_batch(std::string_view key, std::string_view stored, BatchHeader& header, std::string_view& records,
                        ByteBuffer& unpacked);
Result<void> read_batch_header(std::string_view key, std::string_view stored, BatchHeader& header);

// The parts, each in its file.
std::shared_ptr<const StateReader> make_embedded_state(std::shared_ptr<EmbeddedCore> core, const TaskSpec& task,
                                                       std::shared_ptr<const std::atomic<std::uint64_t>> last_commit);
std::unique_ptr<TaskStore> make_embedded_task_store(std::shared_ptr<EmbeddedCore> core, const TaskSpec& spec);
std::unique_ptr<TopicReader> make_embedded_reader(std::shared_ptr<EmbeddedCore> core, EmbeddedTopic& topic,
                                                  EmbeddedPartition& partition, Offset from);
Result<void> apply_embedded_retention(EmbeddedCore& core, const std::vector<TopicLog::Floor>& floors);
// The oldest record still there, at or after `begin`; `end` if none.
Result<Offset> oldest_record(EmbeddedDatabase& database, const EmbeddedPartition& partition, Offset begin, Offset end);
Result<std::string> make_embedded_backup(EmbeddedDatabase& database, std::size_t keep);

}  // namespace weir
