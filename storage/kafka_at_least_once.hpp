#pragma once
// `delivery: at_least_once`, the cheaper mode: outputs are written at once, outside of any transaction, and readers see them as soon
// as the brokers have them; positions, state and order follow in order, in one transaction about once a second.
//
// Promises: what commit() returned for has been published; state and positions are of one moment, as with exactly_once; nothing is
// ever missing. After a crash the task goes on from its last transaction: up to a second of records is processed and published again,
// and a label that was settled in that second changes the model once, as the former change is lost with the state. A former owner may
// publish until it is fenced, at its next transaction. What that saves: a transaction per second instead of one per commit.
// Internal to the kafka_* files.

#include <memory>

#include "storage/kafka_core.hpp"

namespace weir {

// `exactly_once`: the task's store of that mode, which keeps positions, state and order.
std::unique_ptr<TaskStore> make_at_least_once_store(std::shared_ptr<KafkaCore> core, const TaskSpec& spec, std::unique_ptr<TaskStore> exactly_once);

}  // namespace weir
