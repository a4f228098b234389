#include <cmath>
#include <limits>

#include "tests/core/line_parser_support.hpp"

namespace weir {
namespace {

constexpr std::string_view kTime = "\"ts\":\"2013-01-01T10:15:00Z\"";

// A line with id and time, and `rest` between them.
std::string line_with(std::string_view rest) {
  return "{\"id\":\"a\"," + std::string(rest) + (rest.empty() ? "" : ",") + std::string(kTime) + "}";
}

class JsonLines : public testing::Test {
 protected:
  Parsing json{simple_schema(LineFormat::kJson)};

  std::optional<double> x(std::string_view number) {
    const ParsedRecord& record = json.parse(line_with("\"x\":" + std::string(number)));
    if (record.kind != ParsedKind::kEvent || record.event.fields[0].missing) return std::nullopt;
    return record.event.fields[0].number;
  }
};

TEST_F(JsonLines, GiveAnEventWithItsFieldsInTheOrderOfTheSchema) {
  const std::string line =
      R"({"id":17,"t":"free text","ts":"2013-01-01T10:15:00Z","c":"UA","y":-2.5e1,"x":3,"other":[1,{"a":null}]})";
  const ParsedRecord& record = json.parse(line);
  ASSERT_EQ(record.kind, ParsedKind::kEvent);
  EXPECT_EQ(record.line, line);
  EXPECT_EQ(record.line_bytes, line.size());
  EXPECT_EQ(record.event.id, (Id{"17", true}));
  EXPECT_FALSE(record.event.has_key);
  EXPECT_EQ(record.event.event_time, EventTime(1357035300000000));
  EXPECT_FALSE(record.event.label.has_value());
  ASSERT_EQ(record.event.fields.size(), 4u);
  EXPECT_EQ(record.event.fields[0].number, 3.0);
  EXPECT_EQ(record.event.fields[1].number, -25.0);
  EXPECT_EQ(record.event.fields[2].text, "UA");
  EXPECT_EQ(record.event.fields[2].hash, hash64("UA"));
  EXPECT_EQ(record.event.fields[3].text, "free text");
  for (const FieldValue& value : record.event.fields) EXPECT_FALSE(value.missing);
}

TEST_F(JsonLines, AreReadTheSameWhateverTheOrderAndTheBlanksOfTheLinesBefore) {
  const std::vector<std::string> lines = {
      R"({"id":1,"ts":"2013-01-01T10:15:00Z","x":1,"y":2,"c":"a"})",
      R"({"id":1,"x":1,"ts":"2013-01-01T10:15:00Z","y":2,"c":"a"})",
      R"({ "id" : 1 , "ts" : "2013-01-01T10:15:00Z" , "x" : 1 , "y" : 2 , "c" : "a" } )",
      R"({"c":"a","y":2,"x":1,"ts":"2013-01-01T10:15:00Z","id":1})",
      R"({"c":"a","new":0,"y":2,"xx":5,"x":1,"ts":"2013-01-01T10:15:00Z","idd":9,"id":1})",
      R"({"\u0063":"\u0061","\u0079":2,"x":1,"ts":"2013-01-01T10:15:00\u005a","id":1})",
  };
  for (int round = 0; round < 3; ++round) {
    for (const std::string& line : lines) {
      const ParsedRecord& record = json.parse(line);
      ASSERT_EQ(record.kind, ParsedKind::kEvent) << line << ": " << record.refusal.detail;
      EXPECT_EQ(record.event.id, (Id{"1", true})) << line;
      EXPECT_EQ(record.event.fields[0].number, 1.0) << line;
      EXPECT_EQ(record.event.fields[1].number, 2.0) << line;
      EXPECT_EQ(record.event.fields[2].text, "a") << line;
      EXPECT_TRUE(record.event.fields[3].missing) << line;
    }
  }
}

TEST_F(JsonLines, TakeAnAbsentFieldAndANullAsMissing) {
  const ParsedRecord& record = json.parse(line_with(R"("x":null,"c":null)"));
  ASSERT_EQ(record.kind, ParsedKind::kEvent);
  for (const FieldValue& value : record.event.fields) EXPECT_TRUE(value.missing);
}

TEST_F(JsonLines, TakeNumbersAndBooleansOfACategoryAsTheirText) {
  EXPECT_EQ(json.parse(line_with(R"("c":5)")).event.fields[2].text, "5");
  EXPECT_EQ(json.parse(line_with(R"("c":-1.50)")).event.fields[2].text, "-1.50");
  EXPECT_EQ(json.parse(line_with(R"("c":true)")).event.fields[2].text, "true");
  const ParsedRecord& record = json.parse(line_with(R"("c":"")"));
  EXPECT_FALSE(record.event.fields[2].missing);
  EXPECT_EQ(record.event.fields[2].hash, hash64(""));
}

TEST_F(JsonLines, GiveTheNearestDouble) {
  EXPECT_EQ(x("0"), 0.0);
  EXPECT_EQ(x("-0"), 0.0);
  EXPECT_TRUE(std::signbit(*x("-0")));
  EXPECT_EQ(x("0.1"), 0.1);
  EXPECT_EQ(x("123456789.123"), 123456789.123);
  EXPECT_EQ(x("1e22"), 1e22);
  EXPECT_EQ(x("1e23"), 1e23);
  EXPECT_EQ(x("9007199254740993"), 9007199254740992.0);
  EXPECT_EQ(x("18446744073709551616"), 18446744073709551616.0);
  EXPECT_EQ(x("123456789012345678901234567890"), 123456789012345678901234567890.0);
  EXPECT_EQ(x("0.00000000000000000000000000000000000001"), 1e-38);
  EXPECT_EQ(x("2.2250738585072014e-308"), 2.2250738585072014e-308);
  EXPECT_EQ(x("4.9406564584124654e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(x("1e-400"), 0.0);
  EXPECT_EQ(x("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(x("0e999999999999999999999"), 0.0);
  EXPECT_EQ(x("1e-999999999999999999999"), 0.0);
}

TEST_F(JsonLines, RefuseNumbersThatAreNotFinite) {
  for (const char* number : {"1e309", "-1e400", "1e999999999999999999", "NaN", "Infinity", "-Infinity"})
    EXPECT_EQ(json.reason(line_with("\"x\":" + std::string(number))), "not_finite") << number;
  // Not JSON where no number is declared.
  for (const char* number : {"NaN", "Infinity", "-Infinity", "nan", "inf"})
    EXPECT_EQ(json.reason(line_with("\"other\":" + std::string(number))), "malformed") << number;
}

TEST_F(JsonLines, RefuseMalformedJsonAlsoWhereNothingIsDeclared) {
  for (const char* value : {"tru", "truee", "nul", "falsey", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "1_000", "'a'", "a",
                            "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\t\"", "[1,]",
                            "[1 2]", "[", "[,1]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{\"a\":}", "{\"a\" 1}", "{", "]", "}", "",
                            "1 2", "--1", "[1}", "{\"a\":[}"}) {
    EXPECT_EQ(json.reason(line_with("\"other\":" + std::string(value))), "malformed") << value;
    EXPECT_EQ(json.reason(line_with("\"x\":" + std::string(value))), "malformed") << value;
    EXPECT_EQ(json.reason(line_with("\"deep\":{\"other\":[" + std::string(value) + "]}")),
              std::string_view(value).empty() ? "" : "malformed")
        << value;
  }
  const std::string good = line_with("\"x\":1");
  EXPECT_EQ(json.reason(good), "");
  for (const std::string& line :
       {std::string(""), std::string(" "), std::string("null"), std::string("[]"), std::string("17"), std::string("\"a\""), good + "x",
        good + "{}", good + ",", good + "\0" + "x", "x" + good, good.substr(0, good.size() - 1), good.substr(1),
        R"({"id":"a",,"ts":"2013-01-01T10:15:00Z"})" + std::string(), R"({,"id":"a","ts":"2013-01-01T10:15:00Z"})" + std::string(),
        R"({"id":"a","ts":"2013-01-01T10:15:00Z",})" + std::string(), R"({"id":"a" "ts":"2013-01-01T10:15:00Z"})" + std::string(),
        R"({"id"::"a","ts":"2013-01-01T10:15:00Z"})" + std::string()})
    EXPECT_EQ(json.reason(line), "malformed") << line;
}

TEST_F(JsonLines, RefuseEveryProperPrefixOfALine) {
  const std::string line = R"({"id":"a\u00e9","x":-1.5e3,"n":{"a":[true,false,null,"\\"]},"ts":"2013-01-01T10:15:00Z"})";
  ASSERT_EQ(json.reason(line), "");
  for (std::size_t n = 0; n < line.size(); ++n) EXPECT_EQ(json.reason(line.substr(0, n)), "malformed") << n;
}

TEST_F(JsonLines, SayWhereALineIsMalformed) {
  EXPECT_EQ(json.refusal(R"({"id":"a","x":tru})"), "malformed: byte 14: expected a value");
  EXPECT_EQ(json.refusal(R"({"id":"a" "x":1})"), "malformed: byte 10: expected ',' or '}' after a value");
}

TEST_F(JsonLines, RefuseInvalidUtf8AnywhereAndSayWhere) {
  for (const char* bytes : {"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\xe2\x82", "\x80"}) {
    EXPECT_EQ(json.reason(line_with("\"other\":\"" + std::string(bytes) + "\"")), "malformed");
    EXPECT_EQ(json.reason(line_with("\"" + std::string(bytes) + "\":1")), "malformed");
  }
  EXPECT_EQ(json.refusal("{\"id\":\"\xff\"}"), "malformed: byte 7: invalid UTF-8");
}

TEST_F(JsonLines, UnescapeText) {
  const ParsedRecord& record =
      json.parse(R"({"id":"\u00e9\ud83d\ude00","ts":"2013-01-01T10:15:00Z","t":"a\"\\\/\b\f\n\r\tz","c":"é😀"})");
  ASSERT_EQ(record.kind, ParsedKind::kEvent) << record.refusal.detail;
  EXPECT_EQ(record.event.id.text, "é😀");
  EXPECT_EQ(record.event.fields[3].text, "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(record.event.fields[2].text, "é😀");
}

TEST_F(JsonLines, RefuseAnotherTypeAndNameFieldFoundAndExpected) {
  EXPECT_EQ(json.refusal(line_with(R"("x":"abc")")), R"(wrong_type: field "x": found the string "abc", expected a number)");
  EXPECT_EQ(json.refusal(line_with(R"("x":true)")), R"(wrong_type: field "x": found true, expected a number)");
  EXPECT_EQ(json.refusal(line_with(R"("x":{"a":1})")), R"(wrong_type: field "x": found an object, expected a number)");
  EXPECT_EQ(json.refusal(line_with(R"("c":[])")), R"(wrong_type: field "c": found an array, expected a single value)");
}

TEST_F(JsonLines, RefuseADeclaredFieldTwiceButNotAnUndeclaredOne) {
  EXPECT_EQ(json.refusal(line_with(R"("x":1,"x":1)")), R"(repeated_field: field "x": found twice in one line)");
  EXPECT_EQ(json.reason(line_with(R"("x":null,"x":null)")), "repeated_field");
  EXPECT_EQ(json.reason(line_with(R"("id":"a")")), "repeated_field");
  EXPECT_EQ(json.reason(line_with("\"ts\":\"2013-01-01T10:15:00Z\"")), "repeated_field");
  EXPECT_EQ(json.reason(line_with(R"("\u0078":1,"x":2)")), "repeated_field");
  EXPECT_EQ(json.reason(line_with(R"("other":1,"other":1)")), "");
}

TEST_F(JsonLines, CallALineMalformedWhateverElseIsWrongBeforeIt) {
  EXPECT_EQ(json.reason(R"({"id":1.5,"x":"a","x":1,"bad":tru})"), "malformed");
}

TEST_F(JsonLines, RefuseALineWithoutIdOrTime) {
  const std::string time = "{" + std::string(kTime) + "}";
  EXPECT_EQ(json.reason(time), "missing_id");
  EXPECT_EQ(json.reason("{\"id\":null," + std::string(kTime) + "}"), "missing_id");
  EXPECT_EQ(json.reason(R"({"id":"a"})"), "missing_time");
  EXPECT_EQ(json.reason(R"({"id":"a","ts":null})"), "missing_time");
  EXPECT_EQ(json.reason("{}"), "missing_id");
}

TEST_F(JsonLines, TakeStringsAndWholeNumbersAsIds) {
  const auto id = [&](const std::string& text) {
    const ParsedRecord& record = json.parse("{\"id\":" + text + "," + std::string(kTime) + "}");
    if (record.kind == ParsedKind::kRefused) return std::string(name_of(record.refusal.reason));
    return std::string(record.event.id.text) + (record.event.id.is_integer ? " integer" : " string");
  };
  EXPECT_EQ(id("0"), "0 integer");
  EXPECT_EQ(id("-0"), "0 integer");
  EXPECT_EQ(id("-12"), "-12 integer");
  EXPECT_EQ(id("9999999999999999999"), "9999999999999999999 integer");          // 19 digits.
  EXPECT_EQ(id("10000000000000000000"), "10000000000000000000 string");         // 20.
  EXPECT_EQ(id("\"12\""), "12 string");
  EXPECT_EQ(id("\"" + std::string(256, 'a') + "\""), std::string(256, 'a') + " string");
  for (const std::string& bad : {std::string("\"\""), std::string("1.0"), std::string("1e3"), std::string("true"), std::string("[]"),
                                 std::string("{}"), "\"" + std::string(257, 'a') + "\"", std::string(257, '1')})
    EXPECT_EQ(id(bad), "invalid_id") << bad;
}

TEST_F(JsonLines, GoDownTo1023Levels) {
  const auto nested = [](int levels) { return line_with("\"d\":" + std::string(levels, '[') + std::string(levels, ']')); };
  EXPECT_EQ(json.reason(nested(1022)), "");
  EXPECT_EQ(json.reason(nested(1023)), "malformed");
  EXPECT_EQ(json.reason(nested(100000)), "malformed");
}

TEST_F(JsonLines, DropACarriageReturnAndAByteOrderMark) {
  EXPECT_EQ(json.reason(line_with("") + "\r"), "");
  EXPECT_EQ(json.reason("\xef\xbb\xbf" + line_with("")), "");
  EXPECT_EQ(json.parse(line_with("") + "\r").line, line_with(""));
}

TEST_F(JsonLines, RefuseALineBeyondTheLimit) {
  EventSchema schema = simple_schema(LineFormat::kJson);
  schema.line_bytes_max = 5000;
  Parsing small(schema);
  const std::string fill = line_with("\"other\":\"\"");
  EXPECT_EQ(small.reason(line_with("\"other\":\"" + std::string(5000 - fill.size(), 'a') + "\"")), "");
  const std::string line = line_with("\"other\":\"" + std::string(5001 - fill.size(), 'a') + "\"");
  EXPECT_EQ(small.refusal(line), "too_long: line of 5001 bytes: expected at most 5000");
  const ParsedRecord& record = small.parse(line);
  EXPECT_EQ(record.line.size(), kTooLongHeadBytes);
  EXPECT_EQ(record.line_bytes, 5001u);
  EXPECT_NE(record.line_crc, 0u);
}

TEST(JsonNested, FindsFieldsByDottedNamesNestedOrFlat) {
  EventSchema schema;
  schema.id = "request.id";
  schema.time = "ts";
  schema.key = "request.user.name";
  schema.fields = {field("request.tokens"), field("request.user.age")};
  Parsing json(schema);
  for (const char* line : {R"({"ts":"2013-01-01T10:15:00Z","request":{"id":7,"tokens":3,"user":{"name":"ann","age":40}}})",
                           R"({"ts":"2013-01-01T10:15:00Z","request":{"id":7,"tokens":3},"request":{"user":{"age":40,"name":"ann"}}})",
                           R"({"request.id":7,"ts":"2013-01-01T10:15:00Z","request.tokens":3,"request":{"user.name":"ann","user":{"age":40}}})"}) {
    const ParsedRecord& record = json.parse(line);
    ASSERT_EQ(record.kind, ParsedKind::kEvent) << line << record.refusal.detail;
    EXPECT_EQ(record.event.id, (Id{"7", true}));
    EXPECT_TRUE(record.event.has_key);
    EXPECT_EQ(record.event.key, (Id{"ann", false}));
    EXPECT_EQ(record.event.fields[0].number, 3.0);
    EXPECT_EQ(record.event.fields[1].number, 40.0);
  }
  EXPECT_EQ(json.reason(R"({"ts":"2013-01-01T10:15:00Z","request":{"id":7},"request":{"id":7}})"), "repeated_field");
  EXPECT_EQ(json.reason(R"({"ts":"2013-01-01T10:15:00Z","request":[{"id":7}]})"), "missing_id");
  EXPECT_EQ(json.reason(R"({"ts":"2013-01-01T10:15:00Z","id":7,"tokens":3})"), "missing_id");
}

TEST(JsonKey, MayBeAWholeNumberOrAbsentButNothingElse) {
  EventSchema schema = simple_schema(LineFormat::kJson);
  schema.key = "c";  // A field may be the key as well.
  Parsing json(schema);
  const ParsedRecord& record = json.parse(line_with("\"c\":12"));
  ASSERT_EQ(record.kind, ParsedKind::kEvent);
  EXPECT_EQ(record.event.key, (Id{"12", true}));
  EXPECT_EQ(record.event.fields[2].text, "12");
  EXPECT_FALSE(json.parse(line_with("")).event.has_key);
  EXPECT_EQ(json.reason(line_with("\"c\":1.5")), "invalid_id");
  EXPECT_EQ(json.reason(line_with("\"c\":\"" + std::string(257, 'k') + "\"")), "invalid_id");
}

TEST(JsonOutcomes, CarryALabel) {
  EventSchema schema;
  schema.id = "id";
  schema.time = "ts";
  schema.label = "label";
  schema.label_binary = true;
  Parsing json(schema, LineRole::kOutcome);
  const auto label = [&](const std::string& text) {
    const ParsedRecord& record = json.parse("{\"id\":5," + std::string(kTime) + ",\"label\":" + text + "}");
    return record.kind == ParsedKind::kOutcome ? std::optional<double>(record.outcome.label) : std::nullopt;
  };
  EXPECT_EQ(label("0"), 0.0);
  EXPECT_EQ(label("1"), 1.0);
  EXPECT_EQ(label("1.0"), 1.0);
  EXPECT_EQ(label("true"), 1.0);
  EXPECT_EQ(label("false"), 0.0);
  for (const char* bad : {"2", "0.5", "-1", "\"1\"", "1e999", "NaN", "[]"})
    EXPECT_EQ(json.reason("{\"id\":5," + std::string(kTime) + ",\"label\":" + bad + "}"), "invalid_label") << bad;
  EXPECT_EQ(json.reason("{\"id\":5," + std::string(kTime) + ",\"label\":null}"), "missing_label");
  EXPECT_EQ(json.reason("{\"id\":5," + std::string(kTime) + "}"), "missing_label");

  schema.label_binary = false;  // Regression.
  Parsing regression(schema, LineRole::kOutcome);
  EXPECT_EQ(regression.parse("{\"id\":5," + std::string(kTime) + ",\"label\":-17.25}").outcome.label, -17.25);
}

TEST(JsonEvents, MayCarryALabelAlready) {
  EventSchema schema = simple_schema(LineFormat::kJson);
  schema.label = "label";
  Parsing json(schema);
  EXPECT_EQ(json.parse(line_with("\"label\":2.5")).event.label, 2.5);
  EXPECT_EQ(json.parse(line_with("")).event.label, std::nullopt);
  schema.label_required = true;
  Parsing strict(schema);
  EXPECT_EQ(strict.reason(line_with("")), "missing_label");
}

TEST(LineParserSchema, IsCheckedBeforeAnyLine) {
  const auto error = [](auto change, LineRole role = LineRole::kEvent) {
    EventSchema schema = simple_schema(LineFormat::kJson);
    change(schema);
    const auto parser = make_line_parser(schema, role);
    if (parser.ok()) return std::string("none");
    EXPECT_EQ(parser.error().code, ErrorCode::kConfig);
    return parser.error().what;
  };
  EXPECT_EQ(error([](EventSchema&) {}), "none");
  EXPECT_NE(error([](EventSchema& s) { s.id.clear(); }).find("no id"), std::string::npos);
  EXPECT_NE(error([](EventSchema& s) { s.time.clear(); }).find("no time"), std::string::npos);
  EXPECT_NE(error([](EventSchema& s) { s.fields.push_back(s.fields[0]); }).find("\"x\" is declared twice"), std::string::npos);
  EXPECT_NE(error([](EventSchema& s) { s.fields[0].bins = {1, 1}; }).find("must ascend"), std::string::npos);
  EXPECT_NE(error([](EventSchema& s) { s.fields[0].name.clear(); }).find("without a name"), std::string::npos);
  EXPECT_NE(error([](EventSchema&) {}, LineRole::kOutcome).find("no label"), std::string::npos);
  EXPECT_NE(error([](EventSchema& s) { s.line_bytes_max = 0; }).find("max_line"), std::string::npos);
}

TEST(ParseArena, KeepsAddressesUntilItIsCleared) {
  ParseArena arena;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::pair<char*, std::size_t>> blocks;
    for (std::size_t i = 0; i < 2000; ++i) {
      const std::size_t bytes = i % 97 == 0 ? 300'000 : i;
      auto* at = static_cast<char*>(arena.allocate(bytes, 8));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % 8, 0u);
      std::fill(at, at + bytes, static_cast<char>(i));
      blocks.emplace_back(at, bytes);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i)
      for (std::size_t k = 0; k < blocks[i].second; k += 64) ASSERT_EQ(blocks[i].first[k], static_cast<char>(i));
    arena.clear();
  }
}

}  // namespace
}  // namespace weir
