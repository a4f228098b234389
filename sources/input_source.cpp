#include "sources/input_source.hpp"

#include <algorithm>
#include <thread>

namespace weir {

void InputSource::wait(std::chrono::microseconds at_most) {
  std::this_thread::sleep_for(std::min(at_most, std::chrono::microseconds(10'000)));
}

}  // namespace weir
