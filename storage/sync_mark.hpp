#pragma once
// How far the write-ahead log has been synced: `<path>/synced`, 12 bytes (sequence number u64, CRC32C u32), written after
// each sync. RocksDB stops replaying at the first damaged entry, which after a power cut is where the unsynced tail begins;
// entries that had been synced must not be among the lost, and this tells. Itself never synced: an older mark is weaker,
// not wrong. So is a mark that cannot be read or written.

#include <cstdint>
#include <string>

namespace weir {

std::uint64_t read_sync_mark(const std::string& path);  // 0: none.
int open_sync_mark(const std::string& path);            // -1: cannot be written.
void write_sync_mark(int file, std::uint64_t sequence);
void close_sync_mark(int file);

// True if another process holds RocksDB's lock on that file.
bool another_process_holds(const std::string& lock_path);

}  // namespace weir
