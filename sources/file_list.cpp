#include "sources/file_list.hpp"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "core/base/check.hpp"
#include "sources/decompression.hpp"
#include "sources/line_splitter.hpp"
#include "sources/stored_file.hpp"

namespace weir {
namespace {

// A cursor is the file's place in the list and the byte in its content.
constexpr int kCursorFileShift = 44;
constexpr std::uint64_t kCursorByteMask = (std::uint64_t(1) << kCursorFileShift) - 1;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::uint8_t kIdentityVersion = 1;
// Of a longer file the first and the last half of this are in its CRC: opening a file of any size takes a fraction of a second.
constexpr std::uint64_t kCrcBytesMax = 256ULL << 20;

struct FileIdentity {
  std::string path;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  std::int64_t modified_ns = 0;
};

Result<std::uint32_t> identity_crc(const StoredFile& file) {
  if (file.size() <= kCrcBytesMax) return file.crc(0, file.size());
  TRY_ASSIGN(const std::uint32_t head, file.crc(0, kCrcBytesMax / 2));
  return file.crc(file.size() - kCrcBytesMax / 2, file.size(), head);
}

std::string encode_identity(const std::vector<FileIdentity>& files) {
  ByteBuffer out;
  out.append_fixed(kIdentityVersion);
  out.append_varint(files.size());
  for (const FileIdentity& file : files) {
    out.append_varint_bytes(file.path);
    out.append_varint(file.size);
    out.append_fixed(file.crc);
    out.append_fixed(file.modified_ns);
  }
  return std::string(out.view());
}

Result<std::vector<FileIdentity>> decode_identity(std::string_view text) {
  ByteReader reader(text);
  const auto version = reader.fixed<std::uint8_t>();
  if (reader.ok() && version > kIdentityVersion) {
    return Error{ErrorCode::kVersion, "identity of the file list: has version " + std::to_string(version) +
                                          ", this weir knows " + std::to_string(kIdentityVersion)};
  }
  std::vector<FileIdentity> files;
  const std::uint64_t count = reader.varint();
  for (std::uint64_t i = 0; reader.ok() && i < count; ++i) {
    FileIdentity file;
    file.path = std::string(reader.varint_bytes());
    file.size = reader.varint();
    file.crc = reader.fixed<std::uint32_t>();
    file.modified_ns = reader.fixed<std::int64_t>();
    files.push_back(std::move(file));
  }
  if (!reader.finished()) return Error{ErrorCode::kCorruption, "identity of the file list: its bytes are damaged"};
  return files;
}

class FileList final : public InputSource {
 public:
  FileList(FileListOptions options, std::vector<std::string> paths, std::uint64_t bytes_total)
      : options_(std::move(options)), paths_(std::move(paths)), bytes_total_(bytes_total), splitter_(options_.line_bytes_max) {}

  Result<bool> read(LineBatch& out, std::size_t bytes_hint) override {
    out.clear();
    out.base = next_;
    if (failed_) return *failed_;
    if (!resume_header_.empty()) {
      out.lines.push_back({.begin = 0, .bytes = resume_header_.size(), .line_bytes = resume_header_.size(), .cursor = 0, .header = true});
      out.bytes.append(resume_header_);
      resume_header_.clear();
    }
    splitter_.resume_batch(out);
    bytes_hint = std::max<std::size_t>(bytes_hint, 1);
    while (!ended_ && (out.lines.empty() || out.bytes.size() < bytes_hint)) {
      Result<void> step = read_some(out, bytes_hint);
      if (step.ok()) continue;
      failed_ = step.error();
      if (out.lines.empty()) return *failed_;
      break;  // What was read before the damage first; the error with the next call.
    }
    splitter_.end_batch(out);
    for (const LineBatch::Line& line : out.lines)
      if (!line.header) next_ = next_.next();
    return !out.lines.empty();
  }

  bool ended() const override { return ended_; }

  Result<void> resume(Offset next, std::uint64_t cursor, std::string_view identity) override {
    CHECK(next_.value == 0 && !content_);
    if (next.value <= 0) return {};
    TRY_ASSIGN(const std::vector<FileIdentity> before, decode_identity(identity));
    TRY(check_unchanged(before));
    opened_ = before;
    if (!try_cursor(next, cursor)) return count_lines(next);
    return {};
  }

