#pragma once
// The log on Apache Kafka (brokers 2.5 or later) through librdkafka. One commit is one Kafka transaction: outputs, and the
// task's changed state, positions and order as records of its partition of the compacted changelog topic. A local store holds
// the same state for reading; after a restart it goes on from its stamp, or is filled again from the changelog.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "storage/kafka_security.hpp"
#include "storage/topic_log.hpp"

namespace weir {

struct KafkaLogOptions {
  std::string brokers;                            // "host:port,…"
  std::string pipeline;
  std::map<Topic, std::string> topic_names;       // Those that are not called <pipeline>.<short name>.
  KafkaSecurity security;
  KafkaProperties properties;                     // For the client, as they are; check_kafka_property() has seen them.
  std::int32_t partitions = 1;                    // Of changelogs when they are made; they grow when a task needs more.
  Duration reach_limit = std::chrono::seconds(90);   // How long calls wait for brokers that do not answer.
  Duration transaction_timeout = std::chrono::seconds(30);  // A dead process' open transaction holds readers up this long.
  // A task's changelog is written anew once it holds so much more than twice the state.
  std::uint64_t changelog_bytes_min = 64u << 20;
  // How long the brokers may wait for more records before they answer a fetch: fewer answers, less work for both. 0: what there
  // is comes at once.
  Duration fetch_wait{};
  bool at_least_once = false;  // Outputs at once, positions and state later (kafka_at_least_once.hpp).
  // For commands beside a running process: recover() fences nobody and counts no attempt, commit gives kIo.
  bool read_only = false;
  const Clock* clock = &system_clock();
  // Told when the local store turns out to be damaged: it is made anew, empty, before it is used again. Any thread.
  std::function<void(const Error&)> on_local_damage;
};

// `local`: an empty log, or one that was given here before; keeps what its tasks put. kUnavailable: no broker answers.
// kConfig: the client refuses a property.
//
// Promises that differ from the embedded log's: offsets have gaps (each commit leaves a control record in every partition it
// wrote); append times are the brokers' clock; the brokers do retention and compaction, by their own clock and looking at
// closed segments only, and know no floors; sizes and last append times are not told (0); there are no backups.
Result<std::unique_ptr<TopicLog>> open_kafka_log(KafkaLogOptions options, std::unique_ptr<TopicLog> local);

}  // namespace weir
