#include "pipelines/verify.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "core/base/clock.hpp"
#include "core/records/codec.hpp"

namespace weir {
namespace {

constexpr std::size_t kTextsMax = 100;
// How long a transaction may hold up what was committed before it: longer than the brokers let one live.
constexpr Duration kOpenLimit = std::chrono::seconds(90);
// How much later brokers may show a commit in one partition than in another.
constexpr Duration kSettleLimit = std::chrono::seconds(10);
constexpr Duration kLookAgainAfter = std::chrono::milliseconds(20);

void violation(VerifyReport& report, std::string text) {
  ++report.violation_count;
  if (report.violations.size() < kTextsMax) report.violations.push_back(std::move(text));
}

std::string place(Topic topic, PartitionId partition, Offset offset) {
  return std::string(short_name(topic)) + ", partition " + std::to_string(partition.value) + ", offset " + std::to_string(offset.value);
}

// Ends with a pause and true until `limit` has passed since the first call.
class Patience {
 public:
  explicit Patience(Duration limit) : limit_(limit) {}
  bool look_again() {
    const std::int64_t now = system_clock().monotonic_ns();
    if (until_ns_ == 0) until_ns_ = now + limit_.count() * 1000;
    if (now >= until_ns_) return false;
    std::this_thread::sleep_for(kLookAgainAfter);
    return true;
  }

 private:
  Duration limit_;
  std::int64_t until_ns_ = 0;
};

// Committed records of one partition, from the oldest on, in turns: each to the end as it was when the turn began.
class Walk {
 public:
  Walk(TopicLog& log, Topic topic, PartitionId partition) : log_(log), topic_(topic), partition_(partition) {}

  // Notes how far the partition has been written by now.
  Result<void> open() {
    TRY_ASSIGN(appended_, log_.appended_end(topic_, partition_));
    TRY_ASSIGN(const TopicDescription description, log_.describe(topic_));
    for (const PartitionDescription& p : description.partitions)
      if (p.partition == partition_) begin_ = p.begin;
    compacted_ = description.spec.retention.compact;
    TRY_ASSIGN(reader_, log_.open_reader(topic_, partition_, begin_));
    return {};
  }
  // REQUIRES: open() has been called.
  template <class Fn>
  Result<void> go_on(Fn&& fn, std::optional<Offset> until = {}) {
    Offset end = reader_->end();
    if (until) end = std::min(end, *until);
    while (reader_->position() < end) {
      TRY_ASSIGN(const auto batch, reader_->poll(Duration(0)));
      if (batch == nullptr) break;
      if (!batch->for_each(fn))
        return Error{ErrorCode::kCorruption, place(topic_, partition_, batch->base()) + ": malformed batch; run 'weir repair'"};
    }
    return {};
  }
  // The same to where the partition was written when it was opened: what was open then has been committed or aborted.
  template <class Fn>
  Result<void> go_on_to_appended(Fn&& fn) {
    for (Patience patience(kOpenLimit);;) {
      TRY(go_on(fn));
      if (reader_->position() >= appended_) return {};
      if (!patience.look_again())
        return Error{ErrorCode::kUnavailable, place(topic_, partition_, reader_->position()) + ": a transaction has been open there for " +
                                                  std::to_string(kOpenLimit.count() / 1'000'000) + " s; let the brokers end it"};
    }
  }
  Topic topic() const { return topic_; }
  Offset begin() const { return begin_; }
  bool compacted() const { return compacted_; }

