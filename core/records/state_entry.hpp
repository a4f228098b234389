#pragma once
// Reads a small entry of a stage's state whose first byte is its format version: counters, a level, a generator's state.

#include <string>

#include "core/base/byte_buffer.hpp"
#include "core/base/result.hpp"
#include "core/records/state.hpp"

namespace weir {

class StateEntry {
 public:
  // `what`: names it in errors, as in "gate state". `format`: the version this program writes, the only one it reads.
  StateEntry(std::string_view what, std::uint8_t format) : what_(what), format_(format) {}

  // False: there is no such entry. kVersion: a newer program wrote it.
  Result<bool> open(const StageState& state, std::string_view key) {
    what_ += " of " + state.prefix();
    TRY_ASSIGN(const bool found, state.get(key, bytes_));
    if (!found) return false;
    reader_ = ByteReader(bytes_);
    found_format_ = reader_.fixed<std::uint8_t>();
    if (reader_.ok() && found_format_ > format_)
      return Error{ErrorCode::kVersion,
                   what_ + ": format " + std::to_string(found_format_) + ", this program knows " + std::to_string(format_)};
    return true;
  }
  template <class T>
  T fixed() {
    return reader_.fixed<T>();
  }
  // After the last field. kCorruption: of another length, or what the caller checked does not hold.
  Result<void> finish(bool holds = true) const {
    if (holds && reader_.finished() && found_format_ == format_) return {};
    return Error{ErrorCode::kCorruption, what_ + ": malformed"};
  }
  const std::string& what() const { return what_; }

 private:
  std::string what_;
  std::uint8_t format_;
  std::uint8_t found_format_ = 0;
  std::string bytes_;
  ByteReader reader_{std::string_view()};
};

}  // namespace weir
