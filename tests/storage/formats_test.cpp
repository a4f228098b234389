// Goal: the worked example of docs/formats.md §4 is what the code writes and reads. The bytes come from the text alone.

#include <fstream>
#include <map>

#include "storage/embedded_keys.hpp"
#include "storage/positions.hpp"
#include "tests/storage/storage_support.hpp"

namespace weir {
namespace {

// Label -> bytes. A line is "label  hex # comment"; a line that begins with a space goes on with the one before.
std::map<std::string, std::string> read_example() {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/formats.md");
  std::map<std::string, std::string> out;
  std::string line, label;
  bool in_section = false, in_block = false;
  while (std::getline(file, line)) {
    if (line.starts_with("## ")) in_section = line.starts_with("## 4.");
    if (!in_section) continue;
    if (line.starts_with("```")) {
      in_block = !in_block;
      continue;
    }
    if (!in_block) continue;
    line = line.substr(0, line.find('#'));
    if (!line.starts_with(" ")) {
      label = line.substr(0, line.find("  "));
      line = line.substr(label.size());
    }
    std::string digits;
    for (const char c : line)
      if (c != ' ') digits += c;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
      out[label] += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return out;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

const TaskSpec kTask{"inference", PartitionId(0)};
const Positions kPositions = {{InputId::kLogs, PartitionId(0), Offset(300), 4096}};

TEST(Formats, TheExampleIsWhatTheCodeWrites) {
  auto example = read_example();
  std::map<std::string, std::string> expected;
  expected["log key"] = log_key(Topic::kPredictions, PartitionId(0), Offset(7)).view();
  Record prediction = record("a1", "{\"p\":0.5}", 1'357'034'400'000'000);
  prediction.source = {"demo.logs", PartitionId(0), Offset(299)};
  ByteBuffer body;
  ByteBuffer records;
  encode_record(prediction, records);
  append_batch({1, 1'700'000'000'000'000, 100}, records.view(), body);
  expected["log value"] = seal(expected["log key"], body.view());
  expected["state key"] = task_prefix(kTask) + "fast|JFK";
  expected["state value"] = seal(expected["state key"], "\x01\x02");
  expected["partition key"] = partition_key(Topic::kPredictions, PartitionId(0));
  const std::uint64_t record_bytes = body.size() - kBatchHeaderBytes;
  expected["partition value"] =
      seal(expected["partition key"], encode(PartitionEntry{Offset(0), Offset(8), 100 + record_bytes, 0, 1'700'000'000'000'000}));
  expected["task key"] = task_key(kTask);
  expected["task value"] = seal(expected["task key"], encode(TaskEntry{CommitId(3), {}, kPositions}));
  Order order;
  order.records(InputId::kLogs, 2);
  expected["order key"] = order_key(kTask, CommitId(3));
  expected["order value"] = seal(expected["order key"], encode(OrderOfCommit{kPositions, order.bytes()}));
  expected["format key"] = format_key();
  expected["format value"] = seal(format_key(), encode(FormatEntry{1, "demo"}));
  expected["topic key"] = topic_key(Topic::kPredictions);
  expected["topic value"] = seal(expected["topic key"], encode(topic_spec(Topic::kPredictions, 1, {std::chrono::hours(1), std::nullopt, false})));
  EXPECT_EQ(example.size(), expected.size());
  for (const auto& [label, bytes] : expected) EXPECT_EQ(hex(example[label]), hex(bytes)) << label;
}

TEST(Formats, TheExampleDecodes) {
  const auto example = read_example();
  const auto body = [&](ColumnFamily family, const std::string& name) {
    auto unsealed = unseal(family, example.at(name + " key"), example.at(name + " value"));
    EXPECT_TRUE(unsealed.ok()) << unsealed.error().what;
    return unsealed.value();
  };
  BatchHeader header;
  std::string_view records;
  ByteBuffer unpacked;
  ASSERT_TRUE(decode_batch(body(ColumnFamily::kLog, "log"), header, records, unpacked));
  EXPECT_EQ(header.count, 1u);
  EXPECT_EQ(header.append_time_us, 1'700'000'000'000'000);
  EXPECT_EQ(header.bytes_before, 100u);
  ByteReader reader(records);
  Record read;
  ASSERT_TRUE(decode_record(reader, read));
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(read.key, "a1");
  EXPECT_EQ(read.value, "{\"p\":0.5}");
  EXPECT_EQ(read.source, (Source{"demo.logs", PartitionId(0), Offset(299)}));
  EXPECT_EQ(describe_entry(ColumnFamily::kLog, example.at("log key")), "log entry predictions/0 at offset 7");
  EXPECT_EQ(describe_entry(ColumnFamily::kState, example.at("state key")), "state entry inference/0 key 'fast|JFK'");
  EXPECT_EQ(body(ColumnFamily::kState, "state"), "\x01\x02");
  PartitionEntry partition;
  ASSERT_TRUE(decode(body(ColumnFamily::kMeta, "partition"), partition));
  EXPECT_EQ(partition.end.value, 8);
  EXPECT_EQ(partition.bytes_appended, 100 + records.size());
  TaskEntry task;
  ASSERT_TRUE(decode(body(ColumnFamily::kMeta, "task"), task));
  EXPECT_EQ(task.last_commit.value, 3u);
  EXPECT_EQ(task.positions, kPositions);
  OrderOfCommit order;
  ASSERT_TRUE(decode(body(ColumnFamily::kMeta, "order"), order));
  EXPECT_EQ(order.positions, kPositions);
  ByteReader entries(order.order);
  OrderEntry entry;
  ASSERT_TRUE(next_order_entry(entries, entry));
  EXPECT_EQ(entry, (OrderEntry{OrderKind::kRecords, InputId::kLogs, 2}));
  FormatEntry format;
  ASSERT_TRUE(decode(body(ColumnFamily::kMeta, "format"), format));
  EXPECT_EQ(format.version, 1u);
  EXPECT_EQ(format.pipeline, "demo");
  TopicSpec topic;
  ASSERT_TRUE(decode(body(ColumnFamily::kMeta, "topic"), topic));
  EXPECT_EQ(topic.name, "demo.predictions");
  EXPECT_EQ(topic.retention.age, Duration(std::chrono::hours(1)));
}

}  // namespace
}  // namespace weir
