#include "actors/task.hpp"

#include <utility>

namespace weir {
namespace {

constexpr std::size_t slot(InputId input) { return static_cast<std::size_t>(input); }

}  // namespace

Task::Task(std::string name, PartitionId partition, std::vector<std::unique_ptr<Stage>> stages)
    : name_(std::move(name)), partition_(partition), stages_(std::move(stages)) {
  for (const auto& stage : stages_) prefixes_.push_back(std::string(stage->name()) + "/");
  for (std::size_t i = 0; i < kInputCount; ++i) positions_[i] = {static_cast<InputId>(i), partition, Offset(0), 0};
}

Result<void> Task::restore(const Recovered& recovered) {
  last_closed_ = recovered.last_commit;
  for (const Position& position : recovered.positions) positions_[slot(position.input)] = position;
  for (std::size_t i = 0; i < stages_.size(); ++i) TRY(stages_[i]->load(StageState(recovered.state, prefixes_[i])));
  return {};
}

Result<void> Task::process(InputId input, RecordView& record, std::uint64_t cursor, Transaction& transaction) {
  transaction.order.records(input);
  positions_[slot(input)].next = record.source.offset.next();
  positions_[slot(input)].cursor = cursor;
  moved_[slot(input)] = true;
  return run(input, record, transaction);
}

Result<void> Task::process_poison(InputId input, RecordView& record, std::uint64_t cursor, Transaction& transaction) {
  transaction.order.poison(input);
  positions_[slot(input)].next = record.source.offset.next();
  positions_[slot(input)].cursor = cursor;
  moved_[slot(input)] = true;
  return run(input, record, transaction);
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
  for (std::size_t i = 0; i < kInputCount; ++i) {
    if (!moved_[i]) continue;
    moved_[i] = false;
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
