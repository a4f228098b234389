// Goal: once warm, a tick of the real flights pipeline neither allocates, nor locks, nor calls the system: from the line's bytes
// through parser, features, model, gate, join and learning to the prediction in the transaction. Closing and committing the
// transaction is no part of a tick.
#include <gtest/gtest.h>

#include "core/base/clock.hpp"
#include "pipelines/stage_catalogue.hpp"
#include "pipelines/topology.hpp"
#include "storage/memory_log.hpp"
#include "tests/end_to_end/flights_run.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/lock_counter.hpp"
#include "tests/support/syscall_counter.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {
namespace {

constexpr std::size_t kWarm = 30'000;
constexpr std::size_t kWatched = 20'000;
constexpr std::size_t kPerTransaction = 400;

class FlightsTask {
 public:
  explicit FlightsTask(std::string_view format) {
    const TemporaryDirectory directory;
    const FlightFiles files = cut_flights(directory.path(), 30'000);
    for (std::size_t log = 0, outcome = 0; log < files.event_lines.size();) {
      const bool from_logs = outcome == files.outcome_lines.size() ||
                             json_value(files.event_lines[log], "ts") <= json_value(files.outcome_lines[outcome], "ts");
      lines_.emplace_back(from_logs ? InputId::kLogs : InputId::kOutcomes, from_logs ? files.event_lines[log++] : files.outcome_lines[outcome++]);
    }
    auto config = load_config((project_directory() / "configs" / "flights.yaml").string(), {"trainer.replay.every=10", "topics.format=" + std::string(format)});
    CHECK(config.ok());
    auto plan = make_runtime_plan(*config);
    CHECK(plan.ok());
    plan_ = std::move(*plan);
    for (const InputPlan& input : plan_.tasks[0].inputs)
      parsers_[static_cast<std::size_t>(input.input)] = std::move(*make_line_parser(input.schema, input.role));
    log_ = make_memory_log("flights", clock_);
    CHECK(create_topics(*config, *log_).ok());
    store_ = std::move(*log_->open_task({"inference", PartitionId(0)}));
    recovered_ = *store_->recover();
    auto chain = make_inference_chain(*config, PartitionId(0));
    CHECK(chain.ok());
    task_ = std::make_unique<Task>("inference", PartitionId(0), std::move(chain->stages));
    CHECK(task_->restore(recovered_).ok());
  }

  std::size_t records() const { return lines_.size(); }
  void tick() {
    const auto& [input, line] = lines_[next_++];
    const auto index = static_cast<std::size_t>(input);
    parsers_[index]->parse(line, arena_, parsed_);
    RecordView view;
    view.source = {input == InputId::kLogs ? "logs" : "outcomes", PartitionId(0), Offset(offsets_[index])};
    parsed_.offset = Offset(offsets_[index]++);
    parsed_.line = line;
    parsed_.line_bytes = line.size();
    view.parsed = &parsed_;
    view.record.value = line;
    CHECK(task_->process(input, view, 0, transactions_[open_]).ok());
  }
  void commit() {
    Transaction& transaction = transactions_[open_];
    task_->close(transaction);
    const auto id = store_->commit(transaction);
    CHECK(id.ok());
    task_->committed(*id);
    transaction.clear();
    arena_.clear();
    open_ = 1 - open_;
  }
  void run(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      tick();
      if (next_ % kPerTransaction == 0) commit();
    }
  }

 private:
  ManualClock clock_;
  std::vector<std::pair<InputId, std::string>> lines_;
  RuntimePlan plan_;
  std::array<std::unique_ptr<LineParser>, kInputCount> parsers_;
  std::unique_ptr<MemoryLog> log_;
  std::unique_ptr<TaskStore> store_;
  Recovered recovered_;
  std::unique_ptr<Task> task_;
  ParseArena arena_;
  ParsedRecord parsed_;
  std::array<Transaction, 2> transactions_;
  std::size_t open_ = 0;
  std::size_t next_ = 0;
  std::array<std::int64_t, kInputCount> offsets_{};
};

// Allocations are counted stage by stage over keys that have been seen (features_allocation_test and the others): here every
// hundredth flight or so brings a key that is new, and its entry needs room.
class Tick : public testing::TestWithParam<const char*> {};  // How what is published is written.

TEST_P(Tick, LocksNothingOnceWarm) {
  FlightsTask task(GetParam());
  ASSERT_GE(task.records(), kWarm + kWatched);
  task.run(kWarm);
  std::uint64_t allocations = 0, locks = 0;
  for (std::size_t i = 0; i < kWatched / kPerTransaction; ++i) {
    const std::uint64_t allocations_before = allocations_on_this_thread(), locks_before = locks_on_this_thread();
    for (std::size_t k = 0; k < kPerTransaction; ++k) task.tick();
    allocations += allocations_on_this_thread() - allocations_before;
    locks += locks_on_this_thread() - locks_before;
    task.commit();
  }
  EXPECT_LT(allocations, kWatched / 100) << "in " << kWatched << " ticks";
  EXPECT_EQ(locks, 0U) << "in " << kWatched << " ticks";
}

TEST_P(Tick, CallsTheSystemNeverOnceWarm) {
  FlightsTask task(GetParam());
  const SyscallReport report = count_syscalls([&] { task.run(kWarm); },
                                              [&] {
                                                for (std::size_t k = 0; k < kPerTransaction; ++k) task.tick();
                                              });
  EXPECT_EQ(report.count, 0U) << "the first is number " << (report.numbers.empty() ? -1 : report.numbers[0]);
}

INSTANTIATE_TEST_SUITE_P(Formats, Tick, testing::Values("json", "protobuf"), [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace weir
