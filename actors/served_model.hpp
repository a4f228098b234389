#pragma once
// The model a task serves: shared by its predictor and, when learning is coupled, its trainer. One thread, one task.

#include <memory>
#include <optional>

#include "core/base/rng.hpp"
#include "core/models/model.hpp"
#include "core/records/state.hpp"

namespace weir {

// The predictor owns and saves it; the coupled trainer changes parameters and version between two records. A free trainer has
// one of its own, the challenger, and saves that.
struct ServedModel {
  std::shared_ptr<const Model> model;
  Parameters parameters;
  ModelVersion version;
};

// A model of that kind and shape with its initial parameters, version 0. kConfig as make_model().
Result<std::shared_ptr<ServedModel>> make_served_model(const ModelSettings& settings, Rng rng);

// Keeps a ServedModel in a stage's state: changed pages of numbers under one tag, changed blocks of bytes under another, version and
// shape under a third.
class ServedModelState {
 public:
  explicit ServedModelState(char page_tag = 'p', char header_tag = 'h', char block_tag = 'b')
      : page_tag_(page_tag), header_tag_(header_tag), block_tag_(block_tag) {}
  void save(ServedModel& served, StateWriter& writer);
  // kConfig: the state is of another kind or shape.
  Result<void> load(ServedModel& served, const StageState& state);

 private:
  char page_tag_;
  char header_tag_;
  char block_tag_;
  std::optional<ModelVersion> saved_;
};

}  // namespace weir
