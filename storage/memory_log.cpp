#include "storage/memory_log.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "storage/compaction.hpp"
#include "storage/partition_signal.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

using BatchPtr = std::shared_ptr<const RecordBatch>;

struct MemoryPartition {
  std::vector<BatchPtr> batches;  // By base offset.
  Offset begin;                   // Where retention has cut.
  std::int64_t last_append_us = 0;
  PartitionSignal signal;

  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const BatchPtr& batch : batches) sum += batch->bytes().size();
    return sum;
  }
};

struct MemoryTopic {
  TopicSpec spec;
  std::vector<std::unique_ptr<MemoryPartition>> partitions;
};

struct MemoryTask {
  CommitId last_commit;
  Attempts attempts{};
  Positions positions;
  std::map<std::string, std::string, std::less<>> state;
  struct OrderOfCommit {
    std::string bytes;
    Positions positions;
  };
  std::map<CommitId, OrderOfCommit> order;
  bool open = false;
};

using TaskKey = std::pair<std::string, std::int32_t>;

// Everything there is, shared by the log, its readers, task stores and state readers; one lock over all of it.
struct Core {
  Core(std::string pipeline_name, const Clock& log_clock) : pipeline(std::move(pipeline_name)), clock(log_clock) {}

  const std::string pipeline;
  const Clock& clock;
  mutable std::mutex mutex;
  std::array<std::unique_ptr<MemoryTopic>, kTopicCount> topics;
  std::map<TaskKey, std::shared_ptr<MemoryTask>> tasks;
  std::array<std::uint64_t, 2> calls{};
  struct PlannedFault {
    MemoryLog::Fault fault;
    std::uint64_t at_call;
  };
  std::vector<PlannedFault> faults;

  // Counts a call; the fault planned for it, if any. REQUIRES: mutex held.
  std::optional<MemoryLog::Fault> count(MemoryLog::Operation operation) {
    const std::uint64_t call = ++calls[static_cast<std::size_t>(operation)];
    for (auto it = faults.begin(); it != faults.end(); ++it) {
      if (it->fault.operation != operation || it->at_call != call) continue;
      MemoryLog::Fault fault = std::move(it->fault);
      faults.erase(it);
      return fault;
    }
    return std::nullopt;
  }
};

class MemoryState final : public StateReader {
 public:
  MemoryState(std::shared_ptr<Core> core, std::shared_ptr<MemoryTask> task)
      : core_(std::move(core)), task_(std::move(task)) {}

  Result<bool> get(std::string_view key, std::string& value) const override {
    std::lock_guard lock(core_->mutex);
    return find(key, value);
  }
  Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values,
                        std::vector<char>& found) const override {
    std::lock_guard lock(core_->mutex);
    values.resize(keys.size());
    found.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) found[i] = find(keys[i], values[i]);
    return {};
  }
  Result<void> scan_from(std::string_view prefix, std::string_view from,
                         const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    std::vector<std::pair<std::string, std::string>> entries;  // A copy: fn may call back into the log.
    {
      std::lock_guard lock(core_->mutex);
      for (auto it = task_->state.lower_bound(std::max(prefix, from)); it != task_->state.end() && it->first.starts_with(prefix); ++it)
        entries.emplace_back(*it);
    }
    for (const auto& [key, value] : entries)
      if (!fn(key, value)) break;
    return {};
  }
  CommitId visible() const override {
    std::lock_guard lock(core_->mutex);
    return task_->last_commit;
  }

 private:
  bool find(std::string_view key, std::string& value) const {
    const auto it = task_->state.find(key);
    if (it == task_->state.end()) return false;
    value = it->second;
    return true;
  }
  std::shared_ptr<Core> core_;
  std::shared_ptr<MemoryTask> task_;
};

class MemoryTaskStore final : public TaskStore {
 public:
  MemoryTaskStore(std::shared_ptr<Core> core, std::shared_ptr<MemoryTask> task, TaskSpec spec)
      : core_(std::move(core)), task_(std::move(task)), spec_(std::move(spec)) {}
  ~MemoryTaskStore() override {
    std::lock_guard lock(core_->mutex);
    task_->open = false;
  }

  Result<Recovered> recover() override {
    std::lock_guard lock(core_->mutex);
    return Recovered{task_->last_commit, task_->positions, std::make_shared<MemoryState>(core_, task_), task_->attempts};
  }

