#include "core/records/partitioner.hpp"

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace weir {

PartitionId partition_of(std::string_view key, std::int32_t count) {
  CHECK(count >= 1);
  return PartitionId(static_cast<std::int32_t>((murmur2(key) & 0x7fffffffU) % static_cast<std::uint32_t>(count)));
}

Result<Partitioner> Partitioner::make(const EventSchema& schema, std::int32_t count) {
  if (count == 1) return Partitioner(nullptr, 1);
  // A line whose label or fields will not do still has an id.
  EventSchema only_id = schema;
  only_id.key.clear();
  only_id.label.clear();
  only_id.label_required = false;
  only_id.fields.clear();
  TRY_ASSIGN(auto parser, make_line_parser(only_id, LineRole::kEvent));
  return Partitioner(std::move(parser), count);
}

PartitionId Partitioner::of_line(std::string_view line) {
  if (parser_ == nullptr) return PartitionId(0);
  arena_.clear();
  parser_->parse(line, arena_, parsed_);
  return partition_of(parsed_.kind == ParsedKind::kEvent ? parsed_.event.id.text : line, count_);
}

Result<void> Partitioner::header(std::string_view line) {
  return parser_ != nullptr && parser_->wants_header() ? parser_->header(line) : Result<void>();
}

}  // namespace weir
