#include "pipelines/verify.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/records/codec.hpp"

namespace weir {
namespace {

constexpr std::size_t kTextsMax = 100;

void violation(VerifyReport& report, std::string text) {
  ++report.violation_count;
  if (report.violations.size() < kTextsMax) report.violations.push_back(std::move(text));
}

std::string place(Topic topic, PartitionId partition, Offset offset) {
  return std::string(short_name(topic)) + ", partition " + std::to_string(partition.value) + ", offset " + std::to_string(offset.value);
}

template <class Fn>
Result<Offset> walk(TopicLog& log, Topic topic, PartitionId partition, Fn&& fn) {
  TRY_ASSIGN(const TopicDescription description, log.describe(topic));
  Offset begin{0};
  for (const PartitionDescription& p : description.partitions)
    if (p.partition == partition) begin = p.begin;
  TRY_ASSIGN(auto reader, log.open_reader(topic, partition, begin));
  for (;;) {
    TRY_ASSIGN(const auto batch, reader->poll(Duration(0)));
    if (batch == nullptr) return begin;
    if (!batch->for_each(fn))
      return Error{ErrorCode::kCorruption, place(topic, partition, batch->base()) + ": malformed batch; run 'weir repair'"};
  }
}

// How often each offset of one input was answered, over several output topics.
class Answers {
 public:
  // `other`: a source that some outputs may have instead, and that does not count. `ordered`: an answer comes with its
  // input; else it may come later (a label that waits, or expires).
  Answers(std::string source, std::string other, bool ordered, Offset end, VerifyReport& report)
      : source_(std::move(source)),
        other_(std::move(other)),
        ordered_(ordered),
        seen_(static_cast<std::size_t>(end.value), 0),
        report_(report) {}

  // Counts the outputs of one topic.
  Result<std::uint64_t> add(TopicLog& log, Topic topic, PartitionId partition,
                            const std::function<void(Offset, const Record&)>& look = {}) {
    std::int64_t last = -1;
    std::int64_t first = -1;
    std::uint64_t count = 0;
    TRY_ASSIGN(const Offset begin, walk(log, topic, partition, [&](Offset offset, const Record& record) {
      ++count;
      const std::string where = place(topic, partition, offset);
      if (!other_.empty() && record.source.topic == other_) return;
      if (record.source.topic != source_ || record.source.partition != partition)
        return violation(report_, where + ": its source is " + std::string(record.source.topic) + "/" +
                                      std::to_string(record.source.partition.value) + ", expected " + source_ + "/" +
                                      std::to_string(partition.value));
      const std::int64_t from = record.source.offset.value;
      if (from < 0 || from >= static_cast<std::int64_t>(seen_.size()))
        return violation(report_, where + ": its source offset " + std::to_string(from) + " was not consumed (end " +
                                      std::to_string(seen_.size()) + ")");
      if (ordered_ && from <= last)
        violation(report_, where + ": source offset " + std::to_string(from) + " after " + std::to_string(last) +
                               ", expected ascending order");
      if (first < 0) first = from;
      last = from;
      auto& seen = seen_[static_cast<std::size_t>(from)];
      if (seen != 0) violation(report_, where + ": source offset " + std::to_string(from) + " was answered before");
      seen = 1;
      if (look) look(offset, record);
    }));
    // Retention took the oldest outputs: their inputs are left out.
    if (begin.value > 0)
      start_ = std::max(start_, first < 0 ? static_cast<std::int64_t>(seen_.size()) : first);
    return count;
  }

  // Offsets without an answer.
  std::vector<std::int64_t> missing() const {
    std::vector<std::int64_t> out;
    for (auto i = static_cast<std::size_t>(start_); i < seen_.size(); ++i)
      if (seen_[i] == 0) out.push_back(static_cast<std::int64_t>(i));
    return out;
  }
  bool whole() const { return start_ == 0; }

