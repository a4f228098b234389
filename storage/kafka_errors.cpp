#include "storage/kafka_errors.hpp"

#include <algorithm>
#include <array>

namespace weir {
namespace {

constexpr std::string_view kFencedAdvice = "another process owns this task now";
constexpr std::string_view kAclAdvice = "grant this user the operation, or use another user";
constexpr std::string_view kTopicGone = "create the topic, or correct its name";
constexpr std::string_view kTooLarge = "raise the topic's max.message.bytes, or write smaller records";
constexpr std::string_view kBrokerAway = "the client goes on asking; see whether the brokers run and can be reached";
constexpr std::string_view kSecurityAdvice = "correct log.security";
constexpr std::string_view kReplicas = "too few in-sync replicas: see whether all brokers run";

// clang-format off
constexpr auto kTable = std::to_array<KafkaErrorRow>({
    // Another owner.
    {RD_KAFKA_RESP_ERR__FENCED,                               KafkaAction::kStop, ErrorCode::kFenced, kFencedAdvice},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED,                       KafkaAction::kStop, ErrorCode::kFenced, kFencedAdvice},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,                KafkaAction::kStop, ErrorCode::kFenced, kFencedAdvice},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,                    KafkaAction::kStop, ErrorCode::kFenced, "another process has this process' name"},
    // Rights and settings: the same until somebody changes them.
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,            KafkaAction::kStop, ErrorCode::kConfig, kAclAdvice},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,            KafkaAction::kStop, ErrorCode::kConfig, kAclAdvice},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,          KafkaAction::kStop, ErrorCode::kConfig, kAclAdvice},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KafkaAction::kStop, ErrorCode::kConfig, kAclAdvice},
    {RD_KAFKA_RESP_ERR_SECURITY_DISABLED,                     KafkaAction::kStop, ErrorCode::kConfig, "the brokers have no authorizer"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION,                      KafkaAction::kStop, ErrorCode::kConfig, "the brokers' policy refuses it"},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG,                        KafkaAction::kStop, ErrorCode::kConfig, "correct the setting it names"},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,                    KafkaAction::kStop, ErrorCode::kConfig, "correct log.partitions"},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,            KafkaAction::kStop, ErrorCode::kConfig, "the brokers' default.replication.factor is more than there are brokers"},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,           KafkaAction::kStop, ErrorCode::kConfig, "raise the brokers' transaction.max.timeout.ms"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,                       KafkaAction::kStop, ErrorCode::kConfig, "correct the topic's name"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,                     KafkaAction::kStop, ErrorCode::kConfig, "set the topic's message.timestamp.type=LogAppendTime"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,                    KafkaAction::kStop, ErrorCode::kConfig, kTooLarge},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,                      KafkaAction::kStop, ErrorCode::kConfig, kTooLarge},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,                 KafkaAction::kStop, ErrorCode::kConfig, kTooLarge},
    {RD_KAFKA_RESP_ERR__INVALID_ARG,                          KafkaAction::kStop, ErrorCode::kConfig, "the client refuses a setting"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,                   KafkaAction::kStop, ErrorCode::kVersion, "brokers of version 2.5 or later are needed"},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,                  KafkaAction::kStop, ErrorCode::kVersion, "brokers of version 2.5 or later are needed"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,        KafkaAction::kStop, ErrorCode::kVersion, "the topic's message format is too old for transactions"},
    // The transaction cannot be committed, the next one may.
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,                        KafkaAction::kAbort, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,                   KafkaAction::kAbort, ErrorCode::kUnavailable, kReplicas},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,      KafkaAction::kAbort, ErrorCode::kUnavailable, kReplicas},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,                   KafkaAction::kAbort, ErrorCode::kUnavailable, "a broker's disk has failed"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,                 KafkaAction::kAbort, ErrorCode::kNotFound, kTopicGone},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,                        KafkaAction::kAbort, ErrorCode::kNotFound, kTopicGone},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,                    KafkaAction::kAbort, ErrorCode::kNotFound, kTopicGone},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,                     KafkaAction::kAbort, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,                   KafkaAction::kAbort, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,           KafkaAction::kAbort, ErrorCode::kUnavailable, ""},
    // Nobody knows what was written.
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,          KafkaAction::kRebuild, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER,             KafkaAction::kRebuild, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR__FATAL,                                KafkaAction::kRebuild, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR__STATE,                                KafkaAction::kRebuild, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR__INCONSISTENT,                         KafkaAction::kRebuild, ErrorCode::kUnavailable, ""},
    // Ask again.
    {RD_KAFKA_RESP_ERR__TIMED_OUT,                            KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR__TRANSPORT,                            KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,                     KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR__RESOLVE,                              KafkaAction::kRetry, ErrorCode::kUnavailable, "correct log.brokers"},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL,                           KafkaAction::kRetry, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR__IN_PROGRESS,                          KafkaAction::kRetry, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS,                     KafkaAction::kRetry, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR__WAIT_COORD,                           KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,          KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,             KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR,                       KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,               KafkaAction::kRetry, ErrorCode::kUnavailable, ""},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER,                        KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,                  KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,              KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,                  KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,                     KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,                     KafkaAction::kRetry, ErrorCode::kUnavailable, kBrokerAway},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,             KafkaAction::kRetry, ErrorCode::kUnavailable, "the brokers' quota is used up"},
    // The client connects again by itself: a broker that comes back may cut a TLS connection short, or not know its users yet. At
    // the start, where that goes on, KafkaAdmin::open() ends with it.
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,            KafkaAction::kRetry,ErrorCode::kConfig, kSecurityAdvice},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION,                       KafkaAction::kRetry,ErrorCode::kConfig, kSecurityAdvice},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM,            KafkaAction::kRetry,ErrorCode::kConfig, kSecurityAdvice},
    {RD_KAFKA_RESP_ERR__SSL,                                  KafkaAction::kRetry,ErrorCode::kConfig, kSecurityAdvice},
});
// clang-format on

