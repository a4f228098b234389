#pragma once
// Turns one log line into an event, an outcome, or a refusal with its reason. Pure: the same line, the same result.
//
// Bad input is normal input: no line makes it throw, hang, read out of bounds or give a NaN. Every line is walked to its
// end and every value is validated, also the undeclared ones. A declared field twice in a line is refused.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/records/event.hpp"
#include "core/records/event_schema.hpp"

namespace weir {

enum class LineRole : std::uint8_t { kEvent, kOutcome };

// Memory that parsed records point into where the line itself cannot serve (unescaped text, field values). Keeps its blocks
// when cleared; addresses stay valid until then.
class ParseArena {
 public:
  ParseArena() = default;
  ~ParseArena();
  ParseArena(ParseArena&& other) noexcept;
  ParseArena& operator=(ParseArena&& other) noexcept;

  void clear();
  // REQUIRES: align is a power of two, at most alignof(std::max_align_t).
  void* allocate(std::size_t bytes, std::size_t align) {
    char* at = reinterpret_cast<char*>((reinterpret_cast<std::uintptr_t>(at_) + align - 1) & ~(std::uintptr_t(align) - 1));
    if (at_ == nullptr || bytes > static_cast<std::size_t>(end_ - at_) || at > end_ - bytes) return allocate_slow(bytes);
    at_ = at + bytes;
    return at;
  }

 private:
  struct Block;
  void* allocate_slow(std::size_t bytes);
  void enter(Block* block);

  Block* first_ = nullptr;    // Chain of blocks, in the order they are filled.
  Block* current_ = nullptr;
  char* at_ = nullptr;        // Free part of the current block.
  char* end_ = nullptr;
};

// Not thread-safe (it owns scratch buffers): one per thread. Allocates nothing per line once warm.
class LineParser {
 public:
  virtual ~LineParser() = default;

  // Fills `out` but for offset and cursor, which are the caller's. Views point into `line` or `arena`. A byte order mark
  // before the line is no part of it. A line that is malformed anywhere is refused as kMalformed; else the first field that
  // will not do gives the reason, and what is missing altogether comes last (id, time, label).
  // `line`: without newline; a trailing '\r' is dropped. CSV without declared columns: the first line of a file is its header,
  // given through header().
  virtual void parse(std::string_view line, ParseArena& arena, ParsedRecord& out) = 0;

  // CSV: names the columns from here on. kInvalidInput if a column that the schema needs is not there.
  virtual Result<void> header(std::string_view line) = 0;
  // CSV without declared columns: the source must give each file's first line to header().
  virtual bool wants_header() const = 0;
};

// kConfig if the schema makes no sense (a field twice, no id, bins not ascending …).
Result<std::unique_ptr<LineParser>> make_line_parser(const EventSchema& schema, LineRole role);

// What is kept of a line that is too long.
inline constexpr std::size_t kTooLongHeadBytes = 4096;

// What a source says of a line that it did not keep whole (longer than line_bytes_max).
void refuse_too_long(std::string_view head, std::uint64_t line_bytes, std::uint32_t line_crc, std::uint64_t limit,
                     ParseArena& arena, ParsedRecord& out);

}  // namespace weir
