#include "sources/decompression.hpp"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/check.hpp"

namespace weir {
namespace {

// The stored bytes in order, no further than the file's size at opening: what is appended later does not count.
class StoredBytes {
 public:
  explicit StoredBytes(const StoredFile& file) : file_(file) {}

  Result<std::size_t> read(char* to, std::size_t room) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(room, file_.size() - at_));
    if (want == 0) return std::size_t{0};
    TRY_ASSIGN(const std::size_t got, file_.read_at(at_, to, want));
    if (got == 0) {
      return Error{ErrorCode::kInvalidInput, "file '" + file_.path() + "': ends at byte " + std::to_string(at_) +
                                                 ", but had " + std::to_string(file_.size()) +
                                                 " bytes when it was opened; it was shortened while it was read"};
    }
    at_ += got;
    return got;
  }
  void seek(std::uint64_t at) { at_ = at; }
  std::uint64_t at() const { return at_; }
  const StoredFile& file() const { return file_; }

 private:
  const StoredFile& file_;
  std::uint64_t at_ = 0;
};

class PlainContent final : public ContentReader {
 public:
  explicit PlainContent(const StoredFile& file) : stored_(file) {}
  Result<std::size_t> read(char* to, std::size_t room) override { return stored_.read(to, room); }
  Result<bool> skip_to(std::uint64_t content_byte) override {
    if (content_byte > stored_.file().size()) return false;
    stored_.seek(content_byte);
    return true;
  }
  std::uint64_t stored_bytes_read() const override { return stored_.at(); }
  Compression compression() const override { return Compression::kNone; }

 private:
  StoredBytes stored_;
};

constexpr std::size_t kInputBytes = 64 * 1024;
constexpr std::size_t kDecodedBytes = 128 * 1024;

// What gzip and zstd share: an input block, a decoded block, and skipping by reading. Blocks of one size are decoded whatever the
// reader has room for: how much of a damaged file a decoder gives before it fails depends on the room.
class DecodedContent : public ContentReader {
 public:
  explicit DecodedContent(const StoredFile& file) : stored_(file), input_(kInputBytes), decoded_(kDecodedBytes) {}

  Result<std::size_t> read(char* to, std::size_t room) final {
    if (decoded_at_ == decoded_end_) {
      TRY_ASSIGN(decoded_end_, decode(decoded_.data(), decoded_.size()));
      decoded_at_ = 0;
    }
    const std::size_t given = std::min(room, decoded_end_ - decoded_at_);
    std::memcpy(to, decoded_.data() + decoded_at_, given);
    decoded_at_ += given;
    return given;
  }
  Result<bool> skip_to(std::uint64_t content_byte) override {
    std::vector<char> away(256 * 1024);
    while (content_byte > 0) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(away.size(), content_byte));
      TRY_ASSIGN(const std::size_t got, read(away.data(), want));
      if (got == 0) return false;
      content_byte -= got;
    }
    return true;
  }
  std::uint64_t stored_bytes_read() const override { return stored_.at(); }

 protected:
  // 0: the end. What is decoded before a failure is given first, the error with the next call.
  virtual Result<std::size_t> decode(char* to, std::size_t room) = 0;
  // False: no more stored bytes.
  Result<bool> fill(const char*& at, std::size_t& left) {
    TRY_ASSIGN(const std::size_t got, stored_.read(input_.data(), input_.size()));
    at = input_.data();
    left = got;
    return got > 0;
  }
  Error error(std::string_view format, std::size_t unread, std::string_view what) const {
    return Error{ErrorCode::kInvalidInput, "file '" + stored_.file().path() + "': " + std::string(format) + " data, byte " +
                                               std::to_string(stored_.at() - unread) + " of " +
                                               std::to_string(stored_.file().size()) + ": " + std::string(what)};
  }

  StoredBytes stored_;
  std::vector<char> input_;

 private:
  std::vector<char> decoded_;
  std::size_t decoded_at_ = 0, decoded_end_ = 0;
};

class GzipContent final : public DecodedContent {
 public:
  explicit GzipContent(const StoredFile& file) : DecodedContent(file), state_(std::make_unique<inflate_state>()) { begin_member(); }

