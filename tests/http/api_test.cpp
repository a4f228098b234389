// The paths: what /health and /ready say of a pipeline's life, what /metrics has, and what needs the token.
#include "http/api.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/http_client.hpp"
#include "tests/support/prometheus_reader.hpp"
#include "tests/support/run_process.hpp"
#include "tests/support/scoped_env.hpp"

namespace weir {
namespace {

PipelineConfig config(const TemporaryDirectory& directory, const std::vector<std::string>& sets = {}) {
  std::vector<std::string> all = {"data_dir=" + (directory / "data").string()};
  all.insert(all.end(), sets.begin(), sets.end());
  const auto checked = parse_config(R"(version: 1
name: small
schema:
  logs: {id: id, time: ts, fields: [{name: x, kind: number}]}
  outcomes: {label: label}
log: {kind: memory}
placement: {pin: off, lock_memory: false}
)",
                                    "small.yaml", all)
                           .result();
  if (!checked.ok()) throw std::runtime_error(checked.error().what);
  return *checked;
}

HttpAnswer ask(const HttpApi& api, std::string_view path, bool authorised = true) { return api.answer({path, authorised}); }

// A pipeline whose tasks run, and what is told of it.
struct Ready {
  HttpApi api;
  std::unique_ptr<RunningPipeline> pipeline;

  explicit Ready(const PipelineConfig& config) : api(config) {
    auto started = RunningPipeline::start(config, system_clock());
    if (!started.ok()) throw std::runtime_error(started.error().what);
    pipeline = std::move(*started);
    api.attach(*pipeline);
    EXPECT_TRUE(wait_until([&] { return ask(api, "/ready").status == 200; })) << ask(api, "/ready").body;
  }
  ~Ready() { api.detach(); }
};

TEST(HttpApi, TellsALifeFromItsStartToItsEnd) {
  TemporaryDirectory directory;
  HttpApi api(config(directory));
  EXPECT_EQ(ask(api, "/health").status, 200u);
  EXPECT_EQ(ask(api, "/ready").status, 503u);
  EXPECT_EQ(ask(api, "/ready").body, "{\"status\":\"starting\"}\n");
  EXPECT_TRUE(read_prometheus(ask(api, "/metrics").body).complaints.empty());

  auto pipeline = RunningPipeline::start(config(directory), system_clock());
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().what;
  api.attach(**pipeline);
  ASSERT_TRUE(wait_until([&] { return ask(api, "/ready").status == 200; })) << ask(api, "/ready").body;
  EXPECT_EQ(ask(api, "/ready").body,
            "{\"status\":\"ready\",\"tasks\":[{\"task\":\"inference\",\"partition\":0,\"phase\":\"running\",\"stalled\":false,\"restarts\":0}]}\n");
  EXPECT_EQ(ask(api, "/ready").type, "application/json");
  EXPECT_EQ(ask(api, "/health").body, "{\"status\":\"ok\"}\n");

  api.detach();
  (*pipeline)->stop();
  EXPECT_EQ(ask(api, "/health").status, 200u);
  EXPECT_EQ(ask(api, "/ready").body, "{\"status\":\"stopping\"}\n");
  EXPECT_TRUE((*pipeline)->wait(std::chrono::minutes(2)));
}

TEST(HttpApi, ATaskThatStartsAgainIsNotReadyAndOneThatStandsStillIsNotHealthy) {
  TemporaryDirectory directory;
  const Ready ready(config(directory));
  const HttpApi& api = ready.api;
  TaskStatus& task = *ready.pipeline->statuses()[0];
  task.phase = TaskPhase::kStarting;  // As the supervisor has it between a failure and the next start.
  EXPECT_EQ(ask(api, "/ready").status, 503u);
  EXPECT_EQ(ask(api, "/health").status, 200u);
  task.phase = TaskPhase::kRunning;
  EXPECT_EQ(ask(api, "/ready").status, 200u);
  // The monitor looks once a second, and takes it back: nothing waits here.
  EXPECT_TRUE(wait_until([&] {
    task.set_stall("waits for the end of a commit");
    return ask(api, "/health").status == 503;
  }));
  EXPECT_TRUE(wait_until([&] { return ask(api, "/health").status == 200; }));
}

TEST(HttpApi, WithoutTheTokenSaysNoMoreThanWhetherItIsWell) {
  TemporaryDirectory directory;
  const Ready ready(config(directory));
  const HttpApi& api = ready.api;
  EXPECT_EQ(ask(api, "/ready", false).body, "{\"status\":\"ready\"}\n");
  EXPECT_EQ(ask(api, "/health", false).status, 200u);
  for (const char* path : {"/metrics", "/", "/none", "/metrics/", "/Ready"}) EXPECT_EQ(ask(api, path, false).status, 401u) << path;
  EXPECT_EQ(ask(api, "/").status, 200u);
  for (const char* path : {"/none", "/metrics/", "/Ready", "//", "/metrics%20"}) EXPECT_EQ(ask(api, path).status, 404u) << path;
}

TEST(HttpApi, EveryFamilyIsThereFromTheStartWithEveryReason) {
  TemporaryDirectory directory;
  const Ready ready(config(directory));
  const HttpApi& api = ready.api;
  const PrometheusPage page = read_prometheus(ask(api, "/metrics").body);
  for (const std::string& complaint : page.complaints) ADD_FAILURE() << complaint;
  const std::map<std::string, std::string> task = {{"task", "inference"}, {"partition", "0"}};
  EXPECT_EQ(page.sum("weir_events_total", task), 0.0);
  EXPECT_EQ(page.families.at("weir_dead_letters_total").samples.size(), kReasonCount);
  EXPECT_EQ(page.families.at("weir_unjoined_total").samples.size(), kUnjoinedReasonCount);
  EXPECT_EQ(page.sum("weir_tick_seconds_count", task), 0.0);
  EXPECT_EQ(page.sum("weir_input_lag_records", {{"input", "logs"}, {"topic", "small.logs"}}), 0.0);
  EXPECT_EQ(page.sum("weir_task_running", task), 1.0);
  EXPECT_EQ(page.sum("weir_build_info"), 1.0);
  for (const auto& [name, family] : page.families)
    for (const PrometheusSample& sample : family.samples) {
      EXPECT_TRUE(sample.labels.contains("pipeline")) << name;
      EXPECT_TRUE(sample.labels.contains("process")) << name;
    }
}

// One task reads the examples of all partitions, and all inference tasks one partition of models: still one sample each.
TEST(HttpApi, ASharedModelsInputsAreToldByTheirPartitions) {
  TemporaryDirectory directory;
  const Ready ready(config(directory, {"log.partitions=3", "learning=free", "model.shared=true"}));
  const HttpApi& api = ready.api;
  const PrometheusPage page = read_prometheus(ask(api, "/metrics").body);
  for (const std::string& complaint : page.complaints) ADD_FAILURE() << complaint;
  const auto samples = [&](const std::map<std::string, std::string>& labels) {
    return std::ranges::count_if(page.families.at("weir_input_lag_records").samples, [&](const PrometheusSample& sample) {
      return std::ranges::all_of(labels, [&](const auto& label) { return sample.labels.at(label.first) == label.second; });
    });
  };
  for (const char* p : {"0", "1", "2"}) {
    EXPECT_EQ(samples({{"task", "learning"}, {"partition", "0"}, {"input", "examples"}, {"topic_partition", p}}), 1) << p;
    EXPECT_EQ(samples({{"task", "inference"}, {"partition", p}, {"input", "models"}, {"topic_partition", "0"}}), 1) << p;
    EXPECT_EQ(samples({{"task", "inference"}, {"partition", p}, {"input", "logs"}, {"topic_partition", p}}), 1) << p;
  }
  EXPECT_EQ(page.sum("weir_input_records_total", {{"task", "learning"}}), 0.0);
  EXPECT_EQ(page.families.at("weir_input_records_total").samples.size(), 3u * 3u + 1u);
}

TEST(StartHttp, ListensAsTheConfigSaysAndReadsTheToken) {
  TemporaryDirectory directory;
  const PipelineConfig off = config(directory, {"http.listen=off"});
  const HttpApi api(off);
  auto none = start_http(off, api);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, nullptr);

