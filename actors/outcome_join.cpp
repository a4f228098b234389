#include "actors/outcome_join.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "actors/ingestion.hpp"
#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace weir {
namespace {

// The first byte of an entry under an id (docs/formats.md). The numbers are stored.
constexpr char kNothing = 0;
constexpr char kRow = 1;          // u64: kind | serial in the waiting queue << 8; then an Example without its outcome.
constexpr char kOutcome = 2;      // u64 as above; then WaitingOutcome and the topic of its source.
constexpr char kJoinedMark = 3;   // Nothing else.
constexpr char kExpiredMark = 4;

struct WaitingOutcome {
  double label;
  std::int64_t event_time_us;
  std::int64_t offset;
  std::int32_t partition;
  std::uint32_t is_integer;       // The id was a JSON integer.
};
static_assert(sizeof(WaitingOutcome) == 32);

constexpr std::size_t kWordBytes = 8;
constexpr char kWaitingTag = 'w';
constexpr char kMarksTag = 'm';
constexpr char kIdTag = 'i';
constexpr std::string_view kCountsKey = "c";
constexpr char kBitsTag = 'b';
constexpr std::size_t kNumberCount = 13 + kUnjoinedReasonCount;
// The first number: whether anything came, and that marks which the index has are no entries. Before that bit they were where a row
// had been stored.
constexpr std::uint64_t kStarted = 1, kIndexedMarksAreNoEntries = 2;
constexpr double kProbabilityMin = 1e-15;  // Log-loss of a certain error stays finite.

std::uint64_t word_of(char kind, std::uint64_t serial) { return serial << 8 | static_cast<unsigned char>(kind); }
std::uint64_t serial_of(std::string_view value) {
  std::uint64_t word = 0;
  std::memcpy(&word, value.data(), sizeof(word));
  return word >> 8;
}
// kNothing also for bytes that no version of this stage wrote.
char kind_of(const KeyedState::Found& found) {
  if (!found.found || found.size == 0) return kNothing;
  const char kind = found.data[0];
  const std::size_t least = kind == kRow ? kWordBytes : kind == kOutcome ? kWordBytes + sizeof(WaitingOutcome) : 1;
  return found.size < least ? kNothing : kind;
}

struct BitsKey {
  char bytes[9];
  explicit BitsKey(std::uint64_t page) {
    bytes[0] = kBitsTag;
    for (int i = 0; i < 8; ++i) bytes[1 + i] = static_cast<char>(page >> (56 - 8 * i));
  }
  std::string_view view() const { return {bytes, sizeof(bytes)}; }
};

}  // namespace

// --- JoinedBits ---

void OutcomeJoin::JoinedBits::reach(std::uint64_t tail) {
  const std::uint64_t end = tail / kPageBits + 1;
  if (end <= end_) return;
  if (end - begin_ > pages_.size()) {
    std::vector<Page> more(std::bit_ceil(static_cast<std::size_t>(end - begin_)));
    for (std::uint64_t p = begin_; p < end_; ++p) more[p % more.size()] = pages_[p % pages_.size()];
    pages_.swap(more);
  }
  for (; end_ < end; ++end_) pages_[end_ % pages_.size()] = Page();
}

void OutcomeJoin::JoinedBits::set(std::uint64_t serial) {
  Page& page = page_of(serial);
  page.words[serial % kPageBits / 64] |= std::uint64_t(1) << (serial % 64);
  if (page.changed) return;
  page.changed = true;
  changed_.push_back(serial / kPageBits);
}

bool OutcomeJoin::JoinedBits::test(std::uint64_t serial) const {
  const Page& page = pages_[static_cast<std::size_t>(serial / kPageBits % pages_.size())];
  return (page.words[serial % kPageBits / 64] >> (serial % 64) & 1) != 0;
}

void OutcomeJoin::JoinedBits::drop_below(std::uint64_t head) {
  for (; begin_ < head / kPageBits; ++begin_)
    if (pages_[begin_ % pages_.size()].stored) gone_.push_back(begin_);
}

void OutcomeJoin::JoinedBits::save(StateWriter& writer) {
  for (const std::uint64_t number : changed_) {
    if (number < begin_) continue;
    Page& page = pages_[number % pages_.size()];
    page.changed = false;
    page.stored = true;
    writer.put(BitsKey(number).view(), {reinterpret_cast<const char*>(page.words.data()), sizeof(page.words)});
  }
  changed_.clear();
  for (const std::uint64_t number : gone_) writer.erase(BitsKey(number).view());
  gone_.clear();
}

