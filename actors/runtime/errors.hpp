#pragma once
// The one place that turns an Error into a caf::error and back.

#include <caf/error.hpp>

#include "core/base/result.hpp"

namespace weir {

caf::error to_caf(const Error& error);
Error from_caf(const caf::error& error);

}  // namespace weir
