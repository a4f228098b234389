#pragma once
// A real Kafka broker for a test program, by scripts/kafka.sh: fresh at its start, gone at its end. Where there can be none,
// the program ends with 77 and says so, and ctest reports the test as skipped.
//
// WEIR_KAFKA=host:port: use that one instead, as it is (its topics that begin with "demo." are deleted).

#include <cstdint>
#include <string>

namespace weir {

// The bootstrap address. Starts the broker at the first call.
const std::string& kafka_brokers();

// scripts/kafka.sh COMMAND on that broker: kill, start, pause, resume. REQUIRES: kafka_brokers() was called, WEIR_KAFKA is not set.
void kafka_command(const std::string& command);

// Deletes every topic whose name begins so, and returns when they are gone.
void delete_kafka_topics(const std::string& prefix);


// Deletes the records before `offset`, as retention would.
void delete_kafka_records(const std::string& topic, int partition, std::int64_t before);

}  // namespace weir
