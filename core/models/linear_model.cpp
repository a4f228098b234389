#include "core/models/linear_model.hpp"

#include "core/base/check.hpp"

namespace weir {

Parameters LinearModel::initial(Rng&) const {
  Parameters out;
  out.add_block("dense", {shape_.dense});
  out.add_block("bias", {1});
  out.add_block("sparse", {shape_.sparse});
  return out;
}

double LinearModel::forward(const Parameters& parameters, const Sample& sample) const {
  CHECK(sample.dense.size() == shape_.dense && sample.indices.size() == sample.values.size());
  return linear_score(layout_, parameters.values().data(), sample);
}

void LinearModel::backward(const Parameters&, const Sample& sample, double dscore, Gradient& out) const {
  for (std::uint32_t i = 0; i < layout_.dense; ++i) out.add(i, static_cast<float>(dscore * double(sample.dense[i])));
  out.add(layout_.bias, static_cast<float>(dscore));
  for (std::size_t i = 0; i < sample.indices.size(); ++i)
    out.add(layout_.sparse + sample.indices[i], static_cast<float>(dscore * double(sample.values[i])));
}

}  // namespace weir
