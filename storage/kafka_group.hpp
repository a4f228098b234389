#pragma once
// The processes that share a pipeline's partitions, as a consumer group: for membership only, nothing is read through it.
// Internal to the kafka_* files.

#include <memory>
#include <string>
#include <vector>

#include "storage/kafka_client.hpp"
#include "storage/membership.hpp"

namespace weir {

// `topic`: whose partitions are shared. `options` outlives the membership.
//
// A static member (group.instance.id): who ends and comes back under its name within the session timeout is given its partitions
// again, and nobody else's change; where that leaves some of the `partitions` to nobody, it joins once more. librdkafka leaves the group for a static member when it unsubscribes, not when it closes.
Result<std::unique_ptr<Membership>> join_kafka_group(const KafkaLogOptions& options, const std::string& group, const std::string& topic,
                                                     std::int32_t partitions, const MembershipOptions& membership);

// As the group's coordinator knows them now; none while they are being dealt out anew.
Result<std::vector<Member>> kafka_group_members(const KafkaHandle& handle, const std::string& group, const std::string& topic, Duration limit);

// The partitions of `topic` in a member's assignment, as the consumer protocol encodes it; what is malformed gives none.
std::vector<PartitionId> decode_kafka_assignment(std::string_view bytes, std::string_view topic);

}  // namespace weir
