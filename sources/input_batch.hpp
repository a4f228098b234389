#pragma once
// A run of input records of one input, on its way from a reader thread to its task. Handed over whole, reused.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/records/event.hpp"
#include "core/records/keyed_state.hpp"
#include "core/records/line_parser.hpp"
#include "core/records/record.hpp"
#include "sources/input_source.hpp"

namespace weir {

struct InputBatch {
  // The bytes: lines of a direct source, or records of a topic.
  LineBatch lines;
  std::shared_ptr<const RecordBatch> topic_batch;

  // One entry a record, in order. For a parsed input (logs, outcomes) `parsed` is filled by the reader thread, or left
  // kUnparsed with offset, line and cursor set, and parsed by the task; for others `records` is what counts.
  std::vector<ParsedRecord> parsed;
  std::vector<Record> records;
  ParseArena arena;
  // CSV: the header line that counts from this entry of `parsed` on, if it is not the one before; for who parses them later.
  struct Header {
    std::size_t from = 0;
    std::string_view line;
  };
  std::vector<Header> headers;

  // Keyed entries fetched ahead, by stage of the task; empty where there was no need.
  std::vector<FetchedEntries> fetched;

  bool ends = false;  // The source has ended: nothing comes after this batch.
  std::int64_t taken_ns = 0;  // When the reader had it (monotonic).

  void clear() {
    lines.clear();
    topic_batch.reset();
    parsed.clear();
    headers.clear();
    records.clear();
    arena.clear();
    for (FetchedEntries& f : fetched) f.keys.clear();
    ends = false;
    taken_ns = 0;
  }
};

}  // namespace weir