  std::string identity() const override { return encode_identity(opened_); }
  std::uint64_t bytes_read() const override { return bytes_finished_ + (content_ ? content_->stored_bytes_read() : 0); }
  std::uint64_t bytes_total() const override { return bytes_total_; }

 private:
  Result<void> read_some(LineBatch& out, std::size_t bytes_hint) {
    if (!content_) {
      if (file_index_ == paths_.size()) {
        ended_ = true;
        return {};
      }
      TRY(open_next());
      splitter_.begin_content(0, options_.header);
    }
    const std::size_t room = std::min(kReadBytes, std::max<std::size_t>(bytes_hint, 4096));
    TRY_ASSIGN(const std::size_t got, content_->read(out.bytes.prepare(room), room));
    if (got > 0) {
      splitter_.take(out, got);
      return {};
    }
    splitter_.end_content(out);
    finish_file();
    return {};
  }

  Result<void> open_next() {
    TRY_ASSIGN(file_, StoredFile::open(paths_[file_index_]));
    if (file_.size() > kCursorByteMask)
      return Error{ErrorCode::kInvalidInput, "file '" + file_.path() + "': larger than 16 TiB; split it"};
    if (file_index_ >= opened_.size()) {
      TRY_ASSIGN(const std::uint32_t crc, identity_crc(file_));
      opened_.push_back({file_.path(), file_.size(), crc, file_.modified_ns()});
    }
    TRY_ASSIGN(content_, open_content(file_));
    splitter_.set_cursor_base(std::uint64_t(file_index_) << kCursorFileShift);
    return {};
  }

  void finish_file() {
    bytes_finished_ += file_.size();
    content_.reset();
    ++file_index_;
  }

  Result<void> check_unchanged(const std::vector<FileIdentity>& before) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      const FileIdentity& was = before[i];
      if (i >= paths_.size()) {
        return Error{ErrorCode::kInvalidInput, "file list: '" + was.path + "' was file " + std::to_string(i + 1) +
                                                   " of the list and has been read, but is no longer in it; put it back, or start in a "
                                                   "new data directory"};
      }
      if (paths_[i] != was.path) {
        return Error{ErrorCode::kInvalidInput, "file list: file " + std::to_string(i + 1) + " was '" + was.path +
                                                   "' and has been read, now it is '" + paths_[i] +
                                                   "'; the list may only grow at its end: restore it, or start in a new data directory"};
      }
      TRY_ASSIGN(StoredFile file, StoredFile::open(was.path));
      if (file.size() != was.size) {
        return changed(was, std::string(file.size() > was.size ? "grown" : "shrunk") + " from " + std::to_string(was.size) + " to " +
                                std::to_string(file.size()) + " bytes");
      }
      if (file.modified_ns() == was.modified_ns) continue;  // Not written since: the CRC would say the same.
      TRY_ASSIGN(const std::uint32_t crc, identity_crc(file));
      if (crc != was.crc) return changed(was, "other content than it had (its CRC differs, its size does not)");
    }
    return {};
  }
  static Error changed(const FileIdentity& was, const std::string& how) {
    return {ErrorCode::kInvalidInput, "file '" + was.path + "': has changed since it was read: " + how +
                                          "; restore it, or start in a new data directory (a file that grows is read with follow: true)"};
  }

  // True: stands behind line `next` - 1, where the cursor said. It was stored together with `next`; a place that cannot be
  // one is not believed.
  bool try_cursor(Offset next, std::uint64_t cursor) {
    const auto index = static_cast<std::size_t>(cursor >> kCursorFileShift);
    const std::uint64_t byte = cursor & kCursorByteMask;
    if (cursor == 0 || index >= opened_.size()) return false;
    file_index_ = index;
    bytes_finished_ = 0;
    for (std::size_t i = 0; i < index; ++i) bytes_finished_ += opened_[i].size;
    const bool placed = [&] {
      if (byte == 0) return true;
      if (!open_next().ok()) return false;
      const auto skipped = content_->skip_to(byte - 1);
      if (!skipped.ok() || !*skipped) return false;
      // What a line ends with: a newline, or the content.
      char c = 0;
      auto got = content_->read(&c, 1);
      if (!got.ok() || *got != 1) return false;
      if (c != '\n') {
        got = content_->read(&c, 1);
        if (!got.ok() || *got != 0) return false;
      }
      return !options_.header || read_header().ok();
    }();
    if (!placed) {
      content_.reset();
      file_index_ = 0;
      bytes_finished_ = 0;
      return false;
    }
    if (content_) splitter_.begin_content(byte, false);
    next_ = next;
    return true;
  }

