#include "storage/kafka_progress.hpp"

#include <algorithm>
#include <optional>

#include "storage/kafka_changelog.hpp"

namespace weir {
namespace {

// Records before the end that are looked at first: a commit ends with the task's entry. Before a commit that is larger, or was
// aborted, more.
constexpr std::int64_t kFirstLook = 16;
constexpr std::int64_t kNextLook = 32;  // Times the last one.

}  // namespace

Result<TaskProgress> read_kafka_progress(KafkaCore& core, const std::string& changelog, PartitionId partition) {
  const std::string where = "topic '" + changelog + "' partition " + std::to_string(partition.value);
  const Error never{ErrorCode::kNotFound, where + ": no commit there"};
  TRY_ASSIGN(const auto found, core.admin->partitions({changelog}));
  if (found.empty() || found.begin()->second <= partition.value) return never;
  TRY_ASSIGN(const auto marks, core.admin->watermarks(changelog, partition));
  for (std::int64_t look = kFirstLook;; look *= kNextLook) {
    const Offset from(std::max(marks.begin.value, marks.end.value - look));
    std::optional<TaskProgress> newest;
    if (from < marks.end) {
      TRY_ASSIGN(const auto reader, make_kafka_reader(core, changelog, partition, from, nullptr));
      while (reader->position() < marks.end) {
        TRY_ASSIGN(const auto batch, reader->poll(Duration::zero()));
        if (batch == nullptr) continue;
        Result<void> taken;
        const bool whole = batch->for_each([&](Offset, const Record& record) {
          if (!taken.ok() || record.key != kChangelogTask || record.erases) return;
          const auto body = unseal_changelog(record.key, record.value, where);
          ChangelogTaskEntry entry;
          if (!body.ok()) taken = body.error();
          else if (!decode(*body, entry)) taken = Error{ErrorCode::kCorruption, where + ": a malformed task entry"};
          else newest = TaskProgress{entry.last_commit, std::move(entry.positions), batch->append_time_us()};
        });
        TRY(taken);
        CHECK(whole);
      }
    }
    if (newest) return std::move(*newest);
    if (from <= marks.begin) return never;
  }
}

}  // namespace weir
