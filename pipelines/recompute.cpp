#include "pipelines/recompute.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <map>

#include "actors/runtime/input_ring.hpp"
#include "actors/runtime/source_reader.hpp"
#include "actors/runtime/task_status.hpp"
#include "core/records/codec.hpp"
#include "sources/merge.hpp"

namespace weir {
namespace {

// One task on its way through its own order. advance() stops where an input's next record has not been computed yet.
class Replay {
 public:
  Replay(const TaskPlan& plan, TopicLog& original, TopicLog& copy, const std::vector<bool>& computed, const Clock& clock)
      : plan_(plan), original_(original), copy_(copy), computed_(computed), clock_(clock) {}

  Result<void> open() {
    TRY_ASSIGN(store_, copy_.open_task({plan_.name, plan_.partition}));
    TRY_ASSIGN(const Recovered fresh, store_->recover());
    TRY_ASSIGN(Chain chain, plan_.make_chain());
    task_ = std::make_unique<Task>(plan_.name, plan_.partition, std::move(chain.stages));
    TRY(task_->restore(fresh));
    inputs_.resize(plan_.inputs.size());
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const InputPlan& input = plan_.inputs[i];
      inputs_[i].plan = input;
      inputs_[i].plan.ends_at = nullptr;
      inputs_[i].plan.parse_ahead = false;  // Reader and task share a thread here; and a record that killed the parser must not come to it.
      std::unique_ptr<LineParser> parser;
      if (input.parsed) {
        TRY_ASSIGN(parser, make_line_parser(input.schema, input.role));
      }
      inputs_[i].ring = std::make_unique<InputRing>(wake_);
      inputs_[i].queue =
          std::make_unique<InputQueue>(InputQueue::Settings{input.input, input.parsed, plan_.jump_max}, std::move(parser));
      TopicLog& log = computed_[i] ? copy_ : original_;
      inputs_[i].reader = std::make_unique<SourceReader>(inputs_[i].plan, *task_, *inputs_[i].ring, log, clock_, status_,
                                                         status_.inputs.of(input.input, input.partition, input.topic_name));
      TRY(inputs_[i].reader->open(Offset(0), 0, {}));
    }
    // The order is read whole: a byte or two for each run of records.
    TRY_ASSIGN(auto original, original_.open_task({plan_.name, plan_.partition}));
    TRY(original->recover());
    CommitId expected{1};
    std::optional<Error> gap;
    TRY(original->read_order([&](CommitId commit, std::string_view bytes) {
      // Retention cuts from the first on. A later commit without an order took no record: it noted that there was none.
      if (commit != expected && expected.value == 1) {
        gap = Error{ErrorCode::kNotFound, "order of task '" + plan_.label() + "': found commit " + std::to_string(commit.value) +
                                              ", expected " + std::to_string(expected.value) +
                                              "; retention has cut it, so it cannot be computed from the first record"};
        return false;
      }
      for (; expected < commit; expected = expected.next()) orders_.emplace_back();
      expected = expected.next();
      orders_.emplace_back(bytes);
      return true;
    }));
    if (gap) return *gap;
    return {};
  }

  bool done() const { return orders_.empty(); }
  std::uint64_t records() const { return records_; }

  // True if anything was done.
  Result<bool> advance() {
    bool any = false;
    while (!orders_.empty()) {
      if (!reading_) {
        reader_.emplace(orders_.front());
        reading_ = true;
        left_ = 0;
      }
      while (left_ > 0 || next_order_entry(*reader_, entry_)) {
        if (left_ == 0) left_ = entry_.kind == OrderKind::kIdle ? 0 : entry_.count;
        while (left_ > 0) {
          TRY_ASSIGN(const bool stepped, step());
          if (!stepped) return any;
          any = true;
        }
      }
      if (!reader_->ok())
        return Error{ErrorCode::kCorruption, "order of task '" + plan_.label() + "': malformed entry"};
      task_->close(transaction_);
      TRY_ASSIGN(const CommitId commit, store_->commit(transaction_));
      task_->committed(commit);
      transaction_.clear();
      orders_.pop_front();
      reading_ = false;
      any = true;
      if (records_ - reported_ > 20'000) {  // Lets the others catch up, and the caller report.
        reported_ = records_;
        return true;
      }
    }
    return any;
  }