 private:
  TopicLog& log_;
  Topic topic_;
  PartitionId partition_;
  Offset begin_{0};
  Offset appended_{0};
  bool compacted_ = false;
  std::unique_ptr<TopicReader> reader_;
};

// At which offsets before `end` an input has records. Of a file's lines: at all.
class InputOffsets {
 public:
  Result<void> read(TopicLog& log, Topic topic, PartitionId partition, Offset end, bool from_topic) {
    end_ = end.value;
    if (!from_topic) {
      count_ = static_cast<std::uint64_t>(end_);
      return {};
    }
    there_.resize(static_cast<std::size_t>(end_), false);
    Walk walk(log, topic, partition);
    std::int64_t next = -1;
    TRY(walk.open());
    TRY(walk.go_on(
        [&](Offset offset, const Record&) {
          if (offset.value >= end_) return;
          there_[static_cast<std::size_t>(offset.value)] = true;
          ++count_;
          gaps_ = gaps_ || (next >= 0 && offset.value != next);
          next = offset.value + 1;
        },
        end));
    begin_ = walk.begin().value;
    gaps_ = gaps_ || log.has_gaps();
    compacted_ = walk.compacted();
    return {};
  }
  // Below what retention has left nobody knows what was there: nothing, where there are gaps.
  bool must_be_answered(std::int64_t offset) const {
    if (there_.empty()) return true;
    return offset < begin_ ? !gaps_ : static_cast<bool>(there_[static_cast<std::size_t>(offset)]);
  }
  // REQUIRES: offset < end.
  bool may_be_answered(std::int64_t offset) const {
    return there_.empty() || offset < begin_ || compacted_ || there_[static_cast<std::size_t>(offset)];
  }
  std::uint64_t count() const { return count_; }

 private:
  std::int64_t end_ = 0;
  std::int64_t begin_ = 0;
  std::uint64_t count_ = 0;
  bool gaps_ = false;
  bool compacted_ = false;
  std::vector<bool> there_;  // Empty: all.
};

// How often each offset of one input was answered, over several output topics.
class Answers {
 public:
  using Look = std::function<void(std::int64_t from, Offset offset, const Record&)>;
  // `other`: a source that some outputs may have instead, and that does not count. `ordered`: an answer comes with its
  // input; else it may come later (a label that waits, or expires).
  Answers(TopicLog& log, PartitionId partition, std::string source, std::string other, bool ordered, bool doubles, Offset end,
          const InputOffsets& input, VerifyReport& report)
      : log_(log),
        partition_(partition),
        source_(std::move(source)),
        other_(std::move(other)),
        ordered_(ordered),
        doubles_(doubles),
        input_(input),
        seen_(static_cast<std::size_t>(end.value), false),
        again_(doubles ? static_cast<std::size_t>(end.value) : 0, false),
        report_(report) {}

  // `count`: of its records.
  Result<void> add(Topic topic, std::uint64_t& count, Look look = {}) {
    outputs_.push_back({Walk(log_, topic, partition_), &count, std::move(look), std::vector<bool>(ordered_ ? again_.size() : 0, false), -1, -1, -1, {}});
    return outputs_.back().walk.open();
  }

  // Reads the outputs; `appended`: until what had been written when they were added has been decided.
  Result<void> read(bool appended) {
    for (Output& output : outputs_) {
      const auto taken = [&](Offset offset, const Record& record) { take(output, offset, record); };
      TRY(appended ? output.walk.go_on_to_appended(taken) : output.walk.go_on(taken));
      // Retention took the oldest outputs: their inputs are left out.
      if (output.walk.begin().value > 0)
        start_ = std::max(start_, output.first < 0 ? static_cast<std::int64_t>(seen_.size()) : output.first);
    }
    return {};
  }

