#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/write_batch.h>

#include <filesystem>

#include "core/base/crash_point.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"
#include "storage/embedded_options.hpp"
#include "storage/sync_mark.hpp"

namespace weir {
namespace fs = std::filesystem;
namespace {
constexpr std::uint64_t kLogBytesLeft = 4u << 20;  // Read in some 10 ms: no reason to write files at a clean end.
}

Result<std::unique_ptr<EmbeddedDatabase>> EmbeddedDatabase::open(const EmbeddedLogOptions& options) {
  std::unique_ptr<EmbeddedDatabase> out(new EmbeddedDatabase);
  out->options_ = options;
  if (options.read_only) out->options_.create_if_missing = false;
  const std::string path = options.path + "/db";
  std::error_code ec;
  if (fs::exists(options.path, ec) && !fs::is_directory(options.path, ec))
    return Error{ErrorCode::kIo, "'" + options.path + "': not a directory"};
  out->made_now_ = !fs::exists(path + "/CURRENT", ec);
  if (out->made_now_ && !out->options_.create_if_missing)
    return Error{ErrorCode::kNotFound, "'" + options.path + "': holds no log"};
  if (!options.read_only) {
    fs::create_directories(path, ec);
    if (ec) return Error{ec == std::errc::no_space_on_device ? ErrorCode::kFull : ErrorCode::kIo,
                         "'" + path + "': cannot be made: " + ec.message()};
  } else if (another_process_holds(path + "/LOCK")) {
    return Error{ErrorCode::kInUse, "'" + options.path + "': another process has it open; use tail, produce or status, "
                                    "which ask that process"};
  }

  if (options.file_system) out->env_ = rocksdb::NewCompositeEnv(options.file_system);
  const rocksdb::DBOptions db_options = database_options(out->options_, out->env_.get());
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, meta_options()},  // RocksDB insists on it; empty.
      {std::string(name_of(ColumnFamily::kLog)), log_options(options)},
      {std::string(name_of(ColumnFamily::kState)), state_options(options)},
      {std::string(name_of(ColumnFamily::kMeta)), meta_options()},
  };
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = options.read_only
                                     ? rocksdb::DB::OpenForReadOnly(db_options, path, families, &handles, &db)
                                     : rocksdb::DB::Open(db_options, path, families, &handles, &db);
  if (!status.ok()) return to_error(status, "'" + options.path + "': opening its log");
  out->db_.reset(db);
  out->default_family_ = handles[0];
  out->families_ = {handles[1], handles[2], handles[3]};
  if (!options.past_damage) TRY(out->check_sync_mark());
  if (!options.read_only && options.sync == SyncPolicy::kInterval) out->start_syncing();
  return out;
}

std::uint64_t EmbeddedDatabase::log_bytes() const {
  rocksdb::VectorLogPtr files;
  std::uint64_t bytes = 0;
  if (db_->GetSortedWalFiles(files).ok())
    for (const auto& file : files) bytes += file->SizeFileBytes();
  return bytes;
}

EmbeddedDatabase::~EmbeddedDatabase() {
  if (syncer_.joinable()) {
    {
      std::lock_guard lock(sync_mutex_);
      stopping_ = true;
    }
    stop_syncing_.notify_all();
    syncer_.join();
  }
  if (!db_) return;
  // A clean end leaves nothing to a power cut. A failure here cannot be told to anyone, and costs what `sync` allows.
  if (!options_.read_only && options_.sync != SyncPolicy::kNever && !broken()) static_cast<void>(sync_now());
  // With the write buffers in files the next one to open, often a command that only reads, finds no log to read through.
  if (!options_.read_only && !broken() && log_bytes() > kLogBytesLeft)
    db_->Flush(rocksdb::FlushOptions(), {families_.begin(), families_.end()}).PermitUncheckedError();
  close_sync_mark(mark_file_);
  for (rocksdb::ColumnFamilyHandle* handle : families_) db_->DestroyColumnFamilyHandle(handle);
  db_->DestroyColumnFamilyHandle(default_family_);
  db_->Close().PermitUncheckedError();
}

Result<void> EmbeddedDatabase::check_sync_mark() {
  const std::string path = options_.path + "/synced";
  const std::uint64_t synced = made_now_ ? 0 : read_sync_mark(path);
  const std::uint64_t found = db_->GetLatestSequenceNumber();
  if (found < synced)
    return Error{ErrorCode::kCorruption, "'" + options_.path + "': the write-ahead log is damaged: entry " +
                                             std::to_string(found + 1) + " cannot be read, and " +
                                             std::to_string(synced) + " had been synced; `weir repair` goes on from a backup"};
  if (!options_.read_only) mark_file_ = open_sync_mark(path);
  return {};
}