  std::string waits_for() const {
    return "task '" + plan_.label() + "' needs one more record of " + std::string(name_of(entry_.input)) + " partition " +
           std::to_string(partition_of(entry_).value);
  }

 private:
  struct Input {
    InputPlan plan;
    std::unique_ptr<InputRing> ring;
    std::unique_ptr<InputQueue> queue;
    std::unique_ptr<SourceReader> reader;
  };

  PartitionId partition_of(const OrderEntry& entry) const { return entry.partition == kOwnPartition ? plan_.partition : entry.partition; }

  // One unit of the current entry; false: its record is not there yet.
  Result<bool> step() {
    if (entry_.kind == OrderKind::kSteps) {
      TRY_ASSIGN(const std::uint64_t done, task_->idle(left_, transaction_));
      if (done == 0)
        return Error{ErrorCode::kCorruption, "order of task '" + plan_.label() + "': training steps where there is nothing to train on"};
      left_ -= done;
      return true;
    }
    for (Input& input : inputs_) {
      if (input.plan.input != entry_.input || input.plan.partition != partition_of(entry_)) continue;
      TRY_ASSIGN(const bool there, fill(input, entry_.kind != OrderKind::kPoison));
      if (!there) return false;
      RecordView view;
      view.source = {input.plan.topic_name, input.plan.partition, input.queue->next_offset()};
      std::uint64_t cursor = 0;
      if (input.plan.parsed) {
        if (entry_.kind == OrderKind::kPoison) input.queue->refuse_next(poison_refusal());
        const ParsedRecord* parsed = input.queue->peek();
        view.parsed = parsed;
        view.record.value = parsed->line;
        cursor = parsed->cursor;
      } else {
        view.record = *input.queue->peek_record();
      }
      if (entry_.kind == OrderKind::kPoison) {
        TRY(task_->process_poison(entry_.input, view, cursor, transaction_));
      } else {
        TRY(task_->process(entry_.input, view, cursor, transaction_));
      }
      input.queue->pop();
      while (auto used = input.queue->take_used()) input.ring->recycle(std::move(used));
      --left_;
      ++records_;
      return true;
    }
    return Error{ErrorCode::kCorruption, "order of task '" + plan_.label() + "': names input " + std::string(name_of(entry_.input)) + " partition " +
                                             std::to_string(partition_of(entry_).value) + ", which it does not have"};
  }

  // Whether there is a next record: one that may be consumed, or, where it must not be parsed, any.
  Result<bool> fill(Input& input, bool parsed) {
    while (parsed ? !input.queue->has_next() : input.queue->waiting() == 0) {
      const std::uint64_t before = input.queue->waiting();
      TRY(input.reader->step(Duration(0)));
      bool got = false;
      while (auto batch = input.ring->pop()) {
        got = true;
        input.queue->push(std::move(batch));
      }
      if (!got && input.queue->waiting() == before) return false;
    }
    return true;
  }

  const TaskPlan& plan_;
  TopicLog& original_;
  TopicLog& copy_;
  std::vector<bool> computed_;  // By input of the plan: read from the copy.
  const Clock& clock_;
  WakeSignal wake_;
  TaskStatus status_;
  std::unique_ptr<TaskStore> store_;
  std::unique_ptr<Task> task_;
  std::vector<Input> inputs_;
  std::deque<std::string> orders_;  // Of the commits to come.
  std::optional<ByteReader> reader_;
  bool reading_ = false;
  OrderEntry entry_;
  std::uint64_t left_ = 0;  // Units of entry_ still to do.
  std::uint64_t records_ = 0;
  std::uint64_t reported_ = 0;
  Transaction transaction_;
};

// Walks a topic record by record.
class Walk {
 public:
  Result<void> open(TopicLog& log, Topic topic, PartitionId partition) {
    TRY_ASSIGN(reader_, log.open_reader(topic, partition, Offset(0)));
    return {};
  }
  // The next record's stored form; false at the end.
  Result<bool> next(Offset& offset, std::string& bytes) {
    while (at_ == records_.size()) {
      TRY_ASSIGN(const auto batch, reader_->poll(Duration(0)));
      if (batch == nullptr) return false;
      records_.clear();
      at_ = 0;
      batch->for_each([&](Offset o, const Record& record) {
        ByteBuffer stored;
        encode_record(record, stored);
        records_.emplace_back(o, stored.view());
      });
    }
    offset = records_[at_].first;
    bytes = std::move(records_[at_].second);
    ++at_;
    ++count_;
    return true;
  }
  std::uint64_t count() const { return count_; }  // Given so far.

