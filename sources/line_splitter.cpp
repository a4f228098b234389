#include "sources/line_splitter.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/check.hpp"
#include "core/base/crc32c.hpp"
#include "core/records/line_parser.hpp"

namespace weir {

void LineSplitter::begin_content(std::uint64_t position, bool first_line_is_header) {
  CHECK(!unfinished_);
  position_ = position;
  header_ = first_line_is_header;
}

void LineSplitter::resume_batch(LineBatch& out) {
  begin_ = out.bytes.size();
  out.bytes.append(carry_);
  carry_.clear();
}

void LineSplitter::take(LineBatch& out, std::size_t bytes) {
  std::size_t at = out.bytes.size();
  const std::uint64_t base = position_ - at;  // Modulo 2^64: content position of a batch position.
  out.bytes.advance(bytes);
  position_ += bytes;
  const char* const data = out.bytes.data();
  const std::size_t end = out.bytes.size();
  while (at < end) {
    const auto* newline = static_cast<const char*>(std::memchr(data + at, '\n', end - at));
    if (newline == nullptr) break;
    const auto found = static_cast<std::size_t>(newline - data);
    if (long_) {
      long_crc_ = crc32c({data + at, found - at}, long_crc_);
      long_bytes_ += found - at;
    }
    finish_line(out, found, base + found + 1);
    at = begin_ = found + 1;
  }
  unfinished_ = long_ || begin_ < end;
  if (!unfinished_) return;
  if (long_) {
    long_crc_ = crc32c({data + at, end - at}, long_crc_);
    long_bytes_ += end - at;
    out.bytes.truncate(begin_ + head_bytes_);
  } else if (end - begin_ > line_bytes_max_ + 1) {  // One more: a "\r" does not count.
    long_ = true;
    long_bytes_ = end - begin_;
    long_crc_ = crc32c({data + begin_, end - begin_});
    head_bytes_ = std::min<std::size_t>(kTooLongHeadBytes, end - begin_);
    out.bytes.truncate(begin_ + head_bytes_);
  }
}

void LineSplitter::finish_line(LineBatch& out, std::size_t end, std::uint64_t next_line) {
  LineBatch::Line line;
  line.begin = begin_;
  line.cursor = cursor_base_ + next_line;
  line.header = header_;
  header_ = false;
  if (long_) {
    line.bytes = head_bytes_;
    line.line_bytes = long_bytes_;
    line.line_crc = long_crc_;
    long_ = false;
  } else {
    line.line_bytes = line.bytes = end - begin_;
    const std::size_t counted = line.bytes - (line.bytes > 0 && out.bytes.data()[end - 1] == '\r' ? 1 : 0);
    if (counted > line_bytes_max_) {
      line.line_crc = crc32c({out.bytes.data() + begin_, line.bytes});
      line.bytes = std::min(kTooLongHeadBytes, line.bytes);
    }
  }
  out.lines.push_back(line);
}

void LineSplitter::end_content(LineBatch& out) {
  if (!unfinished_) return;
  unfinished_ = false;
  finish_line(out, out.bytes.size(), position_);
  begin_ = out.bytes.size();
}

void LineSplitter::end_batch(LineBatch& out) {
  if (!unfinished_) return;
  carry_.assign(out.bytes.data() + begin_, out.bytes.size() - begin_);
  out.bytes.truncate(begin_);
}

}  // namespace weir
