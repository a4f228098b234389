// Linear regression: the score is the value.

#include "core/models/kinds.hpp"
#include "core/models/linear_model.hpp"

namespace weir {
namespace {
class Linear final : public LinearModel {
 public:
  using LinearModel::LinearModel;
  std::string_view kind() const override { return "linear"; }
  TaskKind task() const override { return TaskKind::kRegression; }
};
}  // namespace

Result<std::unique_ptr<Model>> make_linear(const ModelSettings& settings) {
  return std::unique_ptr<Model>(std::make_unique<Linear>(settings.shape));
}

}  // namespace weir