  bool answered(Offset offset) const { return seen_[static_cast<std::size_t>(offset.value)]; }
  // With doubles: whether what was said of it may have been taken back: by a start from before it, or by another owner, while this one
  // did not know of it. Of what is not consumed nobody knows yet.
  bool may_be_taken_back(std::int64_t from) const {
    return from < 0 || from >= static_cast<std::int64_t>(again_.size()) || again_[static_cast<std::size_t>(from)];
  }
  // With doubles: what is answered for the first time comes in order. But an answer that the task's end kept from being written may
  // be given to another topic by the next start, among those that it repeats; and two owners may give theirs to two.
  void check_order() {
    const auto topics = std::ranges::count_if(outputs_, [](const Output& output) { return output.walk.topic() != Topic::kDeadLetters && output.first >= 0; });
    for (const Output& output : outputs_)
      for (const Late& late : output.late) {
        const bool begins_with_repeated = output.walk.begin().value > 0;
        const bool moves = topics > 1 && output.walk.topic() != Topic::kDeadLetters;
        const bool repeated = may_be_taken_back(late.after) || may_be_taken_back(late.from);
        if (!((begins_with_repeated || moves) && repeated)) out_of_order(output.walk.topic(), late.at, late.from, late.after);
      }
  }
  // Offsets of records without an answer, ascending.
  std::vector<Offset> missing() const {
    std::vector<Offset> out;
    for (auto i = static_cast<std::size_t>(start_); i < seen_.size(); ++i)
      if (!seen_[i] && input_.must_be_answered(static_cast<std::int64_t>(i))) out.push_back(Offset(static_cast<std::int64_t>(i)));
    return out;
  }
  // One past the last one that was answered beyond `end`; 0: none.
  Offset later_end() const { return later_.empty() ? Offset(0) : std::max_element(later_.begin(), later_.end())->from.next(); }
  // Checks these against what has been consumed by now.
  void check_later(Offset consumed) {
    std::ranges::stable_sort(later_, {}, &Later::from);
    for (std::size_t i = 0; i < later_.size(); ++i) {
      if (i > 0 && later_[i].from == later_[i - 1].from) answered_before(later_[i].topic, later_[i].at, later_[i].from);
      if (later_[i].from >= consumed)
        violation(report_, place(later_[i].topic, partition_, later_[i].at) + ": its source offset " + std::to_string(later_[i].from.value) +
                               " was not consumed (end " + std::to_string(consumed.value) + ")");
    }
  }

 private:
  // With doubles: answered for the first time, after one behind it.
  struct Late {
    std::int64_t from, after;
    Offset at;
  };
  struct Output {
    Walk walk;
    std::uint64_t* count;
    Look look;
    std::vector<bool> seen;  // With doubles, ordered: which offsets this topic has answered.
    std::int64_t first = -1, last = -1;
    std::int64_t highest = -1;  // Of those.
    std::vector<Late> late;
  };
  struct Later {
    Offset from;
    Topic topic;
    Offset at;
    bool operator<(const Later& other) const { return from < other.from; }
  };

  void out_of_order(Topic topic, Offset at, std::int64_t from, std::int64_t after) {
    violation(report_, place(topic, partition_, at) + ": source offset " + std::to_string(from) + " after " + std::to_string(after) +
                           ", expected ascending order");
  }
  // With doubles, of what is consumed.
  static void note_order(Output& output, std::int64_t from, Offset at) {
    if (output.seen.empty()) return;
    auto seen = output.seen[static_cast<std::size_t>(from)];
    if (!seen && from < output.highest) output.late.push_back({from, output.highest, at});
    seen = true;
    output.highest = std::max(output.highest, from);
  }

  void answered_before(Topic topic, Offset at, Offset from) {
    if (doubles_) ++report_.doubled;
    else violation(report_, place(topic, partition_, at) + ": source offset " + std::to_string(from.value) + " was answered before");
  }

  void take(Output& output, Offset offset, const Record& record) {
    ++*output.count;
    if (!other_.empty() && record.source.topic == other_) return;
    const Topic topic = output.walk.topic();
    const std::int64_t from = record.source.offset.value;
    if (record.source.topic != source_ || record.source.partition != partition_ || from < 0)
      return violation(report_, place(topic, partition_, offset) + ": its source is " + std::string(record.source.topic) + "/" +
                                    std::to_string(record.source.partition.value) + ", expected " + source_ + "/" + std::to_string(partition_.value) +
                                    (from < 0 ? ", and an offset" : ""));
    if (ordered_ && !doubles_ && from <= output.last) out_of_order(topic, offset, from, output.last);
    if (output.first < 0) output.first = from;
    output.last = from;
    if (from >= static_cast<std::int64_t>(seen_.size())) {
      later_.push_back({Offset(from), topic, offset});
    } else {
      if (!input_.may_be_answered(from))
        violation(report_, place(topic, partition_, offset) + ": its source offset " + std::to_string(from) + " holds no record");
      auto seen = seen_[static_cast<std::size_t>(from)];
      if (seen) {
        answered_before(topic, offset, Offset(from));
        if (doubles_) again_[static_cast<std::size_t>(from)] = true;
      }
      seen = true;
      note_order(output, from, offset);
    }
    if (output.look) output.look(from, offset, record);
  }

