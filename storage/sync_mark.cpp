#include "storage/sync_mark.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "core/base/crc32c.hpp"

namespace weir {

std::uint64_t read_sync_mark(const std::string& path) {
  std::array<char, 12> bytes;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const bool whole = ::pread(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  ::close(file);
  std::uint64_t sequence = 0;
  std::uint32_t crc = 0;
  std::memcpy(&sequence, bytes.data(), 8);
  std::memcpy(&crc, bytes.data() + 8, 4);
  return whole && crc == crc32c({bytes.data(), 8}) ? sequence : 0;
}

int open_sync_mark(const std::string& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644); }

void write_sync_mark(int file, std::uint64_t sequence) {
  if (file < 0) return;
  std::array<char, 12> bytes;
  std::memcpy(bytes.data(), &sequence, 8);
  const std::uint32_t crc = crc32c({bytes.data(), 8});
  std::memcpy(bytes.data() + 8, &crc, 4);
  [[maybe_unused]] const auto written = ::pwrite(file, bytes.data(), bytes.size(), 0);
}

void close_sync_mark(int file) {
  if (file >= 0) ::close(file);
}

bool another_process_holds(const std::string& lock_path) {
  const int file = ::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = ::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(file);
  return held;
}

}  // namespace weir
