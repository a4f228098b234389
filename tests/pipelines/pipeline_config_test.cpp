// A config is read whole: every mistake is found in one go and named by file, line and key; and what is read can be printed
// and read again.
#include "pipelines/pipeline_config.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "core/base/rng.hpp"
#include "pipelines/yaml_tree.hpp"

namespace weir {
namespace {

constexpr std::string_view kSmall = R"(version: 1
name: small
schema:
  logs:
    id: id
    time: ts
    fields:
      - {name: x, kind: number}
      - {name: shop, kind: category}
  outcomes:
    label: y
)";

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string source_path(const std::string& path) { return std::string(WEIR_SOURCE_DIR) + "/" + path; }

TEST(PipelineConfig, ReadsASmallConfigAndFillsInTheDefaults) {
  const ConfigCheck check = parse_config(kSmall, "small.yaml");
  ASSERT_TRUE(check.ok()) << check.text();
  EXPECT_EQ(check.text(), "");
  const PipelineConfig& config = check.config;
  EXPECT_EQ(config.data_dir, "weir-data/small");
  EXPECT_EQ(config.logs_schema.fields.size(), 2u);
  EXPECT_EQ(config.outcomes_schema.id, "id");
  EXPECT_EQ(config.outcomes_schema.time, "ts");
  EXPECT_TRUE(config.outcomes_schema.label_required);
  EXPECT_EQ(config.topic_name(Topic::kPredictions), "small.predictions");
  EXPECT_TRUE(config.logs.from_topic());
  EXPECT_EQ(config.resolved_order(), OrderMode::kArrival);
  EXPECT_EQ(config.resolved_idle_timeout(), Duration(10'000'000));
  EXPECT_EQ(config.resolved_commit_interval(), Duration(1000));
}

TEST(PipelineConfig, FilesThatEndAreReadInEventTimeAndAlwaysWaitedFor) {
  const ConfigCheck check = parse_config(kSmall, "small.yaml", {"sources.logs.files=[a.jsonl.gz]", "sources.outcomes.files=b.jsonl"});
  ASSERT_TRUE(check.ok()) << check.text();
  EXPECT_EQ(check.config.logs.files, std::vector<std::string>{"a.jsonl.gz"});
  EXPECT_EQ(check.config.outcomes.files, std::vector<std::string>{"b.jsonl"});
  EXPECT_EQ(check.config.resolved_order(), OrderMode::kEventTime);
  EXPECT_EQ(check.config.resolved_idle_timeout(), std::nullopt);
}

TEST(PipelineConfig, ASilentInputMayBeWaitedForWhateverItIs) {
  const ConfigCheck check = parse_config(kSmall, "small.yaml", {"idle_timeout=never"});
  ASSERT_TRUE(check.ok()) << check.text();
  EXPECT_EQ(check.config.resolved_idle_timeout(), std::nullopt);
  const ConfigCheck printed = parse_config(to_yaml(check.config), "printed");
  ASSERT_TRUE(printed.ok()) << printed.text();
  EXPECT_EQ(printed.config.resolved_idle_timeout(), std::nullopt);
  const ConfigCheck unknown = parse_config(kSmall, "small.yaml", {"idle_timeout=Never"});
  EXPECT_NE(unknown.text().find("auto, never, or a duration"), std::string::npos) << unknown.text();
  EXPECT_FALSE(parse_config(kSmall, "small.yaml", {"commit_interval=never"}).ok());
}

TEST(PipelineConfig, ThreeMistakesGiveThreeErrorsWithLinesAndSuggestions) {
  const ConfigCheck check = parse_config(R"(version: 1
name: small
schema:
  logs:
    id: id
    time: ts
    fields:
      - {name: x, kind: numbr}
      - {name: shop, kind: category}
  outcomes:
    label: y
features:
  - {aggregate: mean, of: label, by: [shp], half_life: 2 h}
gate:
  coverge: 0.95
join: {wait: 90}
)",
                                         "wrong.yaml");
  EXPECT_FALSE(check.ok());
  EXPECT_EQ(check.text(),
            "wrong.yaml:8: schema.logs.fields.0.kind: found 'numbr'; expected one of number, category, hashed_text. Did you mean 'number'?\n"
            "wrong.yaml:13: features.0.by: found 'shp'; expected a field of schema.logs.fields. Did you mean 'shop'?\n"
            "wrong.yaml:15: gate.coverge: found an unknown key; expected in 'gate' one of kind, coverage, window, gamma, policy, warm_up. Did you mean 'coverage'?\n"
            "wrong.yaml:16: join.wait: found '90'; expected a duration with its unit, as in '10 min', at least 1 us\n");
  const auto result = check.result();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kConfig);
}

TEST(PipelineConfig, RefusesAKeyTwiceAndSaysWhereItStoodFirst) {
  const ConfigCheck check = parse_config(std::string(kSmall) + "seed: 1\nseed: 2\n", "twice.yaml");
  ASSERT_EQ(check.problems.size(), 1u) << check.text();
  EXPECT_EQ(check.problems[0].text(), "twice.yaml:13: seed: found the key a second time; expected each key once (first at line 12)");
}

TEST(PipelineConfig, SeveralPartitionsTakeTheirLinesFromTopics) {
  EXPECT_EQ(parse_config(kSmall, "small.yaml").config.log.partitions, 1u);
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"log.partitions=3"}).text(), "");
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"log.partitions=3", "sources.logs={files: [a], follow: true}", "sources.outcomes.stdin=true"}).text(), "");
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"sources.logs.files=[a]", "log.partitions=1"}).text(), "");
  const ConfigCheck check = parse_config(kSmall, "small.yaml", {"log.partitions=3", "sources.logs.files=[a]", "sources.outcomes.files=[b]"});
  ASSERT_EQ(check.problems.size(), 2u) << check.text();
  EXPECT_FALSE(check.problems[0].warning);
  EXPECT_EQ(check.problems[0].text(),
            "--set sources.logs.files=[a]: sources.logs.files: found a list of files beside log.partitions: 3, and a list is one partition; expected "
            "follow: true, or files: [] and 'weir produce logs FILE': both bring each line to the partition of its id");
  EXPECT_EQ(check.problems[1].key, "sources.outcomes.files");
}

