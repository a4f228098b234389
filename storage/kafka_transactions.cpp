#include "storage/kafka_transactions.hpp"

#include <charconv>
#include <thread>

#include "core/base/crash_point.hpp"

namespace weir {
namespace {

constexpr int kSliceMs = 1000;
constexpr Duration kAskAgainAfter = std::chrono::milliseconds(2);
// A client that has not found its coordinator for so long may never find it (before 2.10 its metadata may be stuck at a broker
// that is gone): a new one looks from the start.
constexpr Duration kClientLimit = std::chrono::seconds(30);
constexpr Duration kNextClientAfter = std::chrono::milliseconds(200);

void note_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  // A failed one fails its transaction: commit() tells.
  if (message->_private == nullptr) return;
  auto& appended = *static_cast<KafkaAppended*>(message->_private);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    appended.failed = message->err;
    return;
  }
  appended.last = std::max(appended.last, message->offset);
  appended.acked_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Decimal {
  explicit Decimal(std::int64_t value) : end(std::to_chars(text.data(), text.data() + text.size(), value).ptr) {}
  std::array<char, 24> text;
  const char* end;
};

// How many bytes of a request a record takes at most, with the names of its headers.
constexpr std::size_t kRecordBytes = 64;
constexpr std::size_t kHeaderBytes = 192;
constexpr std::size_t kRequestHeadBytes = 1024;
std::size_t bytes_in_request(const Record& record, bool headers) {
  return record.key.size() + record.value.size() + kRecordBytes + (headers ? kHeaderBytes + record.source.topic.size() : 0);
}

// Both kinds send when they are told to, a partition's records together: see KafkaProducer::append().
KafkaProperties with_requests(KafkaProperties own) {
  own.merge(KafkaProperties{{"linger.ms", "1000"},
                            {"batch.num.messages", "1000000"},
                            {"batch.size", std::to_string(kRequestBytesMax)},
                            {"message.max.bytes", std::to_string(kRequestBytesMax)},
                            {"allow.auto.create.topics", "false"},  // With settings that nobody chose.
                            {"queue.buffering.max.messages", "1000000"}});
  return own;
}

void set_header(rd_kafka_vu_t& to, const char* name, const void* value, std::size_t bytes) {
  to.vtype = RD_KAFKA_VTYPE_HEADER;
  to.u.header.name = name;
  to.u.header.val = value;
  to.u.header.size = static_cast<ssize_t>(bytes);
}

}  // namespace

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::make(const KafkaLogOptions& options, const std::string& transactional_id) {
  std::unique_ptr<KafkaProducer> out(new KafkaProducer(options, transactional_id));
  const int timeout_ms = milliseconds(options.transaction_timeout);
  TRY_ASSIGN(out->handle_, make_kafka_handle(options, RD_KAFKA_PRODUCER,
                                             with_requests({{"transactional.id", transactional_id},
                                                            {"transaction.timeout.ms", std::to_string(timeout_ms)},
                                                            {"message.timeout.ms", std::to_string(timeout_ms - timeout_ms / 8)},
                                                            {"retry.backoff.ms", "1"}}),
                                             [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, note_delivery); }));
  return out;
}

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::make_plain(const KafkaLogOptions& options) {
  std::unique_ptr<KafkaProducer> out(new KafkaProducer(options, options.pipeline));
  const int timeout_ms = milliseconds(options.transaction_timeout);
  TRY_ASSIGN(out->handle_, make_kafka_handle(options, RD_KAFKA_PRODUCER,
                                             with_requests({{"enable.idempotence", "true"}, {"message.timeout.ms", std::to_string(timeout_ms)}}),
                                             [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, note_delivery); }));
  return out;
}

template <class Call>
std::optional<KafkaFailure> KafkaProducer::repeat(std::string_view what, Call&& call) {
  const auto until = std::chrono::steady_clock::now() + std::min(options_.reach_limit, kClientLimit);
  for (;;) {
    rd_kafka_error_t* error = call();
    if (error == nullptr) return std::nullopt;
    KafkaFailure failure = classify(handle_.get(), error, std::string(what) + " of '" + id_ + "'");
    if (failure.action != KafkaAction::kRetry) {
      failure.error.what += handle_.said();
      return failure;
    }
    if (std::chrono::steady_clock::now() >= until) {
      failure.action = KafkaAction::kRebuild;
      failure.error.what += handle_.said();
      return failure;
    }
    std::this_thread::sleep_for(kAskAgainAfter);
  }
}

