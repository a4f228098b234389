#pragma once
// Small rules that every backend follows in the same words.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/records/transaction.hpp"
#include "storage/topic_log.hpp"

namespace weir {

// A transaction names the inputs it consumed; the others keep their position.
void merge_positions(const Positions& changed, Positions& all);

Topic topic_of(InputId input);

// True if every input that a commit had consumed up to `positions` has left retention. `begin_of`: the oldest offset kept;
// nullopt: an input that is no longer there, or compacted and so never complete, does not count. False if none counts.
bool inputs_are_gone(const Positions& positions, const std::function<std::optional<Offset>(const Position&)>& begin_of);

// As they are stored (docs/formats.md §3). Reading gives false on malformed bytes.
void append_positions(const Positions& positions, ByteBuffer& out);
bool read_positions(ByteReader& reader, Positions& positions);
void append_attempts(const Attempts& attempts, ByteBuffer& out);
bool read_attempts(ByteReader& reader, Attempts& attempts);

// The order of one commit, with the positions after it: they tell when its inputs have left retention.
struct OrderOfCommit {
  Positions positions;
  std::string_view order;
};
std::string encode(const OrderOfCommit& entry);
bool decode(std::string_view body, OrderOfCommit& entry);

// The records of `batch` from offset `from` on. REQUIRES: batch.base() <= from, from < its end, well-formed bytes.
void assign_rest(const RecordBatch& batch, Offset from, RecordBatch& out);

// How many partitions topic `models` has.
inline constexpr std::string_view kModelsPartitions = "1 with model.shared, else log.partitions; what was learnt one way does not go on the other";

Result<void> check_spec(const TopicSpec& spec);
Result<void> check_same_topic(const TopicSpec& stored, const TopicSpec& wanted);
Result<void> check_partition(const TopicSpec& spec, PartitionId partition);
Result<void> check_task(const TaskSpec& spec);
Error task_in_use(const TaskSpec& spec);

}  // namespace weir
