#include "actors/runtime/source_reader.hpp"

#include "core/base/crash_point.hpp"

namespace weir {
namespace {
constexpr std::size_t kBatchBytes = 256 * 1024;
}

SourceReader::SourceReader(const InputPlan& plan, const Task& task, InputRing& ring, TopicLog& log, const Clock& clock,
                           TaskStatus& status, InputStatus& input)
    : plan_(plan), task_(task), ring_(ring), log_(log), clock_(clock), status_(status), input_(input) {}

Result<void> SourceReader::open(Offset next, std::uint64_t cursor, std::string_view identity) {
  if (plan_.parsed) {
    TRY_ASSIGN(parser_, make_line_parser(plan_.schema, plan_.role));
  }
  if (plan_.open_source) {
    TRY_ASSIGN(source_, plan_.open_source());
    if (next.value > 0 || !identity.empty()) TRY(source_->resume(next, cursor, identity));
    identity_ = identity;
    status_.bytes_total += source_->bytes_total();
    return {};
  }
  TRY_ASSIGN(reader_, log_.open_reader(plan_.topic, plan_.partition, next));
  return {};
}

Result<bool> SourceReader::step(Duration wait) {
  if (ended_) return false;
  const std::uint32_t ticket = ring_.reader.ticket();
  auto batch = ring_.take_empty();
  if (batch == nullptr) {
    ring_.reader.wait(ticket, wait.count() * 1000);
    note_read(0);
    return true;
  }
  auto got = source_ != nullptr ? read_source(*batch) : read_topic(*batch, wait);
  if (!got.ok()) return std::move(got).error();
  if (!*got) {
    if (ring_.quiet_since_ns() == 0) ring_.set_quiet_since(clock_.monotonic_ns());
    input_.at_end(clock_.wall_us());
    batch->clear();
    ring_.keep(std::move(batch));
    return true;
  }
  ring_.set_quiet_since(0);
  batch->taken_ns = clock_.monotonic_ns();
  if (parses(*batch)) parse(*batch);
  if (plan_.parsed && task_.needs_fetch()) fetch_ahead(*batch);
  ended_ = batch->ends;
  note_read(plan_.parsed ? batch->parsed.size() : batch->records.size());
  ring_.push(std::move(batch));
  return !ended_;
}

void SourceReader::note_read(std::uint64_t records) {
  if (reader_ != nullptr) input_.read(records, reader_->position(), reader_->known_end());
}

// A batch is parsed here or by the task, as a whole.
bool SourceReader::parses(InputBatch& batch) {
  if (!plan_.parsed || !plan_.parse_ahead) return false;
  if (!parses_ahead_ && batch.headers.empty()) parses_ahead_ = ring_.may_parse_ahead();
  return parses_ahead_;
}

void SourceReader::parse(InputBatch& batch) {
  for (ParsedRecord& record : batch.parsed) {
    if (record.kind != ParsedKind::kUnparsed) continue;
    crash_point_at_record("parse.record", name_of(plan_.input), record.offset.value);
    parser_->parse(record.line, batch.arena, record);
  }
}

// From here on; the records before it are of another file, with columns of their own.
Result<void> SourceReader::use_header(InputBatch& batch, std::string_view line) {
  if (parses(batch)) parse(batch);
  else batch.headers.push_back({batch.parsed.size(), line});
  return parser_->header(line);
}

Result<bool> SourceReader::read_source(InputBatch& batch) {
  TRY_ASSIGN(const bool got, source_->read(batch.lines, kBatchBytes));
  status_.bytes_read += source_->bytes_read() - last_bytes_read_;
  last_bytes_read_ = source_->bytes_read();
  batch.ends = source_->ended();
  if (!got && !batch.ends) return false;
  {
    std::string identity = source_->identity();
    std::lock_guard lock(identity_mutex_);
    identity_ = std::move(identity);
  }
  Offset offset = batch.lines.base;
  for (const LineBatch::Line& line : batch.lines.lines) {
    const std::string_view bytes = batch.lines.bytes.view(line.begin, line.bytes);
    if (line.header) {
      TRY(use_header(batch, bytes));
      continue;
    }
    ParsedRecord& record = batch.parsed.emplace_back();
    record.offset = offset;
    record.line = bytes;
    record.line_bytes = line.line_bytes;
    record.cursor = line.cursor;
    if (line.line_bytes > line.bytes)
      refuse_too_long(bytes, line.line_bytes, line.line_crc, plan_.schema.line_bytes_max, batch.arena, record);
    offset = offset.next();
  }
  return true;
}

Result<bool> SourceReader::read_topic(InputBatch& batch, Duration wait) {
  TRY_ASSIGN(batch.topic_batch, reader_->poll(wait));
  if (plan_.ends_at != nullptr) {
    const std::int64_t end = plan_.ends_at->load();
    const std::int64_t after = batch.topic_batch == nullptr
                                   ? reader_->position().value
                                   : batch.topic_batch->base().value + batch.topic_batch->count();
    batch.ends = end >= 0 && after >= end;
  }
  if (batch.topic_batch == nullptr) return batch.ends;
  Result<void> header;
  const bool whole = batch.topic_batch->for_each([&](Offset offset, const Record& in) {
    if (!plan_.parsed) {
      batch.records.push_back(in);
      return;
    }
    if (parser_->wants_header() && in.source.topic.starts_with(kCsvHeaderMarker)) {
      const std::string_view line = in.source.topic.substr(kCsvHeaderMarker.size());
      if (line != csv_header_ && header.ok()) {
        header = use_header(batch, line);
        csv_header_ = line;
      }
    }
    ParsedRecord& record = batch.parsed.emplace_back();
    record.offset = offset;
    record.line = in.value;
    record.line_bytes = in.value.size();
    record.sent_us = in.event_time.value;
    if (in.source.topic == kTooLongMarker)
      refuse_too_long(in.value, static_cast<std::uint64_t>(in.source.offset.value),
                      static_cast<std::uint32_t>(in.source.partition.value), plan_.schema.line_bytes_max, batch.arena, record);
  });
  if (!header.ok())
    return Error{header.error().code, "topic '" + plan_.topic_name + "', partition " + std::to_string(plan_.partition.value) +
                                          ", after offset " + std::to_string(batch.topic_batch->base().value) + ": " + header.error().what};
  if (!whole)
    return Error{ErrorCode::kCorruption, "topic '" + plan_.topic_name + "', partition " + std::to_string(plan_.partition.value) +
                                             ", batch at offset " + std::to_string(batch.topic_batch->base().value) +
                                             ": malformed records; run 'weir repair'"};
  return true;
}

void SourceReader::fetch_ahead(InputBatch& batch) {
  const auto stages = task_.stages();
  batch.fetched.resize(stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    FetchedEntries& fetched = batch.fetched[i];
    KeyedState* keyed = stages[i]->keyed();
    if (keyed == nullptr || !keyed->needs_fetch()) continue;
    RecordView view;
    for (const ParsedRecord& parsed : batch.parsed) {
      if (parsed.kind != ParsedKind::kEvent && parsed.kind != ParsedKind::kOutcome) continue;
      view.parsed = &parsed;
      view.event = parsed.kind == ParsedKind::kEvent ? &parsed.event : nullptr;
      view.outcome = parsed.kind == ParsedKind::kOutcome ? &parsed.outcome : nullptr;
      stages[i]->keys(plan_.input, view, fetched.keys);
    }
    // A failed read here is no loss: the tick reads the entry itself and reports the error.
    if (fetched.keys.count() > 0 && !keyed->fetch(fetched).ok()) fetched.keys.clear();
  }
}

void SourceReader::wake() {
  ring_.reader.notify();
  if (reader_ != nullptr) reader_->wake();
}

std::string SourceReader::identity() const {
  std::lock_guard lock(identity_mutex_);
  return identity_;
}

}  // namespace weir
