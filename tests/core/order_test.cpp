// What is written of an order is read back, in few bytes; damaged bytes are refused.
#include "core/records/order.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/rng.hpp"

namespace weir {
namespace {

std::vector<OrderEntry> read(std::string_view bytes, bool& whole) {
  ByteReader reader(bytes);
  std::vector<OrderEntry> out;
  OrderEntry entry;
  while (next_order_entry(reader, entry)) out.push_back(entry);
  whole = reader.finished();
  return out;
}

TEST(Order, RunsOfOneInputAndPartitionAreOneEntry) {
  Order order;
  for (int i = 0; i < 3; ++i) order.records(InputId::kLogs);
  order.records(InputId::kOutcomes);
  order.records(InputId::kExamples, 2, PartitionId(1));
  order.records(InputId::kExamples, 5, PartitionId(1));
  order.records(InputId::kExamples, 1, PartitionId(255));
  order.records(InputId::kExamples);
  order.steps(9);
  bool whole = false;
  EXPECT_EQ(read(order.bytes(), whole),
            (std::vector<OrderEntry>{{OrderKind::kRecords, InputId::kLogs, 3},
                                     {OrderKind::kRecords, InputId::kOutcomes, 1},
                                     {OrderKind::kRecords, InputId::kExamples, 7, PartitionId(1)},
                                     {OrderKind::kRecords, InputId::kExamples, 1, PartitionId(255)},
                                     {OrderKind::kRecords, InputId::kExamples, 1},
                                     {OrderKind::kSteps, InputId::kLogs, 9}}));
  EXPECT_TRUE(whole);
  EXPECT_EQ(order.bytes().size(), 1u + 1u + 3u + 3u + 1u + 2u);
}

TEST(Order, WhatIsWrittenIsReadBack) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    Order order;
    std::vector<OrderEntry> expected;
    for (int i = 0; i < 100; ++i) {
      OrderEntry entry{OrderKind::kRecords, static_cast<InputId>(rng.below(kInputCount)), 1 + rng.below(1000)};
      if (rng.below(2) == 0) entry.partition = PartitionId(static_cast<std::int32_t>(rng.below(65536)));
      order.records(entry.input, entry.count, entry.partition);
      if (!expected.empty() && expected.back().input == entry.input && expected.back().partition == entry.partition) expected.back().count += entry.count;
      else expected.push_back(entry);
    }
    bool whole = false;
    EXPECT_EQ(read(order.bytes(), whole), expected) << "seed " << seed;
    EXPECT_TRUE(whole);
  }
}

TEST(Order, APartitionWithoutItsRecordsIsMalformed) {
  const auto word = [](std::uint64_t count, std::uint64_t input, std::uint64_t kind) { return count << 5 | input << 2 | kind; };
  const auto whole_of = [](std::initializer_list<std::uint64_t> words) {
    ByteBuffer bytes;
    for (const std::uint64_t w : words) bytes.append_varint(w);
    bool whole = false;
    read(bytes.view(), whole);
    return whole;
  };
  EXPECT_TRUE(whole_of({word(3, 7, 0), word(1, 2, 0)}));
  EXPECT_FALSE(whole_of({word(3, 7, 0)}));                                  // Ends there.
  EXPECT_FALSE(whole_of({word(3, 7, 0), word(3, 7, 0), word(1, 2, 0)}));    // Two in a row.
  EXPECT_FALSE(whole_of({word(0, 7, 0), word(1, 2, 0)}));
  EXPECT_FALSE(whole_of({word(3, 7, 1), word(1, 2, 0)}));
  EXPECT_FALSE(whole_of({word(65537, 7, 0), word(1, 2, 0)}));               // More partitions than a topic may have.
  EXPECT_FALSE(whole_of({word(0, 2, 0)}));
}

}  // namespace
}  // namespace weir