  Result<void> count_attempt(InputId input) override {
    std::lock_guard lock(core_->mutex);
    ++task_->attempts[static_cast<std::size_t>(input)];
    return {};
  }

  Result<void> take_back_attempt(InputId input) override {
    std::lock_guard lock(core_->mutex);
    std::uint32_t& attempts = task_->attempts[static_cast<std::size_t>(input)];
    CHECK(attempts > 0);
    --attempts;
    return {};
  }

  Result<void> clear_attempts() override {
    std::lock_guard lock(core_->mutex);
    task_->attempts = {};
    return {};
  }

  Result<CommitId> commit(Transaction& transaction) override {
    std::lock_guard lock(core_->mutex);
    const std::optional<MemoryLog::Fault> fault = core_->count(MemoryLog::Operation::kCommit);
    if (fault && !fault->after_effect) return fault->error;
    for (std::size_t i = 0; i < kTopicCount; ++i)
      if (!transaction.records[i].empty()) TRY(check_writable(static_cast<Topic>(i), spec_.partition));
    for (const RoutedBatch& batch : transaction.routed)
      if (!batch.records.empty()) TRY(check_writable(batch.topic, batch.partition));
    const CommitId id = task_->last_commit.next();
    for (std::size_t i = 0; i < kTopicCount; ++i)
      if (!transaction.records[i].empty()) append(*core_->topics[i], spec_.partition, transaction.records[i]);
    for (const RoutedBatch& batch : transaction.routed)
      if (!batch.records.empty()) append(*core_->topics[index_of(batch.topic)], batch.partition, batch.records);
    transaction.state.for_each([&](std::string_view key, std::string_view value, bool erased) {
      if (erased) {
        task_->state.erase(std::string(key));
      } else {
        task_->state.insert_or_assign(std::string(key), std::string(value));
      }
    });
    merge_positions(transaction.consumed, task_->positions);
    if (const std::string_view order = transaction.order.bytes(); !order.empty())
      task_->order[id] = {std::string(order), task_->positions};
    task_->last_commit = id;
    for (const Position& position : transaction.consumed) task_->attempts[static_cast<std::size_t>(position.input)] = transaction.attempts;
    if (fault) return fault->error;
    return id;
  }

  Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const override {
    std::vector<std::pair<CommitId, std::string>> entries;
    {
      std::lock_guard lock(core_->mutex);
      for (const auto& [id, order] : task_->order) entries.emplace_back(id, order.bytes);
    }
    for (const auto& [id, bytes] : entries)
      if (!fn(id, bytes)) break;
    return {};
  }

 private:
  Result<void> check_writable(Topic topic, PartitionId partition) const {
    const auto& found = core_->topics[index_of(topic)];
    if (!found)
      return Error{ErrorCode::kNotFound, "topic '" + std::string(short_name(topic)) + "' was never created"};
    if (partition.value < 0 || partition.value >= found->spec.partitions)
      return Error{ErrorCode::kConfig, "task '" + spec_.name + "' writes partition " + std::to_string(partition.value) + " of topic '" + found->spec.name +
                                           "', which has " + std::to_string(found->spec.partitions)};
    return {};
  }
  void append(MemoryTopic& topic, PartitionId id, const RecordBatch& records) {
    MemoryPartition& partition = *topic.partitions[static_cast<std::size_t>(id.value)];
    const Offset base = partition.signal.end();
    partition.last_append_us = std::max(partition.last_append_us, core_->clock.wall_us());
    auto batch = std::make_shared<RecordBatch>();
    batch->assign(records.bytes(), records.count(), base, partition.last_append_us);
    partition.batches.push_back(std::move(batch));
    partition.signal.publish(base.next(records.count()));
  }

  std::shared_ptr<Core> core_;
  std::shared_ptr<MemoryTask> task_;
  TaskSpec spec_;
};

class MemoryReader final : public TopicReader {
 public:
  MemoryReader(std::shared_ptr<Core> core, MemoryTopic& topic, PartitionId id, Offset from)
      : core_(std::move(core)), topic_(topic), partition_(*topic.partitions[static_cast<std::size_t>(id.value)]), id_(id) {
    std::lock_guard lock(core_->mutex);
    position_ = std::max(from, partition_.begin);
  }

