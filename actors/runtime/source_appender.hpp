#pragma once
// A followed file or standard input: its lines are appended to a topic, each to the partition of its id, with its position in the
// same commit, and read from there.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/runtime/runner.hpp"
#include "actors/runtime/task_status.hpp"
#include "core/records/event_schema.hpp"
#include "core/records/line_parser.hpp"
#include "core/records/partitioner.hpp"
#include "core/records/topics.hpp"
#include "sources/input_source.hpp"
#include "storage/topic_log.hpp"

namespace weir {

struct AppenderPlan {
  std::string name;  // Of its task: "source.logs"
  Topic topic = Topic::kLogs;
  EventSchema schema;           // Of its lines: where the id is, and what a header of CSV must name.
  std::int32_t partitions = 1;  // Of the topic.
  std::function<Result<std::unique_ptr<InputSource>>()> open_source;
  LineRole role = LineRole::kEvent;
};

class SourceAppender final : public Runner {
 public:
  SourceAppender(const AppenderPlan& plan, TopicLog& log, const Clock& clock, TaskStatus& status);
  Result<void> open();

  // Its actor has ended: another run may open the task.
  void release() { store_.reset(); }

  Result<Turn> turn() override;
  void wait(Duration limit) override;
  void stop() override { stopping_.store(true, std::memory_order_release); }

 private:
  const AppenderPlan& plan_;
  TopicLog& log_;
  const Clock& clock_;
  TaskStatus& status_;
  std::unique_ptr<TaskStore> store_;
  std::unique_ptr<InputSource> source_;
  std::unique_ptr<LineParser> parser_;  // Of headers only.
  std::string header_source_;  // CSV with headers: what the records' source says (kCsvHeaderMarker).
  std::optional<Partitioner> partitioner_;
  LineBatch batch_;
  Transaction transaction_;
  Offset next_;  // Number of the next line, over all partitions.
  std::string identity_;
  std::atomic<bool> stopping_{false};
};

}  // namespace weir
