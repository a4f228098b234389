#include <algorithm>
#include <future>
#include <random>
#include <thread>

#include "core/base/crash_point.hpp"
#include "core/records/keyed_state.hpp"
#include "storage/changelog_bundle.hpp"
#include "storage/kafka_changelog.hpp"
#include "storage/kafka_core.hpp"
#include "storage/kafka_local_state.hpp"
#include "storage/kafka_transactions.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

// Changes that wait to be written into the local store, up to twice that: they are read again after a kill.
constexpr std::size_t kLocalBytes = 8u << 20;
constexpr std::size_t kLocalBytesRead = 4 * kLocalBytes;          // So many while the changelog is read: a restart does not wait for them.
constexpr std::size_t kLocalSlice = 64u << 10;                    // See store_local_if_due().
constexpr Duration kLocalEvery = std::chrono::seconds(30);        // Or so long, where little changes.
constexpr std::uint64_t kRewriteCommits = 4096;                   // See rewrite_some().
constexpr std::uint64_t kBundlesErasedMax = 1000;                 // By one commit.
constexpr int kUnknownMax = 5;                    // Outcomes of one commit in a row that the changelog had to tell.
constexpr std::size_t kForgottenMax = 1000;       // Order entries erased by one commit.
constexpr Duration kLookAgainAfter = std::chrono::milliseconds(200);  // For a changelog that is not there yet.
constexpr Duration kAskEndEvery = std::chrono::seconds(1);
constexpr Duration kDeleteRetention = std::chrono::hours(7 * 24);  // Tombstones of the changelog.

// The changelog has what a damaged local store has lost: the store is made anew at the next start.
class LocalDamage {
 public:
  LocalDamage(std::string label, std::function<void(const Error&)> tell) : label_(std::move(label)), tell_(std::move(tell)) {}
  // REQUIRES: an error of the local store.
  Error operator()(Error error) const {
    if (error.code != ErrorCode::kCorruption) return error;
    if (tell_) tell_(error);
    return {ErrorCode::kUnavailable, "local store of task " + label_ + " is damaged: " + error.what + "; the next start of the process fills it again from the changelog"};
  }
  template <class T>
  Result<T> operator()(Result<T> result) const {
    if (result.ok()) return result;
    return (*this)(std::move(result).error());
  }

 private:
  std::string label_;
  std::function<void(const Error&)> tell_;
};

// The task's state, in the local store under a letter of its own.
class KafkaState final : public StateReader {
 public:
  KafkaState(std::shared_ptr<const StateReader> local, std::shared_ptr<const std::atomic<std::uint64_t>> last_commit, LocalDamage damage)
      : local_(std::move(local)), last_commit_(std::move(last_commit)), damage_(std::move(damage)) {}

  Result<bool> get(std::string_view key, std::string& value) const override { return damage_(local_->get(full(key), value)); }
  Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values,
                        std::vector<char>& found) const override {
    KeyList all;
    for (const std::string_view key : keys) all.add(kChangelogState, key);
    std::vector<std::string_view> views(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) views[i] = all.key(i);
    return damage_(local_->get_many(views, values, found));
  }
  Result<void> scan_from(std::string_view prefix, std::string_view from,
                         const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    return damage_(local_->scan_from(full(prefix), full(from), [&](std::string_view key, std::string_view value) { return fn(key.substr(1), value); }));
  }
  CommitId visible() const override { return CommitId(last_commit_->load(std::memory_order_acquire)); }

 private:
  static std::string full(std::string_view key) {
    std::string out;
    out.reserve(key.size() + 1);
    return out.append(kChangelogState).append(key);
  }
  const std::shared_ptr<const StateReader> local_;
  const std::shared_ptr<const std::atomic<std::uint64_t>> last_commit_;
  const LocalDamage damage_;
};

class KafkaTaskStore final : public TaskStore {
 public:
  KafkaTaskStore(std::shared_ptr<KafkaCore> core, TaskSpec spec)
      : core_(std::move(core)),
        spec_(std::move(spec)),
        changelog_(core_->options.pipeline + "." + spec_.name + ".changelog"),
        label_(spec_.name + "/" + std::to_string(spec_.partition.value)),
        damage_(label_, core_->options.on_local_damage),
        transactions_(core_->options, core_->options.pipeline + "." + spec_.name + "." + std::to_string(spec_.partition.value)) {}

