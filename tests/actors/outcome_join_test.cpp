// Goal: the row `outcomes` of the conventions, to the letter, beside a model that keeps everything in maps and looks at all of
// it at every step. Invariants: each outcomes offset settles exactly once or waits; an id gives at most one example while it is
// known; a restart at any commit changes nothing.

#include "actors/outcome_join.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "actors/ingestion.hpp"
#include "actors/task.hpp"
#include "core/base/math.hpp"
#include "core/base/rng.hpp"
#include "tests/support/map_state_reader.hpp"

namespace weir {
namespace {

// Stands for features to predictor: a sample and a probability that are functions of the event's offset.
class FakePredictor final : public Stage {
 public:
  std::string_view name() const override { return "predictor"; }
  void process(InputId input, RecordView& record, Output& out) override {
    if (input == InputId::kLogs) {
      const auto n = static_cast<std::uint64_t>(record.source.offset.value);
      dense_.assign(n % 30, static_cast<float>(n));
      indices_.assign(n % 7, static_cast<std::uint32_t>(n));
      values_.assign(n % 7, 1.0f);
      label_keys_.assign(n % 3, n);
      sample_ = {dense_, indices_, values_};
      prediction_ = Prediction();
      prediction_.value = static_cast<double>(n % 100) / 100.0;
      prediction_.version = ModelVersion(n);
      record.sample = &sample_;
      record.prediction = &prediction_;
      record.label_keys = label_keys_;
      record.last_outcome = static_cast<float>(n % 2);
    }
    out.emit(record);
  }
  void save(StateWriter&) override {}
  Result<void> load(const StageState&) override { return {}; }

 private:
  std::vector<float> dense_, values_;
  std::vector<std::uint32_t> indices_;
  std::vector<std::uint64_t> label_keys_;
  Sample sample_;
  Prediction prediction_;
};

// Stands for the gate: passes on, then publishes "offset" or "offset duplicate"; sees the fed-back examples.
class FakeGate final : public Stage {
 public:
  explicit FakeGate(std::vector<std::string>& fed_back) : fed_back_(fed_back) {}
  std::string_view name() const override { return "gate"; }
  void process(InputId input, RecordView& record, Output& out) override {
    out.emit(record);
    if (input == InputId::kLogs) {
      text_ = std::to_string(record.source.offset.value) + (record.prediction->duplicate ? " duplicate" : "");
      Record published;
      published.value = text_;
      out.append(Topic::kPredictions, published);
    } else if (input == InputId::kExamples) {
      fed_back_.push_back(std::string(record.record.value));
      EXPECT_NE(record.example, nullptr);
    }
  }
  void save(StateWriter&) override {}
  Result<void> load(const StageState&) override { return {}; }

 private:
  std::vector<std::string>& fed_back_;
  std::string text_;
};

struct Step {  // One record: an event, or an outcome.
  bool is_event = true;
  std::string id;
  bool is_integer = false;
  std::int64_t time = 0;
  double label = 0.0;
  bool label_in_line = false;
};

std::string id_json(const std::string& id, bool is_integer) { return is_integer ? id : "\"" + id + "\""; }

// The chain under test with a store in memory.
class Pipeline {
 public:
  explicit Pipeline(const OutcomeJoinSettings& settings, std::uint64_t commit_lag = 0)
      : settings_(settings), commit_lag_(commit_lag), reader_(std::make_shared<MapStateReader>()) {
    restart();
  }

  void restart() {  // From the last commit; what came after it must have been committed before.
    std::vector<std::unique_ptr<Stage>> stages;
    auto join = std::make_unique<OutcomeJoin>(settings_);
    join_ = join.get();
    stages.push_back(std::make_unique<Ingestion>());
    stages.push_back(std::make_unique<FakePredictor>());
    stages.push_back(std::make_unique<FakeGate>(fed_back_));
    stages.push_back(std::move(join));
    task_ = std::make_unique<Task>("inference", PartitionId(0), std::move(stages));
    Recovered recovered;
    recovered.last_commit = reader_->last;
    recovered.positions = positions_;
    recovered.state = reader_;
    const Result<void> restored = task_->restore(recovered);
    ASSERT_TRUE(restored.ok()) << restored.error().what;
    events_ = task_->position(InputId::kLogs, PartitionId(0)).next.value;
    outcomes_ = task_->position(InputId::kOutcomes, PartitionId(0)).next.value;
  }

