#include "storage/embedded_log.hpp"

#include "core/base/crash_point.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"
#include "storage/embedded_migrations.hpp"
#include "storage/positions.hpp"
#include "storage/sync_mark.hpp"

namespace weir {
namespace {

Error never_created(Topic topic) {
  return {ErrorCode::kNotFound, "topic '" + std::string(short_name(topic)) + "' was never created"};
}

class EmbeddedLog final : public TopicLog {
 public:
  explicit EmbeddedLog(std::shared_ptr<EmbeddedCore> core) : core_(std::move(core)) {}

  Result<void> load_topics() {
    EmbeddedDatabase& database = *core_->database;
    std::string body;
    for (const TopicTraits& traits : topic_table()) {
      const std::string key = topic_key(traits.topic);
      TRY_ASSIGN(const bool found, database.get(ColumnFamily::kMeta, key, body));
      if (!found) continue;
      auto topic = std::make_unique<EmbeddedTopic>();
      topic->spec.topic = traits.topic;
      if (!decode(body, topic->spec)) return malformed(ColumnFamily::kMeta, key);
      for (std::int32_t i = 0; i < topic->spec.partitions; ++i) {
        auto partition = std::make_unique<EmbeddedPartition>(traits.topic, PartitionId(i));
        const std::string entry_key = partition_key(traits.topic, PartitionId(i));
        TRY_ASSIGN(const bool written, database.get(ColumnFamily::kMeta, entry_key, body));
        if (written && !decode(body, partition->entry)) return malformed(ColumnFamily::kMeta, entry_key);
        partition->begin.store(partition->entry.begin.value);
        partition->signal.publish(partition->entry.end);
        topic->partitions.push_back(std::move(partition));
      }
      core_->topics[index_of(traits.topic)] = std::move(topic);
    }
    return {};
  }

  Result<void> create(const TopicSpec& spec) override {
    TRY(check_spec(spec));
    std::lock_guard lock(core_->mutex);
    auto& topic = core_->topics[index_of(spec.topic)];
    if (topic) {
      TRY(check_same_topic(topic->spec, spec));
      if (topic->spec.retention == spec.retention) return {};
    }
    if (!core_->database->options().read_only)
      TRY(core_->database->put_meta(topic_key(spec.topic), encode(spec), /*force_sync=*/false));
    if (topic) {
      topic->spec.retention = spec.retention;
      return {};
    }
    topic = std::make_unique<EmbeddedTopic>();
    topic->spec = spec;
    for (std::int32_t i = 0; i < spec.partitions; ++i)
      topic->partitions.push_back(std::make_unique<EmbeddedPartition>(spec.topic, PartitionId(i)));
    return {};
  }

  Result<TopicDescription> describe(Topic topic) const override {
    TopicDescription out;
    EmbeddedTopic* found = nullptr;
    {
      std::lock_guard lock(core_->mutex);
      found = core_->topics[index_of(topic)].get();
      if (found == nullptr) return never_created(topic);
      out.spec = found->spec;
    }
    for (const auto& partition : found->partitions) {
      PartitionEntry entry;
      {
        std::lock_guard lock(partition->append_mutex);
        entry = partition->entry;
      }
      PartitionDescription description{partition->id, entry.begin, entry.end, entry.bytes_appended - entry.bytes_removed,
                                       entry.last_append_us};
      if (out.spec.retention.compact) {  // Elsewhere, the cut is where the oldest record is.
        TRY_ASSIGN(description.begin, oldest_record(*core_->database, *partition, entry.begin, entry.end));
      }
      out.partitions.push_back(description);
    }
    return out;
  }

  std::vector<TopicDescription> list() const override {
    std::vector<TopicDescription> out;
    for (const TopicTraits& traits : topic_table())
      if (Result<TopicDescription> description = describe(traits.topic)) out.push_back(std::move(description).value());
    return out;
  }

  Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) override {
    EmbeddedTopic* found = core_->topic(topic);
    if (found == nullptr) return never_created(topic);
    TRY(check_partition(found->spec, partition));
    return make_embedded_reader(core_, *found, *found->partitions[static_cast<std::size_t>(partition.value)], from);
  }

  Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) override {
    TRY(check_task(spec));
    {
      std::lock_guard lock(core_->mutex);
      if (!core_->open_tasks.emplace(spec.name, spec.partition.value).second) return task_in_use(spec);
    }
    return make_embedded_task_store(core_, spec);
  }

  Result<void> apply_retention(const std::vector<Floor>& floors) override { return apply_embedded_retention(*core_, floors); }

  Result<std::string> backup(std::size_t keep) override {
    if (core_->database->options().read_only)
      return Error{ErrorCode::kIo, "'" + core_->database->options().path + "': no backup of a log opened read-only"};
    std::lock_guard maintenance(core_->maintenance_mutex);
    return make_embedded_backup(*core_->database, keep);
  }

  Result<void> sync() override { return core_->database->sync(); }

 private:
  std::shared_ptr<EmbeddedCore> core_;
};

}  // namespace

bool embedded_log_in_use(const std::string& path) { return another_process_holds(path + "/db/LOCK"); }

Result<std::unique_ptr<TopicLog>> open_embedded_log(EmbeddedLogOptions options) {
  crash_point("open.before");
  auto core = std::make_shared<EmbeddedCore>();
  TRY_ASSIGN(core->database, EmbeddedDatabase::open(options));
  TRY(check_format(*core->database, migrations(), kFormatVersion));
  auto log = std::make_unique<EmbeddedLog>(std::move(core));
  TRY(log->load_topics());
  crash_point("open.after");
  return std::unique_ptr<TopicLog>(std::move(log));
}

}  // namespace weir