  ~KafkaTaskStore() override {
    if (local_ && !read_only() && local_->waits()) static_cast<void>(store_local());  // What fails now is read again.
    local_.reset();  // Before somebody else may open the task.
    std::lock_guard lock(core_->mutex);
    core_->open_tasks.erase({spec_.name, spec_.partition.value});
  }

  Result<Recovered> recover() override {
    owner_ = 0;
    TRY(make_changelog());
    // Where a killed owner's transaction has to be ended the client asks again after half a second only (its timer for producer
    // ids, which no setting changes): what is committed until then is read meanwhile.
    std::future<Result<void>> fenced;
    if (!read_only()) fenced = std::async(std::launch::async, [this] { return transactions_.fence(); });
    TRY(damage_(open_local()));
    TRY(catch_up());
    if (!read_only()) {
      TRY(fenced.get());
      TRY(catch_up());
    }
    if (!read_only()) TRY(take_over());
    last_commit_->store(entry_.last_commit.value, std::memory_order_release);
    return Recovered{entry_.last_commit, entry_.positions, std::make_shared<KafkaState>(local_, last_commit_, damage_), entry_.attempts};
  }

  Result<std::uint64_t> follow(Duration wait) override {
    if (follower_ == nullptr) {
      TRY_ASSIGN(const auto found, core_->admin->partitions({changelog_}));
      if (found.empty() || found.begin()->second <= spec_.partition.value) {  // Its owner has not made it yet.
        std::this_thread::sleep_for(std::max(wait, kLookAgainAfter));
        return std::uint64_t{0};
      }
      has_changelog_ = true;
      TRY(damage_(open_local()));
      TRY_ASSIGN(const auto marks, core_->admin->watermarks(changelog_, spec_.partition));
      TRY(check_stamp(marks));
      TRY_ASSIGN(follower_, make_kafka_reader(*core_, changelog_, spec_.partition, stamp_.next, nullptr));
      followed_end_ = marks.end;
    }
    TRY_ASSIGN(const auto batch, follower_->poll(wait));
    if (batch != nullptr) TRY(take(*batch));
    if (follower_->position() != stamp_.next) TRY(keep(follower_->position()));
    const auto now = std::chrono::steady_clock::now();
    if (batch == nullptr) {
      followed_end_ = follower_->position();
      if (!bundle_.unfinished()) stamp_.bundles = entry_.bundles.next;
    } else if (now - end_asked_ >= kAskEndEvery) {
      end_asked_ = now;
      followed_end_ = follower_->end();
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(followed_end_.value - stamp_.next.value, 0));
  }

  Result<void> count_attempt(InputId input) override {
    Attempts attempts = entry_.attempts;
    ++attempts[static_cast<std::size_t>(input)];
    TRY(write_attempts(attempts));
    crash_point("recover.after_attempt");
    return {};
  }

  Result<void> take_back_attempt(InputId input) override {
    Attempts attempts = entry_.attempts;
    std::uint32_t& counted = attempts[static_cast<std::size_t>(input)];
    CHECK(counted > 0);
    --counted;
    return write_attempts(attempts);
  }

  Result<void> clear_attempts() override { return write_attempts({}); }

  Result<CommitId> commit(Transaction& transaction) override {
    if (read_only()) return refuse_write().error();
    TRY_ASSIGN(std::vector<KafkaAppend> appends, kafka_appends_of(*core_, spec_, transaction));
    ChangelogTaskEntry next = entry_;
    next.last_commit = entry_.last_commit.next();
    for (const Position& position : transaction.consumed) next.attempts[static_cast<std::size_t>(position.input)] = transaction.attempts;
    merge_positions(transaction.consumed, next.positions);
    TRY_ASSIGN(const std::vector<std::string> forgotten, order_to_forget());
    TRY(write(transaction, std::move(appends), std::move(next), forgotten));
    return entry_.last_commit;
  }

  CommitFacts facts() const override { return {transactions_.aborts(), acked_ns_}; }

  Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const override {
    CHECK(local_ != nullptr);
    Result<void> decoded;
    TRY(damage_(local_->scan(kChangelogOrder, [&](std::string_view key, std::string_view body) {
      OrderOfCommit entry;
      if (!decode(body, entry)) {
        decoded = damage_(malformed("an order entry"));
        return false;
      }
      return fn(changelog_order_commit(key), entry.order);
    })));
    return decoded;
  }

