#pragma once
// Sets an environment variable, and puts back what was there when this object goes. Not while other threads read the
// environment.

#include <optional>
#include <string>

namespace weir {

class ScopedEnv {
 public:
  ScopedEnv(std::string name, const std::string& value);
  ~ScopedEnv();
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  std::string name_;
  std::optional<std::string> before_;
};

}  // namespace weir