std::optional<KafkaFailure> KafkaProducer::flush() {
  return repeat("flush", [&]() -> rd_kafka_error_t* {
    const rd_kafka_resp_err_t code = rd_kafka_flush(handle_.get(), kSliceMs);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nullptr : rd_kafka_error_new(code, "%s", rd_kafka_err2str(code));
  });
}

std::optional<KafkaFailure> KafkaProducer::fence() {
  return repeat("init_transactions", [&] { return rd_kafka_init_transactions(handle_.get(), kSliceMs); });
}

Result<rd_kafka_topic_t*> KafkaProducer::topic(const std::string& name) {
  if (const auto found = topics_.find(name); found != topics_.end()) return found->second.get();
  KafkaPtr<rd_kafka_topic_t> made(rd_kafka_topic_new(handle_.get(), name.c_str(), nullptr));
  if (!made) return kafka_error(rd_kafka_last_error(), "topic '" + name + "'");
  const auto failure = repeat("metadata of topic '" + name + "' for a producer", [&]() -> rd_kafka_error_t* {
    const rd_kafka_metadata_t* found = nullptr;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(handle_.get(), 0, made.get(), &found, 5 * kSliceMs);
    if (found != nullptr) rd_kafka_metadata_destroy(found);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nullptr : rd_kafka_error_new(code, "%s", rd_kafka_err2str(code));
  });
  if (failure) return failure->error;
  return (topics_[name] = std::move(made)).get();
}

std::optional<KafkaFailure> KafkaProducer::begin() {
  return repeat("begin_transaction", [&] { return rd_kafka_begin_transaction(handle_.get()); });
}

std::optional<KafkaFailure> KafkaProducer::append(rd_kafka_topic_t* topic, PartitionId partition, const Record& record, bool headers,
                                                  KafkaAppended& appended) {
  const std::size_t size = bytes_in_request(record, headers);
  if (appended.flush == flushes_ && appended.waiting + size + kRequestHeadBytes > appended.request_bytes) {
    if (auto failure = flush()) return failure;
    ++flushes_;
  }
  if (std::exchange(appended.flush, flushes_) != flushes_) appended.waiting = 0;
  appended.waiting += size;
  std::array<rd_kafka_vu_t, 9> all;
  std::size_t count = 0;
  const auto next = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    all[count].vtype = type;
    return all[count++];
  };
  next(RD_KAFKA_VTYPE_RKT).u.rkt = topic;
  next(RD_KAFKA_VTYPE_PARTITION).u.i32 = partition.value;
  next(RD_KAFKA_VTYPE_OPAQUE).u.ptr = &appended;
  // A value of no bytes is not the same as none, which is a tombstone: only the pointer tells them apart.
  static char nothing = 0;
  const auto bytes = [&](rd_kafka_vu_t& to, std::string_view from) {
    to.u.mem.ptr = from.empty() ? &nothing : const_cast<char*>(from.data());  // The client's type; it does not write there.
    to.u.mem.size = from.size();
  };
  if (record.has_key) bytes(next(RD_KAFKA_VTYPE_KEY), record.key);
  if (!record.erases) bytes(next(RD_KAFKA_VTYPE_VALUE), record.value);
  const Decimal time(record.event_time.value), source_partition(record.source.partition.value), source_offset(record.source.offset.value);
  if (headers) {
    set_header(all[count++], "weir-event-time-us", time.text.data(), static_cast<std::size_t>(time.end - time.text.data()));
    if (!record.source.topic.empty()) {
      set_header(all[count++], "weir-source-topic", record.source.topic.data(), record.source.topic.size());
      set_header(all[count++], "weir-source-partition", source_partition.text.data(), static_cast<std::size_t>(source_partition.end - source_partition.text.data()));
      set_header(all[count++], "weir-source-offset", source_offset.text.data(), static_cast<std::size_t>(source_offset.end - source_offset.text.data()));
    }
  }
  for (;;) {
    rd_kafka_error_t* error = rd_kafka_produceva(handle_.get(), all.data(), count);
    if (error == nullptr) return std::nullopt;
    if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
      return classify(handle_.get(), error, std::string("producing to topic '") + rd_kafka_topic_name(topic) + "'");
    rd_kafka_error_destroy(error);
    rd_kafka_poll(handle_.get(), 10);
  }
}

