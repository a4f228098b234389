#include "cli/commands.hpp"

namespace weir::cli {

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kConfig: return kUsage;
    case ErrorCode::kInvalidInput: return 3;
    case ErrorCode::kUnavailable:
    case ErrorCode::kIo:
    case ErrorCode::kFull: return 4;
    case ErrorCode::kCorruption:
    case ErrorCode::kVersion: return 5;
    case ErrorCode::kFenced:
    case ErrorCode::kInUse: return 6;
  }
  return kInternal;
}

}  // namespace weir::cli
