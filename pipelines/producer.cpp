#include "pipelines/producer.hpp"

#include "actors/runtime/source_reader.hpp"
#include "core/base/check.hpp"
#include "core/records/line_parser.hpp"
#include "pipelines/topology.hpp"

namespace weir {

ProducedLines::ProducedLines(const PipelineConfig& config, Topic topic, std::optional<PartitionId> partition)
    : config_(config), topic_(topic), partition_(partition) {
  CHECK(topic == Topic::kLogs || topic == Topic::kOutcomes);
  const EventSchema& schema = config.schema_of(topic);
  header_next_ = schema.format == LineFormat::kCsv && schema.columns.empty();
}

Result<void> ProducedLines::add(std::string_view text) {
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    if (!header_next_) {
      lines_.emplace_back(line);
      continue;
    }
    TRY_ASSIGN(const auto parser, make_line_parser(config_.schema_of(topic_), role_of(topic_)));
    TRY(parser->header(line));
    header_ = line;
    header_next_ = false;
  }
  return {};
}

Result<Producer> Producer::open(const PipelineConfig& config, TopicLog& log, const Clock& clock) {
  const auto count = static_cast<std::int32_t>(config.log.partitions);
  TRY_ASSIGN(Partitioner logs, Partitioner::make(config.logs_schema, count));
  TRY_ASSIGN(Partitioner outcomes, Partitioner::make(config.outcomes_schema, count));
  Producer out(log, clock, std::move(logs), std::move(outcomes));
  TRY_ASSIGN(out.store_, log.open_task({"produce", PartitionId(0), /*writes_inputs=*/true}));
  TRY_ASSIGN([[maybe_unused]] const Recovered recovered, out.store_->recover());
  return out;
}

Result<std::vector<Offset>> Producer::append(const ProducedLines& lines) {
  Partitioner& partitioner = partitioners_[lines.topic() == Topic::kOutcomes];
  const std::optional<PartitionId> partition = lines.partition();
  if (partition && (partition->value < 0 || partition->value >= partitioner.count()))
    return Error{ErrorCode::kNotFound, "topic '" + std::string(short_name(lines.topic())) + "': no partition " + std::to_string(partition->value) +
                                           "; it has " + std::to_string(partitioner.count()) + ", from 0"};
  std::string source;
  if (!lines.header().empty()) {
    TRY(partitioner.header(lines.header()));
    source = std::string(kCsvHeaderMarker) + lines.header();
  }
  transaction_.clear();
  for (const std::string& line : lines.lines()) {
    Record record;
    record.value = line;
    record.event_time = EventTime(clock_->wall_us());
    record.source.topic = source;
    transaction_.append_to(lines.topic(), partition ? *partition : partitioner.of_line(line), record);
  }
  if (!lines.lines().empty()) TRY(store_->commit(transaction_));
  TRY_ASSIGN(const TopicDescription description, log_->describe(lines.topic()));
  std::vector<Offset> ends;
  for (const PartitionDescription& p : description.partitions) ends.push_back(p.end);
  return ends;
}

}  // namespace weir
