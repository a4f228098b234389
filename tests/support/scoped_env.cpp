#include "tests/support/scoped_env.hpp"

#include <stdlib.h>

#include <utility>

namespace weir {

ScopedEnv::ScopedEnv(std::string name, const std::string& value) : name_(std::move(name)) {
  if (const char* before = getenv(name_.c_str())) before_ = before;
  setenv(name_.c_str(), value.c_str(), /*overwrite=*/1);
}

ScopedEnv::~ScopedEnv() {
  if (before_)
    setenv(name_.c_str(), before_->c_str(), /*overwrite=*/1);
  else
    unsetenv(name_.c_str());
}

}  // namespace weir
