#pragma once
// The log on one machine: RocksDB in `<path>/db`, with column families `log`, `state`, `meta` (docs/formats.md). One commit
// is one write batch: outputs, positions, order, state and the topics' new ends together or not at all.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "storage/topic_log.hpp"

namespace rocksdb {
class FileSystem;
}

namespace weir {

// What a power cut may take. A killed process loses nothing under any of them, and no transaction is ever torn.
enum class SyncPolicy : std::uint8_t {
  kAlways,    // Nothing: commit returns after the disk has it.
  kInterval,  // The commits of the last `sync_interval`, and of the sync under way.
  kNever,     // What the operating system had not written yet (tens of seconds).
};

struct EmbeddedLogOptions {
  std::string path;                        // The pipeline's directory.
  std::string pipeline;                    // Refused if the directory belongs to another; empty: not checked.
  SyncPolicy sync = SyncPolicy::kInterval;
  Duration sync_interval = std::chrono::milliseconds(100);
  bool create_if_missing = true;           // Else kNotFound.
  // For commands on a directory that no process has open (kInUse else). recover() counts no attempt, commit gives kIo.
  bool read_only = false;
  bool past_damage = false;                // Only with it, for `repair`: entries that cannot be read are left out, not the end.
  std::uint64_t max_total_wal_bytes = 64u << 20;     // Bounds the time to open after a kill.
  std::size_t log_write_buffer_bytes = 16u << 20;    // Memory: up to three of each, plus the cache.
  std::size_t state_write_buffer_bytes = 16u << 20;
  std::size_t block_cache_bytes = 32u << 20;         // Of the state, its index and filters included.
  std::size_t batch_bytes = 256u << 10;              // Larger batches are cut at record boundaries.
  const Clock* clock = &system_clock();              // Append times; outlives the log.
  std::shared_ptr<rocksdb::FileSystem> file_system;  // Tests: faults, lost writes.
};

// kInUse: another process has it open. kVersion: written by a newer format. kConfig: another pipeline's. kCorruption: names
// the entry. kIo: not a directory, no permission. kFull: no space. kNotFound: nothing there and not to be created.
Result<std::unique_ptr<TopicLog>> open_embedded_log(EmbeddedLogOptions options);

// Whether another process has the log in this directory open for writing.
bool embedded_log_in_use(const std::string& path);

// A backup is a pipeline's directory of its own (`<path>/backups/<n>`): it opens like any other. Oldest first; only whole ones.
std::vector<std::string> list_backups(const std::string& path);
// Puts a copy of the backup in the place of `<path>/db`, which is kept as `<path>/db.damaged-<k>`. REQUIRES: nobody has
// `path` open (kInUse).
Result<void> restore_backup(const std::string& path, const std::string& backup);

}  // namespace weir
