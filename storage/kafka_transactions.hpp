#pragma once
// Transactions of one task, through two transactional producers in turn: the brokers write the markers of one after they have
// answered, and the next one need not wait for that. Commits go out one after the other. Internal to the kafka_* files.
//
// Used by one thread at a time.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/records/record.hpp"
#include "storage/kafka_client.hpp"
#include "storage/kafka_errors.hpp"

namespace weir {

// What a request takes at most, where the topic says nothing else; and what none of ours exceeds.
inline constexpr std::size_t kRequestBytes = 1'000'000;
inline constexpr std::size_t kRequestBytesMax = 4u << 20;

// Where the records of one topic partition ended, told by the brokers as they acknowledge, and whether they refused any.
struct KafkaAppended {
  std::size_t request_bytes = kRequestBytes;  // What the partition takes in one request.
  std::int64_t last = -1;
  std::int64_t acked_ns = 0;  // When the last acknowledgement came (steady clock).
  rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;  // One of them; a transaction with it cannot be committed.
  std::uint64_t flush = 0;      // The producer's, of which the last record was.
  std::size_t waiting = 0;      // Bytes that were appended since.
  void begin() { *this = {.request_bytes = request_bytes}; }
};

// One transactional producer. Every call that returns a failure has left the transaction open, unless the handle is dead.
class KafkaProducer {
 public:
  static Result<std::unique_ptr<KafkaProducer>> make(const KafkaLogOptions& options, const std::string& transactional_id);

  // Idempotent, without transactions: append() and flush() are for it, and what follows is not.
  static Result<std::unique_ptr<KafkaProducer>> make_plain(const KafkaLogOptions& options);
  // Waits until the brokers have answered to everything; what they said is with each record's KafkaAppended.
  std::optional<KafkaFailure> flush();

  // Ends what other owners of the id have open, and them.
  std::optional<KafkaFailure> fence();
  // The topic's handle, its metadata asked for: a first use would wait for it up to a second.
  Result<rd_kafka_topic_t*> topic(const std::string& name);

  std::optional<KafkaFailure> begin();
  // Key and value are not copied: they stay until commit() or abort() returns. `headers`: source and event time.
  //
  // A partition's records go out as one request, with the flush of a commit or before what does not fit into it: the client has
  // one request of a partition in flight, and while a second one is ready its thread spins.
  std::optional<KafkaFailure> append(rd_kafka_topic_t* topic, PartitionId partition, const Record& record, bool headers, KafkaAppended& appended);
  std::optional<KafkaFailure> commit();
  std::optional<KafkaFailure> abort();
  rd_kafka_t* client() { return handle_.get(); }

 private:
  KafkaProducer(const KafkaLogOptions& options, std::string id) : options_(options), id_(std::move(id)) {}
  template <class Call>
  std::optional<KafkaFailure> repeat(std::string_view what, Call&& call);

  const KafkaLogOptions& options_;
  const std::string id_;
  KafkaHandle handle_;
  std::map<std::string, KafkaPtr<rd_kafka_topic_t>> topics_;  // Gone before the handle.
  std::uint64_t flushes_ = 1;  // While records were appended.
};

class KafkaTransactions {
 public:
  // `id`: "<pipeline>.<task>.<partition>"; the producers are "<id>.a" and "<id>.b".
  KafkaTransactions(const KafkaLogOptions& options, std::string id) : options_(options), id_(std::move(id)) {}

  // Makes both producers anew and fences every other owner, both at once.
  Result<void> fence();
  // Makes the topic known to both producers. REQUIRES: fenced.
  Result<void> warm(const std::string& topic);

  enum class Outcome : std::uint8_t { kCommitted, kUnknown };
  // Commits what `fill` appends; calls it again after an abort. kUnknown: both producers are gone; look who owns the task,
  // fence() and read what was committed. An error: nothing was committed.
  // The brokers fence a producer whose transaction lasted too long as they fence a former owner: where it may be either, the
  // outcome is unknown.
  using Fill = std::function<std::optional<KafkaFailure>(KafkaProducer&)>;
  Result<Outcome> write(const Fill& fill);

  std::uint64_t aborts() const { return aborts_; }
  std::uint64_t rebuilds() const { return rebuilds_; }
  KafkaProducer& producer(std::size_t i) { return *producers_[i]; }

  static constexpr int kAbortsOfOneCauseMax = 3;

 private:
  Error stop(Error error);
  Outcome give_up();

  const KafkaLogOptions& options_;
  const std::string id_;
  std::array<std::unique_ptr<KafkaProducer>, 2> producers_;
  std::optional<Error> stopped_;  // What made this task give up; until the next fence().
  std::size_t turn_ = 0;
  std::map<std::string, bool> warmed_;
  std::uint64_t aborts_ = 0;
  std::uint64_t rebuilds_ = 0;
};

}  // namespace weir