  // Processes one record; returns what it put out, one line a record.
  std::vector<std::string> process(const Step& step) {
    ParsedRecord parsed;
    parsed.kind = step.is_event ? ParsedKind::kEvent : ParsedKind::kOutcome;
    parsed.event.id = parsed.outcome.id = {step.id, step.is_integer};
    parsed.event.event_time = parsed.outcome.event_time = EventTime(step.time);
    parsed.outcome.label = step.label;
    if (step.label_in_line) parsed.event.label = step.label;
    RecordView view;
    view.parsed = &parsed;
    view.source = step.is_event ? Source{"p.logs", PartitionId(0), Offset(events_++)}
                                : Source{"p.outcomes", PartitionId(0), Offset(outcomes_++)};
    for (RecordBatch& batch : transaction_.records) batch.clear();
    fed_back_.clear();
    const Result<void> done = task_->process(step.is_event ? InputId::kLogs : InputId::kOutcomes, view, 0, transaction_);
    EXPECT_TRUE(done.ok()) << done.error().what;
    return lines();
  }

  void commit() {
    task_->close(transaction_);
    const CommitId commit = task_->next_commit();
    for (const Position& position : transaction_.consumed) {
      std::erase_if(positions_, [&](const Position& old) { return old.input == position.input; });
      positions_.push_back(position);
    }
    const CommitId done(commit.value - 1);
    reader_->apply(transaction_.state, done);
    if (done.value > commit_lag_) task_->committed(CommitId(done.value - commit_lag_));
    transaction_.clear();
  }

  OutcomeJoin& join() { return *join_; }
  MapStateReader& state() { return *reader_; }
  Task& task() { return *task_; }

 private:
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    const auto each = [&](Topic topic, auto&& fn) {
      EXPECT_TRUE(transaction_.records[index_of(topic)].for_each([&](Offset, const Record& record) { out.push_back(fn(record)); }));
    };
    each(Topic::kPredictions, [](const Record& r) { return "prediction " + std::string(r.value); });
    std::size_t examples = 0;
    each(Topic::kExamples, [&](const Record& r) {
      Example e;
      EXPECT_TRUE(decode_example(r.value, scratch_, e));
      EXPECT_EQ(r.key, e.id.text);
      EXPECT_EQ(r.source, e.outcome_source);
      EXPECT_EQ(r.event_time, e.outcome_time);
      EXPECT_LT(examples, fed_back_.size());
      if (examples < fed_back_.size()) {
        EXPECT_EQ(fed_back_[examples], r.value);
      }
      ++examples;
      const auto n = static_cast<std::uint64_t>(e.source.offset.value);  // What FakePredictor made of this offset.
      EXPECT_EQ(e.sample.dense.size(), n % 30);
      EXPECT_EQ(e.sample.indices.size(), n % 7);
      EXPECT_EQ(e.label_keys.size(), n % 3);
      EXPECT_EQ(e.last_outcome, static_cast<float>(n % 2));
      EXPECT_EQ(e.prediction.version.value, n);
      EXPECT_FALSE(e.prediction.duplicate);
      return "example " + id_json(std::string(e.id.text), e.id.is_integer) + " " + std::to_string(e.label) + " " +
             std::to_string(e.event_time.value) + " " + std::to_string(e.outcome_time.value) + " event " +
             std::to_string(e.source.offset.value) + " by " + std::string(e.outcome_source.topic) + " " +
             std::to_string(e.outcome_source.offset.value);
    });
    EXPECT_EQ(fed_back_.size(), examples);
    each(Topic::kUnjoined, [](const Record& r) {
      EXPECT_EQ(r.source.topic, "p.outcomes");
      return "unjoined " + std::string(r.value);
    });
    return out;
  }

