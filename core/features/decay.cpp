#include "core/features/decay.hpp"

namespace weir::decay_detail {
namespace {

// Square roots are correctly rounded everywhere: 2^(-1/32) by five of them, its powers by products with error below 1e-15.
std::array<double, 32> roots() {
  double halves[5];  // 2^(-1/2), 2^(-1/4) … 2^(-1/32)
  double x = 0.5;
  for (double& half : halves) half = x = __builtin_sqrt(x);
  std::array<double, 32> out;
  for (std::size_t j = 0; j < 32; ++j) {
    out[j] = 1.0;
    for (std::size_t bit = 0; bit < 5; ++bit)
      if ((j >> (4 - bit) & 1) != 0) out[j] *= halves[bit];
  }
  return out;
}

}  // namespace

const std::array<double, 32> kRoots = roots();

}  // namespace weir::decay_detail