  Result<std::shared_ptr<const RecordBatch>> poll(Duration wait) override {
    for (;;) {
      {
        std::lock_guard lock(core_->mutex);
        if (position_ < partition_.begin)
          return Error{ErrorCode::kNotFound, "topic '" + topic_.spec.name + "' partition " + std::to_string(id_.value) +
                                                 " offset " + std::to_string(position_.value) +
                                                 ": left retention; the oldest kept is " +
                                                 std::to_string(partition_.begin.value)};
        if (BatchPtr batch = next()) {
          const auto fault = core_->count(MemoryLog::Operation::kRead);
          if (!fault || fault->after_effect) position_ = batch->base().next(batch->count());
          if (fault) return fault->error;
          return batch;
        }
        if (position_ < partition_.signal.end()) position_ = partition_.signal.end();  // Compacted away up to the end.
      }
      if (!partition_.signal.wait_beyond(position_, wait, woken_)) return BatchPtr();
    }
  }
  Result<void> seek(Offset to) override {
    std::lock_guard lock(core_->mutex);
    position_ = std::max(to, partition_.begin);
    return {};
  }
  Offset position() const override { return position_; }
  Offset end() const override { return partition_.signal.end(); }
  void wake() override { partition_.signal.wake(woken_); }

 private:
  // The batch that holds position_, from there on, or the next one. REQUIRES: mutex held.
  BatchPtr next() const {
    const auto& batches = partition_.batches;
    auto it = std::upper_bound(batches.begin(), batches.end(), position_,
                               [](Offset offset, const BatchPtr& batch) { return offset < batch->base(); });
    if (it != batches.begin()) {
      const BatchPtr& before = *std::prev(it);
      if (before->base() == position_) return before;
      if (before->base().next(before->count()) > position_) {
        auto rest = std::make_shared<RecordBatch>();
        assign_rest(*before, position_, *rest);
        return rest;
      }
    }
    return it == batches.end() ? nullptr : *it;
  }

  std::shared_ptr<Core> core_;
  MemoryTopic& topic_;
  MemoryPartition& partition_;
  PartitionId id_;
  Offset position_;
  WakeFlag woken_{false};
};

class MemoryLogImpl final : public MemoryLog {
 public:
  MemoryLogImpl(std::string pipeline, const Clock& clock) : core_(std::make_shared<Core>(std::move(pipeline), clock)) {}

  Result<void> create(const TopicSpec& spec) override {
    std::lock_guard lock(core_->mutex);
    TRY(check_spec(spec));
    auto& topic = core_->topics[index_of(spec.topic)];
    if (topic) {
      TRY(check_same_topic(topic->spec, spec));
      topic->spec.retention = spec.retention;
      return {};
    }
    topic = std::make_unique<MemoryTopic>();
    topic->spec = spec;
    for (std::int32_t i = 0; i < spec.partitions; ++i) topic->partitions.push_back(std::make_unique<MemoryPartition>());
    return {};
  }

  Result<TopicDescription> describe(Topic topic) const override {
    std::lock_guard lock(core_->mutex);
    const auto& found = core_->topics[index_of(topic)];
    if (!found)
      return Error{ErrorCode::kNotFound, "topic '" + std::string(short_name(topic)) + "' was never created"};
    return description_of(*found);
  }

