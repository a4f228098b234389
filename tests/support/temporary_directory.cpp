#include "tests/support/temporary_directory.hpp"

#include <stdlib.h>

#include <string>
#include <system_error>

#include "core/base/check.hpp"

namespace weir {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "weir-test-XXXXXX";
  CHECK(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // A directory that a test made read-only stays behind; that is no reason to fail it.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace weir
