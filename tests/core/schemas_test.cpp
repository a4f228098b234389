// Goal: what the JSON writers write is what docs/schemas says, and so is the AsyncAPI document of the topics. The validator knows
// the keywords that our schemas use and fails on any other, so that none goes unchecked.

#include <gtest/gtest.h>
#include <simdjson.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "core/base/rng.hpp"
#include "core/records/codec.hpp"

namespace weir {
namespace {

namespace dom = simdjson::dom;

std::string type_of(dom::element e) {
  switch (e.type()) {
    case dom::element_type::OBJECT: return "object";
    case dom::element_type::ARRAY: return "array";
    case dom::element_type::STRING: return "string";
    case dom::element_type::BOOL: return "boolean";
    case dom::element_type::NULL_VALUE: return "null";
    case dom::element_type::DOUBLE: return "number";
    default: return "integer";
  }
}
dom::object object_of(dom::element e) { return e.get_object().value(); }
dom::array array_of(dom::element e) { return e.get_array().value(); }
double number_of(dom::element e) { return e.get_double().value(); }
bool has_type(dom::element e, std::string_view type) {
  return type_of(e) == type || (type == "number" && type_of(e) == "integer");
}

class Schema {
 public:
  explicit Schema(const std::string& file) { root_ = parser_.load(std::string(WEIR_SCHEMA_DIR) + "/" + file).value(); }

  // Empty if the text is valid, else what is wrong.
  std::string problem(std::string_view text) {
    dom::parser parser;
    dom::element value;
    if (parser.parse(simdjson::padded_string(text)).get(value) != simdjson::SUCCESS) return "not JSON";
    return check(root_, value, "$");
  }

 private:
  std::string check(dom::element schema, dom::element value, const std::string& at) {
    for (const auto [key, rule] : object_of(schema)) {
      if (key == "$schema" || key == "$id" || key == "title" || key == "description" || key == "$defs") continue;
      std::string wrong;
      if (key == "type") {
        bool any = false;
        if (rule.is_array()) {
          for (const dom::element type : array_of(rule)) any = any || has_type(value, type.get_string().value());
        } else {
          any = has_type(value, rule.get_string().value());
        }
        if (!any) wrong = "has type " + type_of(value);
      } else if (key == "properties") {
        for (const auto [name, sub] : object_of(rule))
          if (dom::element member; value[name].get(member) == simdjson::SUCCESS && wrong.empty())
            wrong = check(sub, member, at + "." + std::string(name));
      } else if (key == "required") {
        for (const dom::element name : array_of(rule))
          if (value[name.get_string().value()].error() != simdjson::SUCCESS) wrong = "lacks " + std::string(name.get_string().value());
      } else if (key == "additionalProperties") {
        for (const auto [name, member] : object_of(value))
          if (schema["properties"][name].error() != simdjson::SUCCESS) wrong = "has an unknown " + std::string(name);
      } else if (key == "items") {
        if (value.is_array())
          for (const dom::element item : array_of(value)) wrong += check(rule, item, at + "[]");
      } else if (key == "maxItems") {
        if (value.is_array() && value.get_array().value().size() > rule.get_uint64().value()) wrong = "is too long";
      } else if (key == "enum") {
        bool any = false;
        for (const dom::element one : array_of(rule)) any = any || simdjson::to_string(one) == simdjson::to_string(value);
        if (!any) wrong = "is none of its values";
      } else if (key == "const") {
        if (simdjson::to_string(rule) != simdjson::to_string(value)) wrong = "is not the constant";
      } else if (key == "minimum") {
        if (number_of(value) < number_of(rule)) wrong = "is too small";
      } else if (key == "maximum") {
        if (number_of(value) > number_of(rule)) wrong = "is too large";
      } else if (key == "pattern") {
        if (!std::regex_search(std::string(value.get_string().value()), std::regex(std::string(rule.get_string().value()))))
          wrong = "does not match";
      } else if (key == "oneOf") {
        int fits = 0;
        for (const dom::element one : array_of(rule)) fits += check(one, value, at).empty() ? 1 : 0;
        if (fits != 1) wrong = "fits " + std::to_string(fits) + " of oneOf";
      } else if (key == "$ref") {
        const std::string_view name = rule.get_string().value();
        wrong = check(root_["$defs"][name.substr(name.rfind('/') + 1)].value(), value, at);
      } else {
        wrong = "unknown keyword " + std::string(key);
      }
      if (!wrong.empty()) return at + ": " + wrong;
    }
    return "";
  }