  TopicLog& log_;
  PartitionId partition_;
  std::string source_;
  std::string other_;
  bool ordered_;
  bool doubles_;
  const InputOffsets& input_;
  std::vector<bool> seen_;
  std::vector<bool> again_;  // With doubles: more than once.
  std::vector<Later> later_;
  std::int64_t start_ = 0;
  std::vector<Output> outputs_;
  VerifyReport& report_;
};

// The model versions that the records of one topic name, in the order of the topic.
class NamedVersions {
 public:
  // `all`: keeps each one for check(); else the highest. `doubles`: else each one above `committed`; what a start has taken back may
  // have been said by a version that it has taken back, too.
  NamedVersions(Topic topic, PartitionId partition, PartitionId model, bool all, bool doubles, ModelVersion committed, VerifyReport& report)
      : topic_(topic), partition_(partition), model_(model), all_(all), doubles_(doubles), committed_(committed.value), report_(report) {}

  void look(std::int64_t from, Offset offset, const Record& record) {
    const auto facts = prediction_facts(record.value);
    if (!facts || facts->partition != model_)
      return violation(report_, place(topic_, partition_, offset) + ": names no version of model " + std::to_string(model_.value));
    const std::uint64_t version = facts->version.value;
    if (last_ && version < *last_) {
      if (doubles_) backward_.push_back({version, *last_, from, last_from_, offset});
      else goes_back(version, *last_, offset);
    }
    const bool same = last_ == version;
    last_ = version;
    last_from_ = from;
    if (doubles_ && !all_) {
      if (version > committed_) named_.push_back({version, from, offset});
      return;
    }
    if (same || (!all_ && !named_.empty() && version < named_.back().version)) return;
    if (!all_) named_.clear();
    named_.push_back({version, from, offset});
  }
  // `taken_back(from)`: whether the answer to that input may have been taken back.
  template <class Exists, class TakenBack>
  void check(Exists&& exists, TakenBack&& taken_back) const {
    for (const Backward& one : backward_)
      if (!taken_back(one.last_from) && !taken_back(one.from)) goes_back(one.version, one.last, one.at);
    for (const Named& named : named_)
      if (!exists(named.version) && (all_ || !doubles_ || !taken_back(named.from)))
        violation(report_, place(topic_, partition_, named.at) + ": model version " + std::to_string(named.version) + " does not exist");
  }

