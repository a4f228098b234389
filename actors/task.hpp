#pragma once
// A chain of stages over one ordered sequence of records. Pure: the runtime round it brings threads, time and the store;
// tests and `verify --recompute` call it directly.
//
// Promise: the same records in the same order from the same state give the same transactions' contents and state, wherever
// the transactions are cut.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "actors/stage.hpp"
#include "core/base/result.hpp"
#include "core/records/transaction.hpp"

namespace weir {


class Task final : private Output {
 public:
  Task(std::string name, PartitionId partition, std::vector<std::unique_ptr<Stage>> stages);

  const std::string& name() const { return name_; }
  PartitionId partition() const { return partition_; }

  // Starts from committed state. Call once, first.
  Result<void> restore(const Recovered& recovered);

  // Runs one record through the chain, counts the position of its input and source partition as consumed and notes it in the order.
  Result<void> process(InputId input, RecordView& record, std::uint64_t cursor, Transaction& transaction);
  // The same for a record that killed the task before: `record.parsed` is its refusal; noted as poison.
  Result<void> process_poison(InputId input, RecordView& record, std::uint64_t cursor, Transaction& transaction);
  // A turn without input: at most `steps` counted steps; returns how many were done.
  Result<std::uint64_t> idle(std::uint64_t steps, Transaction& transaction);

  // Completes the transaction for the commit after the last closed one: changed state, positions, order.
  void close(Transaction& transaction);
  // Every commit up to `commit` is durable: keyed entries may be evicted.
  void committed(CommitId commit);
  CommitId next_commit() const { return last_closed_.next(); }

  // Where it stands in an input's partition; the beginning if it has taken nothing of it.
  Position position(InputId input, PartitionId partition) const;
  std::span<const Position> positions() const { return positions_; }  // All it has taken of.

  // State that the runtime keeps with the task's, under its own prefix.
  void save_runtime(Transaction& transaction, std::string_view key, std::string_view value);
  Result<bool> load_runtime(const Recovered& recovered, std::string_view key, std::string& value) const;

  // Keyed entries that the record will look up, by stage; for the reader thread. True if any stage may have cold entries.
  bool needs_fetch() const;
  std::span<const std::unique_ptr<Stage>> stages() const { return stages_; }

 private:
  void emit(RecordView& record) override;
  void feed_back(InputId input, RecordView& record) override;
  void append(Topic topic, const Record& record) override;
  void fail(Error error) override;
  void consume(InputId input, const RecordView& record, std::uint64_t cursor);
  Result<void> run(InputId input, RecordView& record, Transaction& transaction);

  std::string name_;
  PartitionId partition_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::string> prefixes_;
  std::vector<Position> positions_;  // By input and partition.
  std::vector<char> moved_;          // Of positions_: since the last close().
  CommitId last_closed_;
  Transaction* open_ = nullptr;
  InputId input_ = InputId::kLogs;
  std::size_t at_ = 0;  // The stage that is running.
  bool failed_ = false;
  Error error_;
};

}  // namespace weir
