#pragma once
// Files as one input, one after the other: plain, gzip or zstd. The offset of a line is its number over the whole list, so the
// list may only grow at its end between two starts, and what has been read must stay as it was.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "sources/input_source.hpp"

namespace weir {

struct FileListOptions {
  std::vector<std::string> paths;     // In this order; a pattern (* ? []) stands for its matches, sorted by bytes.
  std::uint64_t line_bytes_max = 1 << 20;
  bool header = false;                // The first line of each file is a header (LineBatch::Line::header).
};

// The files that the paths stand for. kNotFound: a path or a pattern without a file. kInvalidInput: a file twice.
Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& paths);

// Every file is looked at (there, readable, no directory) before the first line is read.
Result<std::unique_ptr<InputSource>> open_file_list(const FileListOptions& options);

}  // namespace weir
