#include "sources/stored_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/base/crc32c.hpp"

namespace weir {
namespace {

Error open_error(const std::string& path, int error) {
  const std::string name = "file '" + path + "': ";
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return {ErrorCode::kNotFound, name + "there is none; check the path (it is taken from the directory weir was started in)"};
    case EACCES:
    case EPERM:
      return {ErrorCode::kIo, name + "permission denied; allow the user that runs weir to read it (chmod a+r) and to enter its directories"};
    case ELOOP: return {ErrorCode::kInvalidInput, name + "its symbolic links go round in a circle"};
    case EMFILE:
    case ENFILE: return {ErrorCode::kIo, name + "too many open files; raise the limit (ulimit -n)"};
    default: return {ErrorCode::kIo, name + "cannot open: " + std::strerror(error)};
  }
}

}  // namespace

Result<StoredFile> StoredFile::open(const std::string& path) {
  StoredFile file;
  file.path_ = path;
  // Without O_NONBLOCK opening a pipe that nobody writes would wait for ever.
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd_ < 0) return open_error(path, errno);
  struct stat info;
  if (::fstat(file.fd_, &info) != 0) return open_error(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kInvalidInput, "file '" + path + "': is a directory; name its files, or a pattern like '" + path +
                                               (path.ends_with('/') ? "*" : "/*") + "'"};
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kInvalidInput,
                 "file '" + path + "': is not a regular file; pipes and devices are read through standard input"};
  }
  file.size_ = static_cast<std::uint64_t>(info.st_size);
  file.device_ = static_cast<std::uint64_t>(info.st_dev);
  file.inode_ = static_cast<std::uint64_t>(info.st_ino);
  file.modified_ns_ = std::int64_t(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
  return file;
}

StoredFile::~StoredFile() {
  if (fd_ >= 0) ::close(fd_);
}
StoredFile::StoredFile(StoredFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      size_(other.size_),
      device_(other.device_),
      inode_(other.inode_),
      modified_ns_(other.modified_ns_) {}
StoredFile& StoredFile::operator=(StoredFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  size_ = other.size_;
  device_ = other.device_;
  inode_ = other.inode_;
  modified_ns_ = other.modified_ns_;
  return *this;
}

Result<std::size_t> StoredFile::read_at(std::uint64_t at, char* to, std::size_t bytes) const {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::pread(fd_, to + done, bytes - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return Error{ErrorCode::kIo, "file '" + path_ + "': cannot read at byte " + std::to_string(at + done) + ": " +
                                       std::strerror(errno)};
    }
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<std::uint32_t> StoredFile::crc(std::uint64_t begin, std::uint64_t end, std::uint32_t before) const {
  std::vector<char> block(1 << 18);
  std::uint32_t crc = before;
  while (begin < end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - begin));
    TRY_ASSIGN(const std::size_t got, read_at(begin, block.data(), want));
    if (got < want) {
      return Error{ErrorCode::kInvalidInput, "file '" + path_ + "': has become shorter than " + std::to_string(end) +
                                                 " bytes while it was read"};
    }
    crc = crc32c({block.data(), got}, crc);
    begin += got;
  }
  return crc;
}

}  // namespace weir