 private:
  std::unique_ptr<TopicReader> reader_;
  std::vector<std::pair<Offset, std::string>> records_;
  std::size_t at_ = 0;
  std::uint64_t count_ = 0;
};

Record record_of(const std::string& stored) {
  ByteReader reader(stored);
  Record record;
  CHECK(decode_record(reader, record));
  return record;
}

// By key, which of a topic's records is its newest: counted from 1.
Result<std::map<std::string, std::uint64_t, std::less<>>> newest_by_key(TopicLog& log, Topic topic, PartitionId partition) {
  std::map<std::string, std::uint64_t, std::less<>> out;
  Walk walk;
  TRY(walk.open(log, topic, partition));
  Offset offset;
  for (std::string stored;;) {
    TRY_ASSIGN(const bool more, walk.next(offset, stored));
    if (!more) return out;
    out[std::string(record_of(stored).key)] = walk.count();
  }
}

std::string value_of(Topic topic, const std::string& stored) {
  ByteReader reader(stored);
  Record record;
  ByteBuffer json;
  if (!decode_record(reader, record) || !write_value_json(topic, record.value, json)) return "(malformed)";
  return std::string(json.view().substr(0, 300));
}

// Whether two stored records are the same. Where a config chooses the format, what was published in the one is the same as what
// is computed in the other: the config may have changed on the way.
bool same(Topic topic, const std::string& a, const std::string& b) {
  if (a == b) return true;
  ByteReader read_a(a), read_b(b);
  Record in_a, in_b;
  if (!traits_of(topic).has_choice() || !decode_record(read_a, in_a) || !decode_record(read_b, in_b)) return false;
  if (in_a.value.starts_with('{') == in_b.value.starts_with('{')) return false;
  ByteBuffer json_a, json_b, record_a, record_b;
  if (!write_value_json(topic, in_a.value, json_a) || !write_value_json(topic, in_b.value, json_b)) return false;
  in_a.value = json_a.view();
  in_b.value = json_b.view();
  encode_record(in_a, record_a);
  encode_record(in_b, record_b);
  return record_a.view() == record_b.view();
}

}  // namespace

std::vector<Topic> compared_topics(const TopicLog& log) {
  constexpr std::array kSame = {Topic::kPredictions, Topic::kAbstained, Topic::kExamples, Topic::kUnjoined, Topic::kDeadLetters,
                                Topic::kModels,      Topic::kSums,      Topic::kCapacity, Topic::kCandidates};
  std::vector<Topic> out;
  for (const TopicDescription& topic : log.list())
    if (std::ranges::find(kSame, topic.spec.topic) != kSame.end()) out.push_back(topic.spec.topic);
  return out;
}

