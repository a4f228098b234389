#include "storage/kafka_fetcher.hpp"

#include <algorithm>

#include "storage/kafka_errors.hpp"

namespace weir {
namespace {

// How much one client holds of a partition that comes faster than it is read: two of the larger requests, or so many small
// records, which take twice their bytes.
constexpr std::size_t kQueuedRecords = 10'000;
constexpr std::size_t kQueuedKb = 8192;
constexpr int kWakeLimitMs = 500;
constexpr int kFetchBytes = 100'000;  // Worth an answer of its own before its wait has passed.

}  // namespace

KafkaPartition::~KafkaPartition() {
  if (client_ == nullptr) return;
  stop();
  topic_.reset();
  {
    std::lock_guard lock(*mutex_);
    client_->partitions.erase(name_);
  }
  client_.reset();  // The last one of a client ends it.
}

void KafkaPartition::stop() {
  if (!queue_) return;
  rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  rd_kafka_consume_stop(topic_.get(), name_.second);
  queue_.reset();
}

Result<void> KafkaPartition::start(Offset from, void (*rings)(rd_kafka_t*, void*), void* opaque) {
  stop();
  queue_.reset(rd_kafka_queue_new(client_->handle.get()));
  rd_kafka_queue_cb_event_enable(queue_.get(), rings, opaque);
  if (rd_kafka_consume_start_queue(topic_.get(), name_.second, from.value, queue_.get()) == 0) return {};
  const rd_kafka_resp_err_t code = rd_kafka_last_error();
  queue_.reset();
  return kafka_error(code, "reading topic '" + name_.first + "' partition " + std::to_string(name_.second));
}

KafkaPtr<rd_kafka_message_t> KafkaPartition::take() {
  KafkaPtr<rd_kafka_message_t> out(rd_kafka_consume_queue(queue_.get(), 0));
  if (!out) {
    rd_kafka_poll(client_->handle.get(), 0);  // What concerns the whole client.
    return out;
  }
  ++taken_;
  taken_bytes_ += out->len + out->key_len;
  if (taken_ >= kQueuedRecords / 4 || taken_bytes_ >= kQueuedKb * 1024 / 4) keep_fetching(Offset(out->offset));
  return out;
}

// A client whose queue was full, of records or of bytes, looks again after up to a second (librdkafka < 2.2, and no setting
// changes it), by which a fast reader has long had it all. Any request over its connection makes it look at once: where more has
// been committed than is queued, and less than half of the records that may be, it is asked for the partition's end.
void KafkaPartition::keep_fetching(Offset taken) {
  taken_ = taken_bytes_ = 0;
  const std::size_t queued = rd_kafka_queue_length(queue_.get());
  const auto end = known_end();
  if (queued > kQueuedRecords / 2 || !end || end->value <= taken.value + 1 + static_cast<std::int64_t>(queued)) return;
  const KafkaPtr<rd_kafka_topic_partition_list_t> asked(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(asked.get(), name_.first.c_str(), name_.second)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_offsets_for_times(client_->handle.get(), asked.get(), kWakeLimitMs);  // Its answer does not matter.
}

std::optional<Offset> KafkaPartition::known_end() const {
  std::int64_t low = 0, high = -1;
  if (rd_kafka_get_watermark_offsets(client_->handle.get(), name_.first.c_str(), name_.second, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0)
    return std::nullopt;
  return Offset(high);
}

std::string KafkaPartition::said() const { return client_->handle.said(); }

void KafkaPartition::abandon_client() {
  std::lock_guard lock(*mutex_);
  client_->abandoned = true;
}

Result<std::shared_ptr<KafkaPartition::Client>> KafkaFetchers::make_client() const {
  auto out = std::make_shared<KafkaPartition::Client>();
  const bool waits = milliseconds(options_.fetch_wait) > 0;
  TRY_ASSIGN(out->handle, make_kafka_handle(options_, RD_KAFKA_CONSUMER,
                                            {{"isolation.level", "read_committed"},
                                             {"enable.auto.commit", "false"},
                                             {"enable.auto.offset.store", "false"},
                                             {"enable.partition.eof", "true"},
                                             {"auto.offset.reset", "error"},
                                             // So long takes the end to be told, and a partition that is added; data comes at
                                             // once unless it may wait.
                                             {"fetch.min.bytes", waits ? std::to_string(kFetchBytes) : "1"},
                                             {"fetch.wait.max.ms", std::to_string(waits ? milliseconds(options_.fetch_wait) : 50)},
                                             {"fetch.error.backoff.ms", "20"},
                                             {"socket.timeout.ms", "10000"},
                                             {"fetch.message.max.bytes", "1048576"},
                                             {"queued.min.messages", std::to_string(kQueuedRecords)},
                                             {"queued.max.messages.kbytes", std::to_string(kQueuedKb)}}));
  return out;
}

Result<void> KafkaFetchers::open() {
  TRY_ASSIGN(first_, make_client());
  return {};
}

Result<std::unique_ptr<KafkaPartition>> KafkaFetchers::partition(const std::string& topic, PartitionId partition) {
  std::unique_ptr<KafkaPartition> out(new KafkaPartition);
  const std::pair name(topic, partition.value);
  std::shared_ptr<KafkaPartition::Client> client;
  {
    std::lock_guard lock(*mutex_);
    const auto take = [&](std::shared_ptr<KafkaPartition::Client> from) {
      if (client == nullptr && from != nullptr && !from->abandoned && from->partitions.insert(name).second) client = std::move(from);
    };
    if (first_ != nullptr && first_->abandoned) {
      TRY_ASSIGN(first_, make_client());
    }
    take(first_);
    for (const auto& other : others_) take(other.lock());
    if (client == nullptr) {
      std::erase_if(others_, [](const auto& other) { return other.expired(); });
      TRY_ASSIGN(client, make_client());
      client->partitions.insert(name);
      others_.push_back(client);
    }
  }
  out->mutex_ = mutex_;
  out->client_ = std::move(client);
  out->name_ = name;
  out->topic_.reset(rd_kafka_topic_new(out->client_->handle.get(), topic.c_str(), nullptr));
  if (!out->topic_) return kafka_error(rd_kafka_last_error(), "topic '" + topic + "'");
  return out;
}

}  // namespace weir