 private:
  bool read_only() const { return core_->options.read_only; }
  Result<void> refuse_write() const {
    return Error{ErrorCode::kIo, "task " + label_ + ": the log was opened for reading only"};
  }
  std::string where() const { return "topic '" + changelog_ + "' partition " + std::to_string(spec_.partition.value); }
  Error malformed(std::string_view what) const {
    return {ErrorCode::kCorruption, "local store of task " + label_ + ": " + std::string(what) + " is malformed"};
  }

  Result<void> write_attempts(const Attempts& attempts) {
    if (read_only()) return refuse_write();
    ChangelogTaskEntry next = entry_;
    next.attempts = attempts;
    Transaction nothing;
    return write(nothing, {}, std::move(next), {});
  }

  Result<void> make_changelog() {
    const std::int32_t needed = std::max(core_->options.partitions, spec_.partition.value + 1);
    TRY_ASSIGN(const auto found, core_->admin->partitions({changelog_}));
    const auto at = found.find(changelog_);
    has_changelog_ = at != found.end() && at->second > spec_.partition.value;
    if (has_changelog_ || read_only()) return {};
    if (at == found.end())
      TRY(core_->admin->create(changelog_, needed, changelog_settings()));
    else
      TRY(core_->admin->add_partitions(changelog_, needed));
    has_changelog_ = true;
    return {};
  }

  Result<void> open_local() {
    if (!local_) {
      TRY_ASSIGN(auto store, core_->local->open_task(spec_));
      TRY_ASSIGN(const Recovered recovered, store->recover());
      local_ = std::make_shared<KafkaLocalState>(std::move(store), recovered.state);
    } else if (local_->waits()) {
      TRY(store_local());  // Of a standby that takes over: it goes on from one stamp.
    }
    stamp_ = {};
    entry_ = {};
    bundles_written_ = 0;
    std::string body;
    TRY_ASSIGN(const bool stamped, local_->get(kLocalStamp, body));
    if (!stamped) return {};
    if (!decode(body, stamp_)) return malformed("the stamp");
    bundles_written_ = stamp_.bundles;
    TRY_ASSIGN(const bool known, local_->get(kChangelogTask, body));
    if (known && !decode(body, entry_)) return malformed("the task entry");
    return {};
  }

  // Empties the local store unless what it holds is a beginning of the changelog.
  Result<void> check_stamp(const KafkaAdmin::Watermarks& marks) {
    const std::int64_t now_us = core_->options.clock->wall_us();
    if (stamp_.cluster == core_->admin->cluster_id() && stamp_.next >= marks.begin && stamp_.next <= marks.end &&
        stamp_.time_us > now_us - kDeleteRetention.count() / 2)
      return {};
    TRY(wipe());
    stamp_ = {core_->admin->cluster_id(), marks.begin, now_us};
    return {};
  }

  // Brings the local store and `entry_` to the end of what is committed in the changelog.
  Result<void> catch_up() {
    if (!has_changelog_) return {};
    bundle_.clear();
    restored_.clear();
    TRY_ASSIGN(const auto marks, core_->admin->watermarks(changelog_, spec_.partition));
    TRY(check_stamp(marks));
    if (stamp_.next < marks.end) {
      TRY_ASSIGN(const auto reader, make_kafka_reader(*core_, changelog_, spec_.partition, stamp_.next, nullptr));
      while (reader->position() < marks.end) {
        TRY_ASSIGN(const auto batch, reader->poll(Duration::zero()));  // Waits until there is a record, or none before the end.
        if (batch == nullptr) continue;
        TRY(take(*batch));
        TRY(keep(reader->position(), kLocalBytesRead));
      }
      if (bundle_.unfinished()) return Error{ErrorCode::kCorruption, where() + ": a commit's changes end in the middle"};
      TRY(keep(reader->position(), kLocalBytesRead));
    }
    stamp_.bundles = entry_.bundles.next;
    // What waits must be newer than the bundles that a rewrite is in place of.
    if (entry_.bundles.rewrite.running && bundles_written_ < entry_.bundles.rewrite.until) TRY(store_local());
    return {};
  }

