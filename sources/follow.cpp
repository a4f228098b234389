#include "sources/follow.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/crc32c.hpp"
#include "sources/line_splitter.hpp"
#include "sources/stored_file.hpp"

namespace weir {
namespace {

constexpr std::uint8_t kIdentityVersion = 1;
constexpr std::size_t kTailBytes = 256;  // Last bytes read, by which a file is known again.

// Tells when something happens to the file or its directory; without inotify, wait() just takes a nap.
class ChangeNotice {
 public:
  explicit ChangeNotice(const std::string& directory) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (fd_ >= 0) ::inotify_add_watch(fd_, directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
  }
  ~ChangeNotice() {
    if (fd_ >= 0) ::close(fd_);
  }
  ChangeNotice(const ChangeNotice&) = delete;
  ChangeNotice& operator=(const ChangeNotice&) = delete;

  void watch(const std::string& path) {
    if (fd_ < 0) return;
    if (watch_ >= 0) ::inotify_rm_watch(fd_, watch_);
    watch_ = ::inotify_add_watch(fd_, path.c_str(), IN_MODIFY);
  }
  bool works() const { return fd_ >= 0; }
  void wait(std::chrono::microseconds at_most) {
    pollfd entry{fd_, POLLIN, 0};
    const auto millis = std::min<std::int64_t>((at_most.count() + 999) / 1000, 250);  // File systems without inotify exist.
    if (::poll(&entry, 1, static_cast<int>(millis)) <= 0) return;
    std::array<char, 4096> events;
    while (::read(fd_, events.data(), events.size()) > 0) {
    }
  }

 private:
  int fd_;
  int watch_ = -1;
};

struct FollowIdentity {
  std::uint64_t inode = 0;
  std::uint64_t read_bytes = 0;   // Of that file.
  std::uint32_t tail_crc = 0;     // Of the last kTailBytes of them.
};

class Follow final : public InputSource {
 public:
  explicit Follow(FollowOptions options)
      : options_(std::move(options)),
        directory_(std::filesystem::path(options_.path).parent_path().empty() ? std::filesystem::path(".")
                                                                             : std::filesystem::path(options_.path).parent_path()),
        base_name_(std::filesystem::path(options_.path).filename().string()),
        notice_(directory_.string()),
        splitter_(options_.line_bytes_max) {}

  Result<bool> read(LineBatch& out, std::size_t bytes_hint) override {
    out.clear();
    out.base = next_;
    if (!resume_header_.empty()) {
      out.lines.push_back({.begin = 0, .bytes = resume_header_.size(), .line_bytes = resume_header_.size(), .cursor = 0, .header = true});
      out.bytes.append(resume_header_);
      resume_header_.clear();
    }
    splitter_.resume_batch(out);
    const Result<void> filled = fill(out, std::max<std::size_t>(bytes_hint, 1));
    splitter_.end_batch(out);
    if (!filled.ok()) return filled.error();
    for (const LineBatch::Line& line : out.lines)
      if (!line.header) next_ = next_.next();
    return !out.lines.empty();
  }

  void wait(std::chrono::microseconds at_most) override {
    notice_.works() ? notice_.wait(at_most) : InputSource::wait(at_most);
  }
  bool ended() const override { return false; }

  Result<void> resume(Offset next, std::uint64_t cursor, std::string_view identity) override {
    CHECK(!file_.is_open());
    next_ = next;
    if (identity.empty()) return {};
    ByteReader reader(identity);
    const auto version = reader.fixed<std::uint8_t>();
    FollowIdentity was;
    was.inode = reader.varint();
    was.read_bytes = reader.varint();
    was.tail_crc = reader.fixed<std::uint32_t>();
    if (reader.ok() && version > kIdentityVersion)
      return Error{ErrorCode::kVersion, "identity of '" + options_.path + "': has version " + std::to_string(version) +
                                            ", this weir knows " + std::to_string(kIdentityVersion)};
    if (!reader.finished() || cursor > was.read_bytes)
      return Error{ErrorCode::kCorruption, "identity of '" + options_.path + "': its bytes are damaged"};
    if (was.read_bytes == 0) return {};
    TRY_ASSIGN(const bool found, reopen(was));
    if (!found) {
      if (options_.accept_loss) return {};
      return Error{ErrorCode::kInvalidInput,
                   "file '" + options_.path + "': the file of which " + std::to_string(was.read_bytes) +
                       " bytes had been read is gone (removed, compressed, cut or overwritten), perhaps with lines that were never "
                       "read; put it back beside it, or set accept_loss to go on with what is there now"};
    }
    if (options_.header && cursor > 0) TRY(read_header());
    TRY(begin_file(cursor));
    return {};
  }

