#include "tests/storage/faulty_file_system.hpp"

#include <filesystem>

namespace weir {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class TrackedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TrackedFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path, FaultyFileSystem& system)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), system_(system) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = system_.before_write();
    if (status.ok()) status = target()->Append(data, options, debug);
    if (status.ok()) system_.appended(path_, data.size());
    return status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = system_.before_write();
    if (status.ok()) status = target()->Truncate(size, options, debug);
    if (status.ok()) system_.truncated(path_, size);
    return status;
  }
  // Not passed on: here only our own book decides what survives, and the test is quick.
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override { return synced(target()->Flush(options, debug)); }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return synced(target()->Flush(options, debug)); }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();  // Promises nothing.
  }

 private:
  IOStatus synced(IOStatus status) {
    if (status.ok()) status = system_.before_write();
    if (status.ok()) system_.synced(path_);
    return status;
  }
  const std::string path_;
  FaultyFileSystem& system_;
};

class TrackedDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  TrackedDirectory(std::unique_ptr<rocksdb::FSDirectory> directory, std::string path, FaultyFileSystem& system)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)), system_(system) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    IOStatus status = system_.before_write();
    if (status.ok()) system_.directory_synced(path_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug, const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  const std::string path_;
  FaultyFileSystem& system_;
};

}  // namespace

IOStatus FaultyFileSystem::before_write() const {
  if (dead_) return IOStatus::IOError("the power is off");
  return full ? IOStatus::NoSpace("no space left (made by a test)") : IOStatus::OK();
}

void FaultyFileSystem::appended(const std::string& path, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  files_[path].bytes += bytes;
}
void FaultyFileSystem::truncated(const std::string& path, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  files_[path].bytes = bytes;
}
void FaultyFileSystem::synced(const std::string& path) {
  std::lock_guard lock(mutex_);
  files_[path].synced_bytes = files_[path].bytes;
}
void FaultyFileSystem::directory_synced(const std::string& path) {
  std::lock_guard lock(mutex_);
  for (auto& [name, state] : files_)
    if (std::filesystem::path(name).parent_path().lexically_normal() == std::filesystem::path(path + "/").parent_path().lexically_normal())
      state.in_directory = true;
}

void FaultyFileSystem::lose_unsynced() {
  std::lock_guard lock(mutex_);
  for (const auto& [name, state] : files_) {
    if (!std::filesystem::exists(name)) continue;
    if (!state.in_directory) {
      std::filesystem::remove(name);
    } else if (std::filesystem::file_size(name) > state.synced_bytes) {
      std::filesystem::resize_file(name, state.synced_bytes);
    }
  }
  files_.clear();
  dead_ = false;
}

IOStatus FaultyFileSystem::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* debug) {
  IOStatus status = before_write();
  if (status.ok()) status = FileSystemWrapper::NewWritableFile(path, options, out, debug);
  if (!status.ok()) return status;
  {
    std::lock_guard lock(mutex_);
    files_[path] = {};
  }
  *out = std::make_unique<TrackedFile>(std::move(*out), path, *this);
  return status;
}

IOStatus FaultyFileSystem::ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext* debug) {
  IOStatus status = before_write();
  if (status.ok()) status = FileSystemWrapper::ReopenWritableFile(path, options, out, debug);
  if (!status.ok()) return status;
  {
    std::lock_guard lock(mutex_);
    if (!files_.contains(path)) {
      const auto size = std::filesystem::file_size(path);
      files_[path] = {size, size, true};
    }
  }
  *out = std::make_unique<TrackedFile>(std::move(*out), path, *this);
  return status;
}

IOStatus FaultyFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                        std::unique_ptr<rocksdb::FSDirectory>* out, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, out, debug);
  if (status.ok()) *out = std::make_unique<TrackedDirectory>(std::move(*out), path, *this);
  return status;
}

IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                      IODebugContext* debug) {
  IOStatus status = before_write();
  if (status.ok()) status = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  if (const auto found = files_.find(from); found != files_.end()) {
    files_[to] = found->second;
    files_[to].in_directory = true;  // A journalling file system keeps a rename over an older file whole.
    files_.erase(found);
  }
  return status;
}

IOStatus FaultyFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = dead_ ? before_write() : FileSystemWrapper::DeleteFile(path, options, debug);
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  files_.erase(path);
  return status;
}

}  // namespace weir