  // What was taken up to there, to the local state. Changes of a commit that have not ended wait for the rest.
  Result<void> keep(Offset next, std::size_t limit = kLocalBytes) {
    if (bundle_.unfinished()) return {};
    stamp_.next = next;
    const std::size_t bytes = restored_.bytes();
    local_->apply(restored_);
    restored_.clear();
    return store_local_if_due(bytes, limit);
  }
  // The older part of what waits goes out while the second half of the newer one comes, a slice with each commit, which has just
  // added `bytes`: much of it has been erased by then, and no commit waits for all of it.
  Result<void> store_local_if_due(std::size_t bytes, std::size_t limit = kLocalBytes) {
    const std::int64_t now_us = core_->options.clock->wall_us();
    const bool late = now_us - stamp_.time_us >= kLocalEvery.count();
    if (local_->older_waits() && (late || local_->bytes() > limit + limit / 2)) {
      body_.clear();
      encode(stamp_older_, body_);
      TRY(damage_(local_->write_older(4 * bytes + kLocalSlice, kLocalStamp, body_.view())));
      if (!local_->older_waits()) bundles_written_ = stamp_older_.bundles;
    }
    if (local_->older_waits() || (local_->newer_bytes() < limit && !late)) return {};
    local_->age();
    stamp_.time_us = now_us;
    stamp_older_ = stamp_;
    return {};
  }

  Result<void> take(const RecordBatch& batch) {
    Result<void> taken;
    const bool whole = batch.for_each([&](Offset, const Record& record) {
      if (taken.ok()) taken = take(record);
    });
    CHECK(whole);
    return taken;
  }

  Result<void> take(const Record& record) {
    const bool is_bundle = record.key.starts_with(kChangelogBundle);
    if (record.erases) {
      if (!is_bundle) restored_.erase("", record.key);  // What a bundle held that is still there stands in later ones.
      return {};
    }
    TRY_ASSIGN(const std::string_view body, unseal_changelog(record.key, record.value, where()));
    if (is_bundle) {
      const bool whole = bundle_.take(body, stamp_.bundles, [&](std::string_view key, std::string_view value, bool erased) {
        if (erased) restored_.erase(kChangelogState, key);
        else restored_.put(kChangelogState, key, value);
      });
      return whole ? Result<void>() : Error{ErrorCode::kCorruption, where() + ": malformed changes"};
    }
    if (record.key == kChangelogTask && !decode(body, entry_))
      return Error{ErrorCode::kCorruption, where() + ": a malformed task entry"};
    restored_.put("", record.key, body);
    return {};
  }

  // Writes what waits into the local store, and the stamp with it.
  Result<void> store_local() {
    stamp_.time_us = core_->options.clock->wall_us();
    body_.clear();
    encode(stamp_, body_);
    TRY(damage_(local_->write(kLocalStamp, body_.view())));
    stamp_older_ = stamp_;
    bundles_written_ = stamp_.bundles;
    return {};
  }

  Result<void> wipe() {
    entry_ = {};
    bundles_written_ = 0;
    return damage_(local_->wipe());
  }

  // The same transaction until it is committed, or an error says that nothing of it is.
  Result<void> write(Transaction& transaction, std::vector<KafkaAppend> appends, ChangelogTaskEntry next, const std::vector<std::string>& forgotten) {
    if (lost_) {
      TRY(find_again());
      if (entry_.same_commit(next)) return finish(appends);  // This very one had been committed.
    }
    TRY(make_changes(transaction, next, forgotten));
    TRY(transactions_.warm(changelog_));
    for (const KafkaAppend& append : appends) TRY(transactions_.warm(append.topic->spec.name));
    KafkaAppended changelog_end{.request_bytes = core_->request_bytes_of(changelog_)};
    const auto fill = [&](KafkaProducer& producer) -> std::optional<KafkaFailure> {
      // A partition joins the transaction a millisecond after its first record, and until then the client's thread turns in a
      // loop (librdkafka < 2.4, librdkafka#4671): all join at once.
      for (KafkaAppend& append : appends) {
        append.begin();
        if (auto failure = append_some(producer, append, 1)) return failure;
      }
      changelog_end.begin();
      if (auto failure = append_changes(producer, changelog_end, 0, 1)) return failure;
      for (KafkaAppend& append : appends)
        if (auto failure = append_some(producer, append)) return failure;
      return append_changes(producer, changelog_end, 1, changes_.size());
    };
    acked_ns_ = 0;
    for (int unknown = 0;; ++unknown) {
      const auto outcome = transactions_.write(fill);
      if (!outcome.ok()) return with_topics(outcome.error(), appends);
      if (*outcome == KafkaTransactions::Outcome::kCommitted) break;
      lost_ = true;
      if (unknown == kUnknownMax)
        return Error{ErrorCode::kUnavailable, "Kafka, commit of task " + label_ + ": its outcome was unknown " + std::to_string(unknown + 1) + " times in a row"};
      TRY(find_again());
      if (entry_.same_commit(next)) return finish(appends);  // It had been committed, and is here from the changelog.
    }
    acked_ns_ = changelog_end.acked_ns;
    for (const KafkaAppend& append : appends) acked_ns_ = std::max(acked_ns_, append.appended.acked_ns);
    entry_ = std::move(next);
    stamp_.bundles = entry_.bundles.next;
    local_->apply(transaction.state, kChangelogState);
    local_->apply(changes_local_);
    // An acknowledgement that was lost and came again names no offset: then some are read once more after a restart.
    stamp_.next = std::max(stamp_.next, Offset(changelog_end.last).next());
    TRY(store_local_if_due(transaction.state.bytes()));
    return finish(appends);
  }