 private:
  struct Named {
    std::uint64_t version;
    std::int64_t from;
    Offset at;  // The first that names it.
  };
  struct Backward {
    std::uint64_t version, last;
    std::int64_t from, last_from;
    Offset at;
  };
  void goes_back(std::uint64_t version, std::uint64_t last, Offset at) const {
    violation(report_, place(topic_, partition_, at) + ": model version " + std::to_string(version) + " after " + std::to_string(last));
  }
  Topic topic_;
  PartitionId partition_;
  PartitionId model_;
  bool all_;
  bool doubles_;
  std::uint64_t committed_;
  std::optional<std::uint64_t> last_;
  std::int64_t last_from_ = -1;
  std::vector<Named> named_;
  std::vector<Backward> backward_;
  VerifyReport& report_;
};

}  // namespace

Result<void> verify_topics(TopicLog& log, const Consumed& consumed, const ConsumedNow& now, VerifyReport& report) {
  const PartitionId partition = consumed.partition;
  InputOffsets logs, labels;
  TRY(logs.read(log, Topic::kLogs, partition, consumed.logs, consumed.logs_from_topic));
  TRY(labels.read(log, Topic::kOutcomes, partition, consumed.outcomes, consumed.outcomes_from_topic));
  report.events += logs.count();
  report.outcomes += labels.count();
  report.waiting += consumed.waiting_labels.size();

  NamedVersions predicted(Topic::kPredictions, partition, consumed.model, consumed.free_learning, consumed.doubles, consumed.version, report);
  NamedVersions abstained(Topic::kAbstained, partition, consumed.model, consumed.free_learning, consumed.doubles, consumed.version, report);
  Answers events(log, partition, consumed.logs_topic, "", /*ordered=*/true, consumed.doubles, consumed.logs, logs, report);
  TRY(events.add(Topic::kPredictions, report.predictions, [&](std::int64_t from, Offset offset, const Record& record) { predicted.look(from, offset, record); }));
  TRY(events.add(Topic::kAbstained, report.abstained, [&](std::int64_t from, Offset offset, const Record& record) { abstained.look(from, offset, record); }));
  TRY(events.add(Topic::kDeadLetters, report.dead_letters));
  // An event that carries its label is its own outcome.
  Answers outcomes(log, partition, consumed.outcomes_topic, consumed.logs_topic, /*ordered=*/false, consumed.doubles, consumed.outcomes, labels, report);
  TRY(outcomes.add(Topic::kExamples, report.examples));
  TRY(outcomes.add(Topic::kUnjoined, report.unjoined));

  std::vector<Offset> unanswered, unsettled;
  for (const bool appended : {false, true}) {
    TRY(events.read(appended));
    TRY(outcomes.read(appended));
    unanswered = events.missing();
    unsettled.clear();
    std::ranges::set_difference(outcomes.missing(), consumed.waiting_labels, std::back_inserter(unsettled));
    if (unanswered.empty() && unsettled.empty()) break;
  }
  if (consumed.doubles) events.check_order();
  for (const Offset offset : unanswered)
    violation(report, consumed.logs_topic + ", partition " + std::to_string(partition.value) + ", offset " + std::to_string(offset.value) +
                          ": no prediction, abstained record or dead letter");
  for (const Offset offset : unsettled)
    violation(report, consumed.outcomes_topic + ", partition " + std::to_string(partition.value) + ", offset " + std::to_string(offset.value) +
                          ": neither example nor unjoined, and it does not wait for its event");

  // The versions that were ever served: free, those on `models` (compaction keeps the newest of each key); coupled, all up to
  // the one served now. One that a process adopts while this reads is on `models` before a prediction names it.
  std::set<std::uint64_t> promoted = {0};
  Walk models(log, Topic::kModels, consumed.model);
  TRY(models.open());
  TRY(models.go_on([&](Offset offset, const Record& record) {
    if (consumed.model == partition) ++report.models;
    ModelVersionRecord version;
    if (record.erases) return;
    if (!decode_model_version(record.value, version))
      return violation(report, place(Topic::kModels, consumed.model, offset) + ": malformed model version");
    promoted.insert(version.version.value);
  }));

  Consumed last = consumed;
  if (consumed.doubles) {  // What it published and had not committed when it ended is of records that are there.
    constexpr Offset kAnywhere{std::numeric_limits<std::int64_t>::max()};
    last.logs = last.outcomes = kAnywhere;
    if (consumed.logs_from_topic) {
      TRY_ASSIGN(last.logs, log.appended_end(Topic::kLogs, partition));
    }
    if (consumed.outcomes_from_topic) {
      TRY_ASSIGN(last.outcomes, log.appended_end(Topic::kOutcomes, partition));
    }
  }
  for (Patience patience(kSettleLimit); now && !consumed.doubles;) {
    TRY_ASSIGN(last, now());
    if ((events.later_end() <= last.logs && outcomes.later_end() <= last.outcomes) || !patience.look_again()) break;
  }
  events.check_later(last.logs);
  outcomes.check_later(last.outcomes);
  for (const Offset offset : last.waiting_labels)
    if (!consumed.doubles && offset < consumed.outcomes && outcomes.answered(offset))
      violation(report, consumed.outcomes_topic + ", partition " + std::to_string(partition.value) + ", offset " + std::to_string(offset.value) +
                            ": is settled, and waits for its event");
  const auto exists = [&](std::uint64_t version) {
    return consumed.free_learning ? models.begin().value > 0 || promoted.contains(version) : version <= last.version.value;
  };
  const auto taken_back = [&](std::int64_t from) { return events.may_be_taken_back(from); };
  predicted.check(exists, taken_back);
  abstained.check(exists, taken_back);
  return {};
}

}  // namespace weir
