#pragma once
// The words of a config and what they stand for: the one table for reading, checking and printing.

#include <array>
#include <string_view>

#include "pipelines/pipeline_config.hpp"

namespace weir::words {

template <class T>
struct Word {
  using value_type = T;
  T value;
  std::string_view word;
};

inline constexpr std::array<Word<LineFormat>, 5> kLineFormats = {{{LineFormat::kJson, "json"}, {LineFormat::kCsv, "csv"}, {LineFormat::kKeyValue, "key_value"}, {LineFormat::kSyslog5424, "syslog_5424"}, {LineFormat::kSyslog3164, "syslog_3164"}}};
inline constexpr std::array<Word<TimeFormat>, 5> kTimeFormats = {{{TimeFormat::kIso8601, "iso8601"}, {TimeFormat::kSeconds, "seconds"}, {TimeFormat::kMillis, "millis"}, {TimeFormat::kMicros, "micros"}, {TimeFormat::kSyslog, "syslog"}}};
inline constexpr std::array<Word<ValueFormat>, 2> kValueFormats = {{{ValueFormat::kJson, "json"}, {ValueFormat::kProtobuf, "protobuf"}}};
inline constexpr std::array<Word<FieldKind>, 3> kFieldKinds = {{{FieldKind::kNumber, "number"}, {FieldKind::kCategory, "category"}, {FieldKind::kHashedText, "hashed_text"}}};
inline constexpr std::array<Word<Missing>, 4> kMissing = {{{Missing::kMean, "mean"}, {Missing::kZero, "zero"}, {Missing::kLast, "last"}, {Missing::kIndicator, "indicator"}}};
inline constexpr std::array<Word<AggregateKind>, 7> kAggregates = {{{AggregateKind::kMean, "mean"}, {AggregateKind::kCount, "count"}, {AggregateKind::kSum, "sum"}, {AggregateKind::kMin, "min"}, {AggregateKind::kMax, "max"}, {AggregateKind::kRate, "rate"}, {AggregateKind::kLast, "last"}}};
inline constexpr std::array<Word<Transform>, 2> kTransforms = {{{Transform::kNone, "none"}, {Transform::kLogit, "logit"}}};
inline constexpr std::array<Word<AgeFrom>, 2> kAgesFrom = {{{AgeFrom::kOutcome, "outcome"}, {AgeFrom::kEvent, "event"}}};
inline constexpr std::array<Word<Learning>, 2> kLearning = {{{Learning::kCoupled, "coupled"}, {Learning::kFree, "free"}}};
inline constexpr std::array<Word<OrderMode>, 3> kOrders = {{{OrderMode::kAuto, "auto"}, {OrderMode::kEventTime, "event_time"}, {OrderMode::kArrival, "arrival"}}};
inline constexpr std::array<Word<Delivery>, 2> kDeliveries = {{{Delivery::kExactlyOnce, "exactly_once"}, {Delivery::kAtLeastOnce, "at_least_once"}}};
inline constexpr std::array<Word<SyncMode>, 3> kSyncModes = {{{SyncMode::kAlways, "always"}, {SyncMode::kInterval, "interval"}, {SyncMode::kNever, "never"}}};
inline constexpr std::array<Word<LogKind>, 3> kLogKinds = {{{LogKind::kEmbedded, "embedded"}, {LogKind::kMemory, "memory"}, {LogKind::kKafka, "kafka"}}};
inline constexpr std::array<Word<KafkaProtocol>, 4> kProtocols = {{{KafkaProtocol::kPlaintext, "plaintext"}, {KafkaProtocol::kSsl, "ssl"}, {KafkaProtocol::kSaslPlaintext, "sasl_plaintext"}, {KafkaProtocol::kSaslSsl, "sasl_ssl"}}};
inline constexpr std::array<Word<KafkaMechanism>, 5> kMechanisms = {{{KafkaMechanism::kNone, "none"}, {KafkaMechanism::kPlain, "plain"}, {KafkaMechanism::kScramSha256, "scram-sha-256"}, {KafkaMechanism::kScramSha512, "scram-sha-512"}, {KafkaMechanism::kOAuthBearer, "oauthbearer"}}};
inline constexpr std::array<Word<GateKind>, 2> kGates = {{{GateKind::kConformal, "conformal"}, {GateKind::kOff, "off"}}};
inline constexpr std::array<Word<GatePolicy>, 3> kGatePolicies = {{{GatePolicy::kFlag, "flag"}, {GatePolicy::kBaseRate, "base_rate"}, {GatePolicy::kDrop, "drop"}}};
inline constexpr std::array<Word<OptimizerKind>, 5> kOptimizers = {{{OptimizerKind::kSgd, "sgd"}, {OptimizerKind::kAdam, "adam"}, {OptimizerKind::kAdamW, "adamw"}, {OptimizerKind::kAdaGrad, "adagrad"}, {OptimizerKind::kFtrl, "ftrl"}}};
inline constexpr std::array<Word<ClipBy>, 2> kClips = {{{ClipBy::kNorm, "norm"}, {ClipBy::kValue, "value"}}};
inline constexpr std::array<Word<ScheduleKind>, 4> kSchedules = {{{ScheduleKind::kConstant, "constant"}, {ScheduleKind::kStep, "step"}, {ScheduleKind::kExponential, "exponential"}, {ScheduleKind::kCosine, "cosine"}}};
inline constexpr std::array<Word<WaitMode>, 2> kWaitModes = {{{WaitMode::kFutex, "futex"}, {WaitMode::kSpin, "spin"}}};
inline constexpr std::array<Word<ParseMode>, 2> kParseModes = {{{ParseMode::kAhead, "ahead"}, {ParseMode::kTask, "task"}}};

inline constexpr std::array<Word<ReplayKeep>, 2> kReplayKeeps = {{{ReplayKeep::kUniform, "uniform"}, {ReplayKeep::kNewest, "newest"}}};

template <class Table, class T>
constexpr std::string_view text_of(const Table& table, T value) {
  for (const auto& entry : table)
    if (entry.value == value) return entry.word;
  return "?";
}

}  // namespace weir::words
