#include "storage/positions.hpp"

#include <algorithm>

namespace weir {

void merge_positions(const Positions& changed, Positions& all) {
  for (const Position& position : changed) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const Position& p) {
      return p.input == position.input && p.partition == position.partition;
    });
    if (same == all.end()) {
      all.push_back(position);
    } else {
      *same = position;
    }
  }
}

Topic topic_of(InputId input) {
  switch (input) {
    case InputId::kLogs: return Topic::kLogs;
    case InputId::kOutcomes: return Topic::kOutcomes;
    case InputId::kExamples: return Topic::kExamples;
    case InputId::kModels: return Topic::kModels;
    case InputId::kCandidates: return Topic::kCandidates;
    case InputId::kCapacity: return Topic::kCapacity;
    case InputId::kSums: return Topic::kSums;
  }
  CHECK(false);
}

bool inputs_are_gone(const Positions& positions, const std::function<std::optional<Offset>(const Position&)>& begin_of) {
  bool any = false;
  for (const Position& position : positions) {
    const std::optional<Offset> begin = begin_of(position);
    if (!begin) continue;
    if (position.next > *begin) return false;
    any = true;
  }
  return any;
}

void append_positions(const Positions& positions, ByteBuffer& out) {
  out.append_varint(positions.size());
  for (const Position& p : positions) {
    out.append_fixed(static_cast<std::uint8_t>(p.input));
    out.append_varint(static_cast<std::uint32_t>(p.partition.value));
    out.append_varint(static_cast<std::uint64_t>(p.next.value));
    out.append_varint(p.cursor);
  }
}

bool read_positions(ByteReader& reader, Positions& positions) {
  const std::uint64_t count = reader.varint();
  positions.clear();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    Position p;
    const auto input = reader.fixed<std::uint8_t>();
    if (input >= kInputCount) return false;
    p.input = static_cast<InputId>(input);
    p.partition = PartitionId(static_cast<std::int32_t>(reader.varint()));
    p.next = Offset(static_cast<std::int64_t>(reader.varint()));
    p.cursor = reader.varint();
    positions.push_back(p);
  }
  return reader.ok();
}

void append_attempts(const Attempts& attempts, ByteBuffer& out) {
  out.append_varint(static_cast<std::uint64_t>(std::ranges::count_if(attempts, [](std::uint32_t n) { return n > 0; })));
  for (std::size_t input = 0; input < kInputCount; ++input) {
    if (attempts[input] == 0) continue;
    out.append_fixed(static_cast<std::uint8_t>(input));
    out.append_varint(attempts[input]);
  }
}

bool read_attempts(ByteReader& reader, Attempts& attempts) {
  attempts = {};
  const std::uint64_t attempted = reader.varint();
  if (attempted > kInputCount) return false;
  for (std::uint64_t i = 0; i < attempted; ++i) {
    const auto input = reader.fixed<std::uint8_t>();
    if (input >= kInputCount) return false;
    attempts[input] = static_cast<std::uint32_t>(reader.varint());
  }
  return reader.ok();
}

std::string encode(const OrderOfCommit& entry) {
  ByteBuffer out;
  append_positions(entry.positions, out);
  out.append(entry.order);
  return std::string(out.view());
}

bool decode(std::string_view body, OrderOfCommit& entry) {
  ByteReader reader(body);
  if (!read_positions(reader, entry.positions)) return false;
  entry.order = reader.rest();
  return true;
}

void assign_rest(const RecordBatch& batch, Offset from, RecordBatch& out) {
  ByteReader reader(batch.bytes());
  Record record;
  for (Offset offset = batch.base(); offset < from; offset = offset.next()) CHECK(decode_record(reader, record));
  const auto skipped = static_cast<std::uint32_t>(from.value - batch.base().value);
  out.assign(reader.rest(), batch.count() - skipped, from, batch.append_time_us());
}

Result<void> check_spec(const TopicSpec& spec) {
  if (spec.partitions < 1 || spec.partitions > 65536)
    return Error{ErrorCode::kConfig, "topic '" + spec.name + "': " + std::to_string(spec.partitions) +
                                         " partitions; expected 1 to 65536"};
  if (spec.name.empty())
    return Error{ErrorCode::kConfig, "topic '" + std::string(short_name(spec.topic)) + "' has an empty name"};
  return {};
}

Result<void> check_same_topic(const TopicSpec& stored, const TopicSpec& wanted) {
  if (stored.partitions != wanted.partitions)
    return Error{ErrorCode::kConfig, "topic '" + wanted.name + "': its directory was made with " + std::to_string(stored.partitions) +
                                         " partitions, the config says " + std::to_string(wanted.partitions) +
                                         ": expected the same number" +
                                         (wanted.topic == Topic::kModels ? " (" + std::string(kModelsPartitions) + ")" : "; state does not move between partitions")};
  if (stored.name != wanted.name)
    return Error{ErrorCode::kConfig, "topic '" + std::string(short_name(wanted.topic)) + "': stored under the name '" +
                                         stored.name + "', the config says '" + wanted.name + "'"};
  return {};
}

Result<void> check_partition(const TopicSpec& spec, PartitionId partition) {
  if (partition.value < 0 || partition.value >= spec.partitions)
    return Error{ErrorCode::kNotFound, "topic '" + spec.name + "' has no partition " + std::to_string(partition.value) +
                                           "; it has " + std::to_string(spec.partitions)};
  return {};
}

Result<void> check_task(const TaskSpec& spec) {
  if (spec.name.empty() || spec.name.size() > 255 || spec.partition.value < 0)
    return Error{ErrorCode::kConfig, "task '" + spec.name + "' partition " + std::to_string(spec.partition.value) +
                                         ": expected a name of 1 to 255 bytes and a partition >= 0"};
  return {};
}

Error task_in_use(const TaskSpec& spec) {
  return {ErrorCode::kInUse, "task '" + spec.name + "' partition " + std::to_string(spec.partition.value) +
                                 " is open already in this process"};
}

}  // namespace weir
