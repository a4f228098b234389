#include "core/learning/update_kernels.hpp"

#include <type_traits>

namespace weir::kernels {
namespace {

template <class Rule>
struct Update {
  WEIR_KERNEL_BODY void run(const Run& run, const Rule& by_reference) {
    const Rule rule = by_reference;  // A copy cannot be changed by what is written below.
    const std::size_t count = run.count;
    const float* __restrict theta = run.theta;
    const float* __restrict g = run.gradient;
    const double* __restrict m = run.m;
    const double* __restrict n = run.n;
    float* __restrict values = run.values;
    double* __restrict first = run.first;
    double* __restrict second = run.second;
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (Rule::kSlots == 0) {
        values[i] = static_cast<float>(rule(double(theta[i]), double(g[i])));
      } else if constexpr (Rule::kSlots == 1) {
        double a = m[i];
        values[i] = static_cast<float>(rule(double(theta[i]), double(g[i]), a));
        first[i] = a;
      } else {
        double a = m[i];
        double b = n[i];
        values[i] = static_cast<float>(rule(double(theta[i]), double(g[i]), a, b));
        first[i] = a;
        second[i] = b;
      }
    }
  }
};

}  // namespace

decltype(update_sgd) update_sgd = std::remove_const_t<decltype(update_sgd)>::of<Update<rules::Sgd>>();
decltype(update_adagrad) update_adagrad = std::remove_const_t<decltype(update_adagrad)>::of<Update<rules::AdaGrad>>();
decltype(update_ftrl) update_ftrl = std::remove_const_t<decltype(update_ftrl)>::of<Update<rules::Ftrl>>();

}  // namespace weir::kernels
