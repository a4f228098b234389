#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstring>

#include "core/base/crash_point.hpp"
#include "core/base/crc32c.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

class EmbeddedTaskStore final : public TaskStore {
 public:
  EmbeddedTaskStore(std::shared_ptr<EmbeddedCore> core, TaskSpec spec)
      : core_(std::move(core)),
        spec_(std::move(spec)),
        task_key_(task_key(spec_)),
        state_prefix_(task_prefix(spec_)),
        state_prefix_crc_(crc32c(state_prefix_)) {}

  ~EmbeddedTaskStore() override {
    std::lock_guard lock(core_->mutex);
    core_->open_tasks.erase({spec_.name, spec_.partition.value});
  }

  Result<Recovered> recover() override {
    EmbeddedDatabase& database = *core_->database;
    std::string body;
    TRY_ASSIGN(const bool found, database.get(ColumnFamily::kMeta, task_key_, body));
    if (found && !decode(body, entry_)) return malformed(ColumnFamily::kMeta, task_key_);
    last_commit_->store(entry_.last_commit.value, std::memory_order_release);
    return Recovered{entry_.last_commit, entry_.positions, make_embedded_state(core_, spec_, last_commit_), entry_.attempts};
  }

  Result<void> count_attempt(InputId input) override {
    ++entry_.attempts[static_cast<std::size_t>(input)];
    TRY(core_->database->put_meta(task_key_, encode(entry_), /*force_sync=*/false));
    crash_point("recover.after_attempt");
    return {};
  }

  Result<void> take_back_attempt(InputId input) override {
    std::uint32_t& attempts = entry_.attempts[static_cast<std::size_t>(input)];
    CHECK(attempts > 0);
    --attempts;
    return core_->database->put_meta(task_key_, encode(entry_), /*force_sync=*/false);
  }

  Result<void> clear_attempts() override {
    entry_.attempts = {};
    return core_->database->put_meta(task_key_, encode(entry_), /*force_sync=*/false);
  }

