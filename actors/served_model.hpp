#pragma once
// The model a task serves: shared by its predictor and, when learning is coupled, its trainer. One thread, one task.

#include <memory>

#include "core/models/model.hpp"

namespace weir {

// The predictor owns and saves it; the coupled trainer changes parameters and version between two records.
struct ServedModel {
  std::shared_ptr<const Model> model;
  Parameters parameters;
  ModelVersion version;
};

}  // namespace weir