TEST(PipelineConfig, WarnsOfWhatPartitionsTakeApart) {
  const std::string by_shop = std::string(kSmall) + "features: [{aggregate: mean, of: label, by: [shop]}]\nplacement: {pin: [0, 1]}\n";
  const ConfigCheck check = parse_config(by_shop + "log: {partitions: 3}\n", "small.yaml");
  EXPECT_TRUE(check.ok());
  ASSERT_EQ(check.problems.size(), 2u) << check.text();
  EXPECT_EQ(check.problems[0].key, "placement.pin");
  EXPECT_EQ(check.problems[1].key, "log.partitions");
  EXPECT_EQ(parse_config(by_shop + "log: {partitions: 1}\n", "small.yaml").text(), "");
}

TEST(PipelineConfig, TasksInProcessesOfTheirOwnNeedFreeLearningOnKafka) {
  const std::string on_kafka = "log={kind: kafka, brokers: 'localhost:9092'}";
  const ConfigCheck both = parse_config(kSmall, "small.yaml");
  EXPECT_TRUE(both.config.runs_all() && both.config.runs("inference") && both.config.runs("learning"));
  const ConfigCheck learning = parse_config(kSmall, "small.yaml", {on_kafka, "learning=free", "placement.run=[learning]"});
  EXPECT_EQ(learning.text(), "");
  EXPECT_TRUE(!learning.config.runs("inference") && learning.config.runs("learning"));
  const ConfigCheck inference = parse_config(kSmall, "small.yaml", {on_kafka, "learning=free", "placement.run=inference"});
  EXPECT_EQ(inference.text(), "");
  EXPECT_TRUE(inference.config.runs("inference") && !inference.config.runs("learning"));
  EXPECT_EQ(parse_config(to_yaml(inference.config), "printed").config.placement, inference.config.placement);
  for (const char* all : {"[learning, inference]", "auto"}) {
    const ConfigCheck here = parse_config(kSmall, "small.yaml", {std::string("placement.run=") + all});
    EXPECT_EQ(here.text(), "");
    EXPECT_TRUE(here.config.runs_all());
  }

  EXPECT_EQ(parse_config(kSmall, "small.yaml", {on_kafka, "placement.run=[inference]"}).text(),
            "--set placement.run=[inference]: placement.run: found only inference beside learning: coupled; expected learning: free: a learning task of its "
            "own, which the inference tasks hear of over topics\n");
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"learning=free", "placement.run=[learning]"}).text(),
            "--set placement.run=[learning]: placement.run: found only learning beside log.kind: embedded; expected [inference, learning], or log.kind: "
            "kafka: only one process can have the directory of the log open\n");
  const std::vector<std::string> shared = {"log={kind: kafka, brokers: 'localhost:9092', partitions: 2}", "learning=free", "model.shared=true", "placement.run=[learning]"};
  const auto pinned = [&](const std::string& partitions) {
    auto sets = shared;
    sets.push_back("placement.partitions=" + partitions);
    return parse_config(kSmall, "small.yaml", sets).text();
  };
  EXPECT_EQ(pinned("[0]"), "");
  EXPECT_EQ(pinned("[1]"),
            "--set placement.partitions=[1]: placement.partitions: found no 0 beside run: [learning] and model.shared; expected a list with 0, or auto: a "
            "shared model is learnt where partition 0 is\n");
  const ConfigCheck neither = parse_config(kSmall, "small.yaml", {"placement.run=[learning]"});
  EXPECT_EQ(neither.problems.size(), 2u) << neither.text();

  // Networks of hashtrons have two tasks more.
  const auto networks = [&](const std::string& run, const std::string& learning_word = "free") {
    return parse_config(kSmall, "small.yaml", {on_kafka, "model.kind=hashtron", "trainer.replay.capacity=1000", "learning=" + learning_word, "placement.run=" + run});
  };
  for (const std::string_view task : kTaskNames) {
    const ConfigCheck alone = networks("[" + std::string(task) + "]");
    EXPECT_EQ(alone.text(), "");
    for (const std::string_view other : kTaskNames) EXPECT_EQ(alone.config.runs(other), other == task);
    EXPECT_FALSE(alone.config.runs_all());
  }
  EXPECT_FALSE(networks("[inference, learning]").config.runs_all());
  const ConfigCheck most = networks("[promotion, learning, capacity]");
  EXPECT_EQ(most.config.placement.run, (std::vector<std::string>{"learning", "capacity", "promotion"}));
  EXPECT_EQ(parse_config(to_yaml(most.config), "printed").config.placement, most.config.placement);
  EXPECT_TRUE(networks("[promotion, learning, capacity, inference]").config.runs_all());
  EXPECT_EQ(networks("[capacity]", "coupled").text(),
            "--set placement.run=[capacity]: placement.run: found only capacity beside learning: coupled; expected learning: free: a learning task of its "
            "own, which the inference tasks hear of over topics\n");
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {on_kafka, "learning=free", "placement.run=[learning, promotion]"}).text(),
            "--set placement.run=[learning, promotion]: placement.run: found 'promotion' beside model.kind: logistic; expected of inference, learning: only "
            "networks of hashtrons have it as a task of its own\n");
}

