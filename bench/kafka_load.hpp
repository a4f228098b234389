#pragma once
// A real broker for benchmarks, and the two ends of a stream job on it: who sends the records at their due time, and who reads
// what becomes of them. Speaks librdkafka directly, so that what is measured does not measure itself.

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/bench_support.hpp"

namespace weir::bench {

struct RdKafkaDeleter {
  void operator()(rd_kafka_t* p) const { rd_kafka_destroy_flags(p, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }
};
using RdKafka = std::unique_ptr<rd_kafka_t, RdKafkaDeleter>;

// One broker by scripts/kafka.sh, without data of an earlier run, in the build's bench-data; gone at the end. KAFKA_PORT: its
// port, else any free one. WEIR_KAFKA=host:port: that one instead, as it is.
class KafkaBroker {
 public:
  KafkaBroker();  // Gives up, with exit code 77, where there can be none.
  KafkaBroker(const KafkaBroker&) = delete;
  const std::string& address() const { return address_; }

 private:
  void script(const std::vector<std::string>& arguments, bool must_work);

  std::string directory_;  // Empty: not ours.
  std::string port_;
  std::string address_;
  std::optional<Undo> end_;
};

// Of one run of one engine: NAME-logs and NAME-outcomes are its inputs, NAME.predictions its output.
struct JobTopics {
  std::string brokers;
  std::string name;
  int partitions = 1;
  std::string logs() const { return name + "-logs"; }
  std::string outcomes() const { return name + "-outcomes"; }
  std::string predictions() const { return name + ".predictions"; }
  int partition_of(std::int64_t id) const { return static_cast<int>(id % partitions); }
  std::int64_t records_of(int partition, std::int64_t records) const { return (records + partitions - 1 - partition) / partitions; }
};
void create_topics(const JobTopics& topics);  // All three; predictions are stamped with the time of appending.
void delete_topics(const JobTopics& topics);  // And whatever else begins with the run's name.

// One past the last record, control records and open transactions included.
class EndOfTopic {
 public:
  EndOfTopic(const std::string& brokers, std::string topic);
  std::int64_t get(int partition) const;

 private:
  RdKafka client_;
  std::string topic_;
};

class Sender {
 public:
  // `linger_ms`: 0 where latency counts, some where records do.
  Sender(const std::string& brokers, int linger_ms);
  void send(const std::string& topic, int partition, std::string_view key, std::string_view value, std::int64_t time_us);
  void poll();   // Now and then.
  void flush();  // Gives up if a record was refused, or is not taken within a minute.

 private:
  RdKafka client_;
  std::atomic<std::int64_t> refused_{0};
};

// A prediction of Weir or of a peer: both name the input record's partition and offset, how many records the state behind it
// holds, and how many steps the model has made.
struct SeenPrediction {
  std::int64_t id = -1;
  std::int64_t partition = -1;
  std::int64_t offset = -1;
  std::int64_t n = -1;
  std::int64_t steps = -1;
  std::int64_t append_ms = 0;  // When the broker took it.
};
SeenPrediction parse_prediction(std::string_view json);

// Reads a topic's partitions from somewhere on.
class Reader {
 public:
  static constexpr std::int64_t kBegin = RD_KAFKA_OFFSET_BEGINNING;
  Reader(const std::string& brokers, const std::string& topic, const std::vector<std::int64_t>& from, bool committed);
  // Waits up to so long for a record; null: none came.
  struct MessageDeleter {
    void operator()(rd_kafka_message_t* p) const { rd_kafka_message_destroy(p); }
  };
  using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;
  Message next(int wait_ms);

 private:
  RdKafka client_;
};

// Notes, on a thread of its own, when each prediction came.
class Arrivals {
 public:
  // Predictions of ids from 0 to `ids`.
  Arrivals(const JobTopics& topics, std::int64_t ids, bool committed);
  ~Arrivals();
  double at(std::int64_t id) const { return at_[static_cast<std::size_t>(id)].load(std::memory_order_acquire); }  // 0: not yet.
  std::int64_t count() const { return count_.load(std::memory_order_acquire); }
  std::int64_t first() const { return first_.load(std::memory_order_acquire); }  // The id that came first; -1: none.

 private:
  std::vector<std::atomic<double>> at_;
  std::atomic<std::int64_t> count_{0};
  std::atomic<std::int64_t> first_{-1};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void sleep_until_seconds(double when);  // On now_seconds()' clock, to a tenth of a millisecond.

}  // namespace weir::bench
