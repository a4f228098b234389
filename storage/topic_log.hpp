#pragma once
// The topics of one pipeline: made, described, read, shortened. Backends: embedded (RocksDB), Kafka, memory (tests).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/records/topics.hpp"
#include "storage/membership.hpp"
#include "storage/task_store.hpp"
#include "storage/topic_reader.hpp"

namespace weir {

// How long a topic's records stay. Age counts append time, never event time.
struct Retention {
  std::optional<Duration> age;          // Whole batches older than this go.
  std::optional<std::uint64_t> bytes;   // Oldest batches go until a partition is no larger.
  bool compact = false;                 // Keeps at least the newest record of each key; tombstones go after one `age`.
  bool operator==(const Retention&) const = default;
};

struct TopicSpec {
  Topic topic = Topic::kLogs;
  std::string name;             // Full name.
  std::int32_t partitions = 1;
  Retention retention;
};

struct PartitionDescription {
  PartitionId partition;
  Offset begin;                 // The oldest record still there (== end if none).
  Offset end;                   // One past the newest.
  std::uint64_t bytes = 0;      // Stored, before compression.
  std::int64_t last_append_us = 0;  // 0: never.
};

struct TopicDescription {
  TopicSpec spec;
  std::vector<PartitionDescription> partitions;
};

// How far a task is, whoever runs it.
struct TaskProgress {
  CommitId last_commit;
  Positions positions;
  std::int64_t last_commit_us = 0;
};

// Thread-safe. Readers and task stores keep it alive no longer than it lives: destroy them first.
class TopicLog {
 public:
  virtual ~TopicLog() = default;

  // Creates the topic, or checks that it is there with the same partition count (kConfig names both counts if not) and
  // takes over the new retention. Idempotent.
  virtual Result<void> create(const TopicSpec& spec) = 0;
  // The same for all of them, in fewer calls where those go over a network.
  virtual Result<void> create_all(const std::vector<TopicSpec>& specs) {
    for (const TopicSpec& spec : specs) TRY(create(spec));
    return {};
  }
  virtual Result<TopicDescription> describe(Topic topic) const = 0;  // kNotFound if it was never created.
  virtual std::vector<TopicDescription> list() const = 0;            // In Topic order.
  // One past the newest record, committed or not: what has been committed by now ends before it, though readers of other
  // partitions may see its commit sooner.
  virtual Result<Offset> appended_end(Topic topic, PartitionId partition) const {
    TRY_ASSIGN(const TopicDescription description, describe(topic));
    for (const PartitionDescription& p : description.partitions)
      if (p.partition == partition) return p.end;
    return Offset(0);
  }

  // Reads committed records from `from` on (clamped up to the oldest still there).
  virtual Result<std::unique_ptr<TopicReader>> open_reader(Topic topic, PartitionId partition, Offset from) = 0;

  // The durable side of one task. One at a time per (name, partition): a second open gives kInUse.
  virtual Result<std::unique_ptr<TaskStore>> open_task(const TaskSpec& spec) = 0;

  // Without opening it. kNotFound: it has never committed, or only this process runs tasks here.
  virtual Result<TaskProgress> progress(const TaskSpec&) const { return Error{ErrorCode::kNotFound, "only this process runs tasks here"}; }

  // Deletes and compacts what has left retention, as of the log's clock. Never below `keep[topic]`-style floors: records
  // that a task has not consumed or that the oldest kept backup needs are the caller's to protect by `floors`.
  struct Floor {
    Topic topic;
    PartitionId partition;
    Offset offset;  // Records from here on stay.
  };
  virtual Result<void> apply_retention(const std::vector<Floor>& floors) = 0;

  // A whole copy that `weir repair` can go on from, made without stopping writers; keeps the newest `keep` copies.
  // Returns the path of the new one; kNotFound where the backend has no need of backups.
  virtual Result<std::string> backup(std::size_t keep) = 0;

  // True: offsets of neighbours may differ by more than one without compaction (control records).
  virtual bool has_gaps() const { return false; }

  // Joins the processes that share the pipeline's partitions. nullptr: nobody shares this log, all partitions are the caller's.
  // One at a time; it ends before the log.
  virtual Result<std::unique_ptr<Membership>> join(const MembershipOptions&) { return std::unique_ptr<Membership>(); }
  // Who shares a topic's partitions now, ordered by name; empty where nobody does.
  virtual Result<std::vector<Member>> members(Topic, const std::string& /*only*/) const { return std::vector<Member>(); }

  // True: others have a hand in the topics, too. They may delete one and make it again, or add partitions, and retention may pass
  // what a task has not read: it knows no floors.
  virtual bool others_change_topics() const { return false; }
  // Whether the topics created through this log are still there with their partitions. kNotFound, kConfig: which one is not.
  virtual Result<void> check_topics() const { return {}; }

  // Makes everything committed so far survive a power cut.
  virtual Result<void> sync() = 0;
};

}  // namespace weir