  const ScopedEnv token("WEIR_HTTP_TEST_TOKEN", "sesame");
  const PipelineConfig guarded = config(directory, {"http={listen: 127.0.0.1:0, token: env:WEIR_HTTP_TEST_TOKEN}"});
  auto server = start_http(guarded, api);
  ASSERT_TRUE(server.ok()) << server.error().what;
  const std::uint16_t port = (*server)->endpoint().port;
  EXPECT_EQ(http_get(port, "/metrics").status, 401);
  EXPECT_EQ(http_get(port, "/metrics", "Authorization: Bearer sesame\r\n").status, 200);
  EXPECT_EQ(http_get(port, "/health").status, 200);
  ASSERT_TRUE(write_http_address(guarded.data_dir, **server).ok());
  std::ifstream file(guarded.data_dir + "/run/http");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), (*server)->url() + "\n");
  remove_http_address(guarded.data_dir);
  EXPECT_FALSE(std::filesystem::exists(guarded.data_dir + "/run/http"));

  const PipelineConfig unset = config(directory, {"http={listen: 0.0.0.0:0, token: env:WEIR_HTTP_TEST_UNSET}"});
  const auto refused = start_http(unset, api);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConfig);
  EXPECT_NE(refused.error().what.find("http.token: env:WEIR_HTTP_TEST_UNSET"), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace weir