TEST(PipelineConfig, ASharedModelNeedsFreeLearningAndTheSamePlaceForAValueInEachPartition) {
  EXPECT_FALSE(parse_config(kSmall, "small.yaml").config.model.shared);
  const ConfigCheck shared = parse_config(kSmall, "small.yaml", {"log.partitions=3", "learning=free", "model.shared=true"});
  EXPECT_EQ(shared.text(), "");
  EXPECT_EQ(shared.config.features.one_hot_limit, 0u);
  EXPECT_EQ(shared.config.model_of(PartitionId(2)), PartitionId(0));
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"log.partitions=3"}).config.model_of(PartitionId(2)), PartitionId(2));
  const ConfigCheck again = parse_config(to_yaml(shared.config), "printed");
  EXPECT_TRUE(again.ok()) << again.text();
  EXPECT_EQ(again.config.model, shared.config.model);

  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"model.shared=true"}).text(),
            "--set model.shared=true: model.shared: found 'true' beside learning: coupled; expected learning: free: a learning task of its own, which the "
            "inference tasks hear of over topics\n");
  EXPECT_EQ(parse_config(kSmall, "small.yaml", {"learning=free", "model.shared=true", "normalization.one_hot_limit=256"}).text(),
            "--set normalization.one_hot_limit=256: normalization.one_hot_limit: found 256 beside model.shared; expected 0: slots go to values in the order "
            "in which a partition meets them, and one model for all partitions needs the same place in each\n");
}

struct Mistake {
  std::string yaml;  // Appended to kSmall.
  std::string key;
  std::string found;
};
class OneMistake : public testing::TestWithParam<Mistake> {};
TEST_P(OneMistake, IsTheOnlyProblem) {
  const ConfigCheck check = parse_config(std::string(kSmall) + GetParam().yaml, "one.yaml");
  EXPECT_FALSE(check.ok());
  ASSERT_EQ(check.problems.size(), 1u) << check.text();
  EXPECT_EQ(check.problems[0].key, GetParam().key);
  EXPECT_EQ(check.problems[0].found, GetParam().found);
  EXPECT_GE(check.problems[0].line, 12u);
}
INSTANTIATE_TEST_SUITE_P(
    All, OneMistake,
    testing::Values(Mistake{"seed: -1\n", "seed", "'-1'"}, Mistake{"seed: \"1\"\n", "seed", "'1'"}, Mistake{"gate: 3\n", "gate", "'3'"},
                    Mistake{"gate: {coverage: 1.0}\n", "gate.coverage", "'1.0'"}, Mistake{"gate: {coverage: .nan}\n", "gate.coverage", "'.nan'"},
                    Mistake{"log: {partitions: 0}\n", "log.partitions", "'0'"}, Mistake{"log: {partitions: 257}\n", "log.partitions", "'257'"},
                    Mistake{"log: {partition: 3}\n", "log.partition", "an unknown key"}, Mistake{"log: {partitions: 1.5}\n", "log.partitions", "'1.5'"},
                    Mistake{"trainer: {learning_rate: 0}\n", "trainer.learning_rate", "'0'"},
                    Mistake{"trainer: {replay: {capacity: 0, every: 3}}\n", "trainer.replay.capacity", "'0'"},
                    Mistake{"model: {kind: logistc}\n", "model.kind", "'logistc'"}, Mistake{"order: event-time\n", "order", "'event-time'"},
                    Mistake{"sources: {logs: {files: [a], stdin: true}}\n", "sources.logs.stdin", "'true' beside files"},
                    Mistake{"sources: {logs: {follow: true}}\n", "sources.logs.follow", "'true' without files"},
                    Mistake{"sources: {logs: {stdin: true}, outcomes: {stdin: true}}\n", "sources.outcomes.stdin", "'true' for both sources"},
                    Mistake{"sources: {logs: {files: {a: b}}}\n", "sources.logs.files", "a mapping"},
                    Mistake{"placement: {run: [inferense]}\n", "placement.run", "'inferense'"}, Mistake{"placement: {run: []}\n", "placement.run", "a list"},
                    Mistake{"placement: {run: [learning, learning]}\n", "placement.run", "'learning'"},
                    Mistake{"placement: {run: [auto, learning]}\n", "placement.run", "'auto'"},
                    Mistake{"model: {shared: yes}\n", "model.shared", "'yes'"},
                    Mistake{"placement: {pin: atuo}\n", "placement.pin", "'atuo'"}, Mistake{"placement: {pin: [-1]}\n", "placement.pin", "'-1'"},
                    Mistake{"memory_budget: 64 XB\n", "memory_budget", "'64 XB'"}, Mistake{"topics: {logs: a/b}\n", "topics.logs", "'a/b'"},
                    Mistake{"topics: {format: avro}\n", "topics.format", "'avro'"}, Mistake{"topics: {alerts: protobuf}\n", "topics.alerts", "'protobuf'"},
                    Mistake{"topics: {alerts: {format: jsn}}\n", "topics.alerts.format", "'jsn'"}, Mistake{"topics: {examples: {format: json}}\n", "topics.examples", "an unknown key"},
                    Mistake{"retention: {prediction: {age: 1 h}}\n", "retention.prediction", "an unknown key"},
                    Mistake{"normalization: {sparse_size: 1000}\n", "normalization.sparse_size", "'1000'"},
                    Mistake{"report: {last_outcome_by: [shop, z]}\n", "report.last_outcome_by", "'z'"},
                    Mistake{"features: [{cross: [shop, x]}]\n", "features.0.cross", "'x', a number without bins or knots"},
                    Mistake{"features: [{aggregate: mean, of: x, age_from: event}]\n", "features.0.age_from", "age_from without a label"},
                    Mistake{"features: [{cross: [shop]}]\n", "features.0.cross", "a list"},
                    Mistake{"features: [{agregate: mean}]\n", "features.0", "neither aggregate nor cross"},
                    Mistake{"features: [{aggregate: mean, of: shop}]\n", "features.0.of", "'shop', which is no number"},
                    Mistake{"features: [{aggregate: max, of: x, half_life: 1 h}]\n", "features.0.half_life", "a half_life"},
                    Mistake{"features: [{aggregate: mean, of: label, include_self: true}]\n", "features.0.include_self", "true"},
                    Mistake{"features: [{aggregate: rate}]\n", "features.0.aggregate", "rate without half_life and window"}));

