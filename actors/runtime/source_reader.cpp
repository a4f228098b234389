#include "actors/runtime/source_reader.hpp"

#include <algorithm>
#include <optional>

#include "core/base/crash_point.hpp"

namespace weir {
namespace {
constexpr std::size_t kBatchBytes = 256 * 1024;
}

SourceReader::SourceReader(const InputPlan& plan, const Task& task, InputRing& ring, TopicLog& log, const Clock& clock,
                           TaskStatus& status, InputStatus& input)
    : plan_(plan), task_(task), ring_(ring), log_(log), clock_(clock), status_(status), input_(input) {}

Result<void> SourceReader::open(Offset next, std::uint64_t cursor, std::string_view identity, const ReadMark& mark) {
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
  return open_topic(next, mark);
}

std::string SourceReader::topic_text() const {
  return "topic '" + plan_.topic_name + "', partition " + std::to_string(plan_.partition.value);
}

// From the last record that was consumed on, if the state tells it: it shows whether this is still the same topic.
Result<void> SourceReader::open_topic(Offset next, const ReadMark& mark) {
  from_ = next;
  if (mark.last.next() == next && !traits_of(plan_.topic).compacted) mark_ = mark;
  const Offset read_to = std::max(next, mark.through);
  TRY_ASSIGN(reader_, log_.open_reader(plan_.topic, plan_.partition, mark_.last.value >= 0 ? mark_.last : next));
  const Offset begin = reader_->position();
  if (begin > mark_.last) mark_.last = Offset(-1);  // Nothing to compare with any more.
  // One that has never consumed anything begins with the oldest record there is.
  if (next.value > 0 && begin > read_to) TRY(note_loss(read_to, begin));
  return {};
}

Result<void> SourceReader::note_loss(Offset from, Offset to) {
  const std::string what = topic_text() + ": the offsets from " + std::to_string(from.value) + " up to " + std::to_string(to.value) +
                           ", which is the oldest one kept, are gone, and task '" + task_.name() + "' has not read them";
  if (!plan_.accept_loss)
    return Error{ErrorCode::kNotFound, what + ": retention was faster, or somebody has deleted them. " + plan_.accept_loss_key +
                                           ": true goes on without them and counts them (`lost`); a longer retention keeps it from happening again"};
  lost_.fetch_add(static_cast<std::uint64_t>(to.value - from.value), std::memory_order_relaxed);
  input_.lose(static_cast<std::uint64_t>(to.value - from.value));
  status_.warn(what + "; it goes on without them, as " + plan_.accept_loss_key + " says");
  return {};
}

// `batch`: the first one, nullptr: there is none.
Result<void> SourceReader::check_mark(const RecordBatch* batch) {
  std::string found;
  if (batch == nullptr || batch->base() != mark_.last) {
    TRY_ASSIGN(const TopicDescription description, log_.describe(plan_.topic));
    if (!description.spec.retention.compact) found = "no record there";  // Compaction may have taken it.
  } else {
    std::optional<std::uint32_t> crc;
    batch->for_each([&](Offset, const Record& record) {
      if (!crc) crc = mark_crc(record.value);
    });
    if (crc != mark_.crc) found = "another record there";
  }
  if (!found.empty())
    return Error{ErrorCode::kCorruption, topic_text() + ": the last record that task '" + task_.name() + "' has read was at offset " +
                                             std::to_string(mark_.last.value) + "; found " + found +
                                             ": the topic was deleted and made again. What was learnt and published stands on the old one: bring that back, or "
                                             "give the pipeline another name to start with the new one"};
  mark_.last = Offset(-1);
  return {};
}

// The next batch of the topic, past what retention has taken where that may be.
Result<std::shared_ptr<const RecordBatch>> SourceReader::poll_topic(Duration wait) {
  input_.poll_began(clock_.monotonic_ns() + wait.count() * 1000);  // Until then it may wait for records.
  auto batch = reader_->poll(wait);
  input_.poll_began(0);
  if (!batch.ok() && batch.error().code == ErrorCode::kNotFound) {
    const Offset stood = std::max(reader_->position(), from_);
    TRY_ASSIGN(const TopicDescription description, log_.describe(plan_.topic));
    for (const PartitionDescription& partition : description.partitions) {
      if (partition.partition != plan_.partition || partition.begin <= stood) continue;
      TRY(note_loss(stood, partition.begin));
      TRY(reader_->seek(partition.begin));
      mark_.last = Offset(-1);
      return std::shared_ptr<const RecordBatch>();
    }
  }
  if (!batch.ok() || mark_.last.value < 0 || (*batch == nullptr && reader_->position() <= mark_.last)) return batch;
  TRY(check_mark(batch->get()));
  if (*batch == nullptr || (*batch)->base() >= from_) return batch;
  ByteBuffer rest;  // What comes after the one that was read only to be compared.
  std::uint32_t count = 0;
  (*batch)->for_each([&](Offset offset, const Record& record) {
    if (offset < from_) return;
    encode_record(record, rest);
    ++count;
  });
  if (count == 0) return reader_->poll(wait);
  auto cut = std::make_shared<RecordBatch>();
  cut->assign(rest.view(), count, from_, (*batch)->append_time_us());
  return std::shared_ptr<const RecordBatch>(std::move(cut));
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
    ring_.set_quiet(clock_.monotonic_ns(), reader_ != nullptr ? reader_->position() : Offset(0));
    input_.at_end(clock_.wall_us());
    batch->clear();
    ring_.keep(std::move(batch));
    return true;
  }
  ring_.set_busy();
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
  TRY_ASSIGN(batch.topic_batch, poll_topic(wait));
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
