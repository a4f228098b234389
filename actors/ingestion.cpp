#include "actors/ingestion.hpp"

#include <algorithm>
#include <string>

namespace weir {
namespace {

constexpr std::uint8_t kCountsFormat = 1;
constexpr std::string_view kCountsKey = "c";
constexpr std::size_t kNumberCount = 4 + 2 * kReasonCount;

std::array<std::uint64_t, kNumberCount> numbers_of(const IngestionCounts& counts) {
  std::array<std::uint64_t, kNumberCount> numbers{counts.events, counts.outcomes, counts.invalid, counts.no_id};
  std::copy(counts.dead_letters.begin(), counts.dead_letters.end(), numbers.begin() + 4);
  std::copy(counts.refused_outcomes.begin(), counts.refused_outcomes.end(), numbers.begin() + 4 + kReasonCount);
  return numbers;
}

}  // namespace

void encode_counts(std::span<const std::uint64_t> counts, ByteBuffer& out) {
  out.append_fixed(kCountsFormat);
  for (const std::uint64_t count : counts) out.append_fixed(count);
}

Result<void> decode_counts(std::string_view stage, std::string_view bytes, std::span<std::uint64_t> counts) {
  ByteReader reader(bytes);
  const auto format = reader.fixed<std::uint8_t>();
  if (reader.ok() && format > kCountsFormat)
    return Error{ErrorCode::kVersion, "counts of " + std::string(stage) + ": format " + std::to_string(format) +
                                          ", this program knows up to " + std::to_string(kCountsFormat)};
  for (std::uint64_t& count : counts) count = reader.fixed<std::uint64_t>();
  if (!reader.finished())
    return Error{ErrorCode::kCorruption, "counts of " + std::string(stage) + ": " + std::to_string(bytes.size()) +
                                             " bytes, expected " + std::to_string(1 + 8 * counts.size())};
  return {};
}

void Ingestion::process(InputId input, RecordView& record, Output& out) {
  if (input != InputId::kLogs && input != InputId::kOutcomes) return out.emit(record);
  CHECK(record.parsed != nullptr);
  const ParsedRecord& parsed = *record.parsed;
  dirty_ = true;
  if (input == InputId::kLogs) {
    if (parsed.kind != ParsedKind::kEvent) return dead_letter(record, out);
    ++counts_.events;
    record.event = &parsed.event;
  } else {
    if (parsed.kind != ParsedKind::kOutcome) return unjoined(record, out);
    ++counts_.outcomes;
    record.outcome = &parsed.outcome;
  }
  out.emit(record);
}

void Ingestion::dead_letter(const RecordView& record, Output& out) {
  const ParsedRecord& parsed = *record.parsed;
  CHECK(parsed.kind == ParsedKind::kRefused);
  ++counts_.dead_letters[static_cast<std::size_t>(parsed.refusal.reason)];
  value_.clear();
  write_dead_letter(formats_.of(Topic::kDeadLetters), dead_letter_of(parsed, parsed.refusal.reason, parsed.refusal.detail, record.source), value_);
  Record letter;
  letter.value = value_.view();
  letter.event_time = parsed.time().value_or(EventTime());
  letter.source = record.source;
  out.append(Topic::kDeadLetters, letter);
}

void Ingestion::unjoined(const RecordView& record, Output& out) {
  const ParsedRecord& parsed = *record.parsed;
  CHECK(parsed.kind == ParsedKind::kRefused);
  const Reason reason = parsed.refusal.reason;
  ++counts_.refused_outcomes[static_cast<std::size_t>(reason)];
  const bool no_id = reason == Reason::kMissingId;
  ++(no_id ? counts_.no_id : counts_.invalid);
  detail_.clear();
  detail_.append(name_of(reason));
  if (!parsed.refusal.detail.empty()) {
    detail_.append(": ");
    detail_.append(parsed.refusal.detail);
  }
  Unjoined unjoined;
  unjoined.reason = no_id ? UnjoinedReason::kNoId : UnjoinedReason::kInvalid;
  unjoined.detail = detail_.view();
  unjoined.source = record.source;
  value_.clear();
  write_unjoined(formats_.of(Topic::kUnjoined), unjoined, value_);
  Record out_record;
  out_record.value = value_.view();
  out_record.source = record.source;
  out.append(Topic::kUnjoined, out_record);
}

void Ingestion::save(StateWriter& writer) {
  if (!dirty_) return;
  dirty_ = false;
  value_.clear();
  encode_counts(numbers_of(counts_), value_);
  writer.put(kCountsKey, value_.view());
}

Result<void> Ingestion::load(const StageState& state) {
  counts_ = IngestionCounts();
  dirty_ = false;
  std::string bytes;
  TRY_ASSIGN(const bool found, state.get(kCountsKey, bytes));
  if (!found) return {};
  std::array<std::uint64_t, kNumberCount> numbers{};
  TRY(decode_counts(name(), bytes, numbers));
  counts_.events = numbers[0];
  counts_.outcomes = numbers[1];
  counts_.invalid = numbers[2];
  counts_.no_id = numbers[3];
  std::copy_n(numbers.begin() + 4, kReasonCount, counts_.dead_letters.begin());
  std::copy_n(numbers.begin() + 4 + kReasonCount, kReasonCount, counts_.refused_outcomes.begin());
  return {};
}

}  // namespace weir
