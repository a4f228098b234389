#pragma once
// What a look at something outside of this process has found, before anything is started.

#include <cstdint>
#include <string>

#include "core/base/result.hpp"

namespace weir {

struct Finding {
  enum class State : std::uint8_t { kOk, kWarning, kError };
  State state = State::kOk;
  std::string what;    // Which object: "topic 'flights.logs'".
  std::string found;
  std::string advice;  // What to change; empty where nothing is wrong.
  ErrorCode code = ErrorCode::kConfig;  // Of an error: as it would be when the pipeline starts.

  static Finding ok(std::string what, std::string found) { return {State::kOk, std::move(what), std::move(found), {}, ErrorCode::kConfig}; }
  static Finding warning(std::string what, std::string found, std::string advice) {
    return {State::kWarning, std::move(what), std::move(found), std::move(advice), ErrorCode::kConfig};
  }
  static Finding error(ErrorCode code, std::string what, std::string found, std::string advice) {
    return {State::kError, std::move(what), std::move(found), std::move(advice), code};
  }
};

}  // namespace weir
