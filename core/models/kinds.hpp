#pragma once
// Every model kind: its name and what makes it. A new kind is a file and a line here.

#include <memory>

#include "core/models/model.hpp"

// KIND(name in configs, function)
#define WEIR_MODEL_KINDS(KIND)    \
  KIND("logistic", make_logistic) \
  KIND("linear", make_linear)     \
  KIND("hashtron", make_hashtron)

namespace weir {

#define WEIR_DECLARE(name, make) Result<std::unique_ptr<Model>> make(const ModelSettings& settings);
WEIR_MODEL_KINDS(WEIR_DECLARE)
#undef WEIR_DECLARE

}  // namespace weir