  Result<std::size_t> decode(char* to, std::size_t room) override {
    if (pending_ != 0) return fail(pending_);
    std::size_t given = 0;
    while (given < room && !ended_) {
      if (state_->avail_in == 0) {
        const char* at = nullptr;
        std::size_t left = 0;
        TRY_ASSIGN(const bool more, fill(at, left));
        if (more) {
          state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(at));
          state_->avail_in = static_cast<std::uint32_t>(left);
        } else if (between_members_) {
          ended_ = true;
          break;
        } else if (no_input_left_) {
          if (given > 0) break;
          return error("gzip", 0, "it ends in the middle of a member; the file is truncated: copy it again and start in a new data directory");
        } else {
          no_input_left_ = true;  // The decoder may still hold bytes of output.
        }
      }
      if (between_members_) {
        if (padding_ || *state_->next_in != 0x1f) {
          // Zeros after the last member, as tape blocks have them, are no content.
          padding_ = true;
          while (state_->avail_in > 0 && *state_->next_in == 0) {
            ++state_->next_in;
            --state_->avail_in;
          }
          if (state_->avail_in == 0) continue;
          if (given > 0) break;
          return error("gzip", state_->avail_in, "something that is no gzip member follows the last one");
        }
        begin_member();
      }
      const auto chunk = static_cast<std::uint32_t>(std::min<std::size_t>(room - given, 1u << 30));
      state_->next_out = reinterpret_cast<std::uint8_t*>(to + given);
      state_->avail_out = chunk;
      const int code = isal_inflate(state_.get());
      const std::size_t came = chunk - state_->avail_out;
      given += came;
      if (code < 0) {
        pending_ = code;
        if (given > 0) break;
        return fail(code);
      }
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        between_members_ = true;
      } else if (came == 0 && no_input_left_) {
        if (given > 0) break;
        return error("gzip", 0, "it ends in the middle of a member; the file is truncated: copy it again and start in a new data directory");
      }
    }
    return given;
  }
  Compression compression() const override { return Compression::kGzip; }

 private:
  void begin_member() {
    std::uint8_t* const next_in = state_->next_in;
    const std::uint32_t avail_in = state_->avail_in;
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;  // Reads header and trailer, and checks the CRC.
    state_->next_in = next_in;
    state_->avail_in = avail_in;
    between_members_ = false;
  }
  Error fail(int code) const {
    switch (code) {
      case ISAL_INCORRECT_CHECKSUM: return error("gzip", state_->avail_in, "its checksum is wrong; the file is damaged");
      case ISAL_INVALID_WRAPPER: return error("gzip", state_->avail_in, "expected the start of a gzip member");
      case ISAL_UNSUPPORTED_METHOD: return error("gzip", state_->avail_in, "a compression method other than deflate");
      default: return error("gzip", state_->avail_in, "invalid deflate data; the file is damaged");
    }
  }

  std::unique_ptr<inflate_state> state_;
  bool between_members_ = false, padding_ = false, ended_ = false, no_input_left_ = false;
  int pending_ = 0;
};

class ZstdContent final : public DecodedContent {
 public:
  explicit ZstdContent(const StoredFile& file) : DecodedContent(file), stream_(ZSTD_createDCtx()) { CHECK(stream_ != nullptr); }
  ~ZstdContent() override { ZSTD_freeDCtx(stream_); }

  Result<std::size_t> decode(char* to, std::size_t room) override {
    if (failed_ != 0) return fail();
    std::size_t given = 0;
    while (given < room) {
      if (in_.pos == in_.size && !flushing_) {
        const char* at = nullptr;
        std::size_t left = 0;
        TRY_ASSIGN(const bool more, fill(at, left));
        if (!more) {
          if (at_frame_end_ || given > 0) break;
          return error("zstd", 0, "it ends in the middle of a frame; the file is truncated: copy it again and start in a new data directory");
        }
        in_ = {at, left, 0};
      }
      ZSTD_outBuffer out = {to, room, given};
      const std::size_t code = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(code)) {
        failed_ = code;
        given = out.pos;
        if (given > 0) break;
        return fail();
      }
      at_frame_end_ = code == 0;
      flushing_ = out.pos == out.size && code != 0;  // The decoder may hold more than there was room for.
      given = out.pos;
    }
    return given;
  }
  Compression compression() const override { return Compression::kZstd; }

 private:
  Error fail() const {
    return error("zstd", in_.size - in_.pos, std::string(ZSTD_getErrorName(failed_)) + "; the file is damaged");
  }

  ZSTD_DCtx* stream_;
  ZSTD_inBuffer in_ = {nullptr, 0, 0};
  bool at_frame_end_ = false;
  bool flushing_ = false;
  std::size_t failed_ = 0;
};

}  // namespace

Compression compression_of(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return Compression::kGzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return Compression::kZstd;
  return Compression::kNone;
}

Result<std::unique_ptr<ContentReader>> open_content(const StoredFile& file) {
  std::array<char, 4> first{};
  TRY_ASSIGN(const std::size_t got, file.read_at(0, first.data(), std::min<std::size_t>(first.size(), file.size())));
  switch (compression_of({first.data(), got})) {
    case Compression::kGzip: return std::unique_ptr<ContentReader>(std::make_unique<GzipContent>(file));
    case Compression::kZstd: return std::unique_ptr<ContentReader>(std::make_unique<ZstdContent>(file));
    case Compression::kNone: break;
  }
  return std::unique_ptr<ContentReader>(std::make_unique<PlainContent>(file));
}

}  // namespace weir
