#pragma once
// A regular file as it lies on the disk, open for reading, with errors that name it and say what to do.

#include <cstdint>
#include <string>

#include "core/base/result.hpp"

namespace weir {

class StoredFile {
 public:
  // kNotFound, kInvalidInput (a directory, a pipe …), kIo (no permission …).
  static Result<StoredFile> open(const std::string& path);

  StoredFile() = default;
  ~StoredFile();
  StoredFile(StoredFile&& other) noexcept;
  StoredFile& operator=(StoredFile&& other) noexcept;

  const std::string& path() const { return path_; }
  int descriptor() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  std::uint64_t size() const { return size_; }          // When it was opened.
  std::int64_t modified_ns() const { return modified_ns_; }
  std::uint64_t device() const { return device_; }
  std::uint64_t inode() const { return inode_; }

  // Up to `bytes` from `at` on; fewer only at the end of the file, as it is now.
  Result<std::size_t> read_at(std::uint64_t at, char* to, std::size_t bytes) const;
  // CRC32C of [begin, end). kInvalidInput if the file has become shorter than that.
  Result<std::uint32_t> crc(std::uint64_t begin, std::uint64_t end, std::uint32_t before = 0) const;

 private:
  int fd_ = -1;
  std::string path_;
  std::uint64_t size_ = 0, device_ = 0, inode_ = 0;
  std::int64_t modified_ns_ = 0;
};

}  // namespace weir