  // The client does not say which topic of a transaction was refused.
  Error with_topics(Error error, const std::vector<KafkaAppend>& appends) const {
    if (error.code != ErrorCode::kConfig && error.code != ErrorCode::kNotFound) return error;
    error.what += "; the transaction was for topics '" + changelog_ + "'";
    for (const KafkaAppend& append : appends) error.what += ", '" + append.topic->spec.name + "'";
    return error;
  }

  Result<void> finish(const std::vector<KafkaAppend>& appends) {
    for (const KafkaAppend& append : appends)
      append.raise_end();
    last_commit_->store(entry_.last_commit.value, std::memory_order_release);
    return {};
  }

  // Says in the changelog whose the task is now.
  Result<void> take_over() {
    std::random_device chance;
    const std::uint64_t owner = std::uint64_t(chance()) << 32 | chance();
    ChangelogTaskEntry next = entry_;
    next.owner = owner;
    Transaction nothing;
    TRY(write(nothing, {}, std::move(next), {}));
    owner_ = owner;
    return {};
  }

  // New producers, and the changelog read to its end; but not if somebody else has taken over, before or meanwhile.
  Result<void> find_again() {
    TRY(catch_up());
    TRY(check_owner());
    TRY(transactions_.fence());
    TRY(catch_up());
    TRY(check_owner());
    lost_ = false;
    return {};
  }
  Result<void> check_owner() const {
    if (owner_ == 0 || entry_.owner == owner_) return {};  // 0: it is just taking over.
    return Error{ErrorCode::kFenced, "task " + label_ + ": another process owns this task now, " + where() + " says"};
  }

  // Changes as records of the changelog, with their bytes in `sealed_`, and those that are not state for the local store.
  Result<void> make_changes(Transaction& transaction, ChangelogTaskEntry& next, const std::vector<std::string>& forgotten) {
    changes_.clear();
    changes_local_.clear();
    sealed_.clear();
    run_.clear();
    next.bundles = entry_.bundles;
    TRY(rewrite_some(transaction.state.bytes(), next.bundles));
    if (!run_.empty()) add_run(next.bundles, next.bundles.rewrite.until);  // Before the changes: theirs are newer.
    run_.clear();
    transaction.state.for_each([&](std::string_view key, std::string_view value, bool erased) {
      append_change(key, value, erased, run_);
    });
    if (!run_.empty()) add_run(next.bundles, {});
    forget_bundles(next.bundles);
    if (const std::string_view order = transaction.order.bytes(); !order.empty())
      add_change(changelog_order_key(next.last_commit), encode(OrderOfCommit{next.positions, order}));
    for (const std::string& key : forgotten) {
      add_tombstone(key);
      changes_local_.erase("", key);
    }
    body_.clear();
    encode(next, body_);
    add_change(std::string(kChangelogTask), body_.view());  // The last one: a partition that ends with it ends with a commit.
    return {};
  }

