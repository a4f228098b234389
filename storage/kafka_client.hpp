#pragma once
// Handles of librdkafka, closed when destroyed, and the administrative calls. Internal to the kafka_* files.

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <functional>
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

// Runs `close` on a thread of its own and waits for its end, for `limit` at most, or a second once another has not ended. False: it
// goes on. When the process exits it then says so and leaves at once, with its exit code, but without the destructors of what the
// thread may still use.
bool close_within(std::function<void()> close, Duration limit);

struct KafkaDeleter {
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
  // For how long now every complaint has been that a broker and this client do not accept each other: its secret, a certificate,
  // the protocol. Waiting changes nothing then, unless the broker has just started. 0: it has not.
  Duration refused_for() const;

  // Where a token for the brokers comes from; and who is told every line that the client logs, from its threads. Both may be
  // empty, and are set before the client is made.
  std::function<Result<std::string>()> token;
  std::function<void(std::string_view)> lines;
  // The client could not be closed, and whom these two speak of may be gone: they are not called any more.
  std::atomic<bool> left{false};

 private:
  mutable std::mutex mutex_;
  std::string text_;
  std::optional<std::chrono::steady_clock::time_point> refused_since_;
};

// A handle with the settings that all have in common. Its callbacks' opaque is `words`. Its client is closed within a limit, or left
// behind: some of librdkafka's do not end where brokers or partitions have gone (2.0.2: its 4187 and 4724).
struct KafkaHandle {
  std::shared_ptr<KafkaLastWords> words = std::make_shared<KafkaLastWords>();
  std::shared_ptr<rd_kafka_t> client;
  rd_kafka_t* get() const { return client.get(); }
  // ": <last words>", or nothing.
  std::string said() const;
};
// `own`: the settings of this kind of handle. `prepare`: sets callbacks. kConfig: a property of the options that the client
// refuses, or that is set here.
Result<KafkaHandle> make_kafka_handle(const KafkaLogOptions& options, rd_kafka_type_t type, const KafkaProperties& own,
                                      void (*prepare)(rd_kafka_conf_t*) = nullptr, std::function<void(std::string_view)> lines = {});

int milliseconds(Duration d);  // For the client; at least 0.

// Topics, their settings and ends. Thread-safe. Calls wait up to `limit`, or the options' reach_limit: kUnavailable then.
class KafkaAdmin {
 public:
  // kConfig: the brokers turn this client away. `lines`: is told what the client learns of the brokers.
  static Result<std::unique_ptr<KafkaAdmin>> open(const KafkaLogOptions& options, std::function<void(std::string_view)> lines = {});
  static Result<std::unique_ptr<KafkaAdmin>> open(KafkaLogOptions&& options, std::function<void(std::string_view)> lines = {}) = delete;  // It keeps them.

  const std::string& cluster_id() const { return cluster_id_; }
  const KafkaHandle& handle() const { return handle_; }

  // Partition counts by name; topics that are not there are left out. One request, whatever their number.
  Result<std::map<std::string, std::int32_t>> partitions(const std::vector<std::string>& topics, std::optional<Duration> limit = {}) const;
  struct Broker {
    std::int32_t id = -1;
    std::string address;
  };
  Result<std::vector<Broker>> brokers() const;

  // As the brokers tell it; `error` where they do not.
  struct TopicLook {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    std::int32_t partitions = 0;
    std::int32_t without_leader = 0;
    std::int32_t replicas_min = 0;  // Of the partition with the fewest.
    std::int32_t in_sync_min = 0;
  };
  Result<TopicLook> look(const std::string& topic) const;

  struct NewTopic {
    std::string name;
    std::int32_t partitions = 1;
    KafkaProperties settings;
  };
  // Returns when every partition has a leader. One that another process has just made is no error. `try_only`: the brokers say
  // whether they would make it, and do not.
  Result<void> create(const std::vector<NewTopic>& topics, bool try_only = false) const;
  Result<void> create(const std::string& topic, std::int32_t partitions, const KafkaProperties& settings, bool try_only = false) const {
    return create({NewTopic{topic, partitions, settings}}, try_only);
  }
  Result<void> add_partitions(const std::string& topic, std::int32_t to) const;

  struct Setting {
    std::string value;
    bool own = false;  // The topic's own, not the brokers' default.
  };
  using Settings = std::map<std::string, Setting>;
  // By topic, in one request.
  Result<std::map<std::string, Settings>> settings(const std::vector<std::string>& topics) const;
  Result<Settings> settings(const std::string& topic) const {
    TRY_ASSIGN(auto found, settings(std::vector{topic}));
    return std::move(found[topic]);
  }
  // Asks this broker itself.
  Result<Settings> broker_settings(std::int32_t id) const;
  // Changes these, keeps the others.
  Result<void> change_settings(const std::string& topic, const KafkaProperties& changes) const;

  struct Watermarks {
    Offset begin;
    Offset end;  // Of committed data, control records included.
  };
  Result<Watermarks> watermarks(const std::string& topic, PartitionId partition, std::optional<Duration> limit = {}) const;
  // What is in open transactions included.
  Result<Offset> appended_end(const std::string& topic, PartitionId partition) const;

 private:
  explicit KafkaAdmin(const KafkaLogOptions& options) : options_(options) {}
  // Sends by `send`, waits for the one answer.
  template <class Send>
  Result<KafkaPtr<rd_kafka_event_t>> ask(rd_kafka_admin_op_t op, std::string_view what, Send&& send, bool try_only = false) const;
  // By name. `kind`: of what they are, for errors.
  Result<std::map<std::string, Settings>> settings(rd_kafka_ResourceType_t type, const std::string& kind, const std::vector<std::string>& names) const;
  // At least so many of each.
  Result<void> wait_for_leaders(const std::map<std::string, std::int32_t>& partitions) const;

  const KafkaLogOptions& options_;
  KafkaHandle handle_;
  mutable std::mutex mutex_;
  mutable KafkaHandle uncommitted_;  // Made at its first use.
  std::string cluster_id_;
};

// First and one past the last committed offset as `client` (reading committed data) is told now.
Result<KafkaAdmin::Watermarks> query_watermarks(const KafkaHandle& handle, const std::string& topic, PartitionId partition, Duration limit);

}  // namespace weir
