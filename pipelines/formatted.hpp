#pragma once
// printf's formats as a string; what is beyond 511 bytes is cut.

#include <cstdio>
#include <string>

namespace weir {

template <class... Args>
std::string formatted(const char* format, Args... args) {
  char text[512] = "";
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

}  // namespace weir
