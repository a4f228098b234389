#include "storage/kafka_at_least_once.hpp"

#include <thread>

#include "core/base/crash_point.hpp"
#include "storage/kafka_transactions.hpp"
#include "storage/positions.hpp"

namespace weir {
namespace {

constexpr Duration kSettleEvery = std::chrono::seconds(1);
constexpr std::size_t kPendingBytesMax = 8u << 20;
constexpr Duration kNextProducerAfter = std::chrono::milliseconds(100);

// The task counts its own commits; the store below counts those that it was given.
class PendingState final : public StateReader {
 public:
  PendingState(std::shared_ptr<const StateReader> below, std::shared_ptr<const std::atomic<std::uint64_t>> settled)
      : below_(std::move(below)), settled_(std::move(settled)) {}
  Result<bool> get(std::string_view key, std::string& value) const override { return below_->get(key, value); }
  Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values, std::vector<char>& found) const override {
    return below_->get_many(keys, values, found);
  }
  Result<void> scan_from(std::string_view prefix, std::string_view from,
                         const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    return below_->scan_from(prefix, from, fn);
  }
  CommitId visible() const override { return CommitId(settled_->load(std::memory_order_acquire)); }

 private:
  const std::shared_ptr<const StateReader> below_;
  const std::shared_ptr<const std::atomic<std::uint64_t>> settled_;
};

class AtLeastOnceStore final : public TaskStore {
 public:
  AtLeastOnceStore(std::shared_ptr<KafkaCore> core, TaskSpec spec, std::unique_ptr<TaskStore> below)
      : core_(std::move(core)), spec_(std::move(spec)), below_(std::move(below)) {}

  Result<Recovered> recover() override {
    std::lock_guard lock(mutex_);
    TRY_ASSIGN(Recovered out, below_->recover());
    TRY_ASSIGN(outputs_, KafkaProducer::make_plain(core_->options));
    pending_.clear();
    last_ = out.last_commit;
    settled_->store(last_.value, std::memory_order_release);
    settled_at_ = std::chrono::steady_clock::now();
    out.state = std::make_shared<PendingState>(std::move(out.state), settled_);
    return out;
  }
  Result<std::uint64_t> follow(Duration wait) override { return below_->follow(wait); }
  CommitFacts facts() const override { return below_->facts(); }  // Its transactions; outputs are acknowledged before commit() ends.
  Result<void> count_attempt(InputId input) override {
    std::lock_guard lock(mutex_);
    TRY(settle_now());
    return below_->count_attempt(input);
  }
  Result<void> take_back_attempt(InputId input) override {
    std::lock_guard lock(mutex_);
    TRY(settle_now());
    return below_->take_back_attempt(input);
  }
  Result<void> clear_attempts() override {
    std::lock_guard lock(mutex_);
    TRY(settle_now());
    return below_->clear_attempts();
  }
  Result<CommitId> commit(Transaction& transaction) override {
    std::lock_guard lock(mutex_);
    TRY(publish(transaction));
    put_off(transaction);
    last_ = last_.next();
    TRY(settle_if_due());
    return settled();
  }
  Result<CommitId> settle(bool now) override {
    std::lock_guard lock(mutex_);
    if (now) TRY(settle_now());
    else TRY(settle_if_due());
    return settled();
  }
  Result<void> read_order(const std::function<bool(CommitId, std::string_view)>& fn) const override { return below_->read_order(fn); }

 private:
  CommitId settled() const { return CommitId(settled_->load(std::memory_order_relaxed)); }

  // Returns when the brokers have all of it. What was produced before a failure may be there twice then.
  Result<void> publish(const Transaction& transaction) {
    TRY_ASSIGN(std::vector<KafkaAppend> appends, kafka_appends_of(*core_, spec_, transaction));
    if (appends.empty()) return {};
    const auto until = std::chrono::steady_clock::now() + core_->options.reach_limit;
    for (;;) {
      std::optional<KafkaFailure> failure;
      for (KafkaAppend& append : appends) {
        append.begin();
        if (!failure) failure = append_some(*outputs_, append);
      }
      if (auto flushed = outputs_->flush(); !failure) failure = std::move(flushed);
      for (const KafkaAppend& append : appends)
        if (!failure && append.appended.failed != RD_KAFKA_RESP_ERR_NO_ERROR)
          failure = classify(append.appended.failed, {}, "producing to topic '" + append.topic->spec.name + "'");
      if (!failure) break;
      if (failure->action == KafkaAction::kStop || failure->error.code == ErrorCode::kNotFound || std::chrono::steady_clock::now() >= until)
        return std::move(failure->error);
      outputs_.reset();
      std::this_thread::sleep_for(kNextProducerAfter);
      TRY_ASSIGN(outputs_, KafkaProducer::make_plain(core_->options));
    }
    for (const KafkaAppend& append : appends) append.raise_end();
    crash_point("kafka.after_outputs");
    return {};
  }

  // What is not published yet joins what waits.
  void put_off(Transaction& transaction) {
    transaction.state.for_each([&](std::string_view key, std::string_view value, bool erased) {
      if (erased) pending_.state.erase("", key);
      else pending_.state.put("", key, value);
    });
    merge_positions(transaction.consumed, pending_.consumed);
    ByteReader order(transaction.order.bytes());
    OrderEntry entry;
    while (next_order_entry(order, entry)) pending_.order.add(entry);
    CHECK(order.ok());
    pending_.attempts = transaction.attempts;
  }

  Result<void> settle_if_due() {
    const bool due = std::chrono::steady_clock::now() - settled_at_ >= kSettleEvery || pending_.state.bytes() >= kPendingBytesMax;
    return due ? settle_now() : Result<void>();
  }
  Result<void> settle_now() {
    if (settled() == last_) return {};
    drop_superseded();
    TRY(below_->commit(pending_));
    pending_.clear();
    settled_->store(last_.value, std::memory_order_release);
    settled_at_ = std::chrono::steady_clock::now();
    return {};
  }
  // The last change of each key is all that matters.
  void drop_superseded() {
    pending_.state.sort();
    StateChanges last;
    std::string_view key, value;
    bool erased = false, any = false;
    const auto emit = [&] {
      if (!any) return;
      if (erased) last.erase("", key);
      else last.put("", key, value);
    };
    pending_.state.for_each([&](std::string_view k, std::string_view v, bool e) {
      if (k != key) emit();
      key = k, value = v, erased = e, any = true;
    });
    emit();
    pending_.state = std::move(last);
  }

  const std::shared_ptr<KafkaCore> core_;
  const TaskSpec spec_;
  const std::unique_ptr<TaskStore> below_;
  std::mutex mutex_;  // The committer settles when it has nothing to write.
  std::unique_ptr<KafkaProducer> outputs_;
  Transaction pending_;  // Without records.
  CommitId last_;
  const std::shared_ptr<std::atomic<std::uint64_t>> settled_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::chrono::steady_clock::time_point settled_at_;
};

}  // namespace

std::unique_ptr<TaskStore> make_at_least_once_store(std::shared_ptr<KafkaCore> core, const TaskSpec& spec, std::unique_ptr<TaskStore> exactly_once) {
  return std::make_unique<AtLeastOnceStore>(std::move(core), spec, std::move(exactly_once));
}

}  // namespace weir
