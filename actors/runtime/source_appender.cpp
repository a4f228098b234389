#include "actors/runtime/source_appender.hpp"

#include "actors/runtime/source_reader.hpp"
#include "core/base/crash_point.hpp"

namespace weir {
namespace {
constexpr std::string_view kIdentityKey = "runtime/identity";
constexpr PartitionId kOwn{0};  // One task for all partitions: they share the source's position.
constexpr std::size_t kBatchBytes = 256 * 1024;
}  // namespace

SourceAppender::SourceAppender(const AppenderPlan& plan, TopicLog& log, const Clock& clock, TaskStatus& status)
    : plan_(plan), log_(log), clock_(clock), status_(status) {}

Result<void> SourceAppender::open() {
  TRY_ASSIGN(store_, log_.open_task({plan_.name, kOwn, /*writes_inputs=*/true}));
  TRY_ASSIGN(const Recovered recovered, store_->recover());
  TRY_ASSIGN(parser_, make_line_parser(plan_.schema, plan_.role));
  TRY_ASSIGN(source_, plan_.open_source());
  TRY_ASSIGN(partitioner_, Partitioner::make(plan_.schema, plan_.partitions));
  std::uint64_t cursor = 0;
  for (const Position& position : recovered.positions) {
    next_ = position.next;
    cursor = position.cursor;
  }
  TRY_ASSIGN(const bool known, recovered.state->get(kIdentityKey, identity_));
  if (known) TRY(source_->resume(next_, cursor, identity_));
  status_.bytes_total += source_->bytes_total();
  return {};
}

Result<Turn> SourceAppender::turn() {
  if (stopping_.load(std::memory_order_acquire)) return Turn::kEnded;
  const std::uint64_t before = source_->bytes_read();
  TRY_ASSIGN(const bool got, source_->read(batch_, kBatchBytes));
  if (!got) return source_->ended() ? Turn::kEnded : Turn::kWait;
  crash_point("source.before_append");
  transaction_.clear();
  const std::int64_t now_us = clock_.wall_us();
  std::uint64_t cursor = 0;
  for (const LineBatch::Line& line : batch_.lines) {
    cursor = line.cursor;
    const std::string_view bytes = batch_.bytes.view(line.begin, line.bytes);
    if (line.header) {
      TRY(parser_->header(bytes));
      TRY(partitioner_->header(bytes));
      header_source_ = std::string(kCsvHeaderMarker) + std::string(bytes);
      continue;
    }
    Record record;
    record.value = bytes;
    if (!header_source_.empty()) record.source.topic = header_source_;
    record.event_time = EventTime(now_us);  // Its own event time is inside and not known yet.
    if (line.line_bytes > line.bytes)
      record.source = {kTooLongMarker, PartitionId(static_cast<std::int32_t>(line.line_crc)),
                       Offset(static_cast<std::int64_t>(line.line_bytes))};
    transaction_.append_to(plan_.topic, partitioner_->of_line(record.value), record);
    next_ = next_.next();
  }
  transaction_.consumed.push_back({InputId::kLogs, kOwn, next_, cursor});
  if (std::string identity = source_->identity(); identity != identity_) {
    transaction_.state.put("", kIdentityKey, identity);
    identity_ = std::move(identity);
  }
  status_.records += batch_.lines.size();
  status_.bytes_read += source_->bytes_read() - before;
  TRY(store_->commit(transaction_));
  crash_point("source.after_append");
  ++status_.commits;
  return Turn::kProgress;
}

void SourceAppender::wait(Duration limit) {
  source_->wait(limit);
}

}  // namespace weir