TEST(PipelineConfig, WrongKnotsAreNamed) {
  const auto found = [](const std::string& fields, const std::string& cross) {
    const ConfigCheck check = parse_config("version: 1\nname: k\nschema:\n  logs: {id: id, time: ts, label: y, fields: [" + fields + "]}\n" +
                                               "features: [{cross: [" + cross + "]}]\n",
                                           "k.yaml");
    return check.problems.size() == 1 ? check.problems[0].key + ": " + check.problems[0].found : check.text();
  };
  const std::string shop = ", {name: shop, kind: category}";
  EXPECT_EQ(found("{name: x, knots: [1, 2, 3]}" + shop, "shop, x"), "");
  EXPECT_EQ(found("{name: x, bins: [1], knots: [1]}" + shop, "shop, x"), "schema.logs.fields.0.knots: fewer than two knots");
  EXPECT_EQ(found("{name: x, bins: [1], knots: [1, 1]}" + shop, "shop, x"), "schema.logs.fields.0.knots: knots that do not ascend");
  EXPECT_EQ(found("{name: x, bins: [1], knots: [1, 2]}" + shop, "shop, x"), "schema.logs.fields.0.knots: knots beside bins");
  EXPECT_EQ(found("x, {name: z, kind: category, knots: [1, 2]}" + shop, "shop, z"), "schema.logs.fields.1.knots: a list");
  EXPECT_EQ(found("{name: x, knots: [1, 2]}, {name: z, knots: [1, 2]}" + shop, "shop, x, z"), "features.0.cross: 'z', a second number with knots");
  EXPECT_EQ(found("{name: x, knots: [1, 2]}, {name: z, bins: [1, 2]}", "x, z"), "");
}

TEST(PipelineConfig, AnAggregateOfTheLabelNeedsOutcomes) {
  const ConfigCheck check = parse_config(R"(version: 1
name: small
schema:
  logs: {id: id, time: ts, fields: [x]}
features:
  - {aggregate: mean, of: label}
)",
                                         "f.yaml");
  ASSERT_EQ(check.problems.size(), 2u) << check.text();
  EXPECT_EQ(check.problems[0].key, "schema.outcomes");
  EXPECT_EQ(check.problems[1].where, "f.yaml:6");
}

TEST(PipelineConfig, AValueThatIsNotUsedIsAWarningOnly) {
  const ConfigCheck check = parse_config(std::string(kSmall) + "trainer: {optimizer: adagrad, momentum: 0.9}\n", "w.yaml");
  EXPECT_TRUE(check.ok());
  ASSERT_EQ(check.problems.size(), 1u) << check.text();
  EXPECT_TRUE(check.problems[0].warning);
  EXPECT_EQ(check.problems[0].key, "trainer.momentum");
}

TEST(PipelineConfig, GroupsOfTheTrainer) {
  const ConfigCheck check = parse_config(kSmall, "g.yaml",
                                         {"trainer={l2: 0.5, clip_by: value, local_steps: 5, groups: [{block: sparse, rate_factor: 2}, {block: bias, l2: 0}]}"});
  ASSERT_TRUE(check.ok()) << check.text();
  EXPECT_EQ(check.config.trainer.groups, (std::vector<TrainerGroupConfig>{{"sparse", 2.0, 0.5}, {"bias", 1.0, 0.0}}));
  EXPECT_EQ(check.config.trainer.clip_by, ClipBy::kValue);
  EXPECT_EQ(check.config.trainer.local_steps, 5u);
  const ConfigCheck again = parse_config(to_yaml(check.config), "again.yaml");
  ASSERT_TRUE(again.ok()) << again.text();
  EXPECT_EQ(again.config.trainer, check.config.trainer);
  const ConfigCheck wrong = parse_config(kSmall, "g.yaml", {"trainer.groups=[{rate_factor: 2}, {block: bias, rate_factor: 0}, {block: bias}]"});
  EXPECT_EQ(wrong.problems.size(), 3u) << wrong.text();
}

TEST(PipelineConfig, FollowTakesOneFile) {
  EXPECT_TRUE(parse_config(kSmall, "f.yaml", {"sources.logs={files: [a.log], follow: true, accept_loss: true}"}).ok());
  for (const std::string sources : {"{files: [a.log, b.log], follow: true}", "{files: ['a*.log'], follow: true}", "{files: [a.log], accept_loss: true}"})
    EXPECT_FALSE(parse_config(kSmall, "f.yaml", {"sources.logs=" + sources}).ok()) << sources;
}

TEST(PipelineConfig, WhatIsNotYamlIsOneProblemWithItsLine) {
  for (const std::string text : {"a: [1, 2\nb: 3\n", "a: b: c\n", "- *x\n", "a: 1\n---\nb: 2\n", "{[1]: 2}\n", "\t\n"}) {
    const ConfigCheck check = parse_config(text, "bad.yaml");
    EXPECT_FALSE(check.ok()) << text;
  }
  EXPECT_FALSE(parse_config("", "empty.yaml").ok());
  EXPECT_FALSE(parse_config("just text", "text.yaml").ok());
  EXPECT_FALSE(parse_config("[1, 2]", "list.yaml").ok());
  EXPECT_FALSE(parse_config(std::string(20000, '['), "deep.yaml").ok());
}

TEST(PipelineConfig, AnAliasStandsForWhatItNames) {
  const std::string text = "version: 1\nname: a\nschema:\n  logs: {id: &id i, time: t, fields: [{name: x}, {name: s, kind: category}]}\n"
                           "  outcomes: {id: *id, label: y}\nfeatures:\n  - {aggregate: mean, of: x, by: &by [s]}\n  - {aggregate: count, of: x, by: *by}\n";
  const ConfigCheck check = parse_config(text, "a.yaml");
  ASSERT_TRUE(check.ok()) << check.text();
  EXPECT_EQ(check.config.outcomes_schema.id, "i");
  EXPECT_EQ(check.config.features.aggregates.at(1).by, std::vector<std::string>{"s"});
  std::string bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";  // Ten times as much in each line.
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  const ConfigCheck refused = parse_config(bomb, "bomb.yaml");
  ASSERT_EQ(refused.problems.size(), 1u);
  EXPECT_NE(refused.text().find("more than 100000 values"), std::string::npos) << refused.text();
  EXPECT_FALSE(parse_config("a: &a [*a]\n", "own.yaml").ok());
}

