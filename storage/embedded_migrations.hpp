#pragma once
// How a directory of an older format becomes one of ours: one step a version, at open. Format 1 is the first, so the table
// is empty until there is a second; the golden directory of every released version must open for ever.

#include <cstdint>
#include <span>

#include "core/base/result.hpp"

namespace weir {

class EmbeddedDatabase;

struct Migration {
  std::uint32_t from;  // Makes version from + 1. Must be repeatable: a kill between it and its mark runs it again.
  Result<void> (*run)(EmbeddedDatabase& database);
};

std::span<const Migration> migrations();

// Makes the format entry, or checks it and migrates. `table` and `newest` are parameters for tests.
Result<void> check_format(EmbeddedDatabase& database, std::span<const Migration> table, std::uint32_t newest);

}  // namespace weir