Result<void> EmbeddedDatabase::write(rocksdb::WriteBatch& batch, std::string_view what, bool force_sync) {
  if (options_.read_only) return Error{ErrorCode::kIo, std::string(what) + ": the log was opened read-only"};
  if (options_.sync == SyncPolicy::kInterval) {
    std::lock_guard lock(sync_mutex_);
    if (sync_error_) {
      Error error = std::move(*sync_error_);
      sync_error_.reset();
      return error;
    }
  }
  if (failed_.load(std::memory_order_relaxed)) {  // After "no space", say: RocksDB stays shut until asked.
    if (const rocksdb::Status resumed = db_->Resume(); !resumed.ok()) {
      std::lock_guard lock(sync_mutex_);
      // Busy: it waits for space by a thread of its own.
      return resumed.IsBusy() && write_error_ ? *write_error_ : to_error(resumed, what);
    }
    errors_survived_.store(background_errors());
    failed_.store(false);
  }
  rocksdb::WriteOptions write_options;
  write_options.sync = options_.sync == SyncPolicy::kAlways || (force_sync && options_.sync != SyncPolicy::kNever);
  const std::uint64_t before = db_->GetLatestSequenceNumber();  // A sync covers all that is written by then.
  const rocksdb::Status status = db_->Write(write_options, &batch);
  if (!status.ok()) {
    failed_.store(true);
    Error error = to_error(status, what);
    std::lock_guard lock(sync_mutex_);
    if (error.code != ErrorCode::kUnavailable || !write_error_) write_error_ = error;
    return error;
  }
  if (write_options.sync) {
    write_sync_mark(mark_file_, before);
  } else {
    dirty_.store(true, std::memory_order_release);
  }
  return {};
}

Result<void> EmbeddedDatabase::sync() {
  if (options_.read_only) return {};
  dirty_.store(false);
  return sync_now();
}

std::uint64_t EmbeddedDatabase::background_errors() const {
  std::uint64_t count = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kBackgroundErrors, &count);
  return count;
}

bool EmbeddedDatabase::broken() const {
  return failed_.load() || background_errors() != errors_survived_.load();
}

Result<void> EmbeddedDatabase::sync_now() {
  // RocksDB's library as Debian builds it aborts when a file that has failed once is synced again.
  if (broken()) {
    failed_.store(true);  // The next write tries to go on.
    return Error{ErrorCode::kIo, "'" + options_.path + "': not synced, since an earlier write failed"};
  }
  const std::uint64_t sequence = db_->GetLatestSequenceNumber();
  const rocksdb::Status status = db_->SyncWAL();
  if (!status.ok()) {
    dirty_.store(true);
    failed_.store(true);
    return to_error(status, "'" + options_.path + "': syncing the write-ahead log");
  }
  write_sync_mark(mark_file_, sequence);
  return {};
}

void EmbeddedDatabase::start_syncing() {
  syncer_ = std::thread([this] {
    std::unique_lock lock(sync_mutex_);
    while (!stop_syncing_.wait_for(lock, options_.sync_interval, [this] { return stopping_; })) {
      if (broken()) {
        failed_.store(true);  // The next write tries to go on, or says why it cannot.
        continue;
      }
      if (!dirty_.exchange(false, std::memory_order_acquire)) continue;
      lock.unlock();
      Result<void> synced = sync_now();
      lock.lock();
      if (!synced) sync_error_ = std::move(synced).error();
    }
  });
}

Result<bool> EmbeddedDatabase::get(ColumnFamily family, std::string_view key, std::string& body) const {
  rocksdb::PinnableSlice stored;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), families_[static_cast<std::size_t>(family)], slice(key), &stored);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return to_error(status, describe_entry(family, key));
  TRY_ASSIGN(const std::string_view found, unseal(family, key, view(stored)));
  body.assign(found);
  return true;
}

Result<void> EmbeddedDatabase::put_meta(std::string_view key, std::string_view body, bool force_sync) {
  rocksdb::WriteBatch batch;
  batch.Put(family(ColumnFamily::kMeta), slice(key), seal(key, body));
  return write(batch, describe_entry(ColumnFamily::kMeta, key), force_sync);
}

Error malformed(ColumnFamily family, std::string_view key) {
  return {ErrorCode::kCorruption, describe_entry(family, key) + ": malformed, though its CRC32C matches"};
}

Result<void> read_batch(std::string_view key, std::string_view stored, BatchHeader& header, std::string_view& records,
                        ByteBuffer& unpacked) {
  TRY_ASSIGN(const std::string_view body, unseal(ColumnFamily::kLog, key, stored));
  if (!decode_batch(body, header, records, unpacked)) return malformed(ColumnFamily::kLog, key);
  return {};
}

Result<void> read_batch_header(std::string_view key, std::string_view stored, BatchHeader& header) {
  TRY_ASSIGN(const std::string_view body, unseal(ColumnFamily::kLog, key, stored));
  if (!decode_batch_header(body, header)) return malformed(ColumnFamily::kLog, key);
  return {};
}

}  // namespace weir