TEST(PipelineConfig, ANewerVersionIsRefusedWithBothNumbers) {
  const ConfigCheck check = parse_config(std::string(kSmall) + "", "v.yaml", {"version=2"});
  ASSERT_EQ(check.problems.size(), 1u) << check.text();
  EXPECT_EQ(check.problems[0].text(), "--set version=2: version: found '2'; expected 1: this program reads version 1 only");
}

TEST(ConfigSet, ReachesIntoListsAndMakesMapsOnTheWay) {
  const ConfigCheck check = parse_config(kSmall, "s.yaml",
                                         {"schema.logs.fields.0.clip=4", "schema.logs.fields[1].missing=indicator", "trainer.replay={every: 8, batch: 16}",
                                          "trainer.replay.batch=4", "retention.dead-letters.age=1 week", "schema.logs.fields.2={name: z}"});
  ASSERT_TRUE(check.ok()) << check.text();
  EXPECT_EQ(check.config.logs_schema.fields[0].clip, 4.0);
  EXPECT_EQ(check.config.logs_schema.fields[1].missing, Missing::kIndicator);
  EXPECT_EQ(check.config.logs_schema.fields.at(2).name, "z");
  EXPECT_EQ(check.config.trainer.replay.every, 8u);
  EXPECT_EQ(check.config.trainer.replay.batch, 4u);
  EXPECT_EQ(check.config.retention_of(Topic::kDeadLetters).age, Duration(7LL * 86400 * 1000000));
}

TEST(ConfigTopics, TheFormatOfAllAndOfOne) {
  const auto formats = [](const std::vector<std::string>& sets) {
    const ConfigCheck check = parse_config(kSmall, "s.yaml", sets);
    EXPECT_TRUE(check.ok()) << check.text();
    return check.config.formats;
  };
  EXPECT_EQ(formats({}), ValueFormats());
  EXPECT_EQ(formats({}).of(Topic::kPredictions), ValueFormat::kJson);
  EXPECT_EQ(formats({}).of(Topic::kExamples), ValueFormat::kProtobuf);
  ValueFormats expected;
  expected.set(Topic::kDeadLetters, ValueFormat::kProtobuf);
  EXPECT_EQ(formats({"topics.dead-letters.format=protobuf"}), expected);
  for (const Topic topic : {Topic::kPredictions, Topic::kAbstained, Topic::kUnjoined, Topic::kDeadLetters}) expected.set(topic, ValueFormat::kProtobuf);
  EXPECT_EQ(formats({"topics={format: protobuf, alerts: {format: json}}"}), expected);
  expected.set(Topic::kAlerts, ValueFormat::kProtobuf);
  EXPECT_EQ(formats({"topics.format=protobuf"}), expected);
}

TEST(ConfigSet, NamesTheSetThatWasWrong) {
  const ConfigCheck check = parse_config(kSmall, "s.yaml", {"gate.coverage=2", "nothing", "seed.x=1", "a..b=1", "schema.logs.fields.9=1", "seed=[", "gte.kind=off"});
  EXPECT_EQ(check.problems.size(), 7u) << check.text();
  std::set<std::string> named;
  for (const ConfigProblem& problem : check.problems) named.insert(problem.where);
  EXPECT_EQ(named, (std::set<std::string>{"--set gate.coverage=2", "--set nothing", "--set seed.x=1", "--set a..b=1", "--set schema.logs.fields.9=1", "--set seed=[", "--set gte.kind=off"}));
  EXPECT_EQ(check.problems.back().suggestion, "gate");
}

TEST(PipelineConfig, HttpListensOnThisMachineUnlessThereIsAToken) {
  const auto read = [](const std::vector<std::string>& sets) { return parse_config(kSmall, "s.yaml", sets); };
  const ConfigCheck plain = read({});
  EXPECT_EQ(plain.config.http.listen, (Endpoint{"127.0.0.1", 0}));
  EXPECT_FALSE(plain.config.http.token.given());
  EXPECT_FALSE(read({"http.listen=off"}).config.http.listen.has_value());
  EXPECT_EQ(read({"http.listen=localhost:9464"}).config.http.listen, (Endpoint{"127.0.0.1", 9464}));
  EXPECT_TRUE(read({"http.listen=0.0.0.0:9464", "http.token=file:/run/secrets/token"}).ok());
  EXPECT_EQ(read({"http.listen=[::]:9464"}).problems.size(), 1u);  // YAML takes it for a list.
  const ConfigCheck open = read({"http.listen=\"[::]:9464\""});
  ASSERT_EQ(open.problems.size(), 1u) << open.text();
  EXPECT_EQ(open.problems[0].key, "http.token");
  for (const char* wrong : {"http.listen=9464", "http.listen=example.org:80", "http.listen=on", "http.port=9464"})
    EXPECT_EQ(read({wrong}).problems.size(), 1u) << wrong;
  for (const char* shown : {"http.listen=off", "http={listen: 127.0.0.1:9464, token: env:T}"}) {
    const ConfigCheck first = read({shown});
    ASSERT_TRUE(first.ok()) << first.text();
    const ConfigCheck second = parse_config(to_yaml(first.config), "printed");
    ASSERT_TRUE(second.ok()) << second.text();
    EXPECT_EQ(second.config.http, first.config.http);
  }
}

TEST(PipelineConfig, ASecretInTheConfigIsRefusedWithoutBeingShown) {
  for (const std::string set : {"http.token=hunter2", "http={token: hunter2}", "http.token=[hunter2]"}) {
    const ConfigCheck check = parse_config(kSmall, "s.yaml", {set});
    ASSERT_EQ(check.problems.size(), 1u) << set;
    EXPECT_EQ(check.problems[0].key, "http.token");
    EXPECT_EQ(check.text().find("hunter2"), std::string::npos) << check.text();
  }
  const ConfigCheck in_file = parse_config(std::string(kSmall) + "http: {token: hunter2}\n", "s.yaml");
  ASSERT_EQ(in_file.problems.size(), 1u) << in_file.text();
  EXPECT_EQ(in_file.text().find("hunter2"), std::string::npos) << in_file.text();
}

