#include <charconv>
#include <condition_variable>
#include <cstring>

#include "storage/kafka_core.hpp"
#include "storage/kafka_errors.hpp"

namespace weir {
namespace {

constexpr std::size_t kBatchBytes = 256u << 10;
constexpr std::uint32_t kBatchRecords = 8192;

// Set by the client's threads when its queue is no longer empty, and by wake().
class Bell {
 public:
  void ring(bool wake) {
    {
      std::lock_guard lock(mutex_);
      (wake ? woken_ : ringing_) = true;
    }
    changed_.notify_one();
  }
  void wait_until(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return ringing_ || woken_; });
    ringing_ = false;
  }
  bool take_woken() {
    std::lock_guard lock(mutex_);
    return std::exchange(woken_, false);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ringing_ = false;
  bool woken_ = false;
};

bool parse_decimal(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// Headers of other producers may be anything: what does not read as ours is left out.
void read_headers(const rd_kafka_message_t& message, Record& record) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t bytes = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    const std::string_view text(static_cast<const char*>(value), value == nullptr ? 0 : bytes);
    std::int64_t number = 0;
    if (std::strcmp(name, "weir-source-topic") == 0) record.source.topic = text;
    else if (std::strncmp(name, "weir-", 5) != 0 || !parse_decimal(text, number)) continue;
    else if (std::strcmp(name, "weir-event-time-us") == 0) record.event_time = EventTime(number);
    else if (std::strcmp(name, "weir-source-partition") == 0) record.source.partition = PartitionId(static_cast<std::int32_t>(number));
    else if (std::strcmp(name, "weir-source-offset") == 0) record.source.offset = Offset(number);
  }
  if (record.source.topic.empty()) record.source = {};
}

class KafkaReader final : public TopicReader {
 public:
  KafkaReader(const KafkaLogOptions& options, std::string topic, PartitionId partition, const CommittedEnd* known_end)
      : options_(options), topic_(std::move(topic)), partition_(partition), known_end_(known_end) {}

  ~KafkaReader() override {
    if (queue_) rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  }

  Result<void> open(Offset from) {
    TRY_ASSIGN(handle_, make_kafka_handle(options_, RD_KAFKA_CONSUMER,
                                          {{"group.id", "weir." + options_.pipeline + ".reader"},  // Asked for; never joined.
                                           {"isolation.level", "read_committed"},
                                           {"enable.auto.commit", "false"},
                                           {"enable.auto.offset.store", "false"},
                                           {"enable.partition.eof", "true"},
                                           {"auto.offset.reset", "error"},
                                           {"fetch.wait.max.ms", "20"},  // So long takes the end to be confirmed; data comes at once.
                                           {"fetch.error.backoff.ms", "20"},
                                           {"fetch.message.max.bytes", "4194304"}}));
    rd_kafka_poll_set_consumer(handle_.get());
    queue_.reset(rd_kafka_queue_get_consumer(handle_.get()));
    rd_kafka_queue_cb_event_enable(queue_.get(), [](rd_kafka_t*, void* bell) { static_cast<Bell*>(bell)->ring(false); }, &bell_);
    TRY_ASSIGN(const auto marks, query_watermarks(handle_, topic_, partition_, options_.reach_limit));
    position_ = std::max(from, marks.begin);
    return assign(position_);
  }

  Result<std::shared_ptr<const RecordBatch>> poll(Duration wait) override {
    const auto until = std::chrono::steady_clock::now() + wait;
    bool asked = false;
    Offset end;  // Of committed data, when it was asked for.
    for (;;) {
      TRY_ASSIGN(auto batch, drain());
      if (batch != nullptr || bell_.take_woken()) return batch;
      const auto now = std::chrono::steady_clock::now();
      if (now < until) {
        bell_.wait_until(until);
        continue;
      }
      if (!asked) {  // Silence is only what the brokers confirm.
        TRY_ASSIGN(end, committed_end());
        asked = true;
        continue;
      }
      if (position_ >= end) return batch;
      if (now >= until + options_.reach_limit)
        return Error{ErrorCode::kUnavailable, what("reading") + ": nothing came for " + std::to_string(options_.reach_limit.count() / 1'000'000) +
                                                  " s though committed data ends at " + std::to_string(end.value) + handle_.said()};
      bell_.wait_until(now + std::chrono::milliseconds(50));
    }
  }

  Result<void> seek(Offset to) override {
    held_.reset();
    TRY(assign(to));
    position_ = to;
    return {};
  }

