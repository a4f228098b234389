#pragma once
// Reads one input of one task, parses and fetches ahead, and hands batches over by ring. Runs in a thread of its own.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "actors/runtime/input_ring.hpp"
#include "core/records/read_mark.hpp"
#include "actors/runtime/task_plan.hpp"
#include "actors/runtime/task_status.hpp"

namespace weir {

// A line in a `logs` or `outcomes` topic that its source did not keep whole is a record whose source header has this topic,
// the length of the line as offset and its CRC32C as partition.
inline constexpr std::string_view kTooLongMarker = "too_long";
// Lines of CSV lose their file in a topic: each record's source header has this topic, with the header line of its file behind.
inline constexpr std::string_view kCsvHeaderMarker = "csv:";

class SourceReader {
 public:
  // `task`: for the keys to fetch ahead; only its const, thread-safe part is used. All references outlive the reader.
  SourceReader(const InputPlan& plan, const Task& task, InputRing& ring, TopicLog& log, const Clock& clock, TaskStatus& status,
               InputStatus& input);

  // Opens the source or topic where the task stands. `identity`: what the task's state says of the files; empty: nothing.
  // `mark`: what it says of the topic. kNotFound: records of the topic are gone that the task has not read.
  Result<void> open(Offset next, std::uint64_t cursor, std::string_view identity, const ReadMark& mark = {});

  // One batch, or a wait of at most `wait` for data or credit. False: the end is reached and told.
  Result<bool> step(Duration wait);
  // Makes a step that waits return. Any thread.
  void wake();

  // The last step has found the end of a topic.
  bool quiet() const { return reader_ != nullptr && ring_.quiet_ns() >= 0; }

  // What identity() of the direct source was at its last batch; any thread.
  std::string identity() const;
  // Offsets that were gone unread, since open(); any thread.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  Result<bool> read_source(InputBatch& batch);
  Result<bool> read_topic(InputBatch& batch, Duration wait);
  void note_read(std::uint64_t records);
  Result<void> open_topic(Offset next, const ReadMark& mark);
  Result<std::shared_ptr<const RecordBatch>> poll_topic(Duration wait);
  Result<void> check_mark(const RecordBatch* batch);
  Result<void> note_loss(Offset from, Offset to);
  std::string topic_text() const;
  bool parses(InputBatch& batch);
  void parse(InputBatch& batch);
  Result<void> use_header(InputBatch& batch, std::string_view line);
  void fetch_ahead(InputBatch& batch);

  const InputPlan& plan_;
  const Task& task_;
  InputRing& ring_;
  TopicLog& log_;
  const Clock& clock_;
  TaskStatus& status_;
  InputStatus& input_;
  std::unique_ptr<InputSource> source_;
  std::unique_ptr<TopicReader> reader_;
  std::unique_ptr<LineParser> parser_;
  ReadMark mark_;                 // Of this start; `last` is -1 once it is checked.
  Offset from_;                   // Records of the topic before it are not the task's any more.
  std::atomic<std::uint64_t> lost_{0};
  std::string csv_header_;  // The parser's, of a topic.
  bool parses_ahead_ = false;  // From this batch on; before, the task parses.
  bool ended_ = false;
  mutable std::mutex identity_mutex_;
  std::string identity_;
  std::uint64_t last_bytes_read_ = 0;
};

}  // namespace weir
