#include "storage/open_storage.hpp"

#include <filesystem>
#include <fstream>

#include "storage/kafka_check.hpp"
#include "storage/memory_log.hpp"

namespace weir {
namespace {

// A pipeline that ran on the embedded log in this directory keeps what it has.
constexpr std::string_view kLocalStore = "/kafka";
constexpr std::uint64_t kLocalWalBytes = 24u << 20;  // Read again when it is opened after a kill: a part of that time.
constexpr std::string_view kDamaged = "/damaged";  // In the local store: it was found to be so while it was used.

// The changelogs have all that is in it: it need not survive a power cut, and a damaged one is made anew.
Result<std::unique_ptr<TopicLog>> open_local_store(EmbeddedLogOptions options) {
  if (options.read_only) return std::unique_ptr<TopicLog>(make_memory_log(options.pipeline, *options.clock));
  options.path += kLocalStore;
  options.sync = SyncPolicy::kNever;
  // It gets less than half of what an embedded log does: what is changed again soon never comes here.
  options.state_write_buffer_bytes /= 2;
  options.block_cache_bytes /= 2;
  options.max_total_wal_bytes = kLocalWalBytes;
  std::error_code error;
  if (std::filesystem::exists(options.path + std::string(kDamaged), error)) std::filesystem::remove_all(options.path, error);
  std::filesystem::create_directories(options.path, error);
  if (error) return Error{ErrorCode::kIo, options.path + ": " + error.message()};
  auto log = open_embedded_log(options);
  if (log.ok() || log.error().code != ErrorCode::kCorruption) return log;
  std::filesystem::remove_all(options.path, error);
  if (error) return Error{ErrorCode::kIo, options.path + ": " + error.message()};
  std::filesystem::create_directories(options.path, error);
  return open_embedded_log(options);
}

}  // namespace

std::vector<Finding> check_storage(const StorageOptions& options, const StorageUse& use) {
  std::vector<Finding> out;
  if (options.kind != LogKind::kMemory) {
    std::string path = options.embedded.path;
    if (options.kind == LogKind::kKafka) path += std::string(kLocalStore);
    out.push_back(embedded_log_in_use(path) ? Finding::error(ErrorCode::kInUse, "data directory '" + options.embedded.path + "'", "another process has it open", "that one ended, or another data_dir")
                                            : Finding::ok("data directory '" + options.embedded.path + "'", "no process has it open"));
  }
  if (options.kind == LogKind::kKafka) {
    KafkaLogOptions kafka = options.kafka;
    kafka.pipeline = options.embedded.pipeline;
    kafka.clock = options.embedded.clock;
    for (Finding& finding : check_kafka(kafka, use)) out.push_back(std::move(finding));
  }
  return out;
}

Result<std::unique_ptr<TopicLog>> open_storage(const StorageOptions& options) {
  switch (options.kind) {
    case LogKind::kEmbedded: return open_embedded_log(options.embedded);
    case LogKind::kMemory:
      return std::unique_ptr<TopicLog>(make_memory_log(options.embedded.pipeline, *options.embedded.clock));
    case LogKind::kKafka: {
      KafkaLogOptions kafka = options.kafka;
      kafka.pipeline = options.embedded.pipeline;
      kafka.clock = options.embedded.clock;
      kafka.read_only = options.embedded.read_only;
      kafka.on_local_damage = [marker = options.embedded.path + std::string(kLocalStore) + std::string(kDamaged)](const Error& error) { std::ofstream(marker) << error.what << '\n'; };
      TRY_ASSIGN(auto local, open_local_store(options.embedded));
      return open_kafka_log(std::move(kafka), std::move(local));
    }
  }
  CHECK(false);
}

Result<TaskProgress> progress_at_rest(TopicLog& log, const TaskSpec& spec) {
  auto told = log.progress(spec);
  if (told.ok() || told.error().code != ErrorCode::kNotFound) return told;
  TRY_ASSIGN(const auto store, log.open_task(spec));
  TRY_ASSIGN(Recovered recovered, store->recover());
  return TaskProgress{recovered.last_commit, std::move(recovered.positions), 0};
}

}  // namespace weir
