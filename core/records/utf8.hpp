#pragma once
// UTF-8 as the standard has it: no overlong forms, no surrogates, nothing above U+10FFFF.

#include <cstddef>
#include <string_view>

namespace weir {

bool is_utf8(std::string_view text);
// Where the first byte of the first invalid sequence lies; text.size() if there is none. For messages.
std::size_t first_invalid_utf8(std::string_view text);
// Shortens to at most `bytes` without cutting a character. REQUIRES: text is UTF-8.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes);

}  // namespace weir
