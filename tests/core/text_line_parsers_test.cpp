// CSV, key=value, syslog, times and numbers as text; and every format against random events written in it.
#include <array>
#include <charconv>
#include <cmath>

#include "core/base/rng.hpp"
#include "core/records/number_text.hpp"
#include "core/records/time_text.hpp"
#include "core/records/utf8.hpp"
#include "tests/core/line_parser_support.hpp"

namespace weir {
namespace {

constexpr std::string_view kTime = "2013-01-01T10:15:00Z";

TEST(CsvLines, FollowTheHeader) {
  Parsing csv(simple_schema(LineFormat::kCsv));
  EXPECT_TRUE(csv.parser().wants_header());
  ASSERT_TRUE(csv.parser().header("\xef\xbb\xbft,\"x\",other,id,ts,c,y\r").ok());
  const ParsedRecord& record = csv.parse("\"say \"\"hi\"\", you\",1.5,zzz,17,2013-01-01T10:15:00Z,UA,\r");
  ASSERT_EQ(record.kind, ParsedKind::kEvent) << record.refusal.detail;
  EXPECT_EQ(record.event.id, (Id{"17", false}));
  EXPECT_EQ(record.event.fields[0].number, 1.5);
  EXPECT_TRUE(record.event.fields[1].missing);
  EXPECT_EQ(record.event.fields[2].text, "UA");
  EXPECT_EQ(record.event.fields[3].text, "say \"hi\", you");
  // The next file has its own.
  ASSERT_TRUE(csv.parser().header("id,ts,x,y,c,t").ok());
  EXPECT_EQ(csv.parse("1,2013-01-01T10:15:00Z,4,5,\"\",").event.fields[1].number, 5.0);
}

TEST(CsvLines, RefuseAHeaderThatWillNotDo) {
  Parsing csv(simple_schema(LineFormat::kCsv));
  const auto error = [&](std::string_view line) {
    const auto result = csv.parser().header(line);
    if (result.ok()) return std::string("none");
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidInput);
    return result.error().what;
  };
  EXPECT_NE(error("id,ts,x,y,c").find("no column \"t\""), std::string::npos);
  EXPECT_NE(error("id,ts,x,y,c,t,x").find("column \"x\" is there twice"), std::string::npos);
  EXPECT_NE(error("id,ts,x,y,c,\"t").find("not closed"), std::string::npos);
  EXPECT_NE(error("").find("no column"), std::string::npos);
  EXPECT_NE(error("id,ts,x,y,c,t\xff").find("UTF-8"), std::string::npos);
  EXPECT_EQ(error("id,ts,x,y,c,t,other,other"), "none");
}

TEST(CsvLines, AreRefusedWithAReason) {
  EventSchema schema = simple_schema(LineFormat::kCsv);
  schema.columns = {"id", "ts", "x", "y", "c", "t"};
  schema.delimiter = ';';
  Parsing csv(schema);
  EXPECT_FALSE(csv.parser().wants_header());
  const std::string start = "1;" + std::string(kTime) + ";";
  EXPECT_EQ(csv.refusal(start + "1;2;a;b"), "");
  EXPECT_EQ(csv.refusal(start + "1;2;a"), "malformed: found 5 cells, expected 6");
  EXPECT_EQ(csv.refusal(start + "1;2;a;b;"), "malformed: found 7 cells, expected 6");
  EXPECT_EQ(csv.reason(""), "malformed");
  EXPECT_EQ(csv.reason(start + "1;2;a;\"b"), "malformed");
  EXPECT_EQ(csv.reason(start + "1;2;a;\"b\"c"), "malformed");
  EXPECT_EQ(csv.reason(start + "1;2;a;b\"c"), "malformed");
  EXPECT_EQ(csv.reason(start + "1;2;a;\xc3"), "malformed");
  EXPECT_EQ(csv.refusal(start + "abc;2;a;b"), "wrong_type: field \"x\": found \"abc\", expected a number");
  EXPECT_EQ(csv.refusal(start + "NaN;2;a;b"), "not_finite: field \"x\": found \"NaN\", expected a finite number");
  EXPECT_EQ(csv.reason(start + "-inf;2;a;b"), "not_finite");
  EXPECT_EQ(csv.reason(start + "1e999;2;a;b"), "not_finite");
  EXPECT_EQ(csv.reason(";" + std::string(kTime) + ";1;2;a;b"), "missing_id");
  EXPECT_EQ(csv.reason("1;;1;2;a;b"), "missing_time");
  EXPECT_EQ(csv.reason("1;yesterday;1;2;a;b"), "invalid_time");
  EXPECT_EQ(csv.reason(std::string(257, 'i') + ";" + std::string(kTime) + ";1;2;a;b"), "invalid_id");
}

TEST(KeyValueLines, GiveAnEvent) {
  Parsing parsing(simple_schema(LineFormat::kKeyValue));
  const ParsedRecord& record =
      parsing.parse("  id=17 ts=2013-01-01T10:15:00Z\tx=-1.5e1 y= c=\"a b\" t=\"q\\\"\\\\\\n\\t\" other=a=b== ");
  ASSERT_EQ(record.kind, ParsedKind::kEvent) << record.refusal.detail;
  EXPECT_EQ(record.event.id, (Id{"17", false}));
  EXPECT_EQ(record.event.fields[0].number, -15.0);
  EXPECT_TRUE(record.event.fields[1].missing);
  EXPECT_EQ(record.event.fields[2].text, "a b");
  EXPECT_EQ(record.event.fields[3].text, "q\"\\\n\t");
}

TEST(KeyValueLines, AreRefusedWithAReason) {
  Parsing parsing(simple_schema(LineFormat::kKeyValue));
  const std::string start = "id=1 ts=" + std::string(kTime) + " ";
  EXPECT_EQ(parsing.refusal(start), "");
  for (const char* rest : {"word", "=1", "a=\"b", "a=\"b\"c", "a=b\"c", "a=\"\\x\"", "a=\"\\", "\"a\"=1", "a=\"\xff\""})
    EXPECT_EQ(parsing.reason(start + rest), "malformed") << rest;
  EXPECT_EQ(parsing.reason(""), "malformed");
  EXPECT_EQ(parsing.reason("   "), "malformed");
  EXPECT_EQ(parsing.reason(start + "x=1 x=2"), "repeated_field");
  EXPECT_EQ(parsing.reason(start + "x=one"), "wrong_type");
  EXPECT_EQ(parsing.reason(start + "x=nan"), "not_finite");
  EXPECT_EQ(parsing.reason("id=1"), "missing_time");
  EXPECT_EQ(parsing.reason("ts=" + std::string(kTime)), "missing_id");
}

EventSchema syslog_schema(LineFormat format) {
  EventSchema schema;
  schema.format = format;
  schema.id = "request";
  schema.time = "timestamp";
  if (format == LineFormat::kSyslog3164) {
    schema.time_format = TimeFormat::kSyslog;
    schema.year = 2013;
  }
  schema.fields = {field("severity"),          field("facility"), field("hostname", FieldKind::kCategory),
                   field("appname", FieldKind::kCategory), field("procid"),   field("took"),
                   field("message", FieldKind::kHashedText)};
  if (format == LineFormat::kSyslog5424) schema.fields.push_back(field("ex@32473.iut", FieldKind::kCategory));
  return schema;
}

TEST(SyslogLines, ReadRfc5424WithStructuredDataAndPairsInTheMessage) {
  Parsing syslog(syslog_schema(LineFormat::kSyslog5424));
  const ParsedRecord& record = syslog.parse(
      "<165>1 2013-01-01T10:15:00.5Z host.example app - ID47 [ex@32473 iut=\"3\\\"\\]\\\\\\n\" other=\"x\"][b@1] \xef\xbb\xbfGET it \"q request=r-9 took=12 "
      "severity=0 took2=1");
  ASSERT_EQ(record.kind, ParsedKind::kEvent) << record.refusal.detail;
  EXPECT_EQ(record.event.id.text, "r-9");
  EXPECT_EQ(record.event.event_time, EventTime(1357035300500000));
  EXPECT_EQ(record.event.fields[0].number, 5.0);
  EXPECT_EQ(record.event.fields[1].number, 20.0);
  EXPECT_EQ(record.event.fields[2].text, "host.example");
  EXPECT_EQ(record.event.fields[3].text, "app");
  EXPECT_TRUE(record.event.fields[4].missing);
  EXPECT_EQ(record.event.fields[5].number, 12.0);
  EXPECT_TRUE(record.event.fields[6].text.starts_with("GET it"));
  EXPECT_EQ(record.event.fields[7].text, "3\"]\\\\n");
  const std::string head = "<1>1 2013-01-01T10:15:00Z - - - - ";
  EXPECT_EQ(syslog.reason(head + "- request=a"), "");
  EXPECT_EQ(syslog.reason(head + "[a b=\"c\"] request=a"), "");
  EXPECT_EQ(syslog.reason(head + "- request=a request=b"), "repeated_field");
  EXPECT_EQ(syslog.reason(head + "-"), "missing_id");
  EXPECT_EQ(syslog.reason("<1>1 - - - - - - request=a"), "missing_time");
  EXPECT_EQ(syslog.reason("<1>1 2013 - - - - - request=a"), "invalid_time");
  for (const std::string& line :
       {std::string("no syslog"), std::string("<192>1 - - - - - -"), std::string("<01>1 - - - - - -"), std::string("<>1 - - - - - -"),
        std::string("<1>x - - - - - -"), std::string("<1>1 - - - - -"), std::string("<1>1 -  - - - - -"), head, head + "[", head + "[a",
        head + "[a b]", head + "[a b=c]", head + "[a b=\"c]\"]", head + "[a b=\"c\"", head + "[a b=\"c", head + "[]", head + "-x",
        head + "[a]x"})
    EXPECT_EQ(syslog.reason(line), "malformed") << line;
}

TEST(SyslogLines, ReadRfc3164WithAndWithoutPriorityAndTag) {
  Parsing syslog(syslog_schema(LineFormat::kSyslog3164));
  const ParsedRecord& record = syslog.parse("<34>Jan  1 10:15:00 mymachine su[10]: 'su root' failed request=7 took=3");
  ASSERT_EQ(record.kind, ParsedKind::kEvent) << record.refusal.detail;
  EXPECT_EQ(record.event.event_time, EventTime(1357035300000000));
  EXPECT_EQ(record.event.fields[0].number, 2.0);
  EXPECT_EQ(record.event.fields[1].number, 4.0);
  EXPECT_EQ(record.event.fields[2].text, "mymachine");
  EXPECT_EQ(record.event.fields[3].text, "su");
  EXPECT_EQ(record.event.fields[4].number, 10.0);
  EXPECT_EQ(record.event.fields[6].text, "'su root' failed request=7 took=3");
  EXPECT_EQ(syslog.parse("Jan  1 10:15:00 h last message request=1").event.fields[6].text, "last message request=1");
  EXPECT_EQ(syslog.parse("Jan  1 10:15:00 h a/b: request=1").event.fields[3].text, "a/b");
  EXPECT_EQ(syslog.reason("Jan  1 10:15:00"), "malformed");
  EXPECT_EQ(syslog.reason("<34Jan  1 10:15:00 h x"), "malformed");
  EXPECT_EQ(syslog.reason("Jan"), "malformed");
  EXPECT_EQ(syslog.reason("Feb 29 10:15:00 h a: request=1"), "invalid_time");
}

std::optional<std::int64_t> time_of(TimeFormat format, std::string_view text, int year = 1970) {
  EventTime time;
  if (!TimeReader(format, year).read(text, time)) return std::nullopt;
  return time.value;
}

TEST(TimeText, ReadsIso8601WithFractionsAndZones) {
  const auto iso = [](std::string_view text) { return time_of(TimeFormat::kIso8601, text); };
  EXPECT_EQ(iso("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(iso("2013-01-01T10:15:00"), 1357035300000000);
  EXPECT_EQ(iso("2013-01-01 10:15:00z"), 1357035300000000);
  EXPECT_EQ(iso("2013-01-01T10:15:00.1Z"), 1357035300100000);
  EXPECT_EQ(iso("2013-01-01T10:15:00,123456789Z"), 1357035300123456);
  EXPECT_EQ(iso("2013-01-01T10:15:00+01:30"), 1357035300000000 - 5'400'000'000);
  EXPECT_EQ(iso("2013-01-01T10:15:00-0130"), 1357035300000000 + 5'400'000'000);
  EXPECT_EQ(iso("2013-01-01T10:15:00+01"), 1357035300000000 - 3'600'000'000);
  EXPECT_EQ(iso("2016-12-31T23:59:60Z"), iso("2017-01-01T00:00:00Z"));
  EXPECT_EQ(iso("1969-12-31T23:59:59.5Z"), -500'000);
  EXPECT_EQ(iso("2000-02-29T00:00:00Z"), 951782400000000);
  EXPECT_EQ(iso("9999-12-31T23:59:59.999999Z"), 253402300799999999);
  for (const char* bad : {"", "2013-01-01", "2013-01-01T10:15Z", "2013-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2013-13-01T00:00:00Z",
                          "2013-00-01T00:00:00Z", "2013-01-00T00:00:00Z", "2013-01-32T00:00:00Z", "2013-01-01T24:00:00Z",
                          "2013-01-01T00:60:00Z", "2013-01-01T00:00:61Z", "2013-01-01T00:00:00.Z", "2013-01-01T00:00:00ZZ",
                          "2013-01-01T00:00:00+", "2013-01-01T00:00:00+1", "2013-01-01T00:00:00+1:00", "2013-01-01T00:00:00+24:00",
                          "2013-01-01T00:00:00+01:60", "2013-01-01X00:00:00Z", "2013/01/01T00:00:00Z", "20130101T000000Z00000",
                          "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "2013-01-01T00:00:00 Z", "2013-01-01T0a:00:00Z"})
    EXPECT_EQ(iso(bad), std::nullopt) << bad;
  EXPECT_EQ(iso(std::string(10, '\0') + "T10:15:00Z"), std::nullopt) << "no day at all";
}

TEST(TimeText, AgreesWithACalendarCountedDayByDay) {
  std::int64_t day = -719'162;  // 0001-01-01
  TimeReader reader(TimeFormat::kIso8601);
  for (int year = 1; year <= 9999; ++year)
    for (unsigned month = 1; month <= 12; ++month)
      for (unsigned d = 1; d <= days_in_month(year, month); ++d, ++day) ASSERT_EQ(days_from_civil(year, month, d), day);
  EXPECT_EQ(day, 2'932'897);  // 10000-01-01
}

TEST(TimeText, RemembersADayWithoutMixingItUp) {
  TimeReader reader(TimeFormat::kIso8601);
  EventTime time;
  ASSERT_TRUE(reader.read("2013-01-01T00:00:00Z", time));
  EXPECT_FALSE(reader.read("2013-02-30T00:00:00Z", time));
  EXPECT_FALSE(reader.read("2013-02-30T00:00:00Z", time));
  ASSERT_TRUE(reader.read("2013-01-02T00:00:00Z", time));
  EXPECT_EQ(time, EventTime(1357084800000000));
  ASSERT_TRUE(reader.read("2013-01-01T00:00:01Z", time));
  EXPECT_EQ(time, EventTime(1356998401000000));
}

TEST(TimeText, ReadsNumbersExactly) {
  EXPECT_EQ(time_of(TimeFormat::kSeconds, "1357035300"), 1357035300000000);
  EXPECT_EQ(time_of(TimeFormat::kSeconds, "1357035300.123456"), 1357035300123456);
  EXPECT_EQ(time_of(TimeFormat::kSeconds, "1357035300.1234569"), 1357035300123456);
  EXPECT_EQ(time_of(TimeFormat::kSeconds, "-0.5"), -500000);
  EXPECT_EQ(time_of(TimeFormat::kSeconds, "1.357e9"), 1357000000000000);
  EXPECT_EQ(time_of(TimeFormat::kMillis, "1357035300123.4"), 1357035300123400);
  EXPECT_EQ(time_of(TimeFormat::kMicros, "1357035300123456"), 1357035300123456);
  for (const char* bad : {"", "now", "1e30", "-1e30", "NaN", "1e999", "99999999999999999999", "253402300800", "1 ", "0x1", "01", "+1"})
    EXPECT_EQ(time_of(TimeFormat::kSeconds, bad), std::nullopt) << bad;
  EXPECT_EQ(time_of(TimeFormat::kMicros, "253402300800000000"), std::nullopt);
  EXPECT_EQ(time_of(TimeFormat::kMicros, "-62135596800000001"), std::nullopt);
}

TEST(TimeText, ReadsSyslogTimesOfTheGivenYear) {
  EXPECT_EQ(time_of(TimeFormat::kSyslog, "Jan  2 03:04:05", 2013), time_of(TimeFormat::kIso8601, "2013-01-02T03:04:05Z"));
  EXPECT_EQ(time_of(TimeFormat::kSyslog, "Dec 31 23:59:59", 2012), time_of(TimeFormat::kIso8601, "2012-12-31T23:59:59Z"));
  EXPECT_EQ(time_of(TimeFormat::kSyslog, "Feb 29 00:00:00", 2012), time_of(TimeFormat::kIso8601, "2012-02-29T00:00:00Z"));
  for (const char* bad : {"", "Jan 2 03:04:05", "Jam  2 03:04:05", "Feb 29 00:00:00", "Jan  0 00:00:00", "Jan 32 00:00:00", "Jan  2 25:04:05"})
    EXPECT_EQ(time_of(TimeFormat::kSyslog, bad, 2013), std::nullopt) << bad;
}

TEST(NumberText, ReadsWhatWritersOfTextWrite) {
  const auto number = [](std::string_view text) {
    double value = 0.0;
    return parse_number_text(text, value) == NumberText::kNumber ? std::optional<double>(value) : std::nullopt;
  };
  EXPECT_EQ(number("1"), 1.0);
  EXPECT_EQ(number(" 1.5\t"), 1.5);
  EXPECT_EQ(number("+1"), 1.0);
  EXPECT_EQ(number("007"), 7.0);
  EXPECT_EQ(number(".5"), 0.5);
  EXPECT_EQ(number("5."), 5.0);
  EXPECT_EQ(number("-.5e-1"), -0.05);
  EXPECT_EQ(number("00000000000000000000000000000000000001e-1"), 0.1);
  for (const char* bad : {"", " ", ".", "-", "+-1", "1e", "1e+", "0x10", "1,5", "1 2", "e5", "1.2.3", "--1", "abc", "infx", "1d5"})
    EXPECT_EQ(number(bad), std::nullopt) << bad;
  double value = 0.0;
  for (const char* infinite : {"nan", "NaN", "-NAN", "inf", "+Inf", "-Infinity", "1e309", "-1e99999999999999999999"})
    EXPECT_EQ(parse_number_text(infinite, value), NumberText::kNotFinite) << infinite;
}

TEST(Utf8, SaysWhereItEnds) {
  EXPECT_TRUE(is_utf8("aé😀" + std::string(100, 'x')));
  EXPECT_EQ(first_invalid_utf8("aé\xff"), 3u);
  EXPECT_EQ(utf8_prefix("aéz", 2), "a");
  EXPECT_EQ(utf8_prefix("aéz", 3), "aé");
  Rng rng(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(rng.below(12), '\0');
    constexpr std::string_view kBytes = "a\x7f\x80\xbf\xc2\xe0\xa0\xed\x9f\xef\xf0\x90\xf4\x8f\xff";
    for (char& c : text) c = kBytes[rng.below(kBytes.size())];
    ASSERT_EQ(is_utf8(text), first_invalid_utf8(text) == text.size()) << i;
  }
}

// Random events, written in each format, are what is read.
class RoundTrip : public testing::TestWithParam<LineFormat> {};

std::string random_text(Rng& rng, bool printable_only) {
  std::string text;
  const std::size_t length = 1 + rng.below(12);
  constexpr std::array<std::string_view, 16> kPieces = {"a", "Z", "5", " ", "\"", "\\", "]", "=", ",", "é", "😀", "\n", "\t", "\r", "x.y", "'"};
  for (std::size_t i = 0; i < length; ++i) {
    const std::string_view piece = kPieces[rng.below(kPieces.size())];
    if (printable_only && (piece == "\n" || piece == "\r" || piece == "\t")) continue;
    text += piece;
  }
  return text.empty() ? "t" : text;
}

std::string shortest(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string escaped(std::string_view text, std::string_view special, bool letters) {
  std::string out;
  for (const char c : text) {
    if (letters && c == '\n') out += "\\n";
    else if (letters && c == '\r') out += "\\r";
    else if (letters && c == '\t') out += "\\t";
    else if (special.find(c) != std::string_view::npos) out += std::string("\\") + c;
    else out += c;
  }
  return out;
}

TEST_P(RoundTrip, GivesBackWhatWasWritten) {
  const LineFormat format = GetParam();
  const bool syslog = format == LineFormat::kSyslog5424 || format == LineFormat::kSyslog3164;
  const bool one_line = format == LineFormat::kCsv || syslog;
  EventSchema schema = simple_schema(format);
  if (syslog) schema.time = "timestamp";
  if (format == LineFormat::kSyslog5424) {
    schema.id = "e.id";
    for (FieldSpec& spec : schema.fields) spec.name = "e." + spec.name;
  }
  if (format == LineFormat::kCsv) schema.columns = {"id", "ts", "x", "y", "c", "t"};
  Parsing parsing(schema);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed);
    const std::string id = random_text(rng, one_line), c = random_text(rng, one_line), t = random_text(rng, one_line);
    const double x = rng.normal() * std::pow(10.0, static_cast<double>(rng.below(600)) - 300.0);
    const std::string number = shortest(x);
    std::string line;
    const auto quoted = [](const std::string& text) { return "\"" + escaped(text, "\"\\", true) + "\""; };
    switch (format) {
      case LineFormat::kJson:
        line = "{\"id\":" + quoted(id) + ",\"ts\":\"" + std::string(kTime) + "\",\"x\":" + number + ",\"c\":" + quoted(c) + ",\"t\":" + quoted(t) + "}";
        break;
      case LineFormat::kCsv: {
        const auto cell = [](const std::string& text) {
          std::string out = "\"";
          for (const char ch : text) out += ch == '"' ? std::string("\"\"") : std::string(1, ch);
          return out + "\"";
        };
        line = cell(id) + "," + std::string(kTime) + "," + number + ",," + cell(c) + "," + cell(t);
        break;
      }
      case LineFormat::kSyslog3164:
      case LineFormat::kKeyValue:
        line = "id=" + quoted(id) + " x=" + number + " c=" + quoted(c) + " t=" + quoted(t);
        if (syslog) line = "<13>" + std::string(kTime) + " host app: " + line;
        else line += " ts=" + std::string(kTime);
        break;
      case LineFormat::kSyslog5424: {
        const auto value = [](const std::string& text) { return "\"" + escaped(text, "\"\\]", false) + "\""; };
        line = "<13>1 " + std::string(kTime) + " host app - - [e id=" + value(id) + " x=\"" + number + "\" c=" + value(c) + " t=" + value(t) + "]";
        break;
      }
    }
    const ParsedRecord& record = parsing.parse(line);
    ASSERT_EQ(record.kind, ParsedKind::kEvent) << "seed " << seed << ": " << line << ": " << record.refusal.detail;
    EXPECT_EQ(record.event.id.text, id) << line;
    EXPECT_EQ(record.event.event_time, EventTime(1357035300000000));
    EXPECT_EQ(record.event.fields[0].number, x) << line;
    EXPECT_TRUE(record.event.fields[1].missing);
    EXPECT_EQ(record.event.fields[2].text, c) << line;
    EXPECT_EQ(record.event.fields[3].text, t) << line;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip,
                         testing::Values(LineFormat::kJson, LineFormat::kCsv, LineFormat::kKeyValue, LineFormat::kSyslog5424,
                                         LineFormat::kSyslog3164));

}  // namespace
}  // namespace weir
