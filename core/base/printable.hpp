#pragma once
// Bytes as text for a person: what is no printable ASCII, and a backslash, as \xNN.

#include <string>
#include <string_view>

namespace weir {

std::string printable(std::string_view bytes);

}  // namespace weir
