// Goal: the same seed and inputs give the same bytes, whatever the cut of batches, the threads' timing, the memory, the
// vector instructions or the variants of glibc's functions. order: event_time with coupled learning.
#include <gtest/gtest.h>
#include <sched.h>
#include <zlib.h>

#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

class Determinism : public testing::Test {
 protected:
  static constexpr std::size_t kFlights = kSanitized ? 2'000 : 12'000;
  static const FlightFiles& flights() { return first_flights(kFlights); }
  static Topics topics_of(const FlightFiles& files, std::vector<std::string> settings, const ProcessOptions& options = {}) {
    settings.insert(settings.end(), {"crc_every=100", "snapshot_every=1000", "trainer.replay.every=50"});
    const TemporaryDirectory directory;
    const FlightsRun run(directory / "data", files, std::move(settings));
    const ProcessResult result = run.run(options);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return tail_all(run.data);
  }
  static const Topics& usual() {
    static const Topics topics = topics_of(flights(), {});
    EXPECT_EQ(topics.at("predictions").size(), kFlights);
    EXPECT_GT(topics.at("models").size(), kFlights / 120);
    return topics;
  }
};

TEST_F(Determinism, TwoRunsAreTheSame) { expect_same(usual(), topics_of(flights(), {})); }

TEST_F(Determinism, BatchSizesChangeNothing) {
  expect_same(usual(), topics_of(flights(), {"commit_interval=1us"}));
  expect_same(usual(), topics_of(flights(), {"commit_interval=200ms"}));
}

TEST_F(Determinism, ThreadsChangeNothing) {
  expect_same(usual(), topics_of(flights(), {"placement.parse=task"}));
  expect_same(usual(), topics_of(flights(), {"placement.wait=spin"}));
  expect_same(usual(), topics_of(flights(), {"placement.pin=[0]", "sync=always", "backup_interval=5ms"}));
}

TEST_F(Determinism, OneCoreForAllThreadsChangesNothing) {  // Reader, task and committer in turn, where else they overlap.
  const Topics& expected = usual();
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);  // Children inherit it.
  const Topics found = topics_of(flights(), {"commit_interval=100us"});
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  expect_same(expected, found);
}

TEST_F(Determinism, MemoryChangesNothing) { expect_same(usual(), topics_of(flights(), {"memory_budget=1MB"})); }

TEST_F(Determinism, AnotherSeedIsAnotherRun) {
  // The replay buffer draws by chance; were the seed without effect, the tests above would show little.
  const Topics other = topics_of(flights(), {"seed=2"});
  EXPECT_NE(other.at("models"), usual().at("models"));
}

TEST_F(Determinism, FileCutsAndCompressionChangeNothing) {
  const TemporaryDirectory directory;
  FlightFiles cut = flights();
  const std::size_t middle = cut.event_lines.size() / 3;
  std::vector<std::string> first(cut.event_lines.begin(), cut.event_lines.begin() + std::ptrdiff_t(middle));
  std::vector<std::string> second(cut.event_lines.begin() + std::ptrdiff_t(middle), cut.event_lines.end());
  write_file(directory / "part-1.jsonl", joined(first));
  const std::string zipped = (directory / "part-2.jsonl.gz").string();
  gzFile out = gzopen(zipped.c_str(), "wb");
  const std::string text = joined(second);
  ASSERT_EQ(gzwrite(out, text.data(), static_cast<unsigned>(text.size())), int(text.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
  cut.events = directory / "part-*";
  expect_same(usual(), topics_of(cut, {}));
}

// Each target that the kernels have here, by itself; the first also with simdjson's portable code and glibc's.
TEST_F(Determinism, VectorInstructionsChangeNothing) {
  const std::string version = run_weir({"version", "--json"}).out;
  const std::size_t list = version.find("\"simd_targets\":[");
  ASSERT_NE(list, std::string::npos) << version;
  std::vector<std::string> targets;
  for (std::size_t at = list + 16; version[at] == '"' || version[at] == ','; at = version.find('"', at + 1) + 1) {
    at = version.find('"', at);
    targets.push_back(version.substr(at + 1, version.find('"', at + 1) - at - 1));
  }
  ASSERT_GE(targets.size(), 1U) << version;
  EXPECT_EQ(targets.front(), "baseline");
  for (const std::string& target : targets) {
    SCOPED_TRACE(target);
    ProcessOptions options;
    options.env = {{"WEIR_SIMD_TARGET", target}};
    if (target == "baseline")
      options.env.insert(options.env.end(), {{"SIMDJSON_FORCE_IMPLEMENTATION", "fallback"}, {"GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA,-AVX2"}});
    EXPECT_EQ(json_value(run_weir({"version", "--json"}, options).out, "simd_target"), target);
    expect_same(usual(), topics_of(flights(), {}, options));
  }
}

TEST_F(Determinism, AnUnknownTargetIsRefused) {
  const ProcessResult refused = run_weir({"version"}, {.env = {{"WEIR_SIMD_TARGET", "avx3"}}});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("WEIR_SIMD_TARGET: found 'avx3', expected one of what this machine has: baseline"), std::string::npos) << refused.err;
}

// The bits of many values of the C library's functions, from a program of its own.
std::string bits_of_glibc(const ProcessOptions& options) {
  const ProcessResult result = run_process({"python3", "-c", R"(
import hashlib, math, struct
values = [f(0.00037 * i) for i in range(1, 100000) for f in (math.exp, math.log, math.sin)]
print(hashlib.sha256(struct.pack(f"{len(values)}d", *values)).hexdigest()))"}, options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

TEST_F(Determinism, GlibcsVariantsChangeNothing) {
  ProcessOptions masked;
  const bool has_fma = read_file("/proc/cpuinfo").find(" fma ") != std::string::npos;
  for (const char* hwcaps : {"-FMA,-FMA4", "-FMA,-AVX2,-AVX512F,-ERMS", "-FMA,-AVX2,-AVX,-SSE4_2,-SSE4_1,-SSSE3,-AVX512F,-AVX512VL"}) {
    SCOPED_TRACE(hwcaps);
    masked.env = {{"GLIBC_TUNABLES", std::string("glibc.cpu.hwcaps=") + hwcaps}};
    if (has_fma) {
      EXPECT_NE(bits_of_glibc(masked), bits_of_glibc({})) << "the mask has no effect: this shows nothing";
    }
    expect_same(usual(), topics_of(flights(), {}, masked));
  }
}

}  // namespace
}  // namespace weir
