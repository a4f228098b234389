#pragma once
// score = dense . x + bias + sum of sparse[i] v: what `logistic` and `linear` share. Products of two f32 are exact in f64, so
// a fused multiply-add would give the same bits; sums run over fixed lanes, so every machine adds in the same order.

#include <cstdint>
#include <cstring>

#include "core/models/model.hpp"

namespace weir {

// Where the parts are in the flat buffer: dense weights, then the bias, then the sparse weights.
struct LinearLayout {
  std::uint32_t dense = 0;   // Length of the dense block; it begins at 0.
  std::uint32_t bias = 0;    // == dense
  std::uint32_t sparse = 1;  // First sparse weight; == dense + 1
};

// Sum of a[i] * b[i] over 16 lanes, lane = i mod 16, then a tree over the lanes.
inline double lane_dot(const float* a, const float* b, std::size_t count) {
  using Lanes = double __attribute__((vector_size(16)));  // Two to a vector: the least that every machine has.
  using Floats = float __attribute__((vector_size(8)));
  const auto product = [&](std::size_t at) {
    Floats x, y;
    std::memcpy(&x, a + at, sizeof x);
    std::memcpy(&y, b + at, sizeof y);
    return __builtin_convertvector(x, Lanes) * __builtin_convertvector(y, Lanes);
  };
  Lanes sum[8] = {};
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (std::size_t k = 0; k < 8; ++k) sum[k] += product(i + 2 * k);
  for (std::size_t k = 0; i + 2 <= count; i += 2, ++k) sum[k] += product(i);
  if (i < count) sum[i % 16 / 2] += Lanes{double(a[i]) * double(b[i]), 0.0};
  const Lanes half = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
  return half[0] + half[1];
}

// REQUIRES: indices below the sparse block's size; as many dense values as the block holds.
inline double linear_score(const LinearLayout& layout, const float* parameters, const Sample& sample) {
  const float* sparse = parameters + layout.sparse;
  double sum[4] = {0.0, 0.0, 0.0, 0.0};
  const std::size_t count = sample.indices.size();
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (int k = 0; k < 4; ++k) sum[k] += double(sparse[sample.indices[i + k]]) * double(sample.values[i + k]);
  for (int k = 0; i < count; ++i, ++k) sum[k] += double(sparse[sample.indices[i]]) * double(sample.values[i]);
  return lane_dot(parameters, sample.dense.data(), layout.dense) + double(parameters[layout.bias]) +
         ((sum[0] + sum[2]) + (sum[1] + sum[3]));
}

// A model whose score this is. Its kinds differ in what the score means: a logit or the value.
class LinearModel : public Model {
 public:
  explicit LinearModel(const ModelShape& shape) : shape_(shape), layout_{shape.dense, shape.dense, shape.dense + 1} {}
  const ModelShape& shape() const override { return shape_; }
  Parameters initial(Rng& rng) const override;  // All zeros: every weight is told apart by its own feature.
  double forward(const Parameters& parameters, const Sample& sample) const override;
  void backward(const Parameters& parameters, const Sample& sample, double dscore, Gradient& out) const override;
  const LinearLayout* linear() const override { return &layout_; }

 private:
  ModelShape shape_;
  LinearLayout layout_;
};

}  // namespace weir
