#pragma once
// A file that one process at a time holds. The system lets go of it with the process, however that ends; the file stays, empty.

#include <optional>
#include <string>
#include <utility>

#include "core/base/result.hpp"

namespace weir {

class FileLock {
 public:
  // Makes the file if it is not there. Nothing: somebody holds it, in this process or another. Does not wait. kIo.
  static Result<std::optional<FileLock>> take(const std::string& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace weir
