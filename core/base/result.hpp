#pragma once
// Result<T>: a value, or an Error that tells the caller what to do next.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/base/check.hpp"

namespace weir {

// What the caller should do:
enum class ErrorCode : std::uint8_t {
  kNotFound,      // Ask for something else.
  kInvalidInput,  // Reject this input, keep running.
  kConfig,        // The configuration must be changed.
  kUnavailable,   // Retry later.
  kCorruption,    // Stop using this data.
  kIo,            // The operating system refused: disk, permissions, sockets.
  kFenced,        // Another owner took over: leave.
  kInUse,         // Another process holds it.
  kVersion,       // Written by a newer format.
  kFull,          // No space left.
};

std::string_view name_of(ErrorCode code);  // "kNotFound", …

struct Error {
  ErrorCode code = ErrorCode::kInvalidInput;
  std::string what;  // Which object, what was found, what was expected, what to do.
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}       // NOLINT: implicit on purpose.
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}   // NOLINT: implicit on purpose.

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & { CHECK(ok()); return *std::get_if<0>(&state_); }
  const T& value() const& { CHECK(ok()); return *std::get_if<0>(&state_); }
  T&& value() && { CHECK(ok()); return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  const Error& error() const& { CHECK(!ok()); return *std::get_if<1>(&state_); }
  Error&& error() && { CHECK(!ok()); return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT: implicit on purpose.

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { CHECK(failed_); return error_; }
  Error&& error() && { CHECK(failed_); return std::move(error_); }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace weir

#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)

// TRY(expression): returns its Error from the enclosing function, if it failed.
#define TRY(...) \
  do { \
    if (auto try_result = (__VA_ARGS__); !try_result.ok()) [[unlikely]] \
      return std::move(try_result).error(); \
  } while (false)

// TRY_ASSIGN(auto x, expression): x is the value, or the enclosing function returns the Error.
#define TRY_ASSIGN(target, ...) WEIR_TRY_ASSIGN(WEIR_CONCAT(try_result_, __LINE__), target, __VA_ARGS__)
#define WEIR_TRY_ASSIGN(result, target, ...) \
  auto result = (__VA_ARGS__); \
  if (!result.ok()) [[unlikely]] \
    return std::move(result).error(); \
  target = std::move(result).value()
