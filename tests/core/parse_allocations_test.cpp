// Once warm, no line makes a parser allocate: neither a good one nor a refused one.
#include "tests/core/line_parser_support.hpp"
#include "tests/support/allocation_counter.hpp"

namespace weir {
namespace {

TEST(ParseAllocations, AreNoneOnceWarm) {
  for (const LineFormat format : {LineFormat::kJson, LineFormat::kCsv, LineFormat::kKeyValue, LineFormat::kSyslog5424, LineFormat::kSyslog3164}) {
    EventSchema schema = simple_schema(format);
    if (format == LineFormat::kCsv) schema.columns = {"id", "ts", "x", "y", "c", "t"};
    const auto parser = make_line_parser(schema, LineRole::kEvent);
    ASSERT_TRUE(parser.ok());
    ParseArena arena;
    ParsedRecord record;
    const std::vector<std::string> lines = {
        R"({"id":17,"ts":"2013-01-01T10:15:00Z","x":1.5,"y":"no number","c":"a\"b","other":[1,{"a":2}]})",
        R"({"id":17,"ts":"2013-01-01T10:15:00Z","x":1.5,"c":"UA","t":"\u00e9"})",
        R"({"t":"z","id":null,"unknown name that is longer than what is remembered":1})",
        "17,2013-01-01T10:15:00Z,1.5,2,\"a \"\"b\"\"\",t",
        "17,2013",
        "id=17 ts=2013-01-01T10:15:00Z x=abc c=\"a \\\"b\\\"\"",
        "id=17 ts=2013-01-01T10:15:00Z x=1 word",
        "<165>1 2013-01-01T10:15:00Z host app - ID47 [a-very-long-identifier@32473 parameter=\"3\\\"\"] id=7 x=1",
        "<34>Jan  1 10:15:00 mymachine su[10]: failed id=7 x=3",
        std::string(3000, '\xff'),
    };
    for (int round = 0; round < 3; ++round) {
      const std::uint64_t before = allocations_on_this_thread();
      for (const std::string& line : lines) (*parser)->parse(line, arena, record);
      arena.clear();
      if (round == 2) {
        EXPECT_EQ(allocations_on_this_thread() - before, 0u) << static_cast<int>(format);
      }
    }
  }
}

}  // namespace
}  // namespace weir
