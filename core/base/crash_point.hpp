#pragma once
// Named places where a test can kill the process, in the release binary too.
//
// WEIR_CRASH_AT=NAME[:HIT] in the environment: the process gets SIGKILL at the HIT-th (default first) pass of that point.
// Unarmed, a pass costs one load and a predictable branch. WEIR_CRASH_LOG=FILE appends the name of each point at its
// first pass, so that a test can see which points a run reached.
// WEIR_CRASH_AT=task.record@INPUT/OFFSET, as in task.record@logs/77: each time that record is about to be processed,
// parse.record@INPUT/OFFSET: each time its line is about to be parsed, on whichever thread.
// WEIR_STOP_AT=… in place of WEIR_CRASH_AT: SIGSTOP; it goes on with SIGCONT.

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

// Every name there is; crash_point() CHECKs that its name is here, and the crash test goes through this list.
inline constexpr std::array<std::string_view, 27> kCrashPoints = {
    "open.before",                 // Before the database is opened.
    "open.after",                  // Opened, nothing recovered yet.
    "recover.after_attempt",       // The attempt counter for the committed position is written, nothing processed.
    "parse.record",                // A line is about to be parsed.
    "task.record",                 // A record is about to be processed.
    "task.before_commit",          // A transaction is closed, the committer does not have it yet.
    "commit.before_write",         // The committer has it, nothing is written.
    "commit.after_write",          // Written, the task does not know.
    "commit.after_ack",            // The task knows.
    "kafka.before_produce",        // A Kafka transaction has begun, nothing is in it.
    "kafka.before_commit",         // All of it is produced, nothing committed.
    "kafka.after_commit",          // The brokers have committed it, the local store does not have it.
    "kafka.after_outputs",         // at_least_once: the outputs are published, state and positions wait.
    "source.before_append",        // A followed source has read lines, nothing is appended.
    "source.after_append",         // Lines and position are committed, the source does not know.
    "job.done",                    // A neuron is trained, what that changed is in the open transaction.
    "promotion.before",            // A candidate has won, the version is not emitted.
    "promotion.after",             // The new version is in the open transaction.
    "model.adopted",               // The inference task has switched to a promoted version.
    "retention.before_delete",     // Retention has decided, nothing is deleted.
    "retention.after_delete",      // Deleted.
    "backup.before",               // Before the hard-link copy.
    "backup.before_rename",        // The copy is whole, under its temporary name.
    "backup.after",                // Renamed, older backups not yet removed.
    "training.before_snapshot",    // An offline training has done a job, its snapshot is not written.
    "training.before_rename",      // The snapshot is whole, under its temporary name.
    "training.after_snapshot",     // Renamed.
};

namespace detail {
extern bool crash_points_armed;  // Read once at start from the environment.
void pass_crash_point(std::string_view name);
void pass_record(std::string_view name, std::string_view input, std::int64_t offset);
}  // namespace detail

inline void crash_point(std::string_view name) {
  if (detail::crash_points_armed) [[unlikely]] detail::pass_crash_point(name);
}

inline void crash_point_at_record(std::string_view name, std::string_view input, std::int64_t offset) {
  if (detail::crash_points_armed) [[unlikely]] detail::pass_record(name, input, offset);
}

}  // namespace weir