Result<void> OutcomeJoin::JoinedBits::load(const StageState& state, std::uint64_t head, std::uint64_t tail) {
  *this = JoinedBits();
  begin_ = end_ = head / kPageBits;
  reach(tail);
  std::string bytes;
  for (std::uint64_t number = begin_; number < end_; ++number) {
    TRY_ASSIGN(const bool found, state.get(BitsKey(number).view(), bytes));
    if (!found) continue;
    Page& page = pages_[number % pages_.size()];
    if (bytes.size() != sizeof(page.words))
      return Error{ErrorCode::kCorruption, "outcome_join: page " + std::to_string(number) + " of the joined bits has " +
                                               std::to_string(bytes.size()) + " bytes"};
    std::memcpy(page.words.data(), bytes.data(), bytes.size());
    page.stored = true;
  }
  return {};
}

// --- OutcomeJoin ---

OutcomeJoin::OutcomeJoin(const OutcomeJoinSettings& settings)
    : settings_(settings),
      entries_(settings.budget_bytes / 8 * 5),
      waiting_(entries_, kWaitingTag),
      marks_(entries_, kMarksTag),
      mark_index_(settings.budget_bytes / 8 * 3) {
  joined_.reach(0);
}

std::string_view OutcomeJoin::key_of(const Id& id) {
  key_.clear();
  key_.append(kIdTag);
  key_.append(id.text);
  return key_.view();
}

void OutcomeJoin::keys(InputId input, const RecordView& record, KeyList& out) const {
  if ((input != InputId::kLogs && input != InputId::kOutcomes) || record.parsed == nullptr) return;
  const ParsedRecord& parsed = *record.parsed;
  if (parsed.kind != ParsedKind::kEvent && parsed.kind != ParsedKind::kOutcome) return;
  const std::string_view id = parsed.kind == ParsedKind::kEvent ? parsed.event.id.text : parsed.outcome.id.text;
  char key[1 + 256];
  if (id.size() >= sizeof(key)) return;
  key[0] = kIdTag;
  if (!id.empty()) std::memcpy(key + 1, id.data(), id.size());
  out.add({key, 1 + id.size()});
}

void OutcomeJoin::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kLogs) {
    CHECK(record.event != nullptr);
    CHECK(record.prediction != nullptr);
    on_event(record, out);
  } else if (input == InputId::kOutcomes) {
    CHECK(record.outcome != nullptr);
    on_outcome(record, out);
  } else {
    out.emit(record);
  }
}

void OutcomeJoin::check(Output& out) {
  if (const Error* error = entries_.error()) return out.fail(*error);
  if (waiting_.broken() || marks_.broken())
    out.fail({ErrorCode::kCorruption, "outcome_join: a page of its queues is missing or malformed"});
}

void OutcomeJoin::advance(EventTime time, Output& out) {
  changed_ = true;
  if (started_ && time <= clock_) return;
  started_ = true;
  clock_ = time;
  const auto due = [this](EventTime since) {
    std::int64_t age = 0;
    return __builtin_sub_overflow(clock_.value, since.value, &age) || age > settings_.wait.count();
  };
  for (const ExpiryQueue::Item* item; (item = waiting_.front()) != nullptr && due(item->time);) settle_oldest(out);
  for (const ExpiryQueue::Item* item; (item = marks_.front()) != nullptr && due(item->time);) {
    if (item->serial < marks_indexed_from_) entries_.erase_existing(key_of({item->id, false}));
    else mark_index_.erase(hash64(item->id), item->serial / ExpiryQueue::kPageItems);
    marks_.pop();
  }
  marks_indexed_from_ = std::max(marks_indexed_from_, marks_.head());
  joined_.drop_below(waiting_.head());
}

