// From a config to tasks: which there are, what they read, and which of them a process runs.
#include "pipelines/topology.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "storage/memory_log.hpp"

namespace weir {
namespace {

PipelineConfig config_of(const std::vector<std::string>& sets) {
  const ConfigCheck check = parse_config(R"(version: 1
name: small
schema:
  logs: {id: id, time: ts, fields: [{name: x}, {name: shop, kind: category}]}
  outcomes: {label: y}
)",
                                         "small.yaml", sets);
  EXPECT_TRUE(check.ok()) << check.text();
  return check.config;
}

// "inference/0: logs/0 outcomes/0 models/0; …": each task with the inputs that it reads.
std::string text_of(const RuntimePlan& plan) {
  std::string out;
  for (const TaskPlan& task : plan.tasks) {
    out += (out.empty() ? "" : "; ") + task.label() + ":";
    for (const InputPlan& input : task.inputs) out += " " + std::string(name_of(input.input)) + "/" + std::to_string(input.partition.value);
  }
  return out;
}

RuntimePlan plan_of(const PipelineConfig& config) {
  auto plan = make_runtime_plan(config);
  EXPECT_TRUE(plan.ok()) << plan.error().what;
  return std::move(*plan);
}

TEST(Topology, CoupledLearningIsPartOfTheInferenceTasks) {
  EXPECT_EQ(text_of(plan_of(config_of({"log.partitions=2"}))), "inference/0: logs/0 outcomes/0; inference/1: logs/1 outcomes/1");
}

TEST(Topology, FreeLearningHasATaskForEachPartition) {
  EXPECT_EQ(text_of(plan_of(config_of({"log.partitions=2", "learning=free"}))),
            "inference/0: logs/0 outcomes/0 models/0; inference/1: logs/1 outcomes/1 models/1; learning/0: examples/0; learning/1: examples/1");
}

TEST(Topology, NetworksOfHashtronsLearnFreeInThreeTasks) {
  const std::vector<std::string> sets = {"log.partitions=2", "learning=free", "model.kind=hashtron"};
  const PipelineConfig config = config_of(sets);
  EXPECT_EQ(text_of(plan_of(config)),
            "inference/0: logs/0 outcomes/0 models/0; inference/1: logs/1 outcomes/1 models/1; "
            "learning/0: examples/0 capacity/0; capacity/0: sums/0; promotion/0: examples/0 candidates/0; "
            "learning/1: examples/1 capacity/1; capacity/1: sums/1; promotion/1: examples/1 candidates/1");
  for (const TaskPlan& task : plan_of(config).tasks)  // Feedback is never waited for.
    for (const InputPlan& input : task.inputs)
      EXPECT_EQ(input.waited, input.input != InputId::kModels && input.input != InputId::kCapacity && input.input != InputId::kCandidates);
  EXPECT_EQ(text_of(plan_of(config_of({"model.kind=hashtron"}))), "inference/0: logs/0 outcomes/0");
  std::vector<std::string> shared = sets;
  shared.push_back("model.shared=true");
  EXPECT_EQ(text_of(plan_of(config_of(shared))),
            "inference/0: logs/0 outcomes/0 models/0; inference/1: logs/1 outcomes/1 models/0; learning/0: examples/0 examples/1 capacity/0; "
            "capacity/0: sums/0; promotion/0: examples/0 examples/1 candidates/0");
}

// Where files end: else the judge would be through with them before there is a candidate.
TEST(Topology, OverFilesCandidatesAreJudgedFromTheirMomentOn) {
  const auto promotion_of = [](std::vector<std::string> sets) {
    sets.insert(sets.end(), {"learning=free", "model.kind=hashtron"});
    RuntimePlan plan = plan_of(config_of(sets));
    EXPECT_EQ(plan.tasks.back().name, kPromotionTask);
    return std::move(plan.tasks.back());
  };
  const std::string files = "sources={logs: {files: [a.log]}, outcomes: {files: [b.log]}}";
  const TaskPlan replay = promotion_of({files});
  EXPECT_EQ(replay.order, OrderPolicy::kEventTime);
  EXPECT_LT(replay.idle_timeout, Duration(0));
  EXPECT_TRUE(replay.inputs.back().input == InputId::kCandidates && replay.inputs.back().waited);
  for (const TaskPlan& live : {promotion_of({"sources={logs: {files: [a.log]}}"}), promotion_of({"sources={logs: {files: [a.log], follow: true}, outcomes: {files: [b.log]}}"}),
                               promotion_of({files, "log={kind: kafka, brokers: 'localhost:9092'}", "placement.run=[promotion]"})}) {
    EXPECT_EQ(live.order, OrderPolicy::kArrival);
    EXPECT_FALSE(live.inputs.back().waited);
  }
}

TEST(Topology, ASharedModelIsLearntByOneTaskFromTheExamplesOfAll) {
  const RuntimePlan plan = plan_of(config_of({"log.partitions=3", "learning=free", "model.shared=true"}));
  EXPECT_EQ(text_of(plan),
            "inference/0: logs/0 outcomes/0 models/0; inference/1: logs/1 outcomes/1 models/0; inference/2: logs/2 outcomes/2 models/0; "
            "learning/0: examples/0 examples/1 examples/2");
  // Its input ends when each of those that write it has ended; what it writes back is never waited for.
  for (const InputPlan& input : plan.tasks.back().inputs) {
    EXPECT_TRUE(input.waited);
    EXPECT_EQ(input.written_by, kInferenceTask);
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(plan.tasks[i].inputs.back().waited);
}

TEST(Topology, VersionsOfASharedModelAreInOnePartitionForGood) {
  const PipelineConfig own = config_of({"log.partitions=3", "learning=free"});
  const PipelineConfig shared = config_of({"log.partitions=3", "learning=free", "model.shared=true"});
  const auto partitions = [](const TopicLog& log, Topic topic) { return log.describe(topic)->spec.partitions; };
  for (const auto& [first, then, count] : {std::tuple(&own, &shared, 3), std::tuple(&shared, &own, 1)}) {
    const auto log = make_memory_log("small", system_clock());
    ASSERT_TRUE(create_topics(*first, *log).ok());
    EXPECT_EQ(partitions(*log, Topic::kModels), count);
    EXPECT_EQ(partitions(*log, Topic::kExamples), 3);
    EXPECT_EQ(partitions_of(*log), 3);
    EXPECT_TRUE(create_topics(*first, *log).ok());
    const Result<void> changed = create_topics(*then, *log);
    ASSERT_FALSE(changed.ok());
    EXPECT_EQ(changed.error().code, ErrorCode::kConfig);
    EXPECT_NE(changed.error().what.find("topic 'small.models'"), std::string::npos) << changed.error().what;
    EXPECT_NE(changed.error().what.find("1 with model.shared, else log.partitions; what was learnt one way does not go on the other"), std::string::npos);
  }
}

TEST(Topology, AProcessRunsTheChainsThatAreNamed) {
  const std::vector<std::string> sets = {"log={kind: kafka, brokers: 'localhost:9092', partitions: 2}", "learning=free",
                                         "sources.logs={files: [a.log], follow: true}"};
  const auto here = [&](const std::string& run) {
    std::vector<std::string> all = sets;
    if (!run.empty()) all.push_back("placement.run=" + run);
    const PipelineConfig config = config_of(all);
    return placed_here(config, plan_of(config));
  };
  const std::string inference = "inference/0: logs/0 outcomes/0 models/0; inference/1: logs/1 outcomes/1 models/1";
  const std::string learning = "learning/0: examples/0; learning/1: examples/1";
  EXPECT_EQ(text_of(here("")), inference + "; " + learning);
  EXPECT_EQ(text_of(here("[learning, inference]")), inference + "; " + learning);
  EXPECT_EQ(text_of(here("inference")), inference);
  EXPECT_EQ(text_of(here("[learning]")), learning);
  EXPECT_EQ(here("inference").appenders.size(), 1u);
  EXPECT_EQ(here("[learning]").appenders.size(), 0u);  // A followed file is read once.
  EXPECT_EQ(tasks_here(config_of(sets)), "");
  EXPECT_EQ(tasks_elsewhere(config_of(sets)), std::vector<std::string>());
  // What others write has no end that is heard of here; what is written here has.
  EXPECT_EQ(here("inference").tasks[0].inputs.back().ends_at, nullptr);
  EXPECT_NE(here("").tasks[0].inputs.back().ends_at, nullptr);
  // The whole pipeline is what is verified, wherever its tasks run.
  std::vector<std::string> all = sets;
  all.push_back("placement.run=[learning]");
  EXPECT_EQ(text_of(plan_of(config_of(all))), inference + "; " + learning);
}

TEST(Topology, EachTaskOfAFreeNetworkMayHaveAProcessOfItsOwn) {
  const auto with = [&](const std::string& run) {
    return config_of({"log={kind: kafka, brokers: 'localhost:9092'}", "learning=free", "model.kind=hashtron", "placement.run=" + run});
  };
  const auto here = [&](const std::string& run) { return text_of(placed_here(with(run), plan_of(with(run)))); };
  EXPECT_EQ(here("[inference]"), "inference/0: logs/0 outcomes/0 models/0");
  EXPECT_EQ(here("[learning]"), "learning/0: examples/0 capacity/0");
  EXPECT_EQ(here("[capacity]"), "capacity/0: sums/0");
  EXPECT_EQ(here("[promotion]"), "promotion/0: examples/0 candidates/0");
  EXPECT_EQ(here("[promotion, learning]"), "learning/0: examples/0 capacity/0; promotion/0: examples/0 candidates/0");
  // Those that name the same tasks share them; each part that there may be beside is looked for.
  EXPECT_EQ(tasks_here(with("[promotion, learning]")), "learning+promotion");
  EXPECT_EQ(tasks_elsewhere(with("[promotion, learning]")), (std::vector<std::string>{"inference+capacity", "inference", "capacity"}));
  const std::vector<std::string> seven = tasks_elsewhere(with("[inference]"));
  EXPECT_EQ(seven.size(), 7u);
  EXPECT_EQ(seven[0], "learning+capacity+promotion");
  EXPECT_EQ(seven[3], "promotion");
  for (const std::string_view task : kTaskNames) EXPECT_EQ(names_task("learning+promotion", task), task == "learning" || task == "promotion");
  EXPECT_FALSE(names_task("", "learning"));
}

}  // namespace
}  // namespace weir
