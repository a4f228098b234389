#pragma once
// Counts heap allocations per thread, by replacing the malloc family of the whole program (libraries included; operator
// new ends there, too). Link weir_allocation_counter. Not under a sanitizer: list such a test below if(NOT WEIR_SANITIZE).

#include <cstdint>

namespace weir {

// Calls of malloc, calloc, realloc and the aligned ones on the calling thread since it began. Always counting.
std::uint64_t allocations_on_this_thread();

}  // namespace weir