  std::string identity() const override {
    ByteBuffer out;
    out.append_fixed(kIdentityVersion);
    out.append_varint(file_.is_open() ? file_.inode() : 0);
    out.append_varint(file_.is_open() ? splitter_.position() : 0);
    out.append_fixed(crc32c(tail_));
    return std::string(out.view());
  }
  std::uint64_t bytes_read() const override { return bytes_before_ + splitter_.position(); }
  std::uint64_t bytes_total() const override { return 0; }

 private:
  Result<void> fill(LineBatch& out, std::size_t bytes_hint) {
    while (out.lines.empty() || out.bytes.size() < bytes_hint) {
      if (!file_.is_open()) {
        auto file = StoredFile::open(options_.path);
        if (!file.ok() && file.error().code == ErrorCode::kNotFound) return {};
        if (!file.ok()) return std::move(file).error();
        file_ = std::move(file).value();
        TRY(begin_file(0));
      }
      TRY_ASSIGN(const bool same, still_same());
      if (!same) {
        // Cut or overwritten in place: what is there now is another content.
        splitter_.end_content(out);
        if (!out.lines.empty()) {
          restart_ = true;  // With the next batch: this one's identity is the content it came from.
          return {};
        }
        TRY(begin_file(0));
        continue;
      }
      TRY_ASSIGN(const std::size_t got, read_more(out, bytes_hint));
      if (got > 0) continue;
      TRY_ASSIGN(std::optional<StoredFile> successor, next_file());
      if (!successor) return {};
      // Once more: the last bytes may have come between the look at the end and the look at the directory.
      TRY_ASSIGN(const std::size_t last, read_more(out, bytes_hint));
      if (last > 0) continue;
      splitter_.end_content(out);
      if (!out.lines.empty()) return {};  // The next file begins with the next batch.
      file_ = std::move(*successor);
      TRY(begin_file(0));
    }
    return {};
  }

  Result<std::size_t> read_more(LineBatch& out, std::size_t bytes_hint) {
    const std::size_t room = std::clamp<std::size_t>(bytes_hint, 4096, 256 * 1024);
    char* const to = out.bytes.prepare(room);
    TRY_ASSIGN(const std::size_t got, file_.read_at(splitter_.position(), to, room));
    if (got == 0) return got;
    if (got >= kTailBytes) {
      tail_.assign(to + got - kTailBytes, kTailBytes);
    } else {
      tail_.append(to, got);
      if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
    }
    splitter_.take(out, got);
    return got;
  }

  // The file at file_ from `position` on.
  Result<void> begin_file(std::uint64_t position) {
    bytes_before_ += splitter_.position();
    restart_ = false;
    splitter_.begin_content(position, options_.header && position == 0);
    const std::uint64_t tail = std::min<std::uint64_t>(position, kTailBytes);
    tail_.resize(static_cast<std::size_t>(tail));
    TRY_ASSIGN(const std::size_t got, file_.read_at(position - tail, tail_.data(), tail_.size()));
    tail_.resize(got);
    notice_.watch(file_.path());
    return {};
  }

  // Whether what was read last still stands before the position.
  Result<bool> still_same() const {
    if (restart_) return false;
    std::array<char, kTailBytes> now;
    TRY_ASSIGN(const std::size_t got, file_.read_at(splitter_.position() - tail_.size(), now.data(), tail_.size()));
    return std::string_view(now.data(), got) == tail_;
  }

