#pragma once
// Handles of librdkafka, closed when destroyed, and the administrative calls. Internal to the kafka_* files.

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/strong_id.hpp"
#include "storage/kafka_log.hpp"

namespace weir {

using KafkaProperties = std::map<std::string, std::string>;

struct KafkaDeleter {
  // Consumers here are in no group: there is nothing to leave, and a close can block for ever (librdkafka < 2.1).
  void operator()(rd_kafka_t* p) const { rd_kafka_destroy_flags(p, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }
  void operator()(rd_kafka_conf_t* p) const { rd_kafka_conf_destroy(p); }
  void operator()(rd_kafka_topic_t* p) const { rd_kafka_topic_destroy(p); }
  void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
  void operator()(rd_kafka_message_t* p) const { rd_kafka_message_destroy(p); }
  void operator()(rd_kafka_error_t* p) const { rd_kafka_error_destroy(p); }
  void operator()(rd_kafka_event_t* p) const { rd_kafka_event_destroy(p); }
  void operator()(rd_kafka_topic_partition_list_t* p) const { rd_kafka_topic_partition_list_destroy(p); }
  void operator()(rd_kafka_AdminOptions_t* p) const { rd_kafka_AdminOptions_destroy(p); }
  void operator()(rd_kafka_NewTopic_t* p) const { rd_kafka_NewTopic_destroy(p); }
  void operator()(rd_kafka_NewPartitions_t* p) const { rd_kafka_NewPartitions_destroy(p); }
  void operator()(rd_kafka_ConfigResource_t* p) const { rd_kafka_ConfigResource_destroy(p); }
  void operator()(const rd_kafka_metadata_t* p) const { rd_kafka_metadata_destroy(p); }
};
template <class T>
using KafkaPtr = std::unique_ptr<T, KafkaDeleter>;

// The client's last complaint (level warning or worse), for errors that only say "timed out". Thread-safe.
class KafkaLastWords {
 public:
  void set(std::string text);
  std::string get() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// A handle with the settings that all have in common. Its callbacks' opaque is `words`.
struct KafkaHandle {
  std::unique_ptr<KafkaLastWords> words = std::make_unique<KafkaLastWords>();
  KafkaPtr<rd_kafka_t> client;
  rd_kafka_t* get() const { return client.get(); }
  // ": <last words>", or nothing.
  std::string said() const;
};
// `own`: the settings of this kind of handle; the options' properties win. `prepare`: sets callbacks.
Result<KafkaHandle> make_kafka_handle(const KafkaLogOptions& options, rd_kafka_type_t type, const KafkaProperties& own,
                                      void (*prepare)(rd_kafka_conf_t*) = nullptr);

int milliseconds(Duration d);  // For the client; at least 0.

// Topics, their settings and ends. Thread-safe. Calls wait up to the options' reach_limit: kUnavailable then.
class KafkaAdmin {
 public:
  static Result<std::unique_ptr<KafkaAdmin>> open(const KafkaLogOptions& options);

  const std::string& cluster_id() const { return cluster_id_; }
  const KafkaHandle& handle() const { return handle_; }

  // Partition counts by name; topics that are not there are left out.
  Result<std::map<std::string, std::int32_t>> partitions(const std::vector<std::string>& topics) const;
  // Returns when every partition has a leader. One that another process has just made is no error.
  Result<void> create(const std::string& topic, std::int32_t partitions, const KafkaProperties& settings) const;
  Result<void> add_partitions(const std::string& topic, std::int32_t to) const;

  struct Setting {
    std::string value;
    bool own = false;  // The topic's own, not the brokers' default.
  };
  Result<std::map<std::string, Setting>> settings(const std::string& topic) const;
  // Changes these, keeps the others.
  Result<void> change_settings(const std::string& topic, const KafkaProperties& changes) const;

  struct Watermarks {
    Offset begin;
    Offset end;  // Of committed data, control records included.
  };
  Result<Watermarks> watermarks(const std::string& topic, PartitionId partition) const;
  // What is in open transactions included.
  Result<Offset> appended_end(const std::string& topic, PartitionId partition) const;

 private:
  explicit KafkaAdmin(const KafkaLogOptions& options) : options_(options) {}
  // Sends by `send`, waits for the one answer.
  template <class Send>
  Result<KafkaPtr<rd_kafka_event_t>> ask(rd_kafka_admin_op_t op, std::string_view what, Send&& send) const;
  Result<void> wait_for_leaders(const std::string& topic, std::int32_t partitions) const;

  const KafkaLogOptions& options_;
  KafkaHandle handle_;
  mutable std::mutex mutex_;
  mutable KafkaHandle uncommitted_;  // Made at its first use.
  std::string cluster_id_;
};

// First and one past the last committed offset as `client` (reading committed data) is told now.
Result<KafkaAdmin::Watermarks> query_watermarks(const KafkaHandle& handle, const std::string& topic, PartitionId partition, Duration limit);

}  // namespace weir