  void add_run(ChangelogBundles& bundles, std::optional<std::uint64_t> anew) {
    cut_bundle(run_.view(), [&](std::string_view piece, bool ends) {
      body_.clear();
      append_piece_head(ends, anew, body_);
      body_.append(piece);
      add_sealed(changelog_bundle_key(bundles.next++), body_.view());
    });
    bundles.bytes += run_.size();
    if (bundles.rewrite.running) bundles.rewrite.bytes_since += run_.size();
  }

  // Once the bundles hold far more than the state, all of it is written into new ones, a part with each commit, and the old ones
  // are erased: those whose changes the local store has, so that what waits is newer than they are.
  Result<void> rewrite_some(std::size_t changed_bytes, ChangelogBundles& bundles) {
    ChangelogRewrite& rewrite = bundles.rewrite;
    if (!rewrite.running) {
      if (bundles.bytes <= core_->options.changelog_bytes_min + 2 * bundles.live_bytes) return {};
      if (bundles_written_ <= bundles.oldest) TRY(store_local());
      rewrite = {.running = true, .until = bundles_written_, .from = std::string(kChangelogState), .bytes_since = local_->bytes()};
    }
    if (rewrite.whole) return {};
    // Twice what this commit changes, and never less than so small a part of what started it: it always ends.
    const std::uint64_t enough = std::max<std::uint64_t>(core_->options.changelog_bytes_min / kRewriteCommits, 2 * changed_bytes);
    bool more = false;
    TRY(damage_(local_->scan_written(kChangelogState, rewrite.from, [&](std::string_view key, std::string_view value) {
      if (run_.size() >= enough) {
        more = true;
        rewrite.from = key;
        return false;
      }
      append_change(key.substr(kChangelogState.size()), value, false, run_);
      return true;
    })));
    rewrite.live_bytes += run_.size();
    rewrite.whole = !more;
    return {};
  }
  void forget_bundles(ChangelogBundles& bundles) {
    const ChangelogRewrite& rewrite = bundles.rewrite;
    if (!rewrite.whole) return;
    const std::uint64_t to = std::min(rewrite.until, bundles.oldest + kBundlesErasedMax);
    for (; bundles.oldest < to; ++bundles.oldest) add_tombstone(changelog_bundle_key(bundles.oldest));
    if (bundles.oldest < rewrite.until) return;
    bundles.bytes = rewrite.bytes_since;
    bundles.live_bytes = rewrite.live_bytes;
    bundles.rewrite = {};
  }

  void add_tombstone(std::string_view key) {
    changes_.push_back({sealed_.size(), key.size(), 0, true});
    sealed_.append(key);
  }
  void add_sealed(std::string_view key, std::string_view body) {
    const std::size_t at = sealed_.size();
    sealed_.append(key);
    append_sealed(key, body, sealed_);
    changes_.push_back({at, key.size(), sealed_.size() - at - key.size(), false});
  }
  void add_change(std::string_view key, std::string_view body) {
    add_sealed(key, body);
    changes_local_.put("", key, body);
  }

  std::optional<KafkaFailure> append_changes(KafkaProducer& producer, KafkaAppended& appended, std::size_t from, std::size_t to) {
    auto topic = producer.topic(changelog_);
    if (!topic.ok()) return KafkaFailure{KafkaAction::kAbort, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, topic.error()};
    for (std::size_t i = from; i < to; ++i) {
      const Change& change = changes_[i];
      Record record;
      record.has_key = true;
      record.key = sealed_.view(change.at, change.key_bytes);
      record.value = sealed_.view(change.at + change.key_bytes, change.value_bytes);
      record.erases = change.erased;
      if (auto failure = producer.append(*topic, spec_.partition, record, /*headers=*/false, appended)) return failure;
    }
    return std::nullopt;
  }

  // Order whose inputs have left retention cannot be computed again: since the last look at the topics' beginnings.
  Result<std::vector<std::string>> order_to_forget() {
    std::vector<std::string> out;
    std::unique_lock lock(core_->mutex);
    if (core_->begins_version == begins_seen_) return out;
    const std::uint64_t version = core_->begins_version;
    const auto begins = core_->begins;
    lock.unlock();
    const auto begin_of = [&](const Position& position) -> std::optional<Offset> {
      const Topic topic = topic_of(position.input);
      const auto& of_topic = begins[index_of(topic)];
      const auto index = static_cast<std::size_t>(position.partition.value);
      if (traits_of(topic).compacted || index >= of_topic.size()) return std::nullopt;
      return of_topic[index];
    };
    bool all = true;
    TRY(damage_(local_->scan(kChangelogOrder, [&](std::string_view key, std::string_view body) {
      OrderOfCommit entry;
      if (!decode(body, entry) || !inputs_are_gone(entry.positions, begin_of)) return false;
      out.emplace_back(key);
      all = out.size() < kForgottenMax;
      return all;
    })));
    if (all) begins_seen_ = version;
    return out;
  }