  dom::parser parser_;
  dom::element root_;
};

Id random_id(Rng& rng, std::string& storage) {
  storage.clear();
  if (rng.below(2) == 0) {
    storage = std::to_string(rng.below(1ULL << 60));
    return {storage, true};
  }
  static constexpr const char* kPieces[] = {"a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xf0\x9f\x9a\x80", " ", "\x7f"};
  for (std::uint64_t n = 1 + rng.below(30); n > 0; --n) storage += kPieces[rng.below(9)];
  return {storage, false};
}

TEST(Schemas, EveryWrittenRecordIsValid) {
  Schema prediction_schema("prediction.schema.json"), unjoined_schema("unjoined.schema.json"),
      dead_letter_schema("dead_letter.schema.json"), alert_schema("alert.schema.json");
  Rng rng(1);
  std::string id, key, line, topic;
  ByteBuffer out;
  for (int i = 0; i < 2000; ++i) {
    Event event;
    event.id = random_id(rng, id);
    event.has_key = rng.below(2) == 0;
    event.key = random_id(rng, key);
    event.event_time = EventTime(static_cast<std::int64_t>(rng.below(1ULL << 55)) - (1LL << 50));
    Prediction p;
    p.value = rng.uniform();
    p.label = static_cast<double>(rng.below(2));
    p.certified = rng.below(2) == 0;
    p.has_set = rng.below(3) != 0;
    p.in_set[0] = rng.below(2) == 0;
    p.in_set[1] = rng.below(2) == 0;
    p.duplicate = rng.below(4) == 0;
    p.version = ModelVersion(rng.below(1000));
    p.low = rng.normal();
    p.high = rng.normal() * 1e200;
    random_id(rng, topic);
    const Source source{topic, PartitionId(static_cast<std::int32_t>(rng.below(9))), Offset(static_cast<std::int64_t>(rng.below(1000)))};
    out.clear();
    write_prediction(ValueFormat::kJson, event, p, source, rng.below(2) == 0 ? TaskKind::kClassification : TaskKind::kRegression, PartitionId(1), out,
                          rng.below(2) == 0 ? std::optional<std::uint64_t>(i) : std::nullopt);
    ASSERT_EQ(prediction_schema.problem(out.view()), "") << out.view();

    line.assign(rng.below(50), 'x');
    for (char& c : line) c = static_cast<char>(rng.below(rng.below(2) == 0 ? 256 : 128));
    ParsedRecord parsed;
    parsed.line = line;
    parsed.line_bytes = line.size();
    if (rng.below(2) == 0) {
      parsed.kind = ParsedKind::kEvent;
      parsed.event = event;
    }
    out.clear();
    write_dead_letter(ValueFormat::kJson, dead_letter_of(parsed, static_cast<Reason>(rng.below(kReasonCount)), id, source), out);
    ASSERT_EQ(dead_letter_schema.problem(out.view()), "") << out.view();

    Unjoined unjoined;
    if (rng.below(2) == 0) unjoined.id = event.id;
    unjoined.reason = static_cast<UnjoinedReason>(rng.below(kUnjoinedReasonCount));
    unjoined.detail = key;
    if (rng.below(2) == 0) unjoined.label = rng.normal();
    if (rng.below(2) == 0) unjoined.event_time = event.event_time;
    unjoined.source = source;
    out.clear();
    write_unjoined(ValueFormat::kJson, unjoined, out);
    ASSERT_EQ(unjoined_schema.problem(out.view()), "") << out.view();

    Alert alert{"drift", id, event.event_time, PartitionId(0), std::nullopt, std::nullopt};
    if (rng.below(2) == 0) alert.value = rng.normal();
    out.clear();
    write_alert(ValueFormat::kJson, alert, out);
    ASSERT_EQ(alert_schema.problem(out.view()), "") << out.view();
  }
}

TEST(Schemas, RefuseWhatIsNotOurs) {  // Else the test above could not fail.
  Schema schema("prediction.schema.json");
  const std::string good =
      R"({"id":1,"key":null,"event_time":0,"probability":0.5,"label_predicted":0,"certified":true,"set":[0],"model_version":"0/1",)"
      R"("source":{"topic":"t","partition":0,"offset":0}})";
  EXPECT_EQ(schema.problem(good), "");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    return schema.problem(bad);
  };
  EXPECT_NE(with("\"id\":1", "\"id\":1.5"), "");
  EXPECT_NE(with("\"id\":1,", ""), "");
  EXPECT_NE(with("0.5", "1.5"), "");
  EXPECT_NE(with("\"probability\":0.5", "\"p\":0.5"), "");
  EXPECT_NE(with("\"key\":null", "\"key\":null,\"value\":1"), "") << "both probability and value";
  EXPECT_NE(with("\"key\":null", "\"key\":null,\"duplicate\":false"), "");
  EXPECT_NE(with("0/1", "1"), "");
  EXPECT_NE(with("[0]", "[0,1,0]"), "");
  EXPECT_NE(with("\"offset\":0", "\"offset\":-1"), "");
  EXPECT_NE(with("\"offset\":0", "\"offset\":0,\"x\":0"), "");
}

// What a $ref within the document stands for.
YAML::Node resolved(const YAML::Node& document, YAML::Node node) {
  if (!node["$ref"]) return node;
  const std::string target = node["$ref"].as<std::string>();
  YAML::Node at = document;
  for (std::size_t begin = 2, end = 0; begin < target.size(); begin = end + 1) {
    end = std::min(target.find('/', begin), target.size());
    at.reset(at[target.substr(begin, end - begin)]);
    if (!at) return at;
  }
  return at;
}

TEST(AsyncApi, TellsEveryTopicAsTheTableDoes) {
  const std::filesystem::path directory = WEIR_SCHEMA_DIR;
  const YAML::Node document = YAML::LoadFile(directory / "asyncapi.yaml");
  std::ifstream proto_file(directory / "weir.proto");
  const std::string proto{std::istreambuf_iterator<char>(proto_file), {}};
  std::set<std::string> told, operated;
  for (const auto& channel : document["channels"]) {
    const auto name = channel.first.as<std::string>();
    SCOPED_TRACE(name);
    told.insert(name);
    const auto topic = topic_by_name(name);
    ASSERT_TRUE(topic.has_value());
    const TopicTraits& traits = traits_of(*topic);
    EXPECT_EQ(channel.second["address"].as<std::string>(), "{pipeline}." + name);
    std::set<std::string> json_schemas, messages;
    for (const auto& reference : channel.second["messages"]) {
      const YAML::Node message = resolved(document, reference.second);
      ASSERT_TRUE(message.IsDefined()) << reference.second["$ref"];
      if (traits.format == ValueFormat::kYours) continue;
      EXPECT_TRUE(resolved(document, message["headers"])["properties"]["weir-source-offset"].IsDefined());
      EXPECT_EQ(!message["bindings"], traits.key == "none") << "whether there is a key";
      const auto file = message["payload"]["schema"]["$ref"].as<std::string>();
      EXPECT_TRUE(std::filesystem::exists(directory / file)) << file;
      if (!message["x-message"]) {
        json_schemas.insert(file);
        continue;
      }
      EXPECT_EQ(file, "weir.proto");
      messages.insert(message["x-message"].as<std::string>());
      const auto full = message["x-message"].as<std::string>();
      EXPECT_NE(proto.find("\nmessage " + full.substr(full.rfind('.') + 1) + " {"), std::string::npos) << full;
    }
    const auto expected = [](std::string_view one) { return one.empty() ? std::set<std::string>{} : std::set{std::string(one)}; };
    EXPECT_EQ(json_schemas, expected(traits.json_schema));
    EXPECT_EQ(messages, expected(traits.message));
  }
  for (const TopicTraits& traits : topic_table()) EXPECT_TRUE(told.contains(std::string(traits.name)) || !traits.has_choice()) << traits.name;
  for (const char* name : {"logs", "outcomes", "examples", "models"}) EXPECT_TRUE(told.contains(name)) << name;
  for (const auto& operation : document["operations"]) {
    const std::string channel = operation.second["channel"]["$ref"].as<std::string>();
    const std::string name = channel.substr(channel.rfind('/') + 1);
    EXPECT_TRUE(resolved(document, operation.second["channel"]).IsDefined()) << channel;
    EXPECT_EQ(operation.second["action"].as<std::string>(), name == "logs" || name == "outcomes" ? "receive" : "send");
    operated.insert(name);
  }
  EXPECT_EQ(operated, told);
}

}  // namespace
}  // namespace weir