void OutcomeJoin::settle_oldest(Output& out) {
  const ExpiryQueue::Item& item = *waiting_.front();
  if (!joined_.test(item.serial)) {
    const Id id{item.id, false};
    const std::string_view key = key_of(id);
    const KeyedState::Found found = entries_.find(key);
    const char kind = kind_of(found);
    if ((kind != kRow && kind != kOutcome) || serial_of(found.view()) != item.serial) {
      if (entries_.error() == nullptr)
        out.fail({ErrorCode::kCorruption, "outcome_join: no row of '" + std::string(item.id) + "', which waits as item " +
                                              std::to_string(item.serial)});
    } else if (kind == kRow) {
      --counts_.rows_waiting;
      make_mark(key, item.id, kExpiredMark);
    } else {
      --counts_.outcomes_waiting;
      WaitingOutcome waiting;
      std::memcpy(&waiting, found.data + kWordBytes, sizeof(waiting));
      const Source source{found.view().substr(kWordBytes + sizeof(waiting)), PartitionId(waiting.partition), Offset(waiting.offset)};
      unjoin(UnjoinedReason::kUnmatched, {item.id, waiting.is_integer != 0}, waiting.label, EventTime(waiting.event_time_us),
             source, out);
      entries_.erase(key);
    }
  }
  waiting_.pop();
}

void OutcomeJoin::bound_rows(Output& out) {
  while (counts_.rows_waiting + counts_.outcomes_waiting > settings_.rows_max && waiting_.front() != nullptr) settle_oldest(out);
  joined_.drop_below(waiting_.head());
}

// Rows are joined in about the order in which they came.
void OutcomeJoin::pop_joined() {
  while (waiting_.head() != waiting_.tail() && joined_.test(waiting_.head()) && waiting_.front() != nullptr) waiting_.pop();
  joined_.drop_below(waiting_.head());
}

OutcomeJoin::Known OutcomeJoin::look_up(const Id& id, std::string_view key) {
  char kind = kNothing;
  mark_index_.find(hash64(id.text), marks_.head() / ExpiryQueue::kPageItems, [&](std::uint64_t page) {
    const std::uint64_t begin = std::max(page * ExpiryQueue::kPageItems, marks_indexed_from_);
    if (begin >= marks_.tail()) return false;
    marks_.for_page(begin, [&](const ExpiryQueue::Item& item) {
      if (item.id == id.text) kind = item.kind;
    });
    return kind != kNothing;
  });
  if (kind != kNothing) return {kind, {}};
  const KeyedState::Found found = entries_.find(key);
  return {kind_of(found), found};
}

void OutcomeJoin::make_mark(std::string_view key, std::string_view id, char kind) {
  entries_.erase(key);
  if (mark_index_.size() == mark_index_.capacity()) store_oldest_marks();
  const std::uint64_t serial = marks_.push(clock_, kind, id);
  mark_index_.add(hash64(id), serial / ExpiryQueue::kPageItems);
}

void OutcomeJoin::store_oldest_marks(bool may_be_entries) {
  const std::uint64_t page = marks_indexed_from_ / ExpiryQueue::kPageItems;
  oldest_.clear();
  marks_indexed_from_ = marks_.for_page(marks_indexed_from_, [this](const ExpiryQueue::Item& item) { oldest_.add({&item.kind, 1}, item.id); });
  for (std::size_t i = 0; i < oldest_.count(); ++i) {  // Not above: what an entry takes may drive the page out.
    const std::string_view id = oldest_.key(i).substr(1);
    mark_index_.erase(hash64(id), page);
    const std::string_view key = key_of({id, false});
    (may_be_entries ? entries_.upsert(key, 1) : entries_.make(key, 1)).data[0] = oldest_.key(i)[0];
  }
}

void OutcomeJoin::make_row(const RecordView& record) {
  const Event& event = *record.event;
  Example row;
  row.id = event.id;
  row.key = event.key;
  row.has_key = event.has_key;
  row.event_time = event.event_time;
  row.source = record.source;
  if (record.sample != nullptr) row.sample = *record.sample;
  row.prediction = *record.prediction;
  row.label_keys = record.label_keys;
  row.last_outcome = record.last_outcome;
  bytes_.clear();
  encode_row(row, bytes_);
}

