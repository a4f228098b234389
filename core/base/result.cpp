#include "core/base/result.hpp"

namespace weir {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound: return "kNotFound";
    case ErrorCode::kInvalidInput: return "kInvalidInput";
    case ErrorCode::kConfig: return "kConfig";
    case ErrorCode::kUnavailable: return "kUnavailable";
    case ErrorCode::kCorruption: return "kCorruption";
    case ErrorCode::kIo: return "kIo";
    case ErrorCode::kFenced: return "kFenced";
    case ErrorCode::kInUse: return "kInUse";
    case ErrorCode::kVersion: return "kVersion";
    case ErrorCode::kFull: return "kFull";
  }
  return "kUnknown";
}

}  // namespace weir
