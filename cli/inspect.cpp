#include <map>

#include "cli/commands.hpp"
#include "cli/data_access.hpp"
#include "core/base/crc32c.hpp"
#include "core/base/printable.hpp"
#include "pipelines/topology.hpp"

namespace weir::cli {
namespace {

Result<std::string> inspect_task(const InspectArguments& arguments, const TaskSpec& spec, TaskStore& task, const Recovered& recovered) {
  std::string out = "task " + arguments.task + " partition " + std::to_string(spec.partition.value) + ": " + std::to_string(recovered.last_commit.value) + " commits\n";
  for (const Position& position : recovered.positions)
    out += "input " + std::string(name_of(position.input)) + " partition " + std::to_string(position.partition.value) + ": next offset " +
           std::to_string(position.next.value) + ", cursor " + std::to_string(position.cursor) + "\n";

  struct Total {
    std::uint64_t entries = 0, bytes = 0;
  };
  std::map<std::string, Total> stages;
  std::uint64_t listed = 0;
  std::string entries;
  TRY(recovered.state->scan(arguments.prefix, [&](std::string_view key, std::string_view value) {
    Total& total = stages[std::string(key.substr(0, key.find('/')))];
    ++total.entries;
    total.bytes += key.size() + value.size();
    if (arguments.entries && listed < arguments.limit) {
      ++listed;
      const bool cut = value.size() > 64;
      entries += printable(key) + "  " + std::to_string(value.size()) + " bytes, CRC32C " + std::to_string(crc32c(value)) + "  " +
                 printable(value.substr(0, 64)) + (cut ? "…" : "") + "\n";
    }
    return true;
  }));
  for (const auto& [stage, total] : stages)
    out += "state " + printable(stage) + ": " + std::to_string(total.entries) + " entries, " + std::to_string(total.bytes) + " bytes\n";
  out += entries;
  if (arguments.order) {
    std::uint64_t shown = 0;
    TRY(task.read_order([&](CommitId commit, std::string_view bytes) {
      out += "commit " + std::to_string(commit.value) + ":";
      ByteReader reader(bytes);
      OrderEntry entry;
      while (next_order_entry(reader, entry)) {
        static constexpr std::string_view kNames[] = {"records", "idle", "steps", "poison"};
        out += " " + std::string(kNames[static_cast<std::size_t>(entry.kind)]);
        if (entry.kind != OrderKind::kSteps) out += " " + std::string(name_of(entry.input));
        if (entry.partition != kOwnPartition) out += "/" + std::to_string(entry.partition.value);
        out += " x" + std::to_string(entry.count);
      }
      out += reader.ok() ? "\n" : " (malformed)\n";
      return ++shown < arguments.limit;
    }));
  }
  return out;
}

}  // namespace

Result<int> inspect_command(const InspectArguments& arguments) {
  TRY_ASSIGN(const std::string data_dir, data_dir_of(arguments.pipeline));
  EmbeddedLogOptions options;
  options.path = data_dir;
  options.create_if_missing = false;
  options.read_only = true;
  TRY_ASSIGN(const auto log, open_embedded_log(options));
  const std::int32_t count = partitions_of(*log);
  if (arguments.partition && (*arguments.partition < 0 || *arguments.partition >= count))
    return Error{ErrorCode::kNotFound, "partition " + std::to_string(*arguments.partition) + ": not there; this pipeline has " + std::to_string(count) + ", from 0"};
  for (std::int32_t p = 0; p < count; ++p) {
    if (arguments.partition && *arguments.partition != p) continue;
    const TaskSpec spec{arguments.task, PartitionId(p)};
    TRY_ASSIGN(const auto task, log->open_task(spec));
    TRY_ASSIGN(const Recovered recovered, task->recover());
    // A source has one task for all partitions: the others of its name are not there.
    if (p > 0 && !arguments.partition && recovered.last_commit.value == 0) continue;
    TRY_ASSIGN(const std::string text, inspect_task(arguments, spec, *task, recovered));
    print(text);
  }
  return kDone;
}

}  // namespace weir::cli
