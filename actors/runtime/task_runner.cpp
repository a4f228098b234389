#include "actors/runtime/task_runner.hpp"

#include <algorithm>
#include <utility>

#include "core/base/crash_point.hpp"

namespace weir {
namespace {

// A record that ends the process is found in two steps, each over the records that the step before leaves in question. A crash loses at
// most the records of two transactions, about so many. A start that has not come further is one to be careful after,
constexpr std::uint64_t kCarefulRecords = 20'000;
// and as long as the next one has not, its transactions are small: a crash loses at most two of these.
constexpr std::uint64_t kCarefulStep = 128;
// After two such starts in a row the first records of each input, as many as that, are committed one by one: all before the culprit is
// committed then, and it comes first at the next start. (Small transactions behind them: should it lie further on, because there was
// no careful start since it came, or others came before it, then it is among those first ones at the start after.)
constexpr std::uint32_t kCarefulAttempts = 2;
constexpr std::uint64_t kOneByOneRecords = 2 * kCarefulStep;
// After so many the next record, which is the only one that was not committed, is the culprit.
constexpr std::uint32_t kPoisonAttempts = 5;
constexpr std::uint64_t kTurnRecords = 512;
constexpr std::int64_t kBacklogCommitNs = 100'000'000;
constexpr std::int64_t kQuietNs = 1'000'000'000;
// Order by arrival: records taken of one input before it is looked which one is next,
constexpr std::uint64_t kArrivalRun = 256;
// and such runs of others that an input with records waits for at most, whatever their clocks say.
constexpr std::uint32_t kPassedOverMax = 64;

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

TaskRunner::TaskRunner(const TaskPlan& plan, TopicLog& log, const Clock& clock, TaskStatus& status)
    : plan_(plan), log_(log), clock_(clock), status_(status), slot_(wake) {}

TaskRunner::~TaskRunner() = default;

Result<void> TaskRunner::open() {
  TRY_ASSIGN(store_, log_.open_task({plan_.name, plan_.partition}));
  TRY_ASSIGN(const Recovered recovered, store_->recover());
  TRY_ASSIGN(Chain chain, plan_.make_chain());
  publish_ = std::move(chain.publish);
  count_ = std::move(chain.count);
  jobs_ = std::move(chain.jobs);
  task_ = std::make_unique<Task>(plan_.name, plan_.partition, std::move(chain.stages));
  TRY(task_->restore(recovered));

  for (const std::uint32_t attempts : recovered.attempts) attempts_left_ = std::max(attempts_left_, attempts);
  if (attempts_left_ > 0) careful_left_ = kCarefulRecords;
  one_by_one_ = attempts_left_ >= kCarefulAttempts;
  attempts_left_ = std::min(attempts_left_ + 1, kCarefulAttempts);
  unsettled_left_ = kCarefulRecords;
  std::vector<InputQueue*> waited;
  inputs_.resize(plan_.inputs.size());
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    input.plan = &plan_.inputs[i];
    const auto key = [&](std::string_view what) { return state_key(what, input); };
    const Position position = task_->position(input.plan->input, input.plan->partition);
    input.mark.next = position.next;
    input.met = !input.plan->parsed;  // Only a parser can be killed by it.
    unmet_ += input.met ? 0 : 1;
    const std::uint32_t attempts = recovered.attempts[static_cast<std::size_t>(input.plan->input)];
    input.poisoned = input.plan->parsed && attempts >= kPoisonAttempts;
    if (attempts >= kCarefulAttempts)
      status_.warn("task '" + plan_.label() + "' has been stopped " + std::to_string(attempts) + " times, the last time before it could commit record " +
                   std::to_string(position.next.value) + " of " + input.plan->topic_name +
                   (other_partition(input) == kOwnPartition ? "" : ", partition " + std::to_string(input.plan->partition.value)) +
                   (input.poisoned ? ": it refuses that record" : ": it commits few records at a time for now"));
    input.ring = std::make_unique<InputRing>(wake);
    std::unique_ptr<LineParser> parser;
    if (input.plan->parsed) {
      TRY_ASSIGN(parser, make_line_parser(input.plan->schema, input.plan->role));
    }
    input.queue = std::make_unique<InputQueue>(
        InputQueue::Settings{input.plan->input, input.plan->parsed, plan_.jump_max}, std::move(parser));
    std::string value;
    TRY_ASSIGN(const bool known, task_->load_runtime(recovered, key("max"), value));
    if (known) {
      ByteReader reader(value);
      input.saved_max = reader.fixed<std::int64_t>();
      if (!reader.finished()) return malformed("runtime/max", value);
      input.queue->set_running_max(input.saved_max);
    }
    TRY_ASSIGN(const bool identified, task_->load_runtime(recovered, key("identity"), value));
    input.saved_identity = identified ? value : std::string();
    input.marked = !input.plan->open_source && log_.others_change_topics();
    if (input.marked) {
      TRY_ASSIGN(const bool marked, task_->load_runtime(recovered, key("read"), value));
      if (marked && !decode(value, input.read_mark)) return malformed("runtime/read", value);
      input.saved_mark = input.read_mark;
      TRY_ASSIGN(input.lost_before, lost_of(*recovered.state, input.plan->input, other_partition(input)));
    }
    input.status = &status_.inputs.of(input.plan->input, input.plan->partition, input.plan->open_source ? std::string() : input.plan->topic_name);
    input.status->begin(clock_.wall_us(), position.next, input.lost_before);
    auto reader = std::make_unique<SourceReader>(*input.plan, *task_, *input.ring, log_, clock_, status_, *input.status);
    TRY(reader->open(position.next, position.cursor, input.saved_identity, input.read_mark));
    readers_.push_back(std::move(reader));
    if (input.plan->waited) waited.push_back(input.queue.get());
  }
  merge_ = std::make_unique<EventTimeMerge>(std::move(waited));
  if (count_) count_(counts_);
  committed_counts_ = counts_;
  if (publish_) publish_(status_);
  if (jobs_) jobs_timed_ = jobs_();
  last_commit_ns_ = clock_.monotonic_ns();
  status_.commit_began_ns.store(0, std::memory_order_relaxed);
  status_.waiting.store(0, std::memory_order_relaxed);
  status_.rests.store(false, std::memory_order_relaxed);
  return {};
}

Error TaskRunner::malformed(std::string_view entry, std::string_view value) const {
  return {ErrorCode::kCorruption, "task '" + plan_.label() + "', state entry '" + std::string(entry) + "': malformed, " +
                                      std::to_string(value.size()) + " bytes; run 'weir repair'"};
}

PartitionId TaskRunner::other_partition(const Input& input) const {
  return input.plan->partition == plan_.partition ? kOwnPartition : input.plan->partition;
}

std::string TaskRunner::state_key(std::string_view what, const Input& input) const {
  return input_key(what, input.plan->input, other_partition(input));
}

TaskRunner::Input& TaskRunner::input_of(InputQueue& queue) {
  for (Input& input : inputs_)
    if (input.queue.get() == &queue) return input;
  CHECK(false);
  return inputs_[0];
}

void TaskRunner::drain_rings() {
  std::uint64_t waiting = 0;
  for (Input& input : inputs_) {
    while (auto batch = input.ring->pop()) input.queue->push(std::move(batch));
    waiting += input.queue->waiting();
  }
  status_.waiting.store(waiting, std::memory_order_relaxed);
}

void TaskRunner::return_batches() {
  for (Input& input : inputs_)
    while (auto batch = input.queue->take_used()) {
      if (input.adopted == batch.get()) input.adopted = nullptr;
      input.ring->recycle(std::move(batch));
    }
}

InputQueue* TaskRunner::choose() {
  for (Input& input : inputs_)
    if (!input.plan->waited && input.queue->has_next()) return input.queue.get();
  return plan_.order == OrderPolicy::kEventTime ? merge_->next() : choose_by_arrival();
}

InputQueue* TaskRunner::choose_by_arrival() {
  if (arrival_left_ > 0) {
    Input& input = inputs_[arrival_turn_];
    if (input.plan->waited && input.queue->has_next()) {
      --arrival_left_;
      return input.queue.get();
    }
  }
  // Behind its inputs a task meets their records in the order in which they came, as if it had been there: else it would go
  // through all logs it finds while it has still to fetch the first outcomes, and carry their rows about from then on.
  Input* next = nullptr;
  bool in_time = true;
  for (std::size_t step = 0; step < inputs_.size(); ++step) {
    Input& input = inputs_[(arrival_turn_ + 1 + step) % inputs_.size()];
    if (!input.plan->waited || !input.queue->has_next()) continue;
    const std::int64_t us = arrived_us(input);
    in_time = in_time && us > 0;
    if (next == nullptr || (in_time && next->passed_over < kPassedOverMax && (us < arrived_us(*next) || input.passed_over >= kPassedOverMax)))
      next = &input;
  }
  if (next == nullptr) return nullptr;
  for (Input& input : inputs_)
    if (&input != next && input.plan->waited && input.queue->has_next()) ++input.passed_over;
  next->passed_over = 0;
  arrival_turn_ = static_cast<std::size_t>(next - inputs_.data());
  arrival_left_ = kArrivalRun - 1;
  return next->queue.get();
}

// When its next record was appended to its topic; 0: it comes from a file. REQUIRES: it has one.
std::int64_t TaskRunner::arrived_us(Input& input) const {
  if (!input.plan->parsed) return 0;
  if (const std::int64_t us = input.queue->peek()->sent_us; us > 0) return us;
  const InputBatch* batch = input.queue->head_batch();
  return batch->topic_batch == nullptr ? 0 : batch->topic_batch->append_time_us();
}

bool TaskRunner::declare_idle() {
  if (plan_.order != OrderPolicy::kEventTime || plan_.idle_timeout.count() < 0) return false;
  // One that has records waiting keeps its place: only where others could go on is silence worth an entry.
  bool others = false;
  for (Input& input : inputs_) others = others || (input.plan->waited && input.queue->has_next());
  if (!others) return false;
  bool declared = false;
  for (const InputId id : merge_->waited_for()) {
    for (Input& input : inputs_) {
      if (input.plan->input != id) continue;
      const std::int64_t quiet_ns = input.ring->quiet_ns();
      if (quiet_ns < 0 || quiet_ns < plan_.idle_timeout.count() * 1000) continue;
      merge_->set_idle(id);
      slot_.open().transaction.order.idle(id);
      declared = true;
    }
  }
  return declared;
}

// REQUIRES: there is nothing to take. Whether that is so because each input that has not given its next record is known to have none.
bool TaskRunner::rests() {
  for (Input& input : inputs_)
    if (!input.queue->has_next() && !input.queue->ended() && (input.ring->quiet_ns() < 0 || input.ring->has_batch())) return false;
  return true;
}

bool TaskRunner::sources_ended() {
  bool any = false;
  for (Input& input : inputs_) {
    if (!input.plan->waited) continue;
    any = true;
    if (!input.queue->ended()) return false;
  }
  return any;
}

// Feedback that will end has. A task publishes because of its sources alone, so by the time these have ended everywhere, its end is
// known everywhere: no two tasks wait for each other.
bool TaskRunner::feedback_ended() {
  for (Input& input : inputs_)
    if (!input.plan->waited && input.plan->ends_at != nullptr && !input.queue->ended()) return false;
  return true;
}

// What was done within `ns`: a job takes a thousand times as long as all else that is done for its record.
void TaskRunner::time_jobs(std::int64_t ns) {
  if (!jobs_) return;
  const std::uint64_t now = jobs_(), done = now - jobs_timed_;
  for (; jobs_timed_ < now; ++jobs_timed_) status_.job.add(ns / static_cast<std::int64_t>(done));
}

// Parses each input's first record of this start, the one at its committed position. That may be what kills the program, long
// before the record's turn: so it is an attempt, and taken back once it is survived. False: a commit must end first.
Result<bool> TaskRunner::meet_first_records() {
  for (Input& input : inputs_) {
    if (input.met || input.queue->waiting() == 0) continue;
    if (slot_.in_flight()) return false;
    input.met = true;
    --unmet_;
    if (input.poisoned) {
      input.queue->refuse_next(poison_refusal());
      continue;
    }
    TRY(store_->count_attempt(input.plan->input));
    input.queue->has_next();
    TRY(store_->take_back_attempt(input.plan->input));
  }
  return true;
}

Result<void> TaskRunner::process_one(InputQueue& queue) {
  Input& input = input_of(queue);
  if (!input.attempted) {
    TRY(store_->count_attempt(input.plan->input));
    for (Input& same : inputs_)  // One count for all partitions of an input.
      if (same.plan->input == input.plan->input) same.attempted = true;
    if (careful_left_ == 0) input.ring->let_parse_ahead();
  }
  CommitSlot::Work& work = slot_.open();
  if (InputBatch* batch = queue.head_batch(); batch != input.adopted) {
    input.adopted = batch;
    input.mark.append_us = batch->topic_batch != nullptr ? batch->topic_batch->append_time_us() : 0;
    const auto stages = task_->stages();
    for (std::size_t i = 0; i < batch->fetched.size(); ++i)
      if (batch->fetched[i].keys.count() > 0) stages[i]->keyed()->adopt(batch->fetched[i]);
  }
  RecordView view;
  view.source = {input.plan->topic_name, input.plan->partition, queue.next_offset()};
  std::uint64_t cursor = 0;
  if (input.plan->parsed) {
    const ParsedRecord* parsed = queue.peek();
    view.parsed = parsed;
    view.record.value = parsed->line;
    cursor = parsed->cursor;
  } else {
    view.record = *queue.peek_record();
  }
  work.taken_ns.push_back(queue.taken_ns());
  if (input.poisoned) {
    input.poisoned = false;
    TRY(task_->process_poison(input.plan->input, view, cursor, work.transaction));
  } else {
    crash_point_at_record("task.record", name_of(input.plan->input), view.source.offset.value);
    TRY(task_->process(input.plan->input, view, cursor, work.transaction));
  }
  if (input.marked) {
    input.last_offset = view.source.offset;
    input.last_value = view.record.value;
  }
  const std::int64_t sent_us = view.parsed != nullptr ? view.parsed->sent_us : 0;
  queue.pop();
  ++input.mark.records;
  input.mark.next = view.source.offset.next();
  ++counts_.records[static_cast<std::size_t>(input.plan->input)];
  if (input.plan->input == InputId::kLogs) {
    status_.events.fetch_add(1, std::memory_order_relaxed);
    if (sent_us > 0) status_.arrival.add((clock_.wall_us() - sent_us) * 1000);
  } else if (input.plan->input == InputId::kOutcomes) {
    status_.outcomes.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

// What the turn has read of marked topics. The values are in batches that go back after it.
void TaskRunner::mark_read() {
  for (Input& input : inputs_) {
    if (input.last_offset.value < 0) continue;
    input.read_mark = {input.last_offset, mark_crc(input.last_value), input.last_offset.next()};
    input.last_offset = Offset(-1);
  }
}

// Once in a while of silence: that nothing is between the last record and the end. Retention may take what is there (control
// records) before the next record comes, and that is no loss. True: something is new.
bool TaskRunner::note_quiet() {
  bool any = false;
  for (Input& input : inputs_) {
    if (!input.marked || input.ring->quiet_ns() < kQuietNs) continue;
    const Offset through = input.ring->quiet_through();
    if (through <= input.read_mark.through || input.read_mark.last.value < 0 || input.queue->waiting() > 0 || input.ring->has_batch()) continue;
    input.read_mark.through = through;
    any = true;
  }
  return any;
}

// Whether its next record is one to be committed before anything else is processed.
bool TaskRunner::goes_alone(const Input& input) const { return careful_left_ > 0 && one_by_one_ && input.mark.records < kOneByOneRecords; }

bool TaskRunner::commit_due(std::int64_t now) const { return full() || now >= due_ns(); }

std::int64_t TaskRunner::due_ns() const {
  const std::int64_t interval = plan_.commit_interval.count() * 1000;
  // With a backlog nobody waits for this very record: larger transactions change each page of state once for more records.
  return last_commit_ns_ + (backlog() ? std::max(interval, kBacklogCommitNs) : interval);
}

bool TaskRunner::full() const {
  const CommitSlot::Work& work = slot_.open();
  return work.transaction.record_bytes() > plan_.transaction_bytes_max || (careful_left_ > 0 && work.taken_ns.size() >= kCarefulStep);
}

bool TaskRunner::backlog() const {
  for (const Input& input : inputs_)
    if (input.queue->waiting() > kTurnRecords) return true;
  return false;
}

Result<void> TaskRunner::hand_over(bool here) {
  CommitSlot::Work& work = slot_.open();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    const auto key = [&](std::string_view what) { return state_key(what, input); };
    if (input.queue->running_max() != input.saved_max) {
      input.saved_max = input.queue->running_max();
      ByteBuffer bytes;
      bytes.append_fixed(input.saved_max);
      task_->save_runtime(work.transaction, key("max"), bytes.view());
    }
    if (input.marked && input.read_mark != input.saved_mark) {
      ByteBuffer bytes;
      encode(input.read_mark, bytes);
      task_->save_runtime(work.transaction, key("read"), bytes.view());
      // With a position behind what was lost: a start from one before it finds and counts the loss again.
      const std::uint64_t lost = readers_[i]->lost();
      if (lost != input.lost_saved && input.read_mark.last != input.saved_mark.last) {
        input.lost_saved = lost;
        bytes.clear();
        bytes.append_fixed(input.lost_before + lost);
        task_->save_runtime(work.transaction, key("lost"), bytes.view());
      }
      input.saved_mark = input.read_mark;
    }
    if (!input.plan->open_source) continue;
    if (std::string identity = readers_[i]->identity(); identity != input.saved_identity) {
      task_->save_runtime(work.transaction, key("identity"), identity);
      input.saved_identity = std::move(identity);
    }
  }
  work.inputs.clear();
  for (const Input& input : inputs_) work.inputs.push_back(input.mark);
  if (count_) count_(counts_);
  work.counts = counts_;
  work.id = task_->next_commit();
  work.at_once = careful_left_ > 0;
  task_->close(work.transaction);
  if (unsettled_left_ > 0) work.transaction.attempts = attempts_left_;
  crash_point("task.before_commit");
  last_commit_ns_ = clock_.monotonic_ns();
  status_.commit_began_ns.store(last_commit_ns_, std::memory_order_relaxed);
  if (here)  // A hand-over costs two wake-ups, for each of hundreds of single records.
    slot_.commit_here([this](CommitSlot::Work& work) { return write(work); });
  else
    slot_.hand_over();
  return {};
}

// By the thread that commits.
Result<CommitId> TaskRunner::write(CommitSlot::Work& work) {
  const std::int64_t began = clock_.monotonic_ns();
  Result<CommitId> result = store_->commit(work.transaction);
  if (work.at_once && result.ok() && *result < work.id) result = store_->settle(/*now=*/true);
  const std::int64_t ended = clock_.monotonic_ns();
  const TaskStore::CommitFacts facts = store_->facts();
  work.acked_ns = facts.acked_ns > 0 ? facts.acked_ns : ended;
  status_.aborts.fetch_add(facts.aborts - aborts_, std::memory_order_relaxed);
  aborts_ = facts.aborts;
  if (result.ok()) status_.commit.add(ended - began);
  return result;
}

Result<void> TaskRunner::collect_commit() {
  CommitSlot::Work* done = slot_.take_done();
  if (done == nullptr) return {};
  if (!slot_.result().ok()) return slot_.result().error();
  crash_point("commit.after_ack");
  status_.commit_began_ns.store(0, std::memory_order_relaxed);
  CHECK(*slot_.result() <= done->id);  // Less: its state was put off.
  task_->committed(*slot_.result());
  const std::int64_t now = clock_.monotonic_ns();
  for (const std::int64_t taken : done->taken_ns) {
    status_.acked.add(done->acked_ns - taken);
    status_.committed.add(now - taken);
  }
  status_.counts.add(committed_counts_, done->counts);
  committed_counts_ = done->counts;
  for (std::size_t i = 0; i < done->inputs.size(); ++i) {
    const CommitSlot::Work::InputMark& mark = done->inputs[i];
    inputs_[i].status->committed(mark.records, mark.append_us, mark.next);
  }
  status_.commits.fetch_add(1, std::memory_order_relaxed);
  status_.last_commit_us.store(clock_.wall_us(), std::memory_order_relaxed);
  done->taken_ns.clear();
  done->transaction.clear();
  slot_.release();
  return {};
}

Result<Turn> TaskRunner::turn() {
  std::unique_lock<std::mutex> alone;
  if (careful_left_ > 0 && one_by_one_ && plan_.careful != nullptr) alone = std::unique_lock(*plan_.careful);
  TRY(collect_commit());
  drain_rings();
  const bool stopping = stopping_.load(std::memory_order_acquire);
  std::uint64_t done = 0;
  bool resting = false;
  bool commit_now = false;  // What is processed, before anything else is.
  std::int64_t now = clock_.monotonic_ns();
  while (!stopping && done < kTurnRecords) {
    // Credit: while one transaction is being written, the other grows to a bound and then waits.
    if ((slot_.in_flight() || careful_left_ > 0) && full()) break;
    if (unmet_ > 0) {
      TRY_ASSIGN(const bool met, meet_first_records());
      if (!met) break;
    }
    InputQueue* queue = choose();
    if (queue == nullptr) {
      if (declare_idle()) continue;
      resting = done == 0 && rests();
      break;
    }
    const Input& input = input_of(*queue);
    if (slot_.in_flight() && !input.attempted) break;  // The attempt is counted between commits.
    const bool by_itself = goes_alone(input);
    commit_now = by_itself && !slot_.open().taken_ns.empty();
    if (commit_now || (by_itself && slot_.in_flight())) break;
    TRY(process_one(*queue));
    ++done;
    const std::int64_t after = clock_.monotonic_ns();
    if (queue->settings().input == InputId::kLogs) status_.tick.add(after - now);
    time_jobs(after - now);
    now = after;
    commit_now = by_itself;
    if (careful_left_ > 0 && --careful_left_ == 0)
      for (Input& any : inputs_)
        if (any.attempted) any.ring->let_parse_ahead();
    if (commit_now || (((done & 15) == 0 || (careful_left_ > 0 && full())) && !slot_.in_flight() && commit_due(now))) break;
  }
  if (done > 0) {
    unsettled_left_ -= std::min(unsettled_left_, done);
    status_.records.fetch_add(done, std::memory_order_relaxed);
  }
  status_.rests.store(resting, std::memory_order_relaxed);
  mark_read();
  return_batches();

  const bool ended = stopping || sources_ended();
  std::uint64_t steps = 0;
  if (!ended && done == 0 && plan_.idle_steps > 0 && !slot_.in_flight()) {
    now = clock_.monotonic_ns();
    TRY_ASSIGN(steps, task_->idle(plan_.idle_steps, slot_.open().transaction));
    time_jobs(clock_.monotonic_ns() - now);
  }
  if (publish_ && (done > 0 || steps > 0)) publish_(status_);
  if (!slot_.in_flight() && (!slot_.open().transaction.empty() ? ended || commit_now || commit_due(now) : done == 0 && note_quiet())) {
    TRY(hand_over(/*here=*/commit_now));
    return Turn::kProgress;
  }
  if (done > 0 || steps > 0) return Turn::kProgress;
  if (!ended || slot_.in_flight() || !slot_.open().transaction.empty()) return Turn::kWait;
  if (!stopping && !feedback_ended()) return std::exchange(drained_, true) ? Turn::kWait : Turn::kDrained;
  if (unsettled_left_ > 0 && std::any_of(inputs_.begin(), inputs_.end(), [](const Input& input) { return input.attempted; })) {
    TRY(store_->clear_attempts());
  }
  TRY(store_->settle(/*now=*/true));
  return Turn::kEnded;
}

void TaskRunner::wait(Duration limit) {
  const std::uint32_t ticket = wake.ticket();
  // Whatever came before the ticket must be seen here; what comes after it ends the wait.
  for (Input& input : inputs_)
    if (input.ring->has_batch()) return;
  if (slot_.take_done() != nullptr || (stopping_.load(std::memory_order_acquire) && !slot_.in_flight())) return;
  std::int64_t ns = limit.count() * 1000;
  if (!slot_.in_flight() && !slot_.open().transaction.empty())
    ns = std::min(ns, due_ns() - clock_.monotonic_ns());
  if (ns <= 0) return;
  if (plan_.wait == WaitPolicy::kSpin) {
    const std::int64_t until = clock_.monotonic_ns() + ns;
    while (wake.ticket() == ticket && clock_.monotonic_ns() < until) pause_cpu();
    return;
  }
  wake.wait(ticket, ns);
}

Result<void> TaskRunner::commit_step(Duration wait) {
  const std::uint32_t ticket = slot_.committer.ticket();
  CommitSlot::Work* work = slot_.take_handed();
  if (work == nullptr) {
    slot_.committer.wait(ticket, wait.count() * 1000);
    work = slot_.take_handed();
    if (work == nullptr) {
      TRY(store_->settle(/*now=*/false));
      return {};
    }
  }
  slot_.done(write(*work));
  return {};
}

}  // namespace weir
