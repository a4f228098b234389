#pragma once
// Turns one log line into an event, an outcome, or a refusal with its reason. Pure: the same line, the same result.
//
// Bad input is normal input: no line makes it throw, hang, read out of bounds or give a NaN. Every line is walked to its
// end and every value is validated, also the undeclared ones. A declared field twice in a line is refused.

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
  ParseArena();
  ~ParseArena();
  ParseArena(ParseArena&&) noexcept;
  ParseArena& operator=(ParseArena&&) noexcept;
  void clear();
  void* allocate(std::size_t bytes, std::size_t align);

 private:
  struct Block;
  std::unique_ptr<Block> first_;
  Block* current_ = nullptr;
};

// Not thread-safe (it owns scratch buffers): one per thread. Allocates nothing per line once warm.
class LineParser {
 public:
  virtual ~LineParser() = default;

  // Fills `out` but for offset and cursor, which are the caller's. Views point into `line` or `arena`.
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

// What a source says of a line that it did not keep whole (longer than line_bytes_max).
void refuse_too_long(std::string_view head, std::uint64_t line_bytes, std::uint32_t line_crc, std::uint64_t limit,
                     ParseArena& arena, ParsedRecord& out);

}  // namespace weir
