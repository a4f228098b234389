#include "core/models/model.hpp"

#include <algorithm>

#include "core/base/math.hpp"
#include "core/base/finite.hpp"
#include "core/models/kinds.hpp"

namespace weir {
namespace {

struct Kind {
  std::string_view name;
  Result<std::unique_ptr<Model>> (*make)(const ModelSettings&);
};

#define WEIR_ROW(name, make) Kind{name, make},
constexpr Kind kKinds[] = {WEIR_MODEL_KINDS(WEIR_ROW)};
#undef WEIR_ROW

}  // namespace

bool Gradient::finite() const { return all_finite(std::span<const float>(values_)); }

double lane_norm(std::span<const float> values) {
  double sum[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= values.size(); i += 8)
    for (int k = 0; k < 8; ++k) sum[k] += double(values[i + k]) * double(values[i + k]);
  for (int k = 0; i < values.size(); ++i, ++k) sum[k] += double(values[i]) * double(values[i]);
  return math::sqrt(((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7])));
}

double Gradient::norm() const { return lane_norm(values_); }

void Gradient::scale(double by) {
  for (float& value : values_) value = static_cast<float>(double(value) * by);
}

void Gradient::finish() {
  bool ascending = true;
  for (std::size_t i = 1; i < indices_.size(); ++i) ascending &= indices_[i - 1] < indices_[i];
  if (ascending) return;
  order_.clear();
  for (std::size_t i = 0; i < indices_.size(); ++i) order_.push_back(std::uint64_t(indices_[i]) << 32 | i);
  std::sort(order_.begin(), order_.end());
  gone_.assign(indices_.size(), 0);
  std::size_t first = 0;
  for (std::size_t i = 1; i < order_.size(); ++i) {
    if (order_[i] >> 32 != order_[i - 1] >> 32) continue;
    const std::size_t at = order_[i] & 0xffffffffU;
    if (gone_[order_[i - 1] & 0xffffffffU] == 0) first = order_[i - 1] & 0xffffffffU;
    values_[first] += values_[at];
    gone_[at] = 1;
  }
  std::size_t to = 0;
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    if (gone_[i] != 0) continue;
    indices_[to] = indices_[i];
    values_[to++] = values_[i];
  }
  indices_.resize(to);
  values_.resize(to);
}

Result<std::unique_ptr<Model>> make_model(const ModelSettings& settings) {
  for (const Kind& kind : kKinds) {
    if (kind.name != settings.kind) continue;
    if (std::uint64_t(settings.shape.dense) + settings.shape.sparse + 1 > (1ULL << 31))
      return Error{ErrorCode::kConfig, "model '" + settings.kind + "': " + std::to_string(settings.shape.dense) + " dense and " +
                                           std::to_string(settings.shape.sparse) + " sparse inputs, expected at most 2^31"};
    return kind.make(settings);
  }
  std::string known;
  for (const Kind& kind : kKinds) known += (known.empty() ? "'" : ", '") + std::string(kind.name) + "'";
  return Error{ErrorCode::kConfig, "model kind '" + settings.kind + "': expected " + known};
}

std::vector<std::string_view> model_kinds() {
  std::vector<std::string_view> out;
  for (const Kind& kind : kKinds) out.push_back(kind.name);
  return out;
}

bool learns_by_jobs(std::string_view kind) {
  const auto model = make_model({.kind = std::string(kind), .shape = {}});
  return model.ok() && (*model)->learns_by() == LearnsBy::kJobs;
}

}  // namespace weir