const KafkaErrorRow* row_of(rd_kafka_resp_err_t code) {
  const auto row = std::ranges::find(kTable, code, &KafkaErrorRow::code);
  return row == kTable.end() ? nullptr : &*row;
}

}  // namespace

std::string_view name_of(KafkaAction action) {
  switch (action) {
    case KafkaAction::kRetry: return "retry";
    case KafkaAction::kAbort: return "abort and commit again";
    case KafkaAction::kRebuild: return "new producer";
    case KafkaAction::kStop: return "stop";
  }
  return "?";
}

std::span<const KafkaErrorRow> kafka_error_table() { return kTable; }

KafkaFailure classify(rd_kafka_resp_err_t code, KafkaErrorFlags flags, std::string_view what, std::string_view text) {
  const KafkaErrorRow* row = row_of(code);
  KafkaFailure out;
  out.cause = code;
  out.action = row != nullptr ? row->action : KafkaAction::kRebuild;
  if (out.action != KafkaAction::kStop) {
    if (flags.fatal) out.action = KafkaAction::kRebuild;
    else if (flags.requires_abort) out.action = KafkaAction::kAbort;
    else if (flags.retriable) out.action = KafkaAction::kRetry;
  }
  out.error.code = row != nullptr ? row->error : ErrorCode::kUnavailable;
  out.error.what = "Kafka, " + std::string(what) + ": " + (text.empty() ? rd_kafka_err2str(code) : std::string(text)) + " (" +
                   rd_kafka_err2name(code) + ")";
  if (row != nullptr && !row->advice.empty()) out.error.what += "; " + std::string(row->advice);
  return out;
}

KafkaFailure classify(rd_kafka_t* client, rd_kafka_error_t* error, std::string_view what) {
  const KafkaErrorFlags flags{rd_kafka_error_is_fatal(error) != 0, rd_kafka_error_txn_requires_abort(error) != 0,
                              rd_kafka_error_is_retriable(error) != 0};
  rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  if (flags.fatal) {
    char reason[512];
    if (const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(client, reason, sizeof reason); cause != RD_KAFKA_RESP_ERR_NO_ERROR) {
      code = cause;
      text = reason;
    }
  }
  return classify(code, flags, what, text);
}

Error kafka_error(rd_kafka_resp_err_t code, std::string_view what, std::string_view text) {
  return classify(code, {}, what, text).error;
}

}  // namespace weir
