#include "pipelines/secret.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "pipelines/formatted.hpp"

namespace weir {
namespace {

constexpr std::string_view kEnvironment = "env:";
constexpr std::string_view kFile = "file:";
constexpr std::size_t kBytesMax = 64 << 10;

bool variable_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

}  // namespace

std::string SecretRef::text() const {
  if (!given()) return {};
  return std::string(from == From::kEnvironment ? kEnvironment : kFile) + name;
}

std::optional<SecretRef> parse_secret_ref(std::string_view text) {
  if (text.starts_with(kEnvironment)) {
    text.remove_prefix(kEnvironment.size());
    if (!variable_name(text)) return std::nullopt;
    return SecretRef{SecretRef::From::kEnvironment, std::string(text)};
  }
  if (text.starts_with(kFile) && text.size() > kFile.size())
    return SecretRef{SecretRef::From::kFile, std::string(text.substr(kFile.size()))};
  return std::nullopt;
}

Result<std::string> read_secret(const SecretRef& ref, std::string_view key) {
  CHECK(ref.given());
  const std::string where = std::string(key) + ": " + ref.text();
  std::string value;
  if (ref.from == SecretRef::From::kEnvironment) {
    const char* found = std::getenv(ref.name.c_str());
    if (found == nullptr) return Error{ErrorCode::kConfig, where + ": this environment variable is not set"};
    value = found;
  } else {
    errno = 0;
    std::ifstream in(ref.name, std::ios::binary);
    if (!in) return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, where + ": " + std::strerror(errno)};
    value.resize(kBytesMax + 2);
    in.read(value.data(), static_cast<std::streamsize>(value.size()));
    value.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return Error{ErrorCode::kIo, where + ": reading failed: " + std::strerror(errno)};
    if (value.ends_with('\n')) value.pop_back();
    if (value.ends_with('\r')) value.pop_back();
  }
  if (value.empty()) return Error{ErrorCode::kConfig, where + ": found nothing there; expected the secret"};
  if (value.size() > kBytesMax) return Error{ErrorCode::kConfig, where + ": found more than 64 KiB there; expected one line"};
  for (const char c : value)
    if (c == '\n' || c == '\r' || c == '\0') return Error{ErrorCode::kConfig, where + ": found more than one line there; expected one"};
  return value;
}

std::optional<std::string> exposed(const SecretRef& ref) {
  struct stat status {};
  if (ref.from != SecretRef::From::kFile || ::stat(ref.name.c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return std::nullopt;
  return ref.text() + formatted(" can be read by everybody (mode %04o)", static_cast<unsigned>(status.st_mode & 07777));
}

}  // namespace weir