  Offset position() const override { return position_; }
  Offset end() const override {
    const auto end = committed_end();
    return end.ok() ? *end : position_;
  }
  Offset known_end() const override {  // As of the last fetch.
    std::int64_t low = 0, high = -1;
    if (rd_kafka_get_watermark_offsets(handle_.get(), topic_.c_str(), partition_.value, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR) return position_;
    return std::max(position_, Offset(high));
  }
  void wake() override { bell_.ring(true); }

 private:
  std::string what(std::string_view verb) const {
    return std::string(verb) + " topic '" + topic_ + "' partition " + std::to_string(partition_.value);
  }
  // Reads on from there. What was fetched before is of an older version to the client and is dropped; a seek would do the
  // same, but is refused while nothing has been fetched yet, and after an error.
  Result<void> assign(Offset at) const {
    const KafkaPtr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition_.value)->offset = at.value;
    if (const auto code = rd_kafka_assign(handle_.get(), list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return kafka_error(code, what("reading"));
    return {};
  }
  Result<Offset> committed_end() const {
    TRY_ASSIGN(const auto marks, query_watermarks(handle_, topic_, partition_, options_.reach_limit));
    return known_end_ != nullptr ? std::max(marks.end, known_end_->get()) : marks.end;
  }

  // What has arrived: neighbours only, the first one after a gap is held for the next batch.
  Result<std::shared_ptr<const RecordBatch>> drain() {
    std::shared_ptr<RecordBatch> batch;
    ByteBuffer bytes;
    std::uint32_t count = 0;
    Offset base = position_;
    std::int64_t append_time_us = 0;
    while (count < kBatchRecords && bytes.size() < kBatchBytes) {
      KafkaPtr<rd_kafka_message_t> message = std::move(held_);
      if (!message) message.reset(rd_kafka_consumer_poll(handle_.get(), 0));
      if (!message) break;
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (count > 0) {
          held_ = std::move(message);
          break;
        }
        position_ = std::max(position_, Offset(message->offset));  // Past control records and what was aborted.
        continue;
      }
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (count > 0) {
          held_ = std::move(message);
          break;
        }
        TRY(failed(*message));
        continue;
      }
      const Offset offset(message->offset);
      if (offset < position_) continue;
      if (count > 0 && offset != base.next(count)) {
        held_ = std::move(message);
        break;
      }
      if (count == 0) {
        base = offset;
        append_time_us = rd_kafka_message_timestamp(message.get(), nullptr) * 1000;
      }
      Record record;
      record.has_key = message->key != nullptr;
      record.key = {static_cast<const char*>(message->key), record.has_key ? message->key_len : 0};
      record.erases = message->payload == nullptr;
      record.value = {static_cast<const char*>(message->payload), record.erases ? 0 : message->len};
      read_headers(*message, record);
      encode_record(record, bytes);
      ++count;
    }
    if (count == 0) return std::shared_ptr<const RecordBatch>();
    batch = std::make_shared<RecordBatch>();
    batch->assign(bytes.view(), count, base, append_time_us);
    position_ = base.next(count);
    return std::shared_ptr<const RecordBatch>(std::move(batch));
  }

  Result<void> failed(const rd_kafka_message_t& message) const {
    if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
      TRY_ASSIGN(const auto marks, query_watermarks(handle_, topic_, partition_, options_.reach_limit));
      if (position_ < marks.begin)
        return Error{ErrorCode::kNotFound, "topic '" + topic_ + "' partition " + std::to_string(partition_.value) + ": offset " +
                                               std::to_string(position_.value) + " is no longer there, retention has passed it; the oldest is " +
                                               std::to_string(marks.begin.value)};
      return Error{ErrorCode::kCorruption, "topic '" + topic_ + "' partition " + std::to_string(partition_.value) + ": offset " +
                                               std::to_string(position_.value) + " is beyond its end " + std::to_string(marks.end.value) +
                                               "; was the topic deleted and made again?"};
    }
    KafkaFailure failure = classify(message.err, {}, what("reading"), message.payload != nullptr ? std::string_view(static_cast<const char*>(message.payload), message.len) : std::string_view());
    if (failure.action == KafkaAction::kRetry) return {};  // The client goes on by itself.
    return std::move(failure.error);
  }

  const KafkaLogOptions& options_;
  const std::string topic_;
  const PartitionId partition_;
  const CommittedEnd* const known_end_;
  Bell bell_;
  KafkaHandle handle_;
  KafkaPtr<rd_kafka_queue_t> queue_;
  KafkaPtr<rd_kafka_message_t> held_;  // Belongs into the next batch.
  Offset position_;
};

}  // namespace

Result<std::unique_ptr<TopicReader>> make_kafka_reader(const KafkaLogOptions& options, const std::string& topic, PartitionId partition,
                                                       Offset from, const CommittedEnd* known_end) {
  auto reader = std::make_unique<KafkaReader>(options, topic, partition, known_end);
  TRY(reader->open(from));
  return std::unique_ptr<TopicReader>(std::move(reader));
}

}  // namespace weir
