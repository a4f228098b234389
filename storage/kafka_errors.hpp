#pragma once
// What to do about each error of the Kafka client: the one table. Internal to the kafka_* files.

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace weir {

enum class KafkaAction : std::uint8_t {
  kRetry,    // Call the same function again.
  kAbort,    // Abort the transaction, then commit the same one again.
  kRebuild,  // Its outcome is unknown, or the handle is of no more use: a new producer, fence, read the changelog.
  kStop,     // Leave with the error: nothing changes until somebody changes it, or another owner took over.
};
std::string_view name_of(KafkaAction action);

// What the client says of an error beside its code.
struct KafkaErrorFlags {
  bool fatal = false;           // The handle is of no more use.
  bool requires_abort = false;  // Of this transaction.
  bool retriable = false;
};

struct KafkaFailure {
  KafkaAction action = KafkaAction::kStop;
  rd_kafka_resp_err_t cause = RD_KAFKA_RESP_ERR_NO_ERROR;
  Error error;
};

// One code. A kStop row holds whatever the flags say; for the others the flags decide first, as the client alone knows what
// state its transaction is in, and the row where there are none. A code without a row and without flags: kRebuild.
struct KafkaErrorRow {
  rd_kafka_resp_err_t code;
  KafkaAction action;
  ErrorCode error;          // When it comes to that: at once, or after the last try.
  std::string_view advice;  // What to change, or where to look; may be empty.
};
std::span<const KafkaErrorRow> kafka_error_table();

// `what`: which call on which object, as in "commit of task inference/0". `text`: the client's words; empty: its name.
KafkaFailure classify(rd_kafka_resp_err_t code, KafkaErrorFlags flags, std::string_view what, std::string_view text = {});
// Takes the error object. A fatal one is asked for its cause.
KafkaFailure classify(rd_kafka_t* client, rd_kafka_error_t* error, std::string_view what);
// For calls outside of transactions: the table's error.
Error kafka_error(rd_kafka_resp_err_t code, std::string_view what, std::string_view text = {});

}  // namespace weir
