#pragma once
// Cuts bytes into lines, in place in a LineBatch: what every source shares. An unfinished line is carried into the next batch;
// of a line beyond the limit only the head is kept, with length and CRC of the whole: memory stays bounded whatever comes.

#include <cstdint>
#include <string>

#include "sources/input_source.hpp"

namespace weir {

class LineSplitter {
 public:
  explicit LineSplitter(std::uint64_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // A new content begins (a file): the line at its byte `position` is next. REQUIRES: no unfinished line.
  void begin_content(std::uint64_t position, bool first_line_is_header);
  // Added to the content position to give the cursor (which file).
  void set_cursor_base(std::uint64_t base) { cursor_base_ = base; }

  // Puts the unfinished line of the last batch to the end of out.bytes (after what is there).
  void resume_batch(LineBatch& out);
  // `bytes` new ones lie behind out.bytes (in its prepare()d room); takes them and cuts lines.
  void take(LineBatch& out, std::size_t bytes);
  // The content ends: an unfinished line is a line.
  void end_content(LineBatch& out);
  // Keeps the unfinished line for the next batch, and takes it out of this one.
  void end_batch(LineBatch& out);

  std::uint64_t position() const { return position_; }  // Content byte after everything taken.

 private:
  void finish_line(LineBatch& out, std::size_t end, std::uint64_t next_line);

  std::uint64_t line_bytes_max_;
  std::uint64_t cursor_base_ = 0;
  std::uint64_t position_ = 0;
  std::size_t begin_ = 0;            // Of the unfinished line in out.bytes.
  bool unfinished_ = false;
  bool header_ = false;              // The unfinished or next line is a header.
  bool long_ = false;                // The unfinished line is beyond the limit: only its head is in the batch.
  std::size_t head_bytes_ = 0;
  std::uint32_t long_crc_ = 0;
  std::uint64_t long_bytes_ = 0;
  std::string carry_;
};

}  // namespace weir
