// Logistic regression: the score is the log-odds of label 1.

#include "core/models/kinds.hpp"
#include "core/models/linear_model.hpp"

namespace weir {
namespace {
class Logistic final : public LinearModel {
 public:
  using LinearModel::LinearModel;
  std::string_view kind() const override { return "logistic"; }
  TaskKind task() const override { return TaskKind::kClassification; }
};
}  // namespace

Result<std::unique_ptr<Model>> make_logistic(const ModelSettings& settings) {
  return std::unique_ptr<Model>(std::make_unique<Logistic>(settings.shape));
}

}  // namespace weir
