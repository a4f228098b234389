#include "http/process_metrics.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace weir {
namespace {

using Type = PrometheusText::Type;

std::string read_all(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The fields of /proc/self/stat after the program's name, which may hold anything: proc(5) numbers them from 3.
std::vector<double> stat_fields() {
  const std::string text = read_all("/proc/self/stat");
  const std::size_t name_ends = text.rfind(')');
  std::vector<double> out;
  if (name_ends == text.npos) return out;
  std::istringstream in(text.substr(name_ends + 1));
  for (std::string word; in >> word;) out.push_back(std::strtod(word.c_str(), nullptr));
  return out;
}

double boot_time() {
  std::istringstream in(read_all("/proc/stat"));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("btime ")) return std::strtod(line.c_str() + 6, nullptr);
  return 0.0;
}

std::uint64_t open_files() {
  std::uint64_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(directory);
  return count > 0 ? count - 1 : 0;  // The directory's own.
}

}  // namespace

void append_process_metrics(PrometheusText& out) {
  const std::vector<double> fields = stat_fields();
  const auto field = [&](std::size_t number) { return fields[number - 3]; };
  if (fields.size() >= 22) {  // Up to number 24.
    const double ticks = double(::sysconf(_SC_CLK_TCK));
    out.family("process_cpu_seconds_total", Type::kCounter, "User and system time of this process.");
    out.sample({}, (field(14) + field(15)) / ticks);
    out.family("process_threads", Type::kGauge, "Threads of this process.");
    out.sample({}, field(20));
    if (const double boot = boot_time(); boot > 0) {
      out.family("process_start_time_seconds", Type::kGauge, "When this process started, in seconds since 1970.");
      out.sample({}, boot + field(22) / ticks);
    }
    out.family("process_virtual_memory_bytes", Type::kGauge, "Address space of this process.");
    out.sample({}, field(23));
    out.family("process_resident_memory_bytes", Type::kGauge, "Memory of this process.");
    out.sample({}, field(24) * double(::sysconf(_SC_PAGESIZE)));
  }
  out.family("process_open_fds", Type::kGauge, "Open files of this process.");
  out.sample({}, open_files());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.family("process_max_fds", Type::kGauge, "Files that this process may have open.");
    out.sample({}, limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity() : double(limit.rlim_cur));
  }
}

}  // namespace weir