  // The first line of the current file, for a reader that goes on in the middle of it.
  Result<void> read_header() {
    TRY_ASSIGN(std::unique_ptr<ContentReader> content, open_content(file_));
    LineSplitter splitter(options_.line_bytes_max);
    LineBatch batch;
    splitter.begin_content(0, true);
    while (batch.lines.empty()) {
      TRY_ASSIGN(const std::size_t got, content->read(batch.bytes.prepare(4096), 4096));
      if (got == 0) {
        splitter.end_content(batch);
        break;
      }
      splitter.take(batch, got);
    }
    if (!batch.lines.empty()) resume_header_ = std::string(batch.bytes.view(batch.lines[0].begin, batch.lines[0].bytes));
    return {};
  }

  // Without a cursor: reads from the start and drops what is consumed.
  Result<void> count_lines(Offset next) {
    LineBatch batch;
    while (next_.value < next.value) {
      // Small steps, so that the last batch can be cut behind the line in question.
      TRY_ASSIGN(const bool any, read(batch, 1));
      if (!any) {
        return Error{ErrorCode::kInvalidInput, "file list: holds " + std::to_string(next_.value) + " lines, but " +
                                                   std::to_string(next.value) + " have been consumed; files are missing at its end"};
      }
      if (next_.value < next.value) continue;
      // The last of them lies within this batch: go to its end as a cursor does (which also gives the header again).
      std::int64_t index = batch.base.value;
      for (const LineBatch::Line& line : batch.lines) {
        if (line.header) continue;
        if (++index != next.value) continue;
        content_.reset();
        splitter_ = LineSplitter(options_.line_bytes_max);
        ended_ = false;
        failed_.reset();
        if (!try_cursor(next, line.cursor)) return Error{ErrorCode::kIo, "file list: cannot find line " + std::to_string(next.value) + " again"};
        return {};
      }
    }
    return {};
  }

  const FileListOptions options_;
  const std::vector<std::string> paths_;
  const std::uint64_t bytes_total_;
  std::vector<FileIdentity> opened_;
  std::size_t file_index_ = 0;             // Of the file being read, or the next one.
  StoredFile file_;
  std::unique_ptr<ContentReader> content_;
  LineSplitter splitter_;
  Offset next_;
  std::uint64_t bytes_finished_ = 0;
  std::string resume_header_;
  bool ended_ = false;
  std::optional<Error> failed_;
};

}  // namespace

Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    struct stat info;
    std::vector<std::string> found;
    if (path.find_first_of("*?[") == std::string::npos || ::lstat(path.c_str(), &info) == 0) {
      found.push_back(path);
    } else {
      glob_t matches{};
      const int code = ::glob(path.c_str(), GLOB_NOSORT, nullptr, &matches);
      if (code == 0) found.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
      ::globfree(&matches);
      if (found.empty()) {
        return Error{ErrorCode::kNotFound, "files '" + path + "': no file matches; check the pattern (it is taken from the directory "
                                                              "weir was started in)"};
      }
      std::sort(found.begin(), found.end());
    }
    for (std::string& file : found) {
      if (!seen.insert(file).second)
        return Error{ErrorCode::kInvalidInput, "files: '" + file + "' is in the list twice; its lines would count twice"};
      files.push_back(std::move(file));
    }
  }
  return files;
}

Result<std::unique_ptr<InputSource>> open_file_list(const FileListOptions& options) {
  TRY_ASSIGN(std::vector<std::string> paths, expand_paths(options.paths));
  std::uint64_t bytes_total = 0;
  for (const std::string& path : paths) {
    TRY_ASSIGN(const StoredFile file, StoredFile::open(path));
    bytes_total += file.size();
  }
  return std::unique_ptr<InputSource>(std::make_unique<FileList>(options, std::move(paths), bytes_total));
}

}  // namespace weir