TEST(ConfigPrint, LeavesOutOutcomesWhereTheLinesCarryTheirLabel) {
  const ConfigCheck first = parse_config("version: 1\nname: a\nschema:\n  logs: {id: i, time: t, label: y, fields: [{name: x}]}\n", "a.yaml");
  ASSERT_TRUE(first.ok()) << first.text();
  const ConfigCheck second = parse_config(to_yaml(first.config), "printed");
  EXPECT_TRUE(second.ok()) << second.text();
}

TEST(ConfigPrint, GivesTheSameConfigAgain) {
  for (const char* name : {"configs/reference.yaml", "configs/flights.yaml", "configs/flights_early.yaml", "configs/hashtron.yaml", "configs/flights_hashtron.yaml", "bench/peers/weir.yaml"}) {
    const ConfigCheck first = parse_config(file_text(source_path(name)), name, {"schema.logs.key=\"a: b\\\"\\t#\"", "retention={logs: {age: 1 h, bytes: 3}}", "placement.pin=[1, 0]", "idle_timeout=3 s", "topics.logs=x", "topics.format=protobuf", "topics.alerts.format=json"});
    ASSERT_TRUE(first.ok()) << first.text();
    const std::string printed = to_yaml(first.config);
    const ConfigCheck second = parse_config(printed, "printed");
    ASSERT_TRUE(second.ok()) << second.text() << printed;
    EXPECT_EQ(to_yaml(second.config), printed);
    EXPECT_EQ(second.config.logs_schema.key, "a: b\"\t#");
    EXPECT_EQ(second.config.placement, first.config.placement);
    EXPECT_EQ(second.config.trainer, first.config.trainer);
    EXPECT_EQ(second.config.retention, first.config.retention);
    EXPECT_EQ(second.config.formats, first.config.formats);
  }
}

TEST(PipelineConfig, NamesWhatDoesNotFitANetworkOfHashtrons) {
  const auto text = [](std::vector<std::string> sets) { return parse_config(kSmall, "small.yaml", sets).text(); };
  EXPECT_EQ(text({"model={kind: hashtron}"}), "");
  const std::string layers = "model={kind: hashtron, layers: [{neurons: 4, premodulo: 8, combiner: {kind: majority_pool, width: 4, window_width: 2}}, {neurons: ";
  EXPECT_EQ(text({layers + "1}]}"}), "");
  EXPECT_NE(text({layers + "2}]}"}).find("model.layers: found 2 neurons in the last layer; expected one: labels are 0 and 1"), std::string::npos) << text({layers + "2}]}"});
  EXPECT_NE(text({"model={kind: hashtron, layers: [{neurons: 4}, {neurons: 1}]}"}).find("no combiner behind it"), std::string::npos);
  EXPECT_NE(text({"model={kind: hashtron, layers: [{neurons: 4, combiner: {kind: majority_pol}}, {neurons: 1}]}"}).find("Did you mean 'majority_pool'?"), std::string::npos);
  EXPECT_NE(text({"model={kind: hashtron}", "trainer={replay: {capacity: 10}}"}).find("at least samples_min"), std::string::npos);
  EXPECT_NE(text({"model={kind: hashtron, initial_bias: 1}"}).find("warning: model.initial_bias"), std::string::npos);
  EXPECT_NE(text({"trainer={hashtron: {jobs: 2}}"}).find("warning: trainer.hashtron"), std::string::npos);
  EXPECT_NE(text({"model={layers: [{neurons: 1}]}"}).find("warning: model.layers"), std::string::npos);
  EXPECT_NE(text({"model={kind: hashtron}", "trainer={hashtron: {capacity: {smoothing: [0, 1, 1]}}}"}).find("trainer.hashtron.capacity.smoothing"), std::string::npos);
  const ConfigCheck literal = parse_config(kSmall, "small.yaml", {"model={kind: hashtron}", "trainer={hashtron: {literal: true}}"});
  ASSERT_TRUE(literal.ok()) << literal.text();
  EXPECT_TRUE(literal.config.trainer.hashtron.backward.accept_always);
  EXPECT_EQ(parse_config(to_yaml(literal.config), "printed").config.trainer, literal.config.trainer);
}

TEST(PipelineConfig, SaysHowProcessesShareThePartitions) {
  const std::vector<std::string> kafka = {"log={kind: kafka, brokers: \"b:9092\", partitions: 4}"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), kafka.begin(), kafka.end());
    return parse_config(kSmall, "small.yaml", more);
  };
  EXPECT_EQ(with({}).config.placement.partitions, std::nullopt);
  const std::string name = with({"data_dir=/a/b"}).config.resolved_process();
  EXPECT_TRUE(valid_name(name)) << name;
  EXPECT_EQ(with({"data_dir=/a/c/../b", "process=auto"}).config.resolved_process(), name);
  EXPECT_NE(with({"data_dir=/a/c"}).config.resolved_process(), name);

  const ConfigCheck set = with({"process=left", "standby=2"});
  ASSERT_TRUE(set.ok()) << set.text();
  EXPECT_EQ(set.config.resolved_process(), "left");
  const ConfigCheck printed = parse_config(to_yaml(set.config), "printed");
  EXPECT_EQ(printed.config.process, "left");
  EXPECT_EQ(printed.config.standby, 2u);
  const ConfigCheck pinned = with({"placement.partitions=[0, 2]"});
  ASSERT_TRUE(pinned.ok()) << pinned.text();
  EXPECT_EQ(pinned.config.placement.partitions, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(parse_config(to_yaml(pinned.config), "printed").config.placement, pinned.config.placement);

  for (const auto& [wrong, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"process=\"a b\""}, "process: found 'a b'; expected auto, or a name"},
           {{"placement.partitions=[4]"}, "placement.partitions: found 4; expected partitions from 0 to 3"},
           {{"placement.partitions=[]"}, "placement.partitions"},
           {{"placement.partitions=all"}, "expected auto, or a list of the partitions"},
           {{"placement.partitions=[0]", "standby=1"}, "standby: found 1 beside placement.partitions"},
           {{"standby=1", "log={kind: embedded}"}, "standby: found 1, and a log that one process has to itself; expected 0, or log.kind: kafka"},
           {{"placement.partitions=[0]", "log={kind: embedded}"}, "placement.partitions: found a list, and a log that one process has to itself"}}) {
    const ConfigCheck check = with(wrong);
    EXPECT_FALSE(check.ok());
    EXPECT_NE(check.text().find(said), std::string::npos) << check.text();
  }
}

