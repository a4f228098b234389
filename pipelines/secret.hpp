#pragma once
// Secrets (tokens, passwords, keys): a config says where one is, never what it is.
//
// In a config a secret is written `env:NAME` (an environment variable) or `file:PATH` (a file's content without its last
// newline). That text may be shown, kept and printed; the value never is: no error and no log line of ours holds it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace weir {

struct SecretRef {
  enum class From : std::uint8_t { kNone, kEnvironment, kFile };
  From from = From::kNone;
  std::string name;  // Of the variable, or the file's path.
  bool given() const { return from != From::kNone; }
  std::string text() const;  // As it is written in a config; empty if there is none.
  bool operator==(const SecretRef&) const = default;
};

// nullopt: neither `env:NAME` nor `file:PATH`; the caller must not show `text`, which may be the secret itself.
std::optional<SecretRef> parse_secret_ref(std::string_view text);
inline constexpr std::string_view kSecretExpected = "where the secret is, env:NAME or file:PATH, never the secret itself";

// The value, read now: one line of at most 64 KiB that is not empty. `key`: the config key, for the error.
// kConfig: an unset or empty variable, an empty file, more than one line. kNotFound, kIo: the file.
Result<std::string> read_secret(const SecretRef& ref, std::string_view key);

// For a warning: a file that every user of the machine can read. Looks at its mode only.
std::optional<std::string> exposed(const SecretRef& ref);

}  // namespace weir
