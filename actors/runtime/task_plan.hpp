#pragma once
// What the runtime must know to run one task: made by pipelines/topology, used again at every restart of the task.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/runtime/task_status.hpp"
#include "actors/task.hpp"
#include "core/base/clock.hpp"
#include "core/records/event_schema.hpp"
#include "core/records/line_parser.hpp"
#include "sources/input_source.hpp"
#include "storage/topic_log.hpp"

namespace weir {

enum class OrderPolicy : std::uint8_t { kEventTime, kArrival };
enum class WaitPolicy : std::uint8_t { kFutex, kSpin };

struct InputPlan {
  InputId input = InputId::kLogs;
  Topic topic = Topic::kLogs;       // Where its records are, or for a direct source, what they would be called.
  std::string topic_name;           // In source headers.
  PartitionId partition;
  bool parsed = true;               // Lines, to be parsed by `schema`; else records as they are.
  LineRole role = LineRole::kEvent;
  EventSchema schema;
  bool waited = true;               // A source, merged by `order`; false: feedback, taken as it comes. Nothing is published because of it.
  bool parse_ahead = true;          // On the reader's thread.
  // A direct source; empty: the topic is read.
  std::function<Result<std::unique_ptr<InputSource>>()> open_source;
  // A topic that a task or appender of this process writes ends when its writer has ended: the writer's name (a task of this input's
  // partition, or an appender that writes to every one), and the end offset (negative: not yet), set by the supervisor. Null: it does
  // not end; a task whose sources have ended then does without it, if it is feedback.
  std::string written_by;
  std::shared_ptr<std::atomic<std::int64_t>> ends_at;
  // Records of the topic that are gone unread: true: they are counted, and the task goes on; false: an error that names the key.
  bool accept_loss = false;
  std::string accept_loss_key;
};

// A task's stages, and what they tell of themselves after each turn.
struct Chain {
  std::vector<std::unique_ptr<Stage>> stages;
  std::function<void(TaskStatus&)> publish;            // May be empty.
  std::function<void(TaskCounts&)> count;               // May be empty. All but `records`, which are the task's.
  std::function<std::uint64_t()> jobs;                  // How many it has done. Empty: it does none.
  // The offsets of outcomes taken that wait for their event, ascending. As of the last commit.
  std::function<Result<std::vector<Offset>>()> waiting_labels;
  std::function<ModelVersion()> version;                // Served, or learnt.
};

struct TaskPlan {
  std::string name;
  PartitionId partition;
  std::string label() const { return task_label(name, partition); }  // For a person.
  std::function<Result<Chain>()> make_chain;
  std::vector<InputPlan> inputs;
  OrderPolicy order = OrderPolicy::kEventTime;
  Duration idle_timeout = std::chrono::seconds(10);  // Negative: never.
  Duration jump_max = std::chrono::hours(24);
  Duration commit_interval = std::chrono::milliseconds(1);
  std::uint64_t idle_steps = 0;      // Counted steps per turn without input.
  std::uint64_t transaction_bytes_max = 4 << 20;
  WaitPolicy wait = WaitPolicy::kFutex;
  // Held while a record is processed after a crash, until it is committed: one that ends the process is then the only one that is
  // not. Shared by the tasks of a process; none: the task is alone.
  std::shared_ptr<std::mutex> careful;
  int cpu = -1;                      // Pinned there; -1: not pinned.
  int nice = 0;
  bool lock_memory = false;
};

}  // namespace weir