void key_paths(const YamlNode& node, const std::string& path, std::set<std::string>& out) {
  for (const YamlNode::Entry& entry : node.entries) {
    out.insert(path + entry.key);
    key_paths(entry.value, path + entry.key + ".", out);
  }
}

// What a config with these settings is told, without the settings that make it one.
std::vector<std::string> told(std::vector<std::string> sets) {
  sets.insert(sets.begin(), {"log.kind=kafka", "log.brokers=b:1"});
  std::vector<std::string> out;
  for (const ConfigProblem& problem : parse_config(file_text(source_path("configs/reference.yaml")), "r.yaml", sets).problems)
    out.push_back(problem.key + ": " + problem.found + " -> " + problem.expected);
  return out;
}

TEST(ConfigSecurity, IsReadAndPrintedAgain) {
  const std::vector<std::string> sets = {"log.kind=kafka", "log.brokers=b:1",
                                         "log.security={protocol: sasl_ssl, mechanism: scram-sha-512, username: weir, password: \"env:WEIR_PASSWORD\", ca: ca.pem, "
                                         "certificate: c.pem, key: k.pem, key_password: \"file:/run/secrets/key\", verify_host: true}",
                                         "log.properties={socket.timeout.ms: 30000, client: {rack: a}}", "log.properties.socket.keepalive.enable=true"};
  const ConfigCheck first = parse_config(file_text(source_path("configs/reference.yaml")), "r.yaml", sets);
  ASSERT_TRUE(first.ok()) << first.text();
  const SecurityConfig& security = first.config.log.security;
  EXPECT_EQ(security.protocol, KafkaProtocol::kSaslSsl);
  EXPECT_EQ(security.mechanism, KafkaMechanism::kScramSha512);
  EXPECT_EQ(security.password, (SecretRef{SecretRef::From::kEnvironment, "WEIR_PASSWORD"}));
  EXPECT_EQ(first.config.log.properties, (KafkaProperties{{"client.rack", "a"}, {"socket.keepalive.enable", "true"}, {"socket.timeout.ms", "30000"}}));
  EXPECT_EQ(first.config.secrets(), (std::vector<std::pair<std::string, SecretRef>>{{"log.security.password", security.password}, {"log.security.key_password", security.key_password}}));
  const ConfigCheck second = parse_config(to_yaml(first.config), "printed");
  ASSERT_TRUE(second.ok()) << second.text();
  EXPECT_EQ(second.config.log, first.config.log);
}

TEST(ConfigSecurity, SettingsThatDoNotFitTogetherAreNamed) {
  using Told = std::vector<std::string>;
  const std::string scram = "log.security={protocol: sasl_ssl, mechanism: scram-sha-256, username: weir, password: \"env:P\"}";
  EXPECT_EQ(told({scram}), Told());
  EXPECT_EQ(told({scram, "log.security.username=~"}), Told{"log.security.username: nothing beside log.security.mechanism: scram-sha-256 -> this key too"});
  EXPECT_EQ(told({scram, "log.security.password=~"}), Told{"log.security.password: nothing beside log.security.mechanism: scram-sha-256 -> this key too"});
  EXPECT_EQ(told({scram, "log.security.protocol=ssl"}), Told{"log.security.mechanism: this key beside log.security.protocol: ssl -> it with sasl_ssl or sasl_plaintext only"});
  EXPECT_EQ(told({"log.security.protocol=sasl_ssl"}), Told{"log.security.mechanism: nothing beside log.security.protocol: sasl_ssl -> this key too"});
  EXPECT_EQ(told({"log.security.ca=ca.pem"}), Told{"log.security.ca: this key beside log.security.protocol: plaintext -> it with ssl or sasl_ssl only"});
  EXPECT_EQ(told({"log.security={protocol: ssl, certificate: c.pem}"}), Told{"log.security.key: nothing beside a certificate -> this key too"});
  EXPECT_EQ(told({"log.security={protocol: sasl_ssl, mechanism: oauthbearer}"}), Told{"log.security.token: nothing beside log.security.mechanism: oauthbearer and no token_endpoint -> this key too"});
  EXPECT_EQ(told({"log.security={protocol: ssl, verify_host: false}"}).size(), 1u);
  EXPECT_EQ(told({"log.security={protocol: sasl_plaintext, mechanism: plain, username: u, password: \"env:P\"}"}).size(), 1u);
  EXPECT_EQ(told({"log.properties={group.id: x}"}), Told{"log.properties.group.id: a property that cannot be set: property 'group.id': Weir sets it itself: leave it out -> one that it can be"});
  EXPECT_EQ(told({"log.properties={a: {b: [1]}}"}), Told{"log.properties.a.b: a value that is not shown -> text or a number"});
  EXPECT_EQ(told({"log.properties={client.rack: a, client: {rack: b}}"}), Told{"log.properties.client.rack: the property a second time -> each property once"});
  EXPECT_EQ(told({"log.kind=embedded", "log.brokers=", scram}), Told{"log.security: settings that only log.kind: kafka uses -> log.kind: kafka, or none of them"});
}