void OutcomeJoin::on_event(RecordView& record, Output& out) {
  const Event& event = *record.event;
  advance(event.event_time, out);
  const std::string_view key = key_of(event.id);
  const auto [kind, found] = look_up(event.id, key);
  if (kind != kNothing && kind != kOutcome) {
    ++counts_.duplicate_events;
    record.prediction->duplicate = true;
  } else if (kind == kOutcome) {
    make_row(record);
    WaitingOutcome waiting;
    std::memcpy(&waiting, found.data + kWordBytes, sizeof(waiting));
    const Source source{found.view().substr(kWordBytes + sizeof(waiting)), PartitionId(waiting.partition), Offset(waiting.offset)};
    encode_outcome(waiting.label, EventTime(waiting.event_time_us), source, bytes_);
    joined_.set(serial_of(found.view()));
    --counts_.outcomes_waiting;
    make_mark(key, event.id.text, kJoinedMark);
    pop_joined();
    publish_example(out);
  } else if (event.label) {
    make_row(record);
    encode_outcome(*event.label, event.event_time, record.source, bytes_);
    ++counts_.labelled_in_line;
    make_mark(key, event.id.text, kJoinedMark);
    publish_example(out);
  } else {
    make_row(record);
    const std::uint64_t serial = waiting_.push(clock_, kNothing, event.id.text);
    joined_.reach(serial);
    const KeyedState::Found entry = entries_.upsert(key, static_cast<std::uint32_t>(kWordBytes + bytes_.size()));
    const std::uint64_t word = word_of(kRow, serial);
    std::memcpy(entry.data, &word, sizeof(word));
    std::memcpy(entry.data + kWordBytes, bytes_.data(), bytes_.size());
    ++counts_.rows_waiting;
    bound_rows(out);
  }
  check(out);
}

void OutcomeJoin::on_outcome(RecordView& record, Output& out) {
  const Outcome& outcome = *record.outcome;
  advance(outcome.event_time, out);
  const std::string_view key = key_of(outcome.id);
  const auto [kind, found] = look_up(outcome.id, key);
  switch (kind) {
    case kRow: {
      bytes_.clear();
      bytes_.append(found.view().substr(kWordBytes));
      encode_outcome(outcome.label, outcome.event_time, record.source, bytes_);
      joined_.set(serial_of(found.view()));
      --counts_.rows_waiting;
      make_mark(key, outcome.id.text, kJoinedMark);
      pop_joined();
      publish_example(out);
      break;
    }
    case kOutcome:
    case kJoinedMark:
      unjoin(UnjoinedReason::kDuplicate, outcome.id, outcome.label, outcome.event_time, record.source, out);
      break;
    case kExpiredMark:
      unjoin(UnjoinedReason::kExpired, outcome.id, outcome.label, outcome.event_time, record.source, out);
      break;
    default: {
      const std::uint64_t serial = waiting_.push(clock_, kNothing, outcome.id.text);
      joined_.reach(serial);
      const std::string_view topic = record.source.topic;
      const KeyedState::Found entry =
          entries_.upsert(key, static_cast<std::uint32_t>(kWordBytes + sizeof(WaitingOutcome) + topic.size()));
      const std::uint64_t word = word_of(kOutcome, serial);
      const WaitingOutcome waiting{outcome.label, outcome.event_time.value, record.source.offset.value,
                                   record.source.partition.value, outcome.id.is_integer ? 1U : 0U};
      std::memcpy(entry.data, &word, sizeof(word));
      std::memcpy(entry.data + kWordBytes, &waiting, sizeof(waiting));
      if (!topic.empty()) std::memcpy(entry.data + kWordBytes + sizeof(waiting), topic.data(), topic.size());
      ++counts_.outcomes_waiting;
      bound_rows(out);
      break;
    }
  }
  check(out);
}

void OutcomeJoin::publish_example(Output& out) {
  Example example;
  if (!decode_example(bytes_.view(), scratch_, example))
    return out.fail({ErrorCode::kCorruption, "outcome_join: a waiting row does not decode"});
  ++counts_.labelled;
  if (settings_.task == TaskKind::kClassification) {
    const double p = std::clamp(example.prediction.value, kProbabilityMin, 1.0 - kProbabilityMin);
    counts_.loss_sum -= math::log(example.label != 0.0 ? p : 1.0 - p);
  } else {
    const double error = example.prediction.value - example.label;
    counts_.loss_sum += error * error;
  }
  RecordView view;
  view.source = example.outcome_source;
  view.record = keyed_record(example.id.text, bytes_.view(), example.outcome_time, example.outcome_source);
  view.example = &example;
  out.append(Topic::kExamples, view.record);
  out.feed_back(InputId::kExamples, view);
}