  struct Change {
    std::size_t at;
    std::size_t key_bytes;
    std::size_t value_bytes;
    bool erased;
  };

  const std::shared_ptr<KafkaCore> core_;
  const TaskSpec spec_;
  const std::string changelog_;
  const std::string label_;
  const LocalDamage damage_;
  KafkaTransactions transactions_;
  std::shared_ptr<KafkaLocalState> local_;
  std::shared_ptr<std::atomic<std::uint64_t>> last_commit_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  LocalStamp stamp_;        // As of all that has been applied;
  LocalStamp stamp_older_;  // of the older part of what waits.
  std::uint64_t bundles_written_ = 0;  // As of the stamp that the local store holds.
  ChangelogTaskEntry entry_;
  bool has_changelog_ = false;
  std::uint64_t owner_ = 0;  // This one's mark.
  bool lost_ = false;  // The producers are gone; what they committed is not known.
  std::int64_t acked_ns_ = 0;  // Of the last commit, if it was seen to succeed.
  std::uint64_t begins_seen_ = 0;
  StateChanges restored_;  // Read from the changelog; of whole commits once `bundle_` has ended.
  BundleReader bundle_;
  ByteBuffer sealed_, body_, run_;
  std::unique_ptr<TopicReader> follower_;  // Of a standby; how far it knows the changelog to go, and when it asked.
  Offset followed_end_;
  std::chrono::steady_clock::time_point end_asked_;
  std::vector<Change> changes_;
  StateChanges changes_local_;
};

}  // namespace

KafkaProperties changelog_settings() {
  return {{"cleanup.policy", "compact"},
          {"message.timestamp.type", "LogAppendTime"},
          {"delete.retention.ms", std::to_string(milliseconds(kDeleteRetention))},
          {"segment.bytes", std::to_string(64 << 20)},
          {"segment.ms", "3600000"},  // What is in the open segment is not compacted.
          {kRequestSetting, std::to_string(kRequestBytesMax)}};
}

Result<std::vector<KafkaAppend>> kafka_appends_of(KafkaCore& core, const TaskSpec& spec, const Transaction& transaction) {
  std::vector<KafkaAppend> out;
  const auto add = [&](Topic topic, PartitionId partition, const RecordBatch& records) -> Result<void> {
    if (records.empty()) return {};
    TRY_ASSIGN(KafkaTopic* const found, core.topic(topic));
    if (partition.value < 0 || partition.value >= found->spec.partitions)
      return Error{ErrorCode::kConfig, "task '" + spec.name + "' writes partition " + std::to_string(partition.value) + " of topic '" +
                                           found->spec.name + "', which has " + std::to_string(found->spec.partitions)};
    out.push_back({found, partition, &records, {.request_bytes = core.request_bytes_of(found->spec.name)}});
    return {};
  };
  for (std::size_t i = 0; i < kTopicCount; ++i) TRY(add(static_cast<Topic>(i), spec.partition, transaction.records[i]));
  for (const RoutedBatch& batch : transaction.routed) TRY(add(batch.topic, batch.partition, batch.records));
  return out;
}

std::optional<KafkaFailure> append_some(KafkaProducer& producer, KafkaAppend& append, std::size_t count) {
  auto topic = producer.topic(append.topic->spec.name);
  if (!topic.ok()) return KafkaFailure{KafkaAction::kAbort, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, topic.error()};
  Record record;
  for (; count > 0 && decode_record(append.left, record); --count)
    if (auto failure = producer.append(*topic, append.partition, record, /*headers=*/true, append.appended)) return failure;
  CHECK(append.left.ok());
  return std::nullopt;
}

std::unique_ptr<TaskStore> make_kafka_task_store(std::shared_ptr<KafkaCore> core, const TaskSpec& spec) {
  return std::make_unique<KafkaTaskStore>(std::move(core), spec);
}

}  // namespace weir