 private:
  std::string source_;
  std::string other_;
  bool ordered_;
  std::vector<char> seen_;
  std::int64_t start_ = 0;
  VerifyReport& report_;
};

// Removes the offsets (ascending) at which the input topic has no record.
Result<void> remove_gaps(TopicLog& log, Topic topic, PartitionId partition, std::vector<std::int64_t>& offsets) {
  if (offsets.empty()) return {};
  std::set<std::int64_t> there;
  std::int64_t next = -1;
  bool gaps = false;
  TRY_ASSIGN(const Offset begin, walk(log, topic, partition, [&](Offset offset, const Record&) {
    if (std::binary_search(offsets.begin(), offsets.end(), offset.value)) there.insert(offset.value);
    gaps = gaps || (next >= 0 && offset.value != next);
    next = offset.value + 1;
  }));
  std::erase_if(offsets, [&](std::int64_t offset) { return offset < begin.value ? gaps : !there.contains(offset); });
  return {};
}

// From `"model_version":"0/123"`; nullopt if it is not there.
std::optional<std::uint64_t> version_of(std::string_view json, PartitionId partition) {
  const std::string key = "\"model_version\":\"" + std::to_string(partition.value) + "/";
  const auto at = json.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t version = 0;
  const char* begin = json.data() + at + key.size();
  const auto [end, error] = std::from_chars(begin, json.data() + json.size(), version);
  if (error != std::errc() || end == json.data() + json.size() || *end != '"') return std::nullopt;
  return version;
}

}  // namespace

Result<void> verify_topics(TopicLog& log, const Consumed& consumed, VerifyReport& report) {
  report.events += static_cast<std::uint64_t>(consumed.logs.value);
  report.outcomes += static_cast<std::uint64_t>(consumed.outcomes.value);

  // The versions that were ever served: free, those on `models` (compaction keeps the newest of each key); coupled, all up to
  // the one served now.
  std::set<std::uint64_t> promoted = {0};
  bool versions_whole = true;
  {
    TRY_ASSIGN(const Offset begin, walk(log, Topic::kModels, consumed.partition, [&](Offset offset, const Record& record) {
      ++report.models;
      ModelVersionRecord version;
      if (record.erases) return;
      if (!decode_model_version(record.value, version))
        return violation(report, place(Topic::kModels, consumed.partition, offset) + ": malformed model version");
      promoted.insert(version.version.value);
    }));
    versions_whole = begin.value == 0;
  }
  std::uint64_t last_version = 0;
  const auto check_version = [&](Topic topic) {
    return [&, topic](Offset offset, const Record& record) {
      const auto version = version_of(record.value, consumed.partition);
      const std::string where = place(topic, consumed.partition, offset);
      if (!version) return violation(report, where + ": names no model version of its partition");
      if (*version < last_version)
        violation(report, where + ": model version " + std::to_string(*version) + " after " + std::to_string(last_version));
      last_version = *version;
      const bool exists = consumed.free_learning ? !versions_whole || promoted.contains(*version) : *version <= consumed.version.value;
      if (!exists) violation(report, where + ": model version " + std::to_string(*version) + " does not exist");
    };
  };

  Answers events(consumed.logs_topic, "", /*ordered=*/true, consumed.logs, report);
  TRY_ASSIGN(const std::uint64_t predictions, events.add(log, Topic::kPredictions, consumed.partition, check_version(Topic::kPredictions)));
  report.predictions += predictions;
  last_version = 0;
  TRY(events.add(log, Topic::kAbstained, consumed.partition, check_version(Topic::kAbstained)));
  TRY(events.add(log, Topic::kDeadLetters, consumed.partition));
  std::vector<std::int64_t> unanswered = events.missing();
  if (consumed.logs_from_topic) TRY(remove_gaps(log, Topic::kLogs, consumed.partition, unanswered));
  for (const std::int64_t offset : unanswered)
    violation(report, consumed.logs_topic + ", partition " + std::to_string(consumed.partition.value) + ", offset " +
                          std::to_string(offset) + ": no prediction, abstained record or dead letter");

  // An event that carries its label is its own outcome.
  Answers outcomes(consumed.outcomes_topic, consumed.logs_topic, /*ordered=*/false, consumed.outcomes, report);
  TRY_ASSIGN(const std::uint64_t examples, outcomes.add(log, Topic::kExamples, consumed.partition));
  report.examples += examples;
  TRY(outcomes.add(log, Topic::kUnjoined, consumed.partition));
  std::vector<std::int64_t> unsettled = outcomes.missing();
  if (consumed.outcomes_from_topic) TRY(remove_gaps(log, Topic::kOutcomes, consumed.partition, unsettled));
  if (outcomes.whole() ? unsettled.size() != consumed.waiting_labels : unsettled.size() > consumed.waiting_labels)
    violation(report, consumed.outcomes_topic + ", partition " + std::to_string(consumed.partition.value) + ": " +
                          std::to_string(unsettled.size()) + " outcomes gave neither example nor unjoined, " +
                          std::to_string(consumed.waiting_labels) + " wait for their event" +
                          (unsettled.empty() ? "" : "; the first is offset " + std::to_string(unsettled.front())));
  return {};
}

}  // namespace weir