TEST(ConfigSecurity, NoProblemShowsWhatMayBeASecret) {
  for (const std::string set : {"log.security.password=hunter2", "log.security={password: hunter2}", "log={security: {pasword: hunter2}}", "log.security=hunter2", "log.security=[hunter2]",
                                "log.security.password={env: hunter2}", "log.security.password:hunter2", "log.security.password hunter2", "log.security.password=[hunter2", "log.properties=hunter2",
                                "log.properties.sasl.password=hunter2", "log.properties={sasl: {password: hunter2}}", "log.properties={no.such: hunter2}", "LOG.SECURITY.PASSWORD=hunter2",
                                "log.security.token=hunter2", "log.security.client_secret=hunter2", "gate.password=hunter2"}) {
    const ConfigCheck check = parse_config(file_text(source_path("configs/reference.yaml")), "r.yaml", {set});
    EXPECT_FALSE(check.ok()) << set;
    EXPECT_EQ(check.text().find("hunter2"), std::string::npos) << check.text();
    EXPECT_NE(check.text().find("--set "), std::string::npos) << check.text();
  }
}

// The reference config shows every key, and every value outside its example parts is the default.
TEST(ReferenceConfig, ShowsEveryKeyWithTheDefaultOfTheCode) {
  const std::string text = file_text(source_path("configs/reference.yaml"));
  ASSERT_FALSE(text.empty());
  const ConfigCheck reference = parse_config(text, "reference.yaml");
  ASSERT_TRUE(reference.ok()) << reference.text();
  EXPECT_EQ(reference.problems.size(), 0u) << reference.text();
  YamlNode tree;
  YamlFailure failure;
  ASSERT_TRUE(parse_yaml(text, 0, tree, failure)) << failure.what;
  YamlNode printed;
  ASSERT_TRUE(parse_yaml(to_yaml(reference.config), 0, printed, failure)) << failure.what;
  std::set<std::string> shown, known;
  key_paths(tree, "", shown);
  key_paths(printed, "", known);
  EXPECT_EQ(shown, known);

  std::string bare = "version: 1\nname: reference\n";
  std::size_t begin = text.find("\nschema:\n") + 1, end = text.find("\nnormalization:");
  bare += text.substr(begin, end - begin);
  const ConfigCheck defaults = parse_config(bare, "bare.yaml");
  ASSERT_TRUE(defaults.ok()) << defaults.text();
  EXPECT_EQ(to_yaml(reference.config), to_yaml(defaults.config));
}

TEST(Configs, EveryFileLoadsWithoutAWarning) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("configs"))) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    auto check = check_config_file(entry.path().string());
    ASSERT_TRUE(check.ok()) << check.error().what;
    EXPECT_EQ(check->text(), "");
  }
  EXPECT_GE(count, 3);
}

TEST(Configs, AMissingFileIsNotFound) {
  const auto check = check_config_file("/nowhere/x.yaml");
  ASSERT_FALSE(check.ok());
  EXPECT_EQ(check.error().code, ErrorCode::kNotFound);
}

TEST(Units, DurationsReadBackTheSame) {
  for (const auto& [text, us] : std::vector<std::pair<std::string, std::int64_t>>{
           {"0", 0}, {"1 us", 1}, {"1ms", 1000}, {"1.5 s", 1500000}, {"10 min", 600000000}, {"1h", 3600000000}, {"2 days", 172800000000}, {"1 week", 604800000000}}) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->count(), us) << text;
    EXPECT_EQ(parse_duration(duration_text(*parsed))->count(), us) << duration_text(*parsed);
  }
  EXPECT_EQ(duration_text(Duration(90'000'000)), "90 s");
  EXPECT_EQ(duration_text(Duration(86'400'000'000)), "1 day");
  for (const std::string text : {"", "1", "ms", "-1 ms", "1 m", "1 msec", "1e9 weeks", "nan s", "0.5 us", "1 ms 2 us", "inf h", "99999 weeks"})
    EXPECT_FALSE(parse_duration(text).ok()) << text;
}

TEST(Units, SizesReadBackTheSame) {
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, std::uint64_t>>{{"0", 0}, {"4096", 4096}, {"64 MB", 64u << 20}, {"1 KiB", 1024}, {"0.5 GB", 512u << 20}, {"3B", 3}}) {
    const auto parsed = parse_size(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, bytes);
    EXPECT_EQ(*parse_size(size_text(bytes)), bytes);
  }
  for (const std::string text : {"", "MB", "-1", "1 XB", "1.5", "inf", "1e30 GB"}) EXPECT_FALSE(parse_size(text).ok()) << text;
}

// Goal: whatever the bytes, loading ends with a config or problems, and what loads can be printed and read again.
TEST(ConfigFuzz, DamagedConfigsNeverCrash) {
  const std::string base = file_text(source_path("configs/reference.yaml"));
  constexpr std::string_view kPieces[] = {"[", "]", "{", "}", ":", "- ", "\n", "  ", "\"", "'", "#", "*a", "&a", "0", "-1", "null", "~", "1e999", "!!int", "|", ">", "%", "\x01", "\xff", "name: x", "? "};
  Rng rng(20260);
  int loaded = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = base;
    const int edits = 1 + static_cast<int>(rng.below(4));
    for (int e = 0; e < edits; ++e) {
      const std::size_t at = rng.below(text.size());
      switch (rng.below(4)) {
        case 0: text.erase(at, 1 + rng.below(40)); break;
        case 1: text.insert(at, kPieces[rng.below(std::size(kPieces))]); break;
        case 2: text[at] = static_cast<char>(rng.below(256)); break;
        default: text.insert(at, text.substr(rng.below(text.size()), rng.below(80)));
      }
    }
    const ConfigCheck check = parse_config(text, "fuzz.yaml");
    static_cast<void>(check.text());
    if (!check.ok()) continue;
    ++loaded;
    const std::string printed = to_yaml(check.config);
    const ConfigCheck again = parse_config(printed, "again.yaml");
    ASSERT_TRUE(again.ok()) << "round " << round << "\n" << again.text();
    ASSERT_EQ(to_yaml(again.config), printed) << "round " << round;
  }
  EXPECT_GT(loaded, 100);  // Edits in comments leave it whole: the loop reaches both sides.
}

}  // namespace
}  // namespace weir