  std::vector<TopicDescription> list() const override {
    std::lock_guard lock(core_->mutex);
    std::vector<TopicDescription> out;
    for (const auto& topic : core_->topics)
      if (topic) out.push_back(description_of(*topic));
    return out;
  }

  Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) override {
    MemoryTopic* found = nullptr;
    {
      std::lock_guard lock(core_->mutex);
      found = core_->topics[index_of(topic)].get();
    }
    if (found == nullptr)
      return Error{ErrorCode::kNotFound, "topic '" + std::string(short_name(topic)) + "' was never created"};
    TRY(check_partition(found->spec, partition));
    return std::unique_ptr<TopicReader>(std::make_unique<MemoryReader>(core_, *found, partition, from));
  }

  Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) override {
    TRY(check_task(spec));
    std::lock_guard lock(core_->mutex);
    auto& task = core_->tasks[TaskKey(spec.name, spec.partition.value)];
    if (!task) task = std::make_shared<MemoryTask>();
    if (task->open) return task_in_use(spec);
    task->open = true;
    return std::unique_ptr<TaskStore>(std::make_unique<MemoryTaskStore>(core_, task, spec));
  }

  Result<void> apply_retention(const std::vector<Floor>& floors) override {
    std::lock_guard lock(core_->mutex);
    const std::int64_t now_us = core_->clock.wall_us();
    for (auto& topic : core_->topics) {
      if (!topic) continue;
      for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
        MemoryPartition& partition = *topic->partitions[i];
        Offset floor = partition.signal.end();
        for (const Floor& f : floors)
          if (f.topic == topic->spec.topic && f.partition.value == std::int32_t(i)) floor = std::min(floor, f.offset);
        topic->spec.retention.compact ? compact(topic->spec.retention, partition, floor, now_us)
                                      : cut(topic->spec.retention, partition, floor, now_us);
      }
    }
    for (auto& [key, task] : core_->tasks) forget_order(*task);
    return {};
  }

  Result<std::string> backup(std::size_t) override {
    return Error{ErrorCode::kNotFound, "the memory log has no backups: nothing of it outlives the process"};
  }
  Result<void> sync() override { return {}; }

  void fail(Fault fault) override {
    std::lock_guard lock(core_->mutex);
    const std::uint64_t at = core_->calls[static_cast<std::size_t>(fault.operation)] + fault.nth;
    core_->faults.push_back({std::move(fault), at});
  }
  std::uint64_t calls(Operation operation) const override {
    std::lock_guard lock(core_->mutex);
    return core_->calls[static_cast<std::size_t>(operation)];
  }

 private:
  static TopicDescription description_of(const MemoryTopic& topic) {
    TopicDescription out{topic.spec, {}};
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      const MemoryPartition& partition = *topic.partitions[i];
      out.partitions.push_back({PartitionId(static_cast<std::int32_t>(i)),
                                partition.batches.empty() ? partition.signal.end() : partition.batches.front()->base(),
                                partition.signal.end(), partition.bytes(), partition.last_append_us});
    }
    return out;
  }

  static void cut(const Retention& retention, MemoryPartition& partition, Offset floor, std::int64_t now_us) {
    std::uint64_t bytes = partition.bytes();
    std::size_t gone = 0;
    for (; gone < partition.batches.size(); ++gone) {
      const RecordBatch& batch = *partition.batches[gone];
      const bool too_old = retention.age && batch.append_time_us() < now_us - retention.age->count();
      const bool newest = gone + 1 == partition.batches.size();  // It stays, also where it alone is more than the limit.
      const bool too_many = retention.bytes && !newest && bytes > *retention.bytes;
      if (batch.base().next(batch.count()) > floor || !(too_old || too_many)) break;
      bytes -= batch.bytes().size();
      partition.begin = batch.base().next(batch.count());
    }
    partition.batches.erase(partition.batches.begin(), partition.batches.begin() + static_cast<std::ptrdiff_t>(gone));
  }

  static void compact(const Retention& retention, MemoryPartition& partition, Offset floor, std::int64_t now_us) {
    Compaction compaction(floor, now_us, retention.age);
    for (const BatchPtr& batch : partition.batches) CHECK(compaction.observe(*batch));
    std::vector<BatchPtr> kept;
    for (const BatchPtr& batch : partition.batches) {
      Compaction::Outcome outcome = compaction.apply(*batch);
      if (!outcome.changed) kept.push_back(batch);
      for (RecordBatch& run : outcome.runs) kept.push_back(std::make_shared<RecordBatch>(std::move(run)));
    }
    partition.batches = std::move(kept);
  }

  // Order entries whose inputs have left retention go: they cannot be computed again.
  void forget_order(MemoryTask& task) const {
    const auto begin_of = [&](const Position& position) -> std::optional<Offset> {
      const auto topic = topic_of(position.input);
      const auto& found = core_->topics[index_of(topic)];
      if (!found || found->spec.retention.compact) return std::nullopt;
      const auto index = static_cast<std::size_t>(position.partition.value);
      return index < found->partitions.size() ? std::optional(found->partitions[index]->begin) : std::nullopt;
    };
    while (!task.order.empty() && inputs_are_gone(task.order.begin()->second.positions, begin_of))
      task.order.erase(task.order.begin());
  }

  std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<MemoryLog> make_memory_log(std::string pipeline, const Clock& clock) {
  return std::make_unique<MemoryLogImpl>(std::move(pipeline), clock);
}

}  // namespace weir
