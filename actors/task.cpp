#include "actors/task.hpp"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

bool before(const Position& a, const Position& b) { return std::pair(a.input, a.partition) < std::pair(b.input, b.partition); }

}  // namespace

Task::Task(std::string name, PartitionId partition, std::vector<std::unique_ptr<Stage>> stages)
    : name_(std::move(name)), partition_(partition), stages_(std::move(stages)) {
  for (const auto& stage : stages_) prefixes_.push_back(std::string(stage->name()) + "/");
}

Result<void> Task::restore(const Recovered& recovered) {
  last_closed_ = recovered.last_commit;
  positions_ = recovered.positions;
  std::sort(positions_.begin(), positions_.end(), before);
  moved_.assign(positions_.size(), 0);
  for (std::size_t i = 0; i < stages_.size(); ++i) TRY(stages_[i]->load(StageState(recovered.state, prefixes_[i])));
  return {};
}

Result<void> Task::process(InputId input, RecordView& record, std::uint64_t cursor, Transaction& transaction) {
  const PartitionId partition = record.source.partition;
  transaction.order.records(input, 1, partition == partition_ ? kOwnPartition : partition);
  consume(input, record, cursor);
  return run(input, record, transaction);
}

Result<void> Task::process_poison(InputId input, RecordView& record, std::uint64_t cursor, Transaction& transaction) {
  transaction.order.poison(input);
  consume(input, record, cursor);
  return run(input, record, transaction);
}

void Task::consume(InputId input, const RecordView& record, std::uint64_t cursor) {
  const Position to{input, record.source.partition, record.source.offset.next(), cursor};
  const auto at = std::lower_bound(positions_.begin(), positions_.end(), to, before);
  const auto index = at - positions_.begin();
  if (at == positions_.end() || before(to, *at)) {
    positions_.insert(at, to);
    moved_.insert(moved_.begin() + index, 1);
  } else {
    *at = to;
    moved_[static_cast<std::size_t>(index)] = 1;
  }
}

Position Task::position(InputId input, PartitionId partition) const {
  const Position start{input, partition, Offset(0), 0};
  const auto at = std::lower_bound(positions_.begin(), positions_.end(), start, before);
  return at == positions_.end() || before(start, *at) ? start : *at;
}

Result<void> Task::run(InputId input, RecordView& record, Transaction& transaction) {
  open_ = &transaction;
  input_ = input;
  at_ = 0;
  stages_[0]->process(input, record, *this);
  if (failed_) [[unlikely]] return error_;
  return {};
}

Result<std::uint64_t> Task::idle(std::uint64_t steps, Transaction& transaction) {
  open_ = &transaction;
  std::uint64_t done = 0;
  for (at_ = 0; at_ < stages_.size() && done < steps; ++at_) done += stages_[at_]->idle(steps - done, *this);
  if (failed_) return error_;
  if (done > 0) transaction.order.steps(done);
  return done;
}

void Task::close(Transaction& transaction) {
  last_closed_ = last_closed_.next();
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    StateWriter writer(transaction.state, prefixes_[i], last_closed_);
    stages_[i]->save(writer);
  }
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    if (!moved_[i]) continue;
    moved_[i] = 0;
    transaction.consumed.push_back(positions_[i]);
  }
}

void Task::committed(CommitId commit) {
  for (const auto& stage : stages_)
    if (KeyedState* keyed = stage->keyed()) keyed->committed(commit);
}

void Task::save_runtime(Transaction& transaction, std::string_view key, std::string_view value) {
  transaction.state.put(kRuntimePrefix, key, value);
}

Result<bool> Task::load_runtime(const Recovered& recovered, std::string_view key, std::string& value) const {
  return recovered.state->get(std::string(kRuntimePrefix) + std::string(key), value);
}

bool Task::needs_fetch() const {
  for (const auto& stage : stages_)
    if (KeyedState* keyed = stage->keyed(); keyed != nullptr && keyed->needs_fetch()) return true;
  return false;
}

void Task::emit(RecordView& record) {
  const std::size_t from = at_;
  if (from + 1 < stages_.size()) {
    at_ = from + 1;
    stages_[at_]->process(input_, record, *this);
    at_ = from;
  }
}

void Task::feed_back(InputId input, RecordView& record) {
  const std::size_t from = std::exchange(at_, 0);
  const InputId outer = std::exchange(input_, input);
  stages_[0]->process(input, record, *this);
  input_ = outer;
  at_ = from;
}

void Task::append(Topic topic, const Record& record) { open_->append(topic, record); }

void Task::fail(Error error) {
  if (failed_) return;
  failed_ = true;
  error_ = std::move(error);
}

}  // namespace weir
