#include "pipelines/tail.hpp"

#include <charconv>

#include "core/base/byte_buffer.hpp"
#include "core/records/codec.hpp"
#include "core/records/json_text.hpp"

namespace weir {
namespace {

constexpr Duration kFollowWait = std::chrono::milliseconds(100);
constexpr Duration kFollowTurn = std::chrono::milliseconds(10);  // Where several partitions are waited for in turn.
constexpr std::size_t kChunkBytes = 64 << 10;

void append_integer(ByteBuffer& out, std::int64_t value) {
  char text[24];
  out.append(std::string_view(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, value).ptr - text)));
}

void append_text(ByteBuffer& out, std::string_view text) {
  if (json::is_utf8(text)) return json::append_string(out, text);
  out.append("{\"base64\":\"");
  json::append_base64(out, text);
  out.append("\"}");
}

void append_header(ByteBuffer& out, std::string_view name, std::int64_t value, bool first) {
  out.append(first ? "\"" : ",\"");
  out.append(name);
  out.append("\":\"");
  append_integer(out, value);
  out.append('"');
}

Result<void> append_line(const TopicDescription& topic, PartitionId partition, Offset offset, const Record& record, bool envelope, ByteBuffer& out) {
  if (envelope) {
    out.append("{\"topic\":");
    json::append_string(out, topic.spec.name);
    out.append(",\"partition\":");
    append_integer(out, partition.value);
    out.append(",\"offset\":");
    append_integer(out, offset.value);
    out.append(",\"key\":");
    if (record.has_key) append_text(out, record.key);
    else out.append("null");
    out.append(",\"headers\":{");
    append_header(out, "weir-event-time-us", record.event_time.value, true);
    if (!record.source.topic.empty()) {
      out.append(",\"weir-source-topic\":");
      append_text(out, record.source.topic);
      append_header(out, "weir-source-partition", record.source.partition.value, false);
      append_header(out, "weir-source-offset", record.source.offset.value, false);
    }
    out.append("},\"value\":");
  }
  if (record.erases) {
    out.append("null");
  } else if (!write_value_json(topic.spec.topic, record.value, out)) {
    return Error{ErrorCode::kCorruption, topic.spec.name + " partition " + std::to_string(partition.value) + " offset " +
                                             std::to_string(offset.value) + ": a value that is not of its schema"};
  }
  out.append(envelope ? "}\n" : "\n");
  return {};
}

void append_retention(ByteBuffer& out, const Retention& retention) {
  out.append("{\"age_us\":");
  if (retention.age) append_integer(out, retention.age->count());
  else out.append("null");
  out.append(",\"bytes\":");
  if (retention.bytes) append_integer(out, static_cast<std::int64_t>(*retention.bytes));
  else out.append("null");
  out.append(retention.compact ? ",\"compact\":true}" : ",\"compact\":false}");
}

}  // namespace

Result<TopicDescription> find_topic(const TopicLog& log, std::string_view name) {
  std::string known;
  for (const TopicDescription& topic : log.list()) {
    if (topic.spec.name == name || short_name(topic.spec.topic) == name) return topic;
    known += (known.empty() ? "" : ", ") + std::string(short_name(topic.spec.topic));
  }
  return Error{ErrorCode::kNotFound, "topic '" + std::string(name) + "': not there; expected one of " + (known.empty() ? "none yet" : known)};
}

Result<void> tail_topic(TopicLog& log, const TailOptions& options, const std::atomic<int>* stop,
                        const std::function<bool(std::string_view)>& sink) {
  TRY_ASSIGN(const TopicDescription topic, find_topic(log, options.topic));
  struct Partition {
    PartitionId id;
    std::unique_ptr<TopicReader> reader;
    Offset end;  // Of what is printed before the next partition's turn.
  };
  std::vector<Partition> partitions;
  for (const PartitionDescription& partition : topic.partitions) {
    if (options.partition && *options.partition != partition.partition) continue;
    TRY_ASSIGN(auto reader, log.open_reader(topic.spec.topic, partition.partition, options.from_beginning ? partition.begin : partition.end));
    partitions.push_back({partition.partition, std::move(reader), partition.end});
  }
  if (partitions.empty())
    return Error{ErrorCode::kNotFound, topic.spec.name + ": no partition " + std::to_string(options.partition ? options.partition->value : 0) + "; it has " +
                                           std::to_string(topic.partitions.size()) + ", from 0"};
  std::size_t waited_for = 0;
  ByteBuffer out;
  std::uint64_t count = 0;
  const auto stopped = [&] { return stop != nullptr && stop->load() != 0; };
  for (;;) {
    const bool follow = options.follow && !stopped();  // Looked at before the reading: what was appended until the end is read.
    bool any = false;
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      Partition& partition = partitions[i];
      const Duration turn = partitions.size() == 1 ? kFollowWait : i == waited_for ? kFollowTurn : Duration(0);
      TRY_ASSIGN(const auto batch, partition.reader->poll(follow ? turn : Duration(0)));
      if (batch == nullptr) continue;
      any = true;
      Result<void> result;
      bool open = true;
      const bool whole = batch->for_each([&](Offset offset, const Record& record) {
        if (!open || !result.ok() || (options.limit > 0 && count == options.limit)) return;
        result = append_line(topic, partition.id, offset, record, options.envelope, out);
        ++count;
        if (out.size() >= kChunkBytes) {
          open = sink(out.view());
          out.clear();
        }
      });
      TRY(std::move(result));
      if (!whole) return Error{ErrorCode::kCorruption, topic.spec.name + ": a batch at offset " + std::to_string(batch->base().value) + " that does not decode"};
      if (!open) return {};
      if (options.follow && !out.empty()) {
        if (!sink(out.view())) return {};
        out.clear();
      }
      if (options.limit > 0 && count == options.limit) break;
      if (partition.reader->position() < partition.end) --i;  // There is more of it now.
    }
    waited_for = (waited_for + 1) % partitions.size();
    if (options.limit > 0 && count == options.limit) break;
    if (any) continue;
    if (!follow) break;
    if (!sink({})) return {};  // Tells whether anybody still listens.
  }
  if (!out.empty()) sink(out.view());
  return {};
}

std::string topics_json(const TopicLog& log) {
  ByteBuffer out;
  out.append('[');
  for (const TopicDescription& topic : log.list()) {
    if (out.size() > 1) out.append(',');
    out.append("{\"topic\":");
    json::append_string(out, short_name(topic.spec.topic));
    out.append(",\"name\":");
    json::append_string(out, topic.spec.name);
    out.append(",\"retention\":");
    append_retention(out, topic.spec.retention);
    out.append(",\"partitions\":[");
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      const PartitionDescription& partition = topic.partitions[i];
      out.append(i == 0 ? "{\"partition\":" : ",{\"partition\":");
      append_integer(out, partition.partition.value);
      out.append(",\"begin\":");
      append_integer(out, partition.begin.value);
      out.append(",\"end\":");
      append_integer(out, partition.end.value);
      out.append(",\"bytes\":");
      append_integer(out, static_cast<std::int64_t>(partition.bytes));
      out.append(",\"last_append_us\":");
      append_integer(out, partition.last_append_us);
      out.append('}');
    }
    out.append("]}");
  }
  out.append(']');
  return std::string(out.view());
}

}  // namespace weir