Result<void> recompute(const std::vector<TaskPlan>& plans, TopicLog& original, TopicLog& copy, const Clock& clock,
                       const std::function<bool(const RecomputeProgress&)>& go_on) {
  std::vector<std::unique_ptr<Replay>> replays;
  for (const TaskPlan& plan : plans) {
    std::vector<bool> computed;
    for (const InputPlan& input : plan.inputs) {
      bool here = false;
      for (const TaskPlan& writer : plans) here = here || (writer.name == input.written_by && writer.partition == input.partition);
      computed.push_back(here);
    }
    replays.push_back(std::make_unique<Replay>(plan, original, copy, computed, clock));
    TRY(replays.back()->open());
  }
  for (;;) {
    bool any = false;
    bool all_done = true;
    RecomputeProgress progress;
    for (auto& replay : replays) {
      TRY_ASSIGN(const bool advanced, replay->advance());
      any = any || advanced;
      all_done = all_done && replay->done();
      progress.records += replay->records();
    }
    if (all_done) return {};
    if (!any) {
      std::string waits;
      for (auto& replay : replays)
        if (!replay->done()) waits += (waits.empty() ? "" : "; ") + replay->waits_for();
      return Error{ErrorCode::kCorruption, "the order asks for records that are not there: " + waits};
    }
    if (!go_on(progress)) return Error{ErrorCode::kUnavailable, "stopped before it was done"};
  }
}

Result<std::uint64_t> compare_topic(Topic topic, PartitionId partition, TopicLog& original, TopicLog& copy, CompareTo to,
                                    std::size_t texts_max, std::vector<std::string>& texts) {
  TRY_ASSIGN(const TopicDescription description, original.describe(topic));
  const bool compacted = description.spec.retention.compact;
  Offset begin{0};
  for (const PartitionDescription& p : description.partitions)
    if (p.partition == partition) begin = p.begin;
  std::map<std::string, std::uint64_t, std::less<>> newest;  // In `original`.
  if (compacted) {
    TRY_ASSIGN(newest, newest_by_key(original, topic, partition));
  }
  // What a compacted topic keeps for ever is never cut.
  const bool cut = begin.value > 0 && (!compacted || description.spec.retention.bytes);
  Walk found;
  Walk expected;
  TRY(found.open(original, topic, partition));
  TRY(expected.open(copy, topic, partition));
  std::uint64_t differences = 0;
  bool first = true;
  const auto report = [&](Offset offset, const std::string& what) {
    ++differences;
    if (texts.size() < texts_max)
      texts.push_back(description.spec.name + ", partition " + std::to_string(partition.value) + ", offset " + std::to_string(offset.value) + ": " + what);
  };
  for (;;) {
    Offset at_found;
    Offset at_expected;
    std::string found_bytes;
    std::string expected_bytes;
    TRY_ASSIGN(const bool more_found, found.next(at_found, found_bytes));
    TRY_ASSIGN(bool more_expected, expected.next(at_expected, expected_bytes));
    // What retention or compaction has taken is missing by intent. Compaction takes what a later record of the same key
    // replaces, and tombstones.
    const auto replaced = [&] {
      const Record record = record_of(expected_bytes);
      const auto at = newest.find(record.key);
      return record.erases || (more_found && at != newest.end() && at->second >= found.count());
    };
    const auto taken = [&] {
      // With gaps, offsets do not tell which record is which: it is the next one that is the same.
      const bool gaps = original.has_gaps();
      if (cut && (gaps ? first && !same(topic, found_bytes, expected_bytes) : at_expected < begin)) return true;
      return compacted && (!more_found || (gaps ? !same(topic, found_bytes, expected_bytes) : at_expected < at_found)) && replaced();
    };
    // Gone though nothing replaces it: the others are where they should be.
    const auto missing = [&] {
      return compacted && more_found && record_of(found_bytes).key != record_of(expected_bytes).key && !replaced();
    };
    while (more_expected && (taken() || missing())) {
      if (!taken()) report(at_expected, "missing; computed again it is " + value_of(topic, expected_bytes));
      TRY_ASSIGN(more_expected, expected.next(at_expected, expected_bytes));
    }
    first = false;
    if (!more_found && (!more_expected || to == CompareTo::kPublished)) return differences;
    if (!more_found) {
      report(at_expected, "missing; computed again it is " + value_of(topic, expected_bytes));
    } else if (!more_expected) {
      report(at_found, "computed again there is no such record; found " + value_of(topic, found_bytes));
    } else if (!same(topic, found_bytes, expected_bytes)) {
      report(at_found, "found " + value_of(topic, found_bytes) + ", computed again " + value_of(topic, expected_bytes));
    }
  }
}

}  // namespace weir
