#include "sources/merge.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/base/crash_point.hpp"

namespace weir {
namespace {

// The reader's thread wrote the records: they come from the other core's cache.
constexpr std::size_t kPrefetchRecords = 2;

}  // namespace

InputQueue::InputQueue(const Settings& settings, std::unique_ptr<LineParser> parser)
    : settings_(settings), parser_(std::move(parser)) {
  CHECK(!settings.parsed || parser_ != nullptr);
}

void InputQueue::push(std::unique_ptr<InputBatch> batch) {
  ends_ = ends_ || batch->ends;
  const std::size_t count = settings_.parsed ? batch->parsed.size() : batch->records.size();
  waiting_ += count;
  if (count == 0) {
    used_.push_back(std::move(batch));
  } else {
    batches_.push_back(std::move(batch));
  }
}

std::unique_ptr<InputBatch> InputQueue::take_used() {
  if (used_.empty()) return nullptr;
  auto batch = std::move(used_.front());
  used_.pop_front();
  return batch;
}

ParsedRecord* InputQueue::at(std::size_t index) {
  index += head_;
  if (!batches_.empty() && index + kPrefetchRecords < batches_.front()->parsed.size())
    __builtin_prefetch(&batches_.front()->parsed[index + kPrefetchRecords]);
  for (auto& batch : batches_) {
    if (index < batch->parsed.size()) {
      ParsedRecord& record = batch->parsed[index];
      if (record.kind == ParsedKind::kUnparsed) parse(*batch, record);
      return &record;
    }
    index -= batch->parsed.size();
  }
  return nullptr;
}

// Records come here in order, so a batch's headers do, too.
void InputQueue::parse(InputBatch& batch, ParsedRecord& record) {
  const auto index = static_cast<std::size_t>(&record - batch.parsed.data());
  for (InputBatch::Header& header : batch.headers) {
    if (header.from > index || header.line.data() == nullptr) continue;
    CHECK(parser_->header(header.line).ok());  // The reader's parser has taken it.
    header.line = {};
  }
  crash_point_at_record("parse.record", name_of(settings_.input), record.offset.value);
  parser_->parse(record.line, batch.arena, record);
}

void InputQueue::refuse_next(const Refusal& refusal) {
  CHECK(settings_.parsed && !batches_.empty() && !head_resolved_);
  ParsedRecord& head = batches_.front()->parsed[head_];
  head.kind = ParsedKind::kRefused;
  head.refusal = refusal;
  head_resolved_ = true;
}

void InputQueue::resolve() {
  ParsedRecord* head = at(0);
  if (head == nullptr) return;
  const auto time = head->time();
  if (!time || running_max_ == INT64_MIN) {
    head_resolved_ = true;
    return;
  }
  const std::int64_t jump_max = settings_.jump_max.count();
  // Event times are bounded by the parser (years 1 to 9999), so the differences below cannot overflow.
  if (time->value - running_max_ <= jump_max) {
    head_resolved_ = true;
    return;
  }
  // Held: the next record that has a time decides. Refused lines between them say nothing about time.
  std::size_t ahead = 1;
  ParsedRecord* follower = at(ahead);
  while (follower != nullptr && !follower->time()) follower = at(++ahead);
  if (follower == nullptr && !ends_) return;
  const bool confirmed = follower != nullptr && follower->time()->value - time->value <= jump_max &&
                         time->value - follower->time()->value <= jump_max;
  if (!confirmed) {
    head->kind = ParsedKind::kRefused;
    head->refusal = {Reason::kTimeJump, "event time more than max_jump ahead of the records before it, and not confirmed by "
                                        "the record after it"};
  }
  head_resolved_ = true;
}

ParsedRecord* InputQueue::peek() {
  if (batches_.empty()) return nullptr;
  if (!head_resolved_) resolve();
  return head_resolved_ ? &batches_.front()->parsed[head_] : nullptr;
}

const Record* InputQueue::peek_record() {
  return batches_.empty() ? nullptr : &batches_.front()->records[head_];
}

void InputQueue::pop() {
  CHECK(!batches_.empty());
  InputBatch& batch = *batches_.front();
  std::size_t count = batch.records.size();
  if (settings_.parsed) {
    CHECK(head_resolved_);
    if (const auto time = batch.parsed[head_].time()) running_max_ = std::max(running_max_, time->value);
    count = batch.parsed.size();
  }
  head_resolved_ = false;
  --waiting_;
  if (++head_ == count) {
    head_ = 0;
    used_.push_back(std::move(batches_.front()));
    batches_.pop_front();
  }
}

bool InputQueue::ended() { return ends_ && batches_.empty(); }

Offset InputQueue::next_offset() const {
  CHECK(!batches_.empty());
  const InputBatch& batch = *batches_.front();
  return settings_.parsed ? batch.parsed[head_].offset : batch.topic_batch->base().next(static_cast<std::int64_t>(head_));
}

std::int64_t InputQueue::taken_ns() const { return batches_.empty() ? 0 : batches_.front()->taken_ns; }

InputBatch* InputQueue::head_batch() { return batches_.empty() ? nullptr : batches_.front().get(); }

std::int64_t InputQueue::merge_time() {
  if (!settings_.parsed) return peek_record()->event_time.value;
  const ParsedRecord* head = peek();
  CHECK(head != nullptr);
  const auto time = head->time();
  return time ? std::max(running_max_, time->value) : running_max_;
}

InputQueue* EventTimeMerge::next() {
  InputQueue* best = nullptr;
  std::int64_t best_time = 0;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    InputQueue* queue = queues_[i];
    if (!queue->has_next()) {
      if (queue->ended() || idle_[i] != 0) continue;
      return nullptr;
    }
    idle_[i] = 0;
    const std::int64_t time = queue->merge_time();
    if (best == nullptr || time < best_time || (time == best_time && queue->settings().input < best->settings().input)) {
      best = queue;
      best_time = time;
    }
  }
  return best;
}

std::vector<InputId> EventTimeMerge::waited_for() {
  std::vector<InputId> out;
  for (std::size_t i = 0; i < queues_.size(); ++i)
    if (!queues_[i]->has_next() && !queues_[i]->ended() && idle_[i] == 0) out.push_back(queues_[i]->settings().input);
  return out;
}

void EventTimeMerge::set_idle(InputId input) {
  for (std::size_t i = 0; i < queues_.size(); ++i)
    if (queues_[i]->settings().input == input) idle_[i] = 1;
}

bool EventTimeMerge::is_idle(InputId input) const {
  for (std::size_t i = 0; i < queues_.size(); ++i)
    if (queues_[i]->settings().input == input) return idle_[i] != 0;
  return false;
}

bool EventTimeMerge::ended() {
  return std::all_of(queues_.begin(), queues_.end(), [](InputQueue* queue) { return queue->ended(); });
}

}  // namespace weir
