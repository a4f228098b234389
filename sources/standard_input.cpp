#include "sources/standard_input.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "sources/line_splitter.hpp"

namespace weir {
namespace {

class StandardInput final : public InputSource {
 public:
  StandardInput(std::uint64_t line_bytes_max, bool header, int descriptor) : descriptor_(descriptor), splitter_(line_bytes_max) {
    splitter_.begin_content(0, header);
  }

  Result<bool> read(LineBatch& out, std::size_t bytes_hint) override {
    out.clear();
    out.base = next_;
    splitter_.resume_batch(out);
    const std::size_t room = std::clamp<std::size_t>(bytes_hint, 4096, 256 * 1024);
    while (!ended_ && (out.lines.empty() || out.bytes.size() < bytes_hint) && ready(std::chrono::microseconds(0))) {
      const ssize_t got = ::read(descriptor_, out.bytes.prepare(room), room);
      if (got < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) break;
        const int error = errno;
        splitter_.end_batch(out);
        return Error{ErrorCode::kIo, std::string("standard input: cannot read: ") + std::strerror(error)};
      }
      if (got == 0) {
        ended_ = true;
        splitter_.end_content(out);
        break;
      }
      splitter_.take(out, static_cast<std::size_t>(got));
    }
    splitter_.end_batch(out);
    for (const LineBatch::Line& line : out.lines)
      if (!line.header) next_ = next_.next();
    return !out.lines.empty();
  }

  void wait(std::chrono::microseconds at_most) override { ready(at_most); }
  bool ended() const override { return ended_; }

  // Each start has another standard input; only the numbers go on.
  Result<void> resume(Offset next, std::uint64_t, std::string_view) override {
    next_ = next;
    return {};
  }
  std::string identity() const override { return {}; }
  std::uint64_t bytes_read() const override { return splitter_.position(); }
  std::uint64_t bytes_total() const override { return 0; }

 private:
  bool ready(std::chrono::microseconds at_most) const {
    pollfd entry{descriptor_, POLLIN, 0};
    const auto millis = (at_most.count() + 999) / 1000;
    return ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(millis, 60'000))) > 0;
  }

  const int descriptor_;
  LineSplitter splitter_;
  Offset next_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<InputSource> open_standard_input(std::uint64_t line_bytes_max, bool header, int descriptor) {
  return std::make_unique<StandardInput>(line_bytes_max, header, descriptor);
}

}  // namespace weir
