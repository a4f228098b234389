#pragma once
// What the parts of the Kafka log share: options, administration, topics, the local store. Internal to the kafka_* files.

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/kafka_client.hpp"
#include "storage/kafka_fetcher.hpp"
#include "storage/kafka_log.hpp"
#include "storage/kafka_transactions.hpp"

namespace weir {

inline const std::string kRequestSetting = "max.message.bytes";  // Of a topic: the largest request for one of its partitions.

// How far this process knows a partition to be committed: the brokers tell readers a moment after they have told the writer.
class CommittedEnd {
 public:
  Offset get() const { return Offset(end_.load(std::memory_order_acquire)); }
  void raise(Offset to) {
    std::int64_t now = end_.load(std::memory_order_relaxed);
    while (now < to.value && !end_.compare_exchange_weak(now, to.value, std::memory_order_release)) {}
  }

 private:
  std::atomic<std::int64_t> end_{0};
};

struct KafkaTopic {
  explicit KafkaTopic(TopicSpec s) : spec(std::move(s)), ends(static_cast<std::size_t>(spec.partitions)) {}
  const TopicSpec spec;  // Without its retention: the brokers have that.
  std::vector<CommittedEnd> ends;
};

struct KafkaCore {
  KafkaLogOptions options;
  std::unique_ptr<TopicLog> local;
  std::unique_ptr<KafkaAdmin> admin;
  std::unique_ptr<KafkaFetchers> fetchers;
  mutable std::mutex mutex;
  std::array<std::unique_ptr<KafkaTopic>, kTopicCount> topics;  // Those met so far; made under `mutex`, never removed.
  std::set<std::pair<std::string, std::int32_t>> open_tasks;
  // The oldest offsets of the topics as the last retention found them, by topic and partition; and how often it looked.
  std::array<std::vector<Offset>, kTopicCount> begins;
  std::uint64_t begins_version = 0;
  std::map<std::string, std::size_t> request_bytes;  // By topic; see request_bytes_of().

  // REQUIRES: mutex held.
  std::string name_of(Topic topic) const {
    const auto own = options.topic_names.find(topic);
    return own != options.topic_names.end() ? own->second : options.pipeline + "." + std::string(short_name(topic));
  }
  // kNotFound: was never created.
  Result<KafkaTopic*> topic(Topic topic);
  // One that is there, with so many partitions.
  KafkaTopic* know(const TopicSpec& spec);
  // How much of one request a partition of the topic takes: its max.message.bytes, if the brokers tell it.
  std::size_t request_bytes_of(const std::string& topic);
  std::size_t know_request_bytes(const std::string& topic, const KafkaAdmin::Settings& settings);
};

// What topics are made with.
KafkaProperties new_topic_settings(const Retention& retention);
KafkaProperties changelog_settings();

// A reader of any topic by its name. The core outlives it, as does `known_end`, which may be null.
Result<std::unique_ptr<TopicReader>> make_kafka_reader(KafkaCore& core, const std::string& topic, PartitionId partition, Offset from,
                                                       const CommittedEnd* known_end);

// One topic partition's share of a transaction.
struct KafkaAppend {
  KafkaTopic* topic = nullptr;
  PartitionId partition;
  const RecordBatch* records = nullptr;
  KafkaAppended appended;
  ByteReader left{{}};  // Records that are still to be appended.
  void begin() {
    appended.begin();
    left = ByteReader(records->bytes());
  }
  // Its records are committed: readers of this process need not wait for the brokers to say so.
  void raise_end() const {
    if (appended.last >= 0) topic->ends[static_cast<std::size_t>(partition.value)].raise(Offset(appended.last).next());
  }
};
// kConfig: a record of it is for a partition that is not there.
Result<std::vector<KafkaAppend>> kafka_appends_of(KafkaCore& core, const TaskSpec& spec, const Transaction& transaction);
// So many of what is left of it, at most.
std::optional<KafkaFailure> append_some(KafkaProducer& producer, KafkaAppend& append, std::size_t count = SIZE_MAX);

std::unique_ptr<TaskStore> make_kafka_task_store(std::shared_ptr<KafkaCore> core, const TaskSpec& spec);

}  // namespace weir
