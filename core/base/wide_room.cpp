#include "core/base/wide_room.hpp"

#include <sys/mman.h>

#include "core/base/check.hpp"

namespace weir {

WideRoom::WideRoom(std::size_t bytes)
    : bytes_(bytes), data_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  CHECK(data_ != MAP_FAILED);
  ::madvise(data_, bytes_, MADV_HUGEPAGE);  // A hint: refused where the kernel has no such pages.
}

WideRoom::~WideRoom() { ::munmap(data_, bytes_); }

}  // namespace weir
