#include "storage/embedded_errors.hpp"

#include <rocksdb/status.h>

namespace weir {
namespace {

ErrorCode code_of(const rocksdb::Status& status, const std::string& text) {
  using rocksdb::Status;
  if (status.IsNoSpace() || status.subcode() == Status::kSpaceLimit) return ErrorCode::kFull;
  switch (status.code()) {
    case Status::kNotFound: return ErrorCode::kNotFound;
    case Status::kCorruption:
    case Status::kCompactionTooLarge: return ErrorCode::kCorruption;
    case Status::kNotSupported: return ErrorCode::kVersion;  // A feature in its files that this library does not have.
    case Status::kInvalidArgument:
      // A column family or an option this program does not know.
      return text.find("olumn famil") != std::string::npos ? ErrorCode::kVersion : ErrorCode::kIo;
    case Status::kIOError:
      if (text.find("While lock file") != std::string::npos || text.find("lock hold by current process") != std::string::npos)
        return ErrorCode::kInUse;
      // "No such file": a file that the manifest names is gone.
      return status.subcode() == Status::kPathNotFound ? ErrorCode::kCorruption : ErrorCode::kIo;
    case Status::kMergeInProgress:
    case Status::kIncomplete:
    case Status::kShutdownInProgress:
    case Status::kTimedOut:
    case Status::kAborted:
    case Status::kBusy:
    case Status::kExpired:
    case Status::kTryAgain: return ErrorCode::kUnavailable;
    default: return ErrorCode::kIo;
  }
}

}  // namespace

Error to_error(const rocksdb::Status& status, std::string_view what) {
  const std::string text = status.ToString();
  const ErrorCode code = code_of(status, text);
  std::string message(what);
  if (code == ErrorCode::kInUse) {
    message += ": another process has it open; use tail, produce or status, which ask that process";
  } else if (code == ErrorCode::kFull) {
    message += ": no space left on the device (" + text + ")";
  } else {
    message += ": " + text;
  }
  return {code, std::move(message)};
}

}  // namespace weir
