#pragma once
// The update of one coordinate, for every optimiser: the general path, the fused step and the tests use these same functions,
// so that they give the same bits. All arithmetic in f64; the parameter is rounded to f32 once, at the end.
//
// theta: the parameter. m: its moments, kSlots of them, zero (or as configured) before the first step.

#include "core/base/math.hpp"

namespace weir::rules {

// PyTorch's SGD without momentum.
struct Sgd {
  static constexpr int kSlots = 0;
  double rate, decay;
  double operator()(double theta, double gradient) const { return theta - rate * (gradient + decay * theta); }
};

// v <- momentum v + g; theta -= rate (nesterov ? g + momentum v : v).
struct Momentum {
  static constexpr int kSlots = 1;
  double rate, decay, momentum;
  bool nesterov;
  double operator()(double theta, double gradient, double& v) const {
    const double g = gradient + decay * theta;
    v = momentum * v + g;
    return theta - rate * (nesterov ? g + momentum * v : v);
  }
};

// correction: 1 - beta^t of the step. Adam: decay joins the gradient; AdamW (decoupled): theta <- theta (1 - rate decay).
struct Adam {
  static constexpr int kSlots = 2;
  double rate, decay, beta1, beta2, epsilon, correction1, correction2;
  bool decoupled;
  double operator()(double theta, double gradient, double& m, double& v) const {
    const double g = decoupled ? gradient : gradient + decay * theta;
    const double base = decoupled ? theta * (1.0 - rate * decay) : theta;
    m = beta1 * m + (1.0 - beta1) * g;
    v = beta2 * v + (1.0 - beta2) * g * g;
    return base - rate * (m / correction1) / (math::sqrt(v / correction2) + epsilon);
  }
};

struct AdaGrad {
  static constexpr int kSlots = 1;
  double rate, decay, epsilon;
  double operator()(double theta, double gradient, double& sum) const {
    const double g = gradient + decay * theta;
    sum = sum + g * g;
    return theta - rate * g / (math::sqrt(sum) + epsilon);
  }
};

// McMahan et al. 2013, per coordinate: sigma = (sqrt(n + g^2) - sqrt(n)) / alpha; z += g - sigma theta; n += g^2;
// theta = 0 if |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2).
struct Ftrl {
  static constexpr int kSlots = 2;
  double alpha, beta, l1, l2;
  double operator()(double theta, double g, double& z, double& n) const {
    const double root = math::sqrt(n + g * g);
    z = z + (g - (root - math::sqrt(n)) / alpha * theta);
    n = n + g * g;
    const double size = (z < 0.0 ? -z : z) - l1;
    const double moved = size / ((beta + root) / alpha + l2);
    return size <= 0.0 ? 0.0 : z < 0.0 ? moved : -moved;
  }
};

}  // namespace weir::rules
