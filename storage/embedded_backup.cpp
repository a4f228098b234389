#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/base/crash_point.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"
#include "storage/sync_mark.hpp"

namespace weir {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kUnfinished = ".unfinished";

// A backup's number; nullopt for other names, unfinished backups among them.
std::optional<std::uint64_t> backup_number(const fs::path& path) {
  const std::string name = path.filename();
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), number);
  return ec == std::errc{} && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

std::vector<std::uint64_t> backup_numbers(const fs::path& folder) {
  std::vector<std::uint64_t> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec))
    if (const auto number = backup_number(entry.path())) out.push_back(*number);
  std::sort(out.begin(), out.end());
  return out;
}

Error failed(const fs::path& path, std::string_view what, const std::error_code& ec) {
  return {ec == std::errc::no_space_on_device ? ErrorCode::kFull : ErrorCode::kIo,
          "'" + path.string() + "': " + std::string(what) + ": " + ec.message()};
}

}  // namespace

std::vector<std::string> list_backups(const std::string& path) {
  std::vector<std::string> out;
  for (const std::uint64_t number : backup_numbers(fs::path(path) / "backups"))
    out.push_back((fs::path(path) / "backups" / std::to_string(number)).string());
  return out;
}

Result<std::string> make_embedded_backup(EmbeddedDatabase& database, std::size_t keep) {
  const fs::path folder = fs::path(database.options().path) / "backups";
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return failed(folder, "cannot be made", ec);
  for (const auto& entry : fs::directory_iterator(folder, ec))  // What a kill left behind.
    if (entry.path().extension() == kUnfinished) fs::remove_all(entry.path(), ec);

  const std::vector<std::uint64_t> before = backup_numbers(folder);
  const fs::path made = folder / std::to_string(before.empty() ? 1 : before.back() + 1);
  const fs::path unfinished = made.string() + std::string(kUnfinished);
  crash_point("backup.before");
  fs::create_directory(unfinished, ec);
  if (ec) return failed(unfinished, "cannot be made", ec);
  rocksdb::Checkpoint* raw = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(&database.db(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (status.ok()) status = checkpoint->CreateCheckpoint((unfinished / "db").string());
  if (!status.ok()) {
    fs::remove_all(unfinished, ec);
    return to_error(status, "'" + made.string() + "': making a backup");
  }
  crash_point("backup.before_rename");
  fs::rename(unfinished, made, ec);
  if (ec) return failed(made, "renaming the backup", ec);
  crash_point("backup.after");
  const std::vector<std::uint64_t> all = backup_numbers(folder);
  for (std::size_t i = 0; i + std::max<std::size_t>(keep, 1) < all.size(); ++i) {
    fs::remove_all(folder / std::to_string(all[i]), ec);
    if (ec) return failed(folder / std::to_string(all[i]), "removing an old backup", ec);
  }
  return made.string();
}

Result<void> restore_backup(const std::string& path, const std::string& backup) {
  const fs::path db = fs::path(path) / "db";
  const fs::path restoring = fs::path(path) / "db.restoring";
  if (another_process_holds((db / "LOCK").string()))
    return Error{ErrorCode::kInUse, "'" + path + "': another process has it open; stop it before the repair"};
  std::error_code ec;
  if (!fs::exists(fs::path(backup) / "db" / "CURRENT", ec))
    return Error{ErrorCode::kNotFound, "'" + backup + "': not a backup"};
  fs::remove_all(restoring, ec);
  // A copy, not links: the backup must outlive whatever damaged the directory.
  fs::copy(fs::path(backup) / "db", restoring, fs::copy_options::recursive, ec);
  if (ec) return failed(restoring, "copying the backup", ec);
  if (fs::exists(db, ec)) {
    int k = 1;
    while (fs::exists(path + "/db.damaged-" + std::to_string(k), ec)) ++k;
    fs::rename(db, path + "/db.damaged-" + std::to_string(k), ec);
    if (ec) return failed(db, "moving the damaged log away", ec);
  }
  fs::remove(fs::path(path) / "synced", ec);  // It speaks of the damaged log.
  fs::rename(restoring, db, ec);
  if (ec) return failed(db, "putting the backup in its place", ec);
  return {};
}

}  // namespace weir