  struct Sibling {
    std::string path;
    bool followed = false;  // The path itself.
    std::uint64_t inode = 0, device = 0, size = 0;
    std::int64_t modified_ns = 0;
  };
  // The followed path and the rotated files, the ones written last at the end.
  std::vector<Sibling> siblings() const {
    std::vector<Sibling> found;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(directory_, error); !error && entry != std::filesystem::directory_iterator();
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (!name.starts_with(base_name_)) continue;
      const std::string rest = name.substr(base_name_.size());
      if (!rest.empty() && ((rest[0] != '.' && rest[0] != '-' && rest[0] != '_') || rest.size() < 2 ||
                            rest.find_first_not_of("0123456789.-_:T", 0) != std::string::npos))
        continue;
      struct stat info;
      const std::string path = rest.empty() ? options_.path : entry->path().string();
      if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      found.push_back({path, rest.empty(), static_cast<std::uint64_t>(info.st_ino), static_cast<std::uint64_t>(info.st_dev),
                       static_cast<std::uint64_t>(info.st_size),
                       std::int64_t(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec});
    }
    std::sort(found.begin(), found.end(), [](const Sibling& a, const Sibling& b) {
      if (a.followed != b.followed) return b.followed;  // What is followed is the newest, whatever the clock says.
      return a.modified_ns != b.modified_ns ? a.modified_ns < b.modified_ns : a.path > b.path;
    });
    return found;
  }

  // What comes after the current file, if the path is another file by now. That one must hold bytes: a writer that has not
  // gone over to it yet still writes the old one.
  Result<std::optional<StoredFile>> next_file() const {
    struct stat info;
    if (::stat(options_.path.c_str(), &info) != 0 || info.st_size == 0) return std::optional<StoredFile>();
    if (static_cast<std::uint64_t>(info.st_ino) == file_.inode() && static_cast<std::uint64_t>(info.st_dev) == file_.device())
      return std::optional<StoredFile>();
    struct stat current;
    if (::fstat(file_.descriptor(), &current) != 0) return std::optional<StoredFile>();
    const std::int64_t modified = std::int64_t(current.st_mtim.tv_sec) * 1'000'000'000 + current.st_mtim.tv_nsec;
    for (const Sibling& sibling : siblings()) {
      if (sibling.inode == file_.inode() || (!sibling.followed && sibling.modified_ns <= modified)) continue;
      auto file = StoredFile::open(sibling.path);
      if (!file.ok() && file.error().code == ErrorCode::kNotFound) return std::optional<StoredFile>();  // Rotated just now.
      if (!file.ok()) return std::move(file).error();
      return std::optional<StoredFile>(std::move(file).value());
    }
    return std::optional<StoredFile>();
  }

  // Opens the file that was being read: by its number and its last bytes, else (a copy, another disk) by those bytes alone.
  Result<bool> reopen(const FollowIdentity& was) {
    for (const bool by_number : {true, false}) {
      for (const Sibling& sibling : siblings()) {
        if (sibling.size < was.read_bytes || (by_number && sibling.inode != was.inode)) continue;
        auto file = StoredFile::open(sibling.path);
        if (!file.ok()) continue;
        const std::uint64_t tail = std::min<std::uint64_t>(was.read_bytes, kTailBytes);
        const auto crc = file->crc(was.read_bytes - tail, was.read_bytes);
        if (!crc.ok() || *crc != was.tail_crc) continue;
        file_ = std::move(file).value();
        return true;
      }
    }
    return false;
  }

  Result<void> read_header() {
    LineSplitter splitter(options_.line_bytes_max);
    LineBatch batch;
    splitter.begin_content(0, true);
    while (batch.lines.empty()) {
      TRY_ASSIGN(const std::size_t got, file_.read_at(splitter.position(), batch.bytes.prepare(4096), 4096));
      if (got == 0) return {};
      splitter.take(batch, got);
    }
    resume_header_ = std::string(batch.bytes.view(batch.lines[0].begin, batch.lines[0].bytes));
    return {};
  }

  const FollowOptions options_;
  const std::filesystem::path directory_;
  const std::string base_name_;
  ChangeNotice notice_;
  StoredFile file_;
  LineSplitter splitter_;
  std::string tail_;            // Last bytes read of the current content, up to kTailBytes.
  std::string resume_header_;
  Offset next_;
  std::uint64_t bytes_before_ = 0;
  bool restart_ = false;        // The current file holds another content than the one read so far.
};

}  // namespace

Result<std::unique_ptr<InputSource>> open_follow(const FollowOptions& options) {
  const auto file = StoredFile::open(options.path);
  if (!file.ok() && file.error().code != ErrorCode::kNotFound) return file.error();
  return std::unique_ptr<InputSource>(std::make_unique<Follow>(options));
}

}  // namespace weir
