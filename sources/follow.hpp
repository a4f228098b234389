#pragma once
// A file that is still being written, as `tail -F` reads it: growth, rotation by renaming or copying, truncation. A line counts
// when its newline is there, or when its file will grow no more.
//
// Rotated files are those beside it named like it with a number or date behind (app.log.1, app.log-20130101). A rotated file is
// read to its end before the next one, also those that were rotated while nobody was reading; compressed ones are not.

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "sources/input_source.hpp"

namespace weir {

struct FollowOptions {
  std::string path;                   // May not be there yet.
  std::uint64_t line_bytes_max = 1 << 20;
  bool header = false;                // The first line of each file is a header.
  // When the file read before is gone at a restart, with lines that may never have been read: go on with what is there now,
  // instead of the error that says so.
  bool accept_loss = false;
};

// A batch holds lines of one file only; its cursor is the byte in that file. kInvalidInput: a directory, a pipe.
Result<std::unique_ptr<InputSource>> open_follow(const FollowOptions& options);

}  // namespace weir