void OutcomeJoin::unjoin(UnjoinedReason reason, const Id& id, double label, EventTime time, const Source& source, Output& out) {
  ++counts_.unjoined[static_cast<std::size_t>(reason)];
  Unjoined unjoined;
  unjoined.id = id;
  unjoined.reason = reason;
  unjoined.label = label;
  unjoined.event_time = time;
  unjoined.source = source;
  value_.clear();
  write_unjoined(settings_.formats.of(Topic::kUnjoined), unjoined, value_);
  out.append(Topic::kUnjoined, keyed_record(id.text, value_.view(), time, source));
}

void OutcomeJoin::save(StateWriter& writer) {
  if (!changed_) return;
  changed_ = false;
  waiting_.save();
  marks_.save();
  entries_.save(writer);
  joined_.save(writer);
  std::array<std::uint64_t, kNumberCount> numbers{
      kIndexedMarksAreNoEntries | (started_ ? kStarted : 0), std::bit_cast<std::uint64_t>(clock_.value), waiting_.head(), waiting_.tail(), marks_.head(), marks_.tail(),
      counts_.labelled, counts_.labelled_in_line, counts_.rows_waiting, counts_.outcomes_waiting, counts_.duplicate_events,
      std::bit_cast<std::uint64_t>(counts_.loss_sum), marks_indexed_from_};
  std::copy(counts_.unjoined.begin(), counts_.unjoined.end(), numbers.begin() + 13);
  value_.clear();
  encode_counts(numbers, value_);
  writer.put(kCountsKey, value_.view());
}

Result<void> OutcomeJoin::load(const StageState& state) {
  changed_ = false;
  counts_ = OutcomeJoinCounts();
  std::array<std::uint64_t, kNumberCount> numbers{};
  std::string bytes;
  TRY_ASSIGN(const bool found, state.get(kCountsKey, bytes));
  if (found) TRY(decode_counts(name(), bytes, numbers));
  TRY(entries_.load(state));
  started_ = (numbers[0] & kStarted) != 0;
  clock_ = EventTime(std::bit_cast<std::int64_t>(numbers[1]));
  TRY(waiting_.load(numbers[2], numbers[3]));
  TRY(marks_.load(numbers[4], numbers[5]));
  TRY(joined_.load(state, waiting_.head(), waiting_.tail()));
  marks_indexed_from_ = numbers[12];
  mark_index_.clear();
  const bool some_are_entries = (numbers[0] & kIndexedMarksAreNoEntries) == 0;
  while (marks_indexed_from_ < marks_.tail() && !marks_.broken() &&
         (some_are_entries || marks_.tail() - marks_indexed_from_ > mark_index_.capacity()))
    store_oldest_marks(some_are_entries);
  for (std::uint64_t serial = marks_indexed_from_; serial < marks_.tail() && !marks_.broken();)
    serial = marks_.for_page(serial, [this](const ExpiryQueue::Item& item) {
      mark_index_.add(hash64(item.id), item.serial / ExpiryQueue::kPageItems);
    });
  if (marks_.broken())
    return Error{ErrorCode::kCorruption, "outcome_join: the queue of its marks from item " + std::to_string(marks_indexed_from_) +
                                             " on has a page that is missing or malformed"};
  counts_.labelled = numbers[6];
  counts_.labelled_in_line = numbers[7];
  counts_.rows_waiting = numbers[8];
  counts_.outcomes_waiting = numbers[9];
  counts_.duplicate_events = numbers[10];
  counts_.loss_sum = std::bit_cast<double>(numbers[11]);
  std::copy_n(numbers.begin() + 13, kUnjoinedReasonCount, counts_.unjoined.begin());
  return {};
}

Result<void> OutcomeJoin::waiting_outcomes(const std::function<void(const Source&)>& fn) const {
  return entries_.scan_committed({&kIdTag, 1}, [&](std::string_view, std::string_view value) {
    if (value.size() < kWordBytes + sizeof(WaitingOutcome) || value[0] != kOutcome) return;
    WaitingOutcome waiting;
    std::memcpy(&waiting, value.data() + kWordBytes, sizeof(waiting));
    fn({value.substr(kWordBytes + sizeof(waiting)), PartitionId(waiting.partition), Offset(waiting.offset)});
  });
}

}  // namespace weir
