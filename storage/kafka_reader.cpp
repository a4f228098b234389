#include <charconv>
#include <condition_variable>
#include <cstring>

#include "storage/kafka_core.hpp"
#include "storage/kafka_errors.hpp"

namespace weir {
namespace {

constexpr std::size_t kBatchBytes = 256u << 10;
constexpr std::uint32_t kBatchRecords = 1024;
constexpr Duration kComeLimit = std::chrono::seconds(30);  // For committed data to come.

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
  KafkaReader(KafkaCore& core, std::string topic, PartitionId partition, const CommittedEnd* known_end)
      : core_(core), topic_(std::move(topic)), partition_(partition), known_end_(known_end) {}

  Result<void> open(Offset from) {
    TRY_ASSIGN(fetched_, core_.fetchers->partition(topic_, partition_));
    TRY_ASSIGN(const auto marks, core_.admin->watermarks(topic_, partition_));
    position_ = std::max(from, marks.begin);
    return start(position_);
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
      if (now >= until + come_limit()) {  // The brokers answer, the client does not fetch.
        fetched_->abandon_client();
        return Error{ErrorCode::kUnavailable, what("reading") + ": nothing came for " + std::to_string(come_limit().count() / 1'000'000) +
                                                  " s though committed data ends at " + std::to_string(end.value) + fetched_->said()};
      }
      bell_.wait_until(now + std::chrono::milliseconds(50));
    }
  }

  Result<void> seek(Offset to) override {
    held_.reset();
    TRY(start(to));
    position_ = to;
    return {};
  }

  Offset position() const override { return position_; }
  Offset end() const override {
    const auto end = committed_end();
    return end.ok() ? *end : position_;
  }
  Offset known_end() const override { return std::max(position_, fetched_->known_end().value_or(position_)); }  // As of the last fetch.
  void wake() override { bell_.ring(true); }

 private:
  std::string what(std::string_view verb) const {
    return std::string(verb) + " topic '" + topic_ + "' partition " + std::to_string(partition_.value);
  }
  Result<void> start(Offset at) {
    return fetched_->start(at, [](rd_kafka_t*, void* bell) { static_cast<Bell*>(bell)->ring(false); }, &bell_);
  }
  Duration come_limit() const { return std::min(kComeLimit, core_.options.reach_limit); }
  // Over a connection that does not fetch: the brokers answer one request of a connection after the other.
  Result<Offset> committed_end() const {
    TRY_ASSIGN(const auto marks, core_.admin->watermarks(topic_, partition_));
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
      if (!message) message = fetched_->take();
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
      // Of a producer that sends no such header.
      record.event_time = EventTime(rd_kafka_message_timestamp(message.get(), nullptr) * 1000);
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
      TRY_ASSIGN(const auto marks, core_.admin->watermarks(topic_, partition_));
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

  KafkaCore& core_;
  const std::string topic_;
  const PartitionId partition_;
  const CommittedEnd* const known_end_;
  Bell bell_;
  std::unique_ptr<KafkaPartition> fetched_;  // Gone before the bell that it rings.
  KafkaPtr<rd_kafka_message_t> held_;        // Belongs into the next batch. Gone before its client.
  Offset position_;
};

}  // namespace

Result<std::unique_ptr<TopicReader>> make_kafka_reader(KafkaCore& core, const std::string& topic, PartitionId partition, Offset from,
                                                       const CommittedEnd* known_end) {
  auto reader = std::make_unique<KafkaReader>(core, topic, partition, known_end);
  TRY(reader->open(from));
  return std::unique_ptr<TopicReader>(std::move(reader));
}

}  // namespace weir
