#pragma once
// Which partition of `logs` or `outcomes` a line belongs to: murmur2 of its id, as Kafka's Java client does it with a key. So an
// event and its outcome meet in one partition, whoever wrote them.

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"
#include "core/records/line_parser.hpp"

namespace weir {

// The Java client's default for a record with a key: toPositive(murmur2(key)) % count. REQUIRES: count >= 1.
PartitionId partition_of(std::string_view key, std::int32_t count);

// Not thread-safe: it owns a parser.
class Partitioner {
 public:
  // `schema`: of the topic's lines; only where id and time are matters. kConfig as make_line_parser().
  static Result<Partitioner> make(const EventSchema& schema, std::int32_t count);

  // A line from which no id can be read (malformed, without id or time) goes by murmur2 of its bytes: it becomes a dead letter or
  // unjoined wherever it is, and the same line goes the same way again.
  PartitionId of_line(std::string_view line);
  // CSV without declared columns: a file's first line. kInvalidInput as LineParser::header().
  Result<void> header(std::string_view line);
  std::int32_t count() const { return count_; }

 private:
  Partitioner(std::unique_ptr<LineParser> parser, std::int32_t count) : parser_(std::move(parser)), count_(count) {}

  std::unique_ptr<LineParser> parser_;  // None where there is but one partition.
  std::int32_t count_;
  ParseArena arena_;
  ParsedRecord parsed_;
};

}  // namespace weir
