#pragma once
// The clients that fetch. Each has threads and connections of its own, so one of them reads all partitions of a process, into a
// queue each; they are in no group. Internal to the kafka_* files.

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/kafka_client.hpp"

namespace weir {

// One partition as one client fetches it; stopped when this goes. Thread-compatible.
class KafkaPartition {
 public:
  ~KafkaPartition();
  KafkaPartition(const KafkaPartition&) = delete;
  KafkaPartition& operator=(const KafkaPartition&) = delete;

  // Fetches from there on; what was fetched before is dropped. `rings`: called by the client's threads with `opaque` when there is
  // something to take after there was nothing.
  Result<void> start(Offset from, void (*rings)(rd_kafka_t*, void*), void* opaque);
  // The next record, the end of the partition, or an error; nullptr: nothing has come. REQUIRES: started.
  KafkaPtr<rd_kafka_message_t> take();
  // Where committed data ended at the last fetch; nothing before the first one.
  std::optional<Offset> known_end() const;
  std::string said() const;
  // The client does not fetch what is there: the next partition() gets another one.
  void abandon_client();

 private:
  friend class KafkaFetchers;
  struct Client {
    KafkaHandle handle;
    std::set<std::pair<std::string, std::int32_t>> partitions;  // Under the mutex of KafkaFetchers, as is the next one.
    bool abandoned = false;
  };
  KafkaPartition() = default;
  void stop();
  void keep_fetching(Offset taken);

  std::shared_ptr<std::mutex> mutex_;
  std::shared_ptr<Client> client_;
  std::pair<std::string, std::int32_t> name_;
  KafkaPtr<rd_kafka_topic_t> topic_;   // Gone before the client.
  KafkaPtr<rd_kafka_queue_t> queue_;
  std::size_t taken_ = 0, taken_bytes_ = 0;  // Since keep_fetching() last looked.
};

// Thread-safe.
class KafkaFetchers {
 public:
  explicit KafkaFetchers(const KafkaLogOptions& options) : options_(options) {}

  // Makes the first client, which connects while others do, too.
  Result<void> open();
  // A partition that is being read already gets another client.
  Result<std::unique_ptr<KafkaPartition>> partition(const std::string& topic, PartitionId partition);

 private:
  Result<std::shared_ptr<KafkaPartition::Client>> make_client() const;

  const KafkaLogOptions& options_;
  const std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
  std::shared_ptr<KafkaPartition::Client> first_;
  std::vector<std::weak_ptr<KafkaPartition::Client>> others_;  // As long as they are used.
};

}  // namespace weir