std::optional<KafkaFailure> KafkaProducer::commit() {
  return repeat("commit_transaction", [&] { return rd_kafka_commit_transaction(handle_.get(), kSliceMs); });
}

std::optional<KafkaFailure> KafkaProducer::abort() {
  return repeat("abort_transaction", [&] { return rd_kafka_abort_transaction(handle_.get(), kSliceMs); });
}

Error KafkaTransactions::stop(Error error) {
  producers_ = {};  // They may still hold the caller's bytes.
  stopped_ = error;
  return error;
}

KafkaTransactions::Outcome KafkaTransactions::give_up() {
  ++rebuilds_;
  producers_ = {};
  return Outcome::kUnknown;
}

Result<void> KafkaTransactions::fence() {
  producers_ = {};
  stopped_.reset();
  turn_ = 0;
  std::array<Result<void>, 2> results;
  const auto make = [&](std::size_t i) -> Result<void> {
    for (const auto until = std::chrono::steady_clock::now() + options_.reach_limit;;) {
      TRY_ASSIGN(producers_[i], KafkaProducer::make(options_, id_ + (i == 0 ? ".a" : ".b")));
      auto failure = producers_[i]->fence();
      if (!failure) break;
      if (failure->action != KafkaAction::kRebuild || failure->error.code != ErrorCode::kUnavailable || std::chrono::steady_clock::now() >= until)
        return std::move(failure->error);
      std::this_thread::sleep_for(kNextClientAfter);
    }
    for (const auto& [topic, known] : warmed_)
      if (const auto warmed = producers_[i]->topic(topic); !warmed.ok()) return warmed.error();
    return {};
  };
  std::thread other([&] { results[1] = make(1); });
  results[0] = make(0);
  other.join();
  for (const Result<void>& result : results)
    if (!result.ok()) {
      producers_ = {};
      return result.error();
    }
  return {};
}

Result<void> KafkaTransactions::warm(const std::string& topic) {
  if (warmed_.contains(topic)) return {};
  for (const auto& producer : producers_)
    if (const auto warmed = producer->topic(topic); !warmed.ok()) return warmed.error();
  warmed_[topic] = true;
  return {};
}

Result<KafkaTransactions::Outcome> KafkaTransactions::write(const Fill& fill) {
  std::map<rd_kafka_resp_err_t, int> causes;
  for (;;) {
    if (stopped_) return *stopped_;
    CHECK(producers_[0] != nullptr);
    KafkaProducer& producer = *producers_[turn_];
    const auto began = std::chrono::steady_clock::now();
    auto failure = producer.begin();
    crash_point("kafka.before_produce");
    if (!failure) failure = fill(producer);
    crash_point("kafka.before_commit");
    if (!failure) failure = producer.commit();
    if (!failure) {
      crash_point("kafka.after_commit");
      turn_ = 1 - turn_;
      return Outcome::kCommitted;
    }
    const auto may_have_expired = [&](const KafkaFailure& f) {
      return f.error.code == ErrorCode::kFenced && std::chrono::steady_clock::now() - began > options_.transaction_timeout / 2;
    };
    switch (failure->action) {
      case KafkaAction::kAbort:
      case KafkaAction::kRetry: {  // kRetry: not from repeat(), which knows no end of it but kRebuild; from fill() at most.
        ++aborts_;
        const bool again = ++causes[failure->cause] < kAbortsOfOneCauseMax;
        if (auto aborted = producer.abort()) {
          if (aborted->action != KafkaAction::kStop || may_have_expired(*aborted)) return give_up();
          return stop(std::move(aborted->error));
        }
        if (!again) {
          failure->error.what += "; given up after " + std::to_string(kAbortsOfOneCauseMax) + " aborted transactions";
          return std::move(failure->error);
        }
        break;
      }
      case KafkaAction::kRebuild: return give_up();
      case KafkaAction::kStop:
        if (may_have_expired(*failure)) return give_up();
        // Nothing of it becomes visible: where the handle is dead, its successor's fence ends the transaction.
        if (failure->error.code == ErrorCode::kFenced || producer.abort()) return stop(std::move(failure->error));
        return std::move(failure->error);
    }
  }
}

}  // namespace weir