  OutcomeJoinSettings settings_;
  std::uint64_t commit_lag_;
  std::shared_ptr<MapStateReader> reader_;
  std::unique_ptr<Task> task_;
  OutcomeJoin* join_ = nullptr;
  Positions positions_;
  Transaction transaction_;
  std::int64_t events_ = 0, outcomes_ = 0;
  std::vector<std::string> fed_back_;
  ExampleScratch scratch_;
};

// The naive model.
class Model {
 public:
  explicit Model(const OutcomeJoinSettings& settings) : settings_(settings) {}

  std::vector<std::string> process(const Step& step) {
    out_.clear();
    const std::int64_t offset = step.is_event ? events_++ : outcomes_++;
    if (!started_ || step.time > clock_) clock_ = step.time;
    started_ = true;
    expire([&](const Entry& e) { return clock_ - e.since > settings_.wait.count(); });
    for (auto it = known_.begin(); it != known_.end();)
      it = it->second.is_mark() && clock_ - it->second.since > settings_.wait.count() ? known_.erase(it) : std::next(it);
    if (step.is_event) event(step, offset);
    else outcome(step, offset);
    while (waiting() > settings_.rows_max) {
      std::uint64_t oldest = UINT64_MAX;
      for (const auto& [id, e] : known_)
        if (!e.is_mark()) oldest = std::min(oldest, e.serial);
      expire([&](const Entry& e) { return e.serial == oldest; });
    }
    // The topics are compared one after the other.
    std::stable_sort(out_.begin(), out_.end(), [](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
    return out_;
  }
  std::uint64_t waiting() const {
    std::uint64_t n = 0;
    for (const auto& [id, e] : known_) n += e.is_mark() ? 0 : 1;
    return n;
  }
  std::set<std::int64_t> settled;        // Outcome offsets.
  std::uint64_t waiting_outcomes() const {
    std::uint64_t n = 0;
    for (const auto& [id, e] : known_) n += e.kind == kWaitingOutcome ? 1 : 0;
    return n;
  }
  std::uint64_t outcomes() const { return static_cast<std::uint64_t>(outcomes_); }
  double loss = 0.0;
  std::uint64_t examples = 0;

 private:
  enum Kind { kWaitingRow, kWaitingOutcome, kJoined, kExpired };
  struct Entry {
    Kind kind;
    std::int64_t since;
    std::uint64_t serial;
    Step step;
    std::int64_t offset;
    bool is_mark() const { return kind == kJoined || kind == kExpired; }
  };
  static int rank(const std::string& line) { return line[0] == 'p' ? 0 : line[0] == 'e' ? 1 : 2; }

  template <class Due>
  void expire(Due due) {
    std::map<std::uint64_t, std::string> ids;
    for (const auto& [id, e] : known_)
      if (!e.is_mark() && due(e)) ids[e.serial] = id;
    for (const auto& [serial, id] : ids) {
      Entry& e = known_.at(id);
      if (e.kind == kWaitingRow) {
        e.kind = kExpired;
        e.since = clock_;
      } else {
        unjoined("unmatched", e.step, e.offset);
        known_.erase(id);
      }
    }
  }
  void event(const Step& step, std::int64_t offset) {
    const auto it = known_.find(step.id);
    const bool duplicate = it != known_.end() && it->second.kind != kWaitingOutcome;
    out_.push_back("prediction " + std::to_string(offset) + (duplicate ? " duplicate" : ""));
    if (duplicate) return;
    if (it != known_.end()) {
      example(step, offset, it->second.step, it->second.offset, "p.outcomes");
      it->second = {kJoined, clock_, 0, {}, 0};
    } else if (step.label_in_line) {
      example(step, offset, step, offset, "p.logs");
      known_[step.id] = {kJoined, clock_, 0, {}, 0};
    } else {
      known_[step.id] = {kWaitingRow, clock_, serial_++, step, offset};
    }
  }
  void outcome(const Step& step, std::int64_t offset) {
    const auto it = known_.find(step.id);
    if (it == known_.end()) {
      known_[step.id] = {kWaitingOutcome, clock_, serial_++, step, offset};
    } else if (it->second.kind == kWaitingRow) {
      example(it->second.step, it->second.offset, step, offset, "p.outcomes");
      it->second = {kJoined, clock_, 0, {}, 0};
    } else {
      unjoined(it->second.kind == kExpired ? "expired" : "duplicate", step, offset);
    }
  }
  void example(const Step& event, std::int64_t event_offset, const Step& outcome, std::int64_t offset, const std::string& topic) {
    out_.push_back("example " + id_json(event.id, event.is_integer) + " " + std::to_string(outcome.label) + " " +
                   std::to_string(event.time) + " " + std::to_string(outcome.time) + " event " + std::to_string(event_offset) + " by " +
                   topic + " " + std::to_string(offset));
    if (topic == "p.outcomes") {
      EXPECT_TRUE(settled.insert(offset).second) << "settled twice: " << offset;
    }
    ++examples;
    const double p = std::max(static_cast<double>(event_offset % 100) / 100.0, 1e-15);
    loss -= math::log(outcome.label != 0.0 ? p : 1.0 - p);
  }
  void unjoined(const std::string& reason, const Step& outcome, std::int64_t offset) {
    out_.push_back("unjoined {\"id\":" + id_json(outcome.id, outcome.is_integer) + ",\"reason\":\"" + reason +
                   "\",\"detail\":\"\",\"label\":" + (outcome.label != 0.0 ? "1" : "0") + ",\"event_time\":" +
                   std::to_string(outcome.time) + ",\"source\":{\"topic\":\"p.outcomes\",\"partition\":0,\"offset\":" +
                   std::to_string(offset) + "}}");
    EXPECT_TRUE(settled.insert(offset).second) << "settled twice: " << offset;
  }

  OutcomeJoinSettings settings_;
  bool started_ = false;
  std::int64_t clock_ = 0;
  std::uint64_t serial_ = 0;
  std::int64_t events_ = 0, outcomes_ = 0;
  std::map<std::string, Entry> known_;
  std::vector<std::string> out_;
};

OutcomeJoinSettings settings_of(std::int64_t wait_us, std::uint64_t rows_max = 1000000, std::size_t budget = 1 << 20) {
  OutcomeJoinSettings settings;
  settings.wait = Duration(wait_us);
  settings.rows_max = rows_max;
  settings.budget_bytes = budget;
  return settings;
}
Step event(std::string id, std::int64_t time) { return {true, std::move(id), true, time, 0.0, false}; }
Step outcome(std::string id, std::int64_t time, double label = 1.0) { return {false, std::move(id), true, time, label, false}; }
std::string unjoined(const std::string& reason, const std::string& id, std::int64_t time, int offset) {
  return "unjoined {\"id\":" + id + ",\"reason\":\"" + reason + "\",\"detail\":\"\",\"label\":1,\"event_time\":" +
         std::to_string(time) + ",\"source\":{\"topic\":\"p.outcomes\",\"partition\":0,\"offset\":" + std::to_string(offset) + "}}";
}
using Lines = std::vector<std::string>;

TEST(OutcomeJoin, JoinsById) {
  Pipeline p(settings_of(100));
  EXPECT_EQ(p.process(event("1", 10)), Lines{"prediction 0"});
  EXPECT_EQ(p.process(event("2", 11)), Lines{"prediction 1"});
  EXPECT_EQ(p.join().counts().rows_waiting, 2u);
  EXPECT_EQ(p.process(outcome("1", 12)), Lines{"example 1 1.000000 10 12 event 0 by p.outcomes 0"});
  EXPECT_EQ(p.join().counts().rows_waiting, 1u);
  EXPECT_EQ(p.join().counts().labelled, 1u);
}

TEST(OutcomeJoin, AnOutcomeThatComesFirstWaits) {
  Pipeline p(settings_of(100));
  EXPECT_EQ(p.process(outcome("1", 10)), Lines{});
  EXPECT_EQ(p.join().counts().outcomes_waiting, 1u);
  EXPECT_EQ(p.process(event("1", 12)), (Lines{"prediction 0", "example 1 1.000000 12 10 event 0 by p.outcomes 0"}));
  EXPECT_EQ(p.join().counts().outcomes_waiting, 0u);
}

TEST(OutcomeJoin, ASecondOutcomeIsADuplicateWhileTheIdIsKnown) {
  Pipeline p(settings_of(100));
  p.process(outcome("1", 10));
  EXPECT_EQ(p.process(outcome("1", 11)), Lines{unjoined("duplicate", "1", 11, 1)}) << "one waits";
  p.process(event("1", 12));
  EXPECT_EQ(p.process(outcome("1", 112)), Lines{unjoined("duplicate", "1", 112, 2)}) << "joined, and the mark is left";
  EXPECT_EQ(p.process(outcome("1", 113)), Lines{}) << "unknown again: it waits";
  EXPECT_EQ(p.join().counts().outcomes_waiting, 1u);
}

TEST(OutcomeJoin, RowsExpireAndLeaveAMark) {
  Pipeline p(settings_of(100));
  p.process(event("1", 0));
  p.process(event("2", 100));
  EXPECT_EQ(p.join().counts().rows_waiting, 2u) << "just within the bound";
  p.process(event("3", 101));
  EXPECT_EQ(p.join().counts().rows_waiting, 2u);
  EXPECT_EQ(p.process(outcome("1", 102)), Lines{unjoined("expired", "1", 102, 0)});
  EXPECT_EQ(p.process(outcome("1", 201)), Lines{unjoined("expired", "1", 201, 1)});
  EXPECT_EQ(p.process(outcome("1", 202)), Lines{}) << "the mark is gone";
  EXPECT_EQ(p.process(event("9", 303)), (Lines{"prediction 3", unjoined("unmatched", "1", 202, 2)}));
}

TEST(OutcomeJoin, TheOldestGoWhenThereAreTooMany) {
  Pipeline p(settings_of(1000000, 2));
  p.process(event("1", 0));
  p.process(outcome("2", 1));
  p.process(event("3", 2));
  EXPECT_EQ(p.process(outcome("1", 3)), Lines{unjoined("expired", "1", 3, 1)});
  EXPECT_EQ(p.process(event("4", 4)), (Lines{"prediction 2", unjoined("unmatched", "2", 1, 0)}));
  EXPECT_EQ(p.join().counts().rows_waiting, 2u);
}

TEST(OutcomeJoin, ASecondEventIsMarkedAndNotJoined) {
  Pipeline p(settings_of(100));
  p.process(event("1", 0));
  EXPECT_EQ(p.process(event("1", 1)), Lines{"prediction 1 duplicate"});
  EXPECT_EQ(p.process(outcome("1", 2)), Lines{"example 1 1.000000 0 2 event 0 by p.outcomes 0"});
  EXPECT_EQ(p.process(event("1", 3)), Lines{"prediction 2 duplicate"}) << "a label changes the model at most once";
  EXPECT_EQ(p.join().counts().rows_waiting, 0u);
  EXPECT_EQ(p.join().counts().duplicate_events, 2u);
  EXPECT_EQ(p.process(event("1", 103)), Lines{"prediction 3"}) << "unknown again";
}

TEST(OutcomeJoin, ALabelInTheLineIsAnOutcomeAtOnce) {
  Pipeline p(settings_of(100));
  Step labelled = event("1", 5);
  labelled.label_in_line = true;
  labelled.label = 1.0;
  EXPECT_EQ(p.process(labelled), (Lines{"prediction 0", "example 1 1.000000 5 5 event 0 by p.logs 0"}));
  EXPECT_EQ(p.process(outcome("1", 6)), Lines{unjoined("duplicate", "1", 6, 0)});
  EXPECT_EQ(p.join().counts().labelled_in_line, 1u);
}

TEST(OutcomeJoin, KeysNameTheIdForTheReaderThread) {
  OutcomeJoin join(settings_of(100));
  ParsedRecord parsed;
  parsed.kind = ParsedKind::kOutcome;
  parsed.outcome.id = {"abc", false};
  RecordView view;
  view.parsed = &parsed;
  KeyList keys;
  join.keys(InputId::kOutcomes, view, keys);
  ASSERT_EQ(keys.count(), 1u);
  EXPECT_EQ(keys.key(0), "iabc");
  parsed.kind = ParsedKind::kRefused;
  join.keys(InputId::kOutcomes, view, keys);
  EXPECT_EQ(keys.count(), 1u);
}

TEST(OutcomeJoin, AMissingRowIsCorruptionNotACrash) {
  Pipeline p(settings_of(100));
  p.process(event("1", 0));
  p.commit();
  p.state().entries.erase("outcome_join/ki1");
  p.restart();
  ParsedRecord parsed;
  parsed.kind = ParsedKind::kOutcome;
  parsed.outcome.id = {"7", true};
  parsed.outcome.event_time = EventTime(500);
  RecordView view;
  view.parsed = &parsed;
  view.source = {"p.outcomes", PartitionId(0), Offset(0)};
  Transaction transaction;
  const Result<void> done = p.task().process(InputId::kOutcomes, view, 0, transaction);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::kCorruption);
  EXPECT_NE(done.error().what.find("'1'"), std::string::npos) << done.error().what;
}

TEST(OutcomeJoin, AMissingQueuePageIsNamedAtTheStart) {
  Pipeline p(settings_of(100));
  p.process(event("1", 0));
  p.commit();
  std::erase_if(p.state().entries, [](const auto& entry) { return entry.first.starts_with("outcome_join/kw"); });
  OutcomeJoin join(settings_of(100));
  const Result<void> loaded = join.load(StageState(std::make_shared<MapStateReader>(p.state()), "outcome_join/"));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kCorruption);
}

// Before marks that only the index has, one that took the place of a stored row was an entry, too.
TEST(OutcomeJoin, MarksOfAnOlderStateAreEntriesFromThenOn) {
  Pipeline p(settings_of(100));
  for (const char* id : {"1", "2"}) p.process(event(id, 0));
  p.commit();
  for (const char* id : {"1", "2"}) p.process(outcome(id, 50));
  p.commit();
  MapStateReader& state = p.state();
  EXPECT_FALSE(state.entries.contains("outcome_join/ki1")) << "the queue tells";
  state.entries["outcome_join/ki1"] = "\3";
  std::string& counts = state.entries.at("outcome_join/c");
  ASSERT_EQ(counts[1], 3);
  counts[1] = 1;
  p.restart();
  EXPECT_EQ(p.process(outcome("1", 60)), Lines{unjoined("duplicate", "1", 60, 2)});
  EXPECT_EQ(p.process(outcome("2", 60)), Lines{unjoined("duplicate", "2", 60, 3)});
  p.commit();
  EXPECT_EQ(p.state().entries.at("outcome_join/ki2"), "\3");
  p.restart();
  EXPECT_EQ(p.process(outcome("2", 70)), Lines{unjoined("duplicate", "2", 70, 4)});
  EXPECT_EQ(p.process(outcome("3", 151)), Lines{});
  p.commit();
  for (const char* id : {"1", "2"}) EXPECT_FALSE(p.state().entries.contains("outcome_join/ki" + std::string(id))) << id;
}

struct Mix {
  std::uint64_t seed;
  std::size_t budget;
  std::uint64_t rows_max;
  std::uint64_t ids;       // Few: much is repeated. Many: most is new.
  std::int64_t wait;
};

class OutcomeJoinProperty : public testing::TestWithParam<Mix> {};

TEST_P(OutcomeJoinProperty, EqualsTheNaiveModelWhateverIsResidentAndWheneverItRestarts) {
  const Mix& mix = GetParam();
  Rng rng(mix.seed);
  const OutcomeJoinSettings settings = settings_of(mix.wait, mix.rows_max, mix.budget);
  Pipeline p(settings, /*commit_lag=*/mix.seed % 2);
  Model model(settings);
  std::int64_t time = 1000;
  std::uint64_t newest = 0;
  for (int i = 0; i < 6000; ++i) {
    Step step;
    step.is_event = rng.below(2) == 0;
    time += static_cast<std::int64_t>(rng.below(4)) - (rng.below(8) == 0 ? 5 : 0);
    if (rng.below(500) == 0) time += mix.wait + static_cast<std::int64_t>(rng.below(50));
    step.time = time;
    newest += step.is_event ? 1 : 0;
    const std::uint64_t id = newest + 3 - std::min(newest + 3, rng.below(mix.ids));
    step.id = (id % 5 == 0 ? "a longer id, as a text: " : "") + std::to_string(id);
    step.is_integer = id % 5 != 0;
    step.label = static_cast<double>(rng.below(2));
    step.label_in_line = step.is_event && rng.below(20) == 0;
    ASSERT_EQ(p.process(step), model.process(step)) << "step " << i << ", seed " << mix.seed;
    const OutcomeJoinCounts& counts = p.join().counts();
    ASSERT_EQ(counts.rows_waiting + counts.outcomes_waiting, model.waiting());
    ASSERT_EQ(counts.outcomes_waiting, model.waiting_outcomes());
    if (rng.below(20) == 0) {
      p.commit();
      if (rng.below(10) == 0) {
        const OutcomeJoinCounts before = p.join().counts();
        p.restart();
        ASSERT_EQ(p.join().counts(), before);
      }
    }
  }
  const OutcomeJoinCounts& counts = p.join().counts();
  EXPECT_EQ(model.settled.size() + model.waiting_outcomes(), model.outcomes()) << "each outcome settles once, or waits";
  EXPECT_EQ(counts.labelled, model.examples);
  EXPECT_EQ(counts.loss_sum, model.loss);
  EXPECT_GT(counts.labelled, 100u);
  for (const UnjoinedReason reason : {UnjoinedReason::kDuplicate, UnjoinedReason::kExpired, UnjoinedReason::kUnmatched})
    EXPECT_GT(counts.unjoined[static_cast<std::size_t>(reason)], 5u) << name_of(reason);
}

INSTANTIATE_TEST_SUITE_P(Mixes, OutcomeJoinProperty,
                         testing::Values(Mix{1, 1 << 20, 1000000, 40, 100}, Mix{2, 4 << 10, 1000000, 40, 100},
                                         Mix{3, 0, 1000000, 300, 300}, Mix{4, 1 << 20, 20, 60, 10000},
                                         Mix{5, 4 << 10, 30, 200, 500}, Mix{6, 0, 1000000, 1500, 2000},
                                         Mix{7, 4 << 10, 1000000, 1500, 1000}, Mix{8, 20 << 10, 300, 800, 700}));

TEST(OutcomeJoin, ManyIdsStayWithinTheBudget) {  // 3 % are never labelled; a row waits for 20,000 events.
  constexpr std::size_t kBudget = 256 << 10;
  Pipeline p(settings_of(20000, 1000000, kBudget));
  Rng rng(1);
  constexpr std::int64_t kEvents = 150000;
  constexpr std::int64_t kDelay = 500;
  std::size_t most = 0;
  std::uint64_t never = 0;
  for (std::int64_t n = 0; n < kEvents; ++n) {
    p.process(event(std::to_string(n), n));
    if (n >= kDelay) {
      if (rng.below(100) < 3) ++never;
      else p.process(outcome(std::to_string(n - kDelay), n));
    }
    if (n % 300 == 0) {
      p.commit();
      most = std::max(most, p.join().keyed()->resident_bytes());
    }
  }
  EXPECT_LT(most, kBudget + (1 << 20)) << "what is not committed yet comes on top";
  EXPECT_EQ(p.join().counts().labelled, static_cast<std::uint64_t>(kEvents - kDelay) - never);
  EXPECT_LT(p.state().entries.size(), 50000u) << "rows, marks and pages of long ago are erased";
  EXPECT_GT(p.join().keyed()->evictions(), 10000u) << "else the budget was never felt";
}

}  // namespace
}  // namespace weir
