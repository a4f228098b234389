#pragma once
// Lines from standard input, or any other descriptor. It cannot be read twice: what was read and not committed is lost with the
// process, so its lines are appended to a topic first.

#include <cstdint>
#include <memory>

#include "sources/input_source.hpp"

namespace weir {

// read() never waits; wait() does. The descriptor stays open.
std::unique_ptr<InputSource> open_standard_input(std::uint64_t line_bytes_max, bool header = false, int descriptor = 0);

}  // namespace weir
