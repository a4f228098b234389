#include "storage/embedded_migrations.hpp"

#include <algorithm>

#include "storage/embedded_core.hpp"

namespace weir {

std::span<const Migration> migrations() { return {}; }

Result<void> check_format(EmbeddedDatabase& database, std::span<const Migration> table, std::uint32_t newest) {
  const EmbeddedLogOptions& options = database.options();
  std::string body;
  TRY_ASSIGN(const bool found, database.get(ColumnFamily::kMeta, format_key(), body));
  FormatEntry format{newest, options.pipeline};
  if (!found) {
    if (options.read_only) return Error{ErrorCode::kNotFound, "'" + options.path + "': holds no log"};
    return database.put_meta(format_key(), encode(format), /*force_sync=*/true);
  }
  if (!decode(body, format)) return malformed(ColumnFamily::kMeta, format_key());
  if (format.version > newest)
    return Error{ErrorCode::kVersion, "'" + options.path + "': format version " + std::to_string(format.version) +
                                          ", this program knows versions up to " + std::to_string(newest)};
  if (!options.pipeline.empty() && format.pipeline != options.pipeline)
    return Error{ErrorCode::kConfig, "'" + options.path + "': belongs to pipeline '" + format.pipeline +
                                         "', the config says '" + options.pipeline + "'"};
  while (format.version < newest) {
    const auto step = std::find_if(table.begin(), table.end(), [&](const Migration& m) { return m.from == format.version; });
    const std::string what = "'" + options.path + "': format version " + std::to_string(format.version);
    if (step == table.end()) return Error{ErrorCode::kVersion, what + " is too old to be migrated"};
    if (options.read_only) return Error{ErrorCode::kVersion, what + " must be migrated: open it for writing once"};
    TRY(step->run(database));
    ++format.version;
    TRY(database.put_meta(format_key(), encode(format), /*force_sync=*/true));
  }
  return {};
}

}  // namespace weir
