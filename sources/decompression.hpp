#pragma once
// The content of a stored file: as it is, or out of gzip (also several members) or zstd (also several frames). Which, its first
// bytes tell, not its name.

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/result.hpp"
#include "sources/stored_file.hpp"

namespace weir {

enum class Compression : std::uint8_t { kNone, kGzip, kZstd };
Compression compression_of(std::string_view first_bytes);

// Used by one thread.
class ContentReader {
 public:
  virtual ~ContentReader() = default;
  // Fills up to `room` bytes (> 0); 0: the end. kInvalidInput: damaged or truncated (names the file and the stored byte); what
  // came before the damage has been given by then.
  virtual Result<std::size_t> read(char* to, std::size_t room) = 0;
  // Goes to a place in the content. Cheap for plain files; others are decompressed up to there. REQUIRES: nothing read yet.
  // False: the content is shorter.
  virtual Result<bool> skip_to(std::uint64_t content_byte) = 0;
  virtual std::uint64_t stored_bytes_read() const = 0;
  virtual Compression compression() const = 0;
};

// `file` must outlive the reader. Reads up to the size the file had when it was opened.
Result<std::unique_ptr<ContentReader>> open_content(const StoredFile& file);

}  // namespace weir
