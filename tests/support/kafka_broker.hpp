#pragma once
// A real Kafka broker for a test program, by scripts/kafka.sh: fresh at its start, gone at its end. Where there can be none,
// the program ends with 77 and says so, and ctest reports the test as skipped.
//
// WEIR_KAFKA=host:port: use that one instead, as it is (its topics that begin with "demo." are deleted).

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct rd_kafka_s;

namespace weir {

// 3: the broker is a cluster of so many. REQUIRES: before the first call of kafka_brokers().
void set_kafka_broker_count(int count);
// What else scripts/kafka.sh start is given (--listener, --set, --format), and which version it is; empty: the pinned one.
// REQUIRES: before the first call of kafka_brokers().
void set_kafka_start(std::vector<std::string> arguments, std::string version = {});

// The bootstrap address. Starts the broker at the first call.
const std::string& kafka_brokers();

// That of its first --listener.
std::string kafka_listener();

// scripts/kafka.sh COMMAND on that broker: kill, start, stop, pause, resume; `node`: one of several, from 1. REQUIRES:
// kafka_brokers() was called, WEIR_KAFKA is not set.
void kafka_command(const std::string& command, int node = 0);

// Another cluster at the same address: all it had is gone. REQUIRES: as kafka_command().
void make_kafka_anew();

// Deletes every topic whose name begins so, and returns when they are gone.
void delete_kafka_topics(const std::string& prefix);

// Returns when it has its leaders. The topic's settings are the brokers' where not given.
void create_kafka_topic(const std::string& topic, int partitions = 1, const std::map<std::string, std::string>& settings = {});

// A record as any client sees it.
struct KafkaRecord {
  std::int64_t offset = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
};
// Committed records, from the oldest to the end; none where there is no such topic.
std::vector<KafkaRecord> read_kafka(const std::string& topic, int partition = 0);
// Counts which input records have a committed record in an output topic, as they come, wherever the broker is meanwhile.
class KafkaCounter {
 public:
  explicit KafkaCounter(std::string topic, int partitions = 1);
  ~KafkaCounter();
  // Those of which it has seen one; waits a moment for more.
  std::size_t count();

 private:
  const std::string topic_;
  const int partitions_;
  rd_kafka_s* client_;
  bool assigned_ = false;
  std::set<std::string> sources_;
};

// The broker has the record, in a transaction whose owner is gone and which ends by its timeout (5 minutes) at the earliest.
void leave_kafka_transaction_open(const std::string& topic, const std::string& value);
// Outside of any transaction. Returns when the broker has them.
void write_kafka(const std::string& topic, const std::vector<KafkaRecord>& records, int partition = 0);
// Deletes the records before `offset`, as retention would.
void delete_kafka_records(const std::string& topic, int partition, std::int64_t before);

// Adds partitions until it has so many.
void grow_kafka_topic(const std::string& topic, int partitions);

// Whoever comes may not do this any more, until allow_kafka_again(). REQUIRES: a broker with an authorizer.
enum class KafkaRight { kRead, kWrite };
void deny_kafka(KafkaRight right, const std::string& topic);
void allow_kafka_again();

}  // namespace weir
