// Lines go where Kafka's Java client would put them by their id.
#include "core/records/partitioner.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/base/hash.hpp"

namespace weir {
namespace {

// The vectors of org.apache.kafka.common.utils.UtilsTest.
TEST(Murmur2, IsTheJavaClients) {
  for (const auto& [text, hash] : std::map<std::string_view, std::int32_t>{{"21", -973932308},
                                                                           {"foobar", -790332482},
                                                                           {"a-little-bit-long-string", -985981536},
                                                                           {"a-little-bit-longer-string", -1486304829},
                                                                           {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                                                                           {"abc", 479470107}})
    EXPECT_EQ(static_cast<std::int32_t>(murmur2(text)), hash) << text;
}

TEST(Partitioner, MakesTheHashPositiveAsTheJavaClientDoes) {
  // toPositive clears the sign bit; it is not the absolute value.
  for (const auto& [text, hash] : std::map<std::string_view, std::int64_t>{{"21", -973932308}, {"foobar", -790332482}, {"abc", 479470107}})
    for (const std::int32_t count : {1, 2, 3, 7, 256})
      EXPECT_EQ(partition_of(text, count).value, ((hash + (std::int64_t(1) << 31)) % (std::int64_t(1) << 31)) % count) << text << " of " << count;
}

EventSchema schema(LineFormat format) {
  EventSchema out;
  out.format = format;
  out.id = "id";
  out.time = "ts";
  out.label = "y";
  out.label_required = true;
  out.fields.resize(1);
  out.fields[0].name = "x";
  return out;
}

TEST(Partitioner, EventAndOutcomeMeetByTheirId) {
  auto partitioner = Partitioner::make(schema(LineFormat::kJson), 5);
  ASSERT_TRUE(partitioner.ok());
  std::set<std::int32_t> used;
  for (int id = 0; id < 100; ++id) {
    const std::string text = std::to_string(id);
    const PartitionId expected = partition_of(text, 5);
    used.insert(expected.value);
    EXPECT_EQ(partitioner->of_line("{\"id\":" + text + ",\"ts\":\"2024-01-01T00:00:00Z\",\"x\":1}"), expected);
    EXPECT_EQ(partitioner->of_line("{\"y\":1,\"ts\":\"2025-01-01T00:00:00Z\",\"id\":\"" + text + "\"}"), expected);
    // What makes it a dead letter or unjoined later does not move it.
    EXPECT_EQ(partitioner->of_line("{\"y\":\"no label\",\"x\":[],\"ts\":\"2025-01-01T00:00:00Z\",\"id\":\"" + text + "\"}"), expected);
  }
  EXPECT_EQ(used.size(), 5u);
}

TEST(Partitioner, ALineWithoutIdGoesByItsBytes) {
  auto partitioner = Partitioner::make(schema(LineFormat::kJson), 7);
  ASSERT_TRUE(partitioner.ok());
  for (const std::string_view line : {"", "not JSON", "{\"ts\":\"2024-01-01T00:00:00Z\"}", "{\"id\":7}", "{\"id\":7,\"ts\":\"2024-01-01T00:00:00Z\""})
    EXPECT_EQ(partitioner->of_line(line), partition_of(line, 7)) << line;
}

TEST(Partitioner, CsvNeedsItsHeader) {
  auto partitioner = Partitioner::make(schema(LineFormat::kCsv), 7);
  ASSERT_TRUE(partitioner.ok());
  ASSERT_TRUE(partitioner->header("x,ts,y,id").ok());
  EXPECT_EQ(partitioner->of_line("1,2024-01-01T00:00:00Z,0,foobar"), partition_of("foobar", 7));
}

TEST(Partitioner, OnePartitionNeedsNoLookAtTheLine) {
  auto partitioner = Partitioner::make(EventSchema(), 1);  // A schema that no parser would take.
  ASSERT_TRUE(partitioner.ok());
  EXPECT_EQ(partitioner->of_line("anything").value, 0);
}

}  // namespace
}  // namespace weir
