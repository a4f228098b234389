#include "pipelines/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir {

// Never removed: one who waits for a name that is taken away would hold another file than the next one who asks.
Result<std::optional<FileLock>> FileLock::take(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  const auto failed = [&] { return Error{ErrorCode::kIo, path + ": cannot be locked: " + std::strerror(errno)}; };
  if (fd < 0) return failed();
  FileLock lock(fd);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::optional<FileLock>();
    if (errno != EINTR) return failed();
  }
  return std::optional<FileLock>(std::move(lock));
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace weir
