#pragma once
// What would go wrong on these brokers, before a pipeline is started there or beside one that runs.
//
// Writes no record and makes no topic: what cannot be asked is tried with requests that the brokers examine for rights and then
// refuse. One trace is left: an entry for the transactional id `<pipeline>.check`, which no task has, in the brokers' own list;
// they forget it after transactional.id.expiration.ms.

#include <cstdint>
#include <string>
#include <vector>

#include "storage/finding.hpp"
#include "storage/kafka_log.hpp"
#include "storage/storage_use.hpp"

namespace weir {

// Ends within about a minute, whatever the brokers do; with the first finding if they cannot be reached.
std::vector<Finding> check_kafka(const KafkaLogOptions& options, const StorageUse& use);

// Which requests a broker knows, from a line that the client logs about it; false for any other line.
struct ApiVersions {
  std::string broker;  // host:port
  std::int16_t api = -1;
  std::int16_t low = 0;
  std::int16_t high = 0;
};
bool read_api_versions(std::string_view line, ApiVersions& out);

}  // namespace weir
