#include "core/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: internal error: CHECK(%s) failed; please report this\n", file, line, condition);
  std::abort();
}

}  // namespace weir
