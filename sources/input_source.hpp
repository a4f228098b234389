#pragma once
// Where lines come from: files, a followed file, standard input. Direct inputs give (offset, line); followed ones are
// appended to a topic first.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"

namespace weir {

// Lines as read: bytes of one block and where each line lies in it. Reused.
struct LineBatch {
  struct Line {
    std::size_t begin = 0;
    std::size_t bytes = 0;          // Kept: all of it, or the first 4 KiB of a line beyond the limit.
    std::uint64_t line_bytes = 0;   // Of the whole line.
    std::uint32_t line_crc = 0;     // Only where line_bytes > bytes.
    std::uint64_t cursor = 0;       // Where to resume after this line.
    bool header = false;            // First line of a file whose format wants a header: no offset of its own.
  };
  ByteBuffer bytes;
  std::vector<Line> lines;
  Offset base;                      // Of the first line that is no header; the others follow without gaps.
  void clear() {
    bytes.clear();
    lines.clear();
  }
};

// Used by one thread.
class InputSource {
 public:
  virtual ~InputSource() = default;
  // Fills `out` with the next lines, about `bytes_hint` bytes, at least one line unless at the end. False: nothing now (a
  // followed source: no growth yet; else: the end). kInvalidInput: truncated gzip …; kIo.
  virtual Result<bool> read(LineBatch& out, std::size_t bytes_hint) = 0;
  // After read() said "nothing now": returns when there may be more, at the latest after `at_most`.
  virtual void wait(std::chrono::microseconds at_most);
  // True once the end is reached for good; never for a followed source.
  virtual bool ended() const = 0;
  // Goes on after a restart: `next` lines are consumed and `cursor` is the hint stored with them; `identity` what
  // identity() gave then. kInvalidInput: the files are not the ones consumed before (names the file and what changed).
  virtual Result<void> resume(Offset next, std::uint64_t cursor, std::string_view identity) = 0;
  // What is stored in the task's state to know the files again: path, size, CRC of each file opened so far. Goes with the
  // lines of the last read(): both into the same commit.
  virtual std::string identity() const = 0;
  // For progress: bytes read and in all, of the stored (compressed) files; total 0 if unknown.
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::uint64_t bytes_total() const = 0;
};

}  // namespace weir
