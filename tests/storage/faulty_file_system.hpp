#pragma once
// A RocksDB file system over the real one that can be full, and that can lose what was never synced, as in a power cut:
// unsynced bytes of files, and files made in a directory that was not synced since.

#include <rocksdb/file_system.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace weir {

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  std::atomic<bool> full{false};  // Every append fails: no space.

  // From now on nothing reaches the disk any more. Then close the log, and let lose_unsynced() make the directory what a
  // power cut would have left.
  void cut_power() { dead_ = true; }
  void lose_unsynced();

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* out, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* out, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

  // Told by the files and directories it gave out.
  rocksdb::IOStatus before_write() const;
  void appended(const std::string& path, std::uint64_t bytes);
  void truncated(const std::string& path, std::uint64_t bytes);
  void synced(const std::string& path);
  void directory_synced(const std::string& path);

 private:
  struct FileState {
    std::uint64_t bytes = 0;
    std::uint64_t synced_bytes = 0;
    bool in_directory = false;  // Its name would survive.
  };
  std::atomic<bool> dead_{false};
  std::mutex mutex_;
  std::map<std::string, FileState> files_;
};

}  // namespace weir
