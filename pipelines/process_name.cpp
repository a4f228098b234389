#include "pipelines/process_name.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "core/base/crc32c.hpp"
#include "pipelines/formatted.hpp"

namespace weir {

std::string process_name(const std::string& data_dir) {
  std::array<char, 128> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {'h', 'o', 's', 't'};
  std::string out(host.data());
  for (char& c : out) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!fits) c = '-';
  }
  std::error_code error;
  std::filesystem::path path = std::filesystem::weakly_canonical(data_dir, error);
  if (error) path = data_dir;
  return out + formatted("-%08x", crc32c(path.native()));
}

}  // namespace weir
