#pragma once
// Samples for networks of hashtrons as text: comma-separated whole numbers below a line of column names.
//
//   hour,route,label            `label` is the value to predict, 0 to 65535; `parity` (a mask of the value, 0 to 65535) and
//   7,102,1                     `held_out` (0 or 1) may be there; every other column is a feature, in their order, 0 to
//   8,7,0                       4294967295. Empty lines, and those that begin with #, are left out.
//
// Without a column `held_out` one row in five is, by a hash of its number (from 0) with the salt `split`; 0: none is.

#include <cstdint>
#include <string_view>

#include "core/base/result.hpp"
#include "core/learning/generated_tasks.hpp"

namespace weir {

// kInvalidInput: names line, column, what was found and what was expected.
Result<SplitSamples> parse_sample_text(std::string_view text, std::uint32_t split);

}  // namespace weir