  Result<CommitId> commit(Transaction& transaction) override {
    crash_point("commit.before_write");
    batch_.Clear();
    const CommitId id = entry_.last_commit.next();

    appends_.clear();
    for (std::size_t i = 0; i < kTopicCount; ++i)
      if (!transaction.records[i].empty()) TRY(open_append(static_cast<Topic>(i), spec_.partition, transaction.records[i]));
    for (const RoutedBatch& batch : transaction.routed)
      if (!batch.records.empty()) TRY(open_append(batch.topic, batch.partition, batch.records));
    if (!transaction.routed.empty()) std::sort(appends_.begin(), appends_.end());
    for (std::size_t i = 1; i < appends_.size(); ++i) CHECK(appends_[i].partition != appends_[i - 1].partition);
    for (Append& append : appends_) {  // By topic and partition, as everybody locks: no two commits wait for each other.
      append.lock = std::unique_lock(append.partition->append_mutex);
      put_records(append);
    }
    transaction.state.sort();
    put_state(transaction.state);
    TaskEntry next{id, entry_.attempts, entry_.positions};
    for (const Position& position : transaction.consumed) next.attempts[static_cast<std::size_t>(position.input)] = transaction.attempts;
    merge_positions(transaction.consumed, next.positions);
    put_meta(task_key_, encode(next));
    if (const std::string_view order = transaction.order.bytes(); !order.empty())
      put_meta(order_key(spec_, id), encode(OrderOfCommit{next.positions, order}));

    const Result<void> written = core_->database->write(batch_, what_);
    if (!written) {
      appends_.clear();
      return written.error();
    }
    crash_point("commit.after_write");
    entry_ = std::move(next);
    last_commit_->store(id.value, std::memory_order_release);
    for (Append& append : appends_) {
      append.partition->entry = append.after;
      append.partition->signal.publish(append.after.end);
    }
    appends_.clear();
    return id;
  }

  Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const override {
    EmbeddedDatabase& database = *core_->database;
    const std::string prefix = order_prefix(spec_);
    const std::unique_ptr<rocksdb::Iterator> it(
        database.db().NewIterator(rocksdb::ReadOptions(), database.family(ColumnFamily::kMeta)));
    OrderOfCommit entry;
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      TRY_ASSIGN(const std::string_view body, unseal(ColumnFamily::kMeta, view(it->key()), view(it->value())));
      const auto commit = order_key_commit(view(it->key()), prefix);
      if (!commit || !decode(body, entry)) return malformed(ColumnFamily::kMeta, view(it->key()));
      if (!fn(*commit, entry.order)) return {};
    }
    if (!it->status().ok()) return to_error(it->status(), "order of task " + spec_.name);
    return {};
  }

 private:
  struct Append {
    EmbeddedPartition* partition = nullptr;
    const RecordBatch* records = nullptr;
    PartitionEntry after;
    std::unique_lock<std::mutex> lock;
    bool operator<(const Append& other) const {
      return std::pair(partition->topic, partition->id) < std::pair(other.partition->topic, other.partition->id);
    }
  };

  Result<void> open_append(Topic topic, PartitionId partition, const RecordBatch& records) {
    EmbeddedTopic*& found = topics_[index_of(topic)];
    if (found == nullptr) found = core_->topic(topic);
    if (found == nullptr)
      return Error{ErrorCode::kNotFound, "topic '" + std::string(short_name(topic)) + "' was never created"};
    if (partition.value < 0 || partition.value >= found->spec.partitions)
      return Error{ErrorCode::kConfig, "task '" + spec_.name + "' writes partition " + std::to_string(partition.value) + " of topic '" + found->spec.name +
                                           "', which has " + std::to_string(found->spec.partitions)};
    Append append;
    append.partition = found->partitions[static_cast<std::size_t>(partition.value)].get();
    append.records = &records;
    appends_.push_back(std::move(append));
    return {};
  }

  // Puts the records, cut into pieces, and the partition's new end.
  void put_records(Append& append) {
    const EmbeddedPartition& partition = *append.partition;
    append.after = partition.entry;
    append.after.last_append_us = std::max(partition.entry.last_append_us, core_->database->options().clock->wall_us());
    const std::string_view bytes = append.records->bytes();
    const std::size_t limit = core_->database->options().batch_bytes;
    if (bytes.size() <= limit + limit / 2) {
      put_piece(append, bytes, append.records->count());
    } else {
      ByteReader reader(bytes);
      Record record;
      std::size_t begin = 0;
      std::uint32_t count = 0;
      while (decode_record(reader, record)) {
        ++count;
        const std::size_t at = bytes.size() - reader.left();
        if (at - begin < limit && at < bytes.size()) continue;
        put_piece(append, bytes.substr(begin, at - begin), count);
        begin = at;
        count = 0;
      }
      CHECK(begin == bytes.size());
    }
    put_meta(partition_key(partition.topic, partition.id), encode(append.after));
  }

  void put_piece(Append& append, std::string_view records, std::uint32_t count) {
    const LogKey key = log_key(append.partition->topic, append.partition->id, append.after.end);
    value_.clear();
    value_.append_fixed(std::uint32_t{0});
    value_.append(static_cast<char>(kStoredValueVersion));
    append_batch({count, append.after.last_append_us, append.after.bytes_appended}, records, value_);
    value_.set_fixed(0, seal_crc(key.view(), value_.view().substr(4)));
    batch_.Put(core_->database->family(ColumnFamily::kLog), slice(key.view()), slice(value_.view()));
    append.after.end = append.after.end.next(count);
    append.after.bytes_appended += records.size();
  }

  void put_state(const StateChanges& state) {
    rocksdb::ColumnFamilyHandle* family = core_->database->family(ColumnFamily::kState);
    std::array<char, kSealBytes> head;
    head[4] = static_cast<char>(kStoredValueVersion);
    state.for_each([&](std::string_view key, std::string_view value, bool erased) {
      const std::array<rocksdb::Slice, 2> key_parts = {slice(state_prefix_), slice(key)};
      if (erased) {
        batch_.Delete(family, rocksdb::SliceParts(key_parts.data(), 2));
        return;
      }
      const std::uint32_t crc = crc32c(value, crc32c({&head[4], 1}, crc32c(key, state_prefix_crc_)));
      std::memcpy(head.data(), &crc, sizeof crc);
      const std::array<rocksdb::Slice, 2> value_parts = {rocksdb::Slice(head.data(), head.size()), slice(value)};
      batch_.Put(family, rocksdb::SliceParts(key_parts.data(), 2), rocksdb::SliceParts(value_parts.data(), 2));
    });
  }

  void put_meta(const std::string& key, const std::string& body) {
    batch_.Put(core_->database->family(ColumnFamily::kMeta), key, seal(key, body));
  }

  static std::optional<CommitId> order_key_commit(std::string_view key, std::string_view prefix) {
    if (key.size() != prefix.size() + 8) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : key.substr(prefix.size())) value = value << 8 | static_cast<unsigned char>(c);
    return CommitId(value);
  }

  std::shared_ptr<EmbeddedCore> core_;
  const TaskSpec spec_;
  const std::string task_key_;
  const std::string state_prefix_;
  const std::uint32_t state_prefix_crc_;
  const std::string what_ = "commit of task " + spec_.name + "/" + std::to_string(spec_.partition.value);
  TaskEntry entry_;
  std::shared_ptr<std::atomic<std::uint64_t>> last_commit_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::array<EmbeddedTopic*, kTopicCount> topics_{};
  rocksdb::WriteBatch batch_;
  std::vector<Append> appends_;
  ByteBuffer value_;
};

}  // namespace

std::unique_ptr<TaskStore> make_embedded_task_store(std::shared_ptr<EmbeddedCore> core, const TaskSpec& spec) {
  return std::make_unique<EmbeddedTaskStore>(std::move(core), spec);
}

}  // namespace weir
