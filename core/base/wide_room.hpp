#pragma once
// Zeros for a table of megabytes that is read all over: in huge pages where the system gives them, else a look at a random place
// costs a walk through the page tables on top of the memory's own wait. Touched, and counted as resident, as it is used.

#include <cstddef>

namespace weir {

class WideRoom {
 public:
  // Ends the process where there is no such memory.
  explicit WideRoom(std::size_t bytes);
  ~WideRoom();
  WideRoom(const WideRoom&) = delete;
  WideRoom& operator=(const WideRoom&) = delete;
  void* data() const { return data_; }  // Aligned to a page.

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace weir
