// Goal: the embedded log survives kills, tells every kind of damage and misuse by name, and opens what older versions wrote.

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/crc32c.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_migrations.hpp"
#include "tests/storage/faulty_file_system.hpp"
#include "tests/storage/storage_support.hpp"
#include "tests/support/scoped_env.hpp"

namespace weir {
namespace {
namespace fs = std::filesystem;

EmbeddedLogOptions options_for(const fs::path& path) {
  EmbeddedLogOptions options;
  options.path = path.string();
  options.pipeline = "demo";
  options.file_system = std::make_shared<FaultyFileSystem>();  // Syncs cost nothing there, and kills need none.
  return options;
}

std::unique_ptr<TopicLog> open_log(const fs::path& path) {
  auto log = open_embedded_log(options_for(path));
  EXPECT_TRUE(log.ok()) << log.error().what;
  return log.ok() ? std::move(log).value() : nullptr;
}

Error open_error(const EmbeddedLogOptions& options) {
  auto log = open_embedded_log(options);
  EXPECT_FALSE(log.ok()) << "it opened";
  return log.ok() ? Error{} : log.error();
}

// Commit n: a prediction, an example, one counter in state, position n, order. REQUIRES: the topics exist.
Result<CommitId> commit(TaskStore& store, std::uint64_t n) {
  Transaction transaction;
  transaction.append(Topic::kPredictions, record("id-" + std::to_string(n), "prediction " + std::to_string(n)));
  transaction.append(Topic::kModels, record("model", "version " + std::to_string(n)));
  transaction.state.put("c|", "n", std::to_string(n));
  transaction.consumed = {{InputId::kLogs, PartitionId(0), Offset(std::int64_t(n)), 17 * n}};
  transaction.order.records(InputId::kLogs, 1);
  return store.commit(transaction);
}

void create_topics(TopicLog& log) {
  ASSERT_OK(log.create(topic_spec(Topic::kPredictions, 1, {std::nullopt, 40, false})));
  ASSERT_OK(log.create(topic_spec(Topic::kModels, 1, {std::nullopt, std::nullopt, true})));
}

// Every part of the directory is of the same commit, which is returned.
std::uint64_t check_whole(TopicLog& log) {
  auto store = open_task(log);
  const Recovered recovered = recover(*store);
  const std::uint64_t last = recovered.last_commit.value;
  std::string value = "0";
  EXPECT_TRUE(recovered.state->get("c|n", value).ok());
  EXPECT_EQ(value, std::to_string(last));
  EXPECT_EQ(recovered.positions.empty() ? 0 : recovered.positions[0].next.value, std::int64_t(last));
  EXPECT_EQ(log.describe(Topic::kPredictions)->partitions[0].end.value, std::int64_t(last));
  for (const Topic topic : {Topic::kPredictions, Topic::kModels}) {
    const auto seen = read_all(log, topic);
    EXPECT_TRUE(seen.empty() || seen.back().offset == std::int64_t(last) - 1) << last;
    EXPECT_TRUE(topic != Topic::kModels || seen.empty() == (last == 0));
    for (const Seen& s : seen) EXPECT_TRUE(s.value.ends_with(" " + std::to_string(s.offset + 1))) << s;
  }
  return last;
}

// --- kills

class EmbeddedCrash : public testing::TestWithParam<std::tuple<const char*, int>> {};

// What a process does until it is killed: commits, shortens, backs up, closes and opens again.
[[noreturn]] void work_until_killed(const fs::path& path) {
  for (std::uint64_t round = 0; round < 5; ++round) {
    auto log = open_embedded_log(options_for(path));
    if (!log) std::exit(1);
    create_topics(**log);
    auto store = (*log)->open_task({"inference", PartitionId(0)});
    auto recovered = (*store)->recover();
    if (!recovered || !(*store)->count_attempt(InputId::kLogs)) std::exit(2);
    for (std::uint64_t n = recovered->last_commit.value + 1, end = n + 4; n < end; ++n) {
      if (!commit(**store, n)) std::exit(3);
      std::ofstream(path.string() + ".acknowledged", std::ios::trunc) << n;
    }
    if (!(*log)->apply_retention({}) || !(*log)->backup(2)) std::exit(4);
  }
  std::exit(0);  // The point was never reached: the test fails.
}

TEST_P(EmbeddedCrash, LeavesWholeTransactionsAndLosesNone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // Runs this binary again, so RocksDB's threads are no problem.
  const auto [point, hit] = GetParam();
  const char* inherited = std::getenv("WEIR_TEST_DIRECTORY");  // The child works where the parent looks.
  TemporaryDirectory directory;
  const fs::path path = inherited ? fs::path(inherited) : directory / "demo";
  {
    ScopedEnv where("WEIR_TEST_DIRECTORY", path.string());
    ScopedEnv arm("WEIR_CRASH_AT", std::string(point) + ":" + std::to_string(hit));
    EXPECT_EXIT(work_until_killed(path), testing::KilledBySignal(SIGKILL), "");
  }
  std::uint64_t acknowledged = 0;
  std::ifstream(path.string() + ".acknowledged") >> acknowledged;
  for (const std::string& backup : list_backups(path.string())) {
    auto copy = open_log(backup);
    ASSERT_NE(copy, nullptr) << backup;
    EXPECT_LE(check_whole(*copy), acknowledged);
  }
  auto log = open_log(path);
  ASSERT_NE(log, nullptr);
  ASSERT_NO_FATAL_FAILURE(create_topics(*log));
  const std::uint64_t last = check_whole(*log);
  EXPECT_GE(last, acknowledged);
  EXPECT_LE(last, acknowledged + 1);
  auto store = started_task(*log);
  ASSERT_OK(commit(*store, last + 1));
  ASSERT_OK(log->apply_retention({}));
  ASSERT_OK(log->backup(2));
  EXPECT_LE(list_backups(path.string()).size(), 2u);
  EXPECT_FALSE(fs::exists(path / "backups" / "1.unfinished"));
  store.reset();
  EXPECT_EQ(check_whole(*log), last + 1);
}

INSTANTIATE_TEST_SUITE_P(Points, EmbeddedCrash,
                         testing::Combine(testing::Values("open.before", "open.after", "recover.after_attempt",
                                                          "commit.before_write", "commit.after_write",
                                                          "retention.before_delete", "retention.after_delete",
                                                          "backup.before", "backup.before_rename", "backup.after"),
                                          testing::Values(1, 2, 3)),
                         [](const auto& info) {
                           std::string name = std::get<0>(info.param);
                           name[name.find('.')] = '_';
                           return name + "_" + std::to_string(std::get<1>(info.param));
                         });

// --- misuse

class EmbeddedLogTest : public testing::Test {
 protected:
  void fill(std::uint64_t commits) {
    auto log = open_log(path_);
    ASSERT_NE(log, nullptr);
    ASSERT_NO_FATAL_FAILURE(create_topics(*log));
    auto store = started_task(*log);
    for (std::uint64_t n = 1; n <= commits; ++n) ASSERT_OK(commit(*store, n));
  }
  TemporaryDirectory directory_;
  const fs::path path_ = directory_ / "demo";
};

TEST_F(EmbeddedLogTest, RefusesTheDirectoryOfAnotherPipeline) {
  fill(1);
  EmbeddedLogOptions options = options_for(path_);
  options.pipeline = "other";
  expect_error(open_error(options), ErrorCode::kConfig, {"'demo'", "'other'", path_.string()});
  options.pipeline.clear();
  EXPECT_TRUE(open_embedded_log(options).ok());
}

TEST_F(EmbeddedLogTest, NamesWhatIsNoDirectory) {
  std::ofstream(path_) << "a file";
  expect_error(open_error(options_for(path_)), ErrorCode::kIo, {path_.string(), "not a directory"});
  expect_error(open_error(options_for(path_ / "below")), ErrorCode::kIo, {path_.string()});
}

TEST_F(EmbeddedLogTest, CreatesOnlyWhenToldSo) {
  EmbeddedLogOptions options = options_for(path_);
  options.create_if_missing = false;
  expect_error(open_error(options), ErrorCode::kNotFound, {path_.string()});
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(EmbeddedLogTest, NamesADirectoryThatCannotBeWritten) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  fs::permissions(directory_.path(), fs::perms(0555));
  const auto open_without_permission = [&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) std::exit(1);  // root may write anywhere.
    auto log = open_embedded_log(options_for(path_));
    std::fprintf(stderr, "%s", log.ok() ? "opened" : log.error().what.c_str());
    std::exit(!log.ok() && log.error().code == ErrorCode::kIo ? 0 : 2);
  };
  EXPECT_EXIT(open_without_permission(), testing::ExitedWithCode(0), "ermission denied");
  fs::permissions(directory_.path(), fs::perms(0755));
}

TEST_F(EmbeddedLogTest, TellsASecondProcessThatItIsInUse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const char* inherited = std::getenv("WEIR_TEST_DIRECTORY");
  const fs::path path = inherited ? fs::path(inherited) : path_;
  std::unique_ptr<TopicLog> ours = inherited ? nullptr : open_log(path);
  ScopedEnv where("WEIR_TEST_DIRECTORY", path.string());
  for (const bool read_only : {false, true}) {
    const auto open_too = [&] {
      EmbeddedLogOptions options = options_for(path);
      options.read_only = read_only;
      auto log = open_embedded_log(options);
      std::fprintf(stderr, "%s", log.ok() ? "opened" : log.error().what.c_str());
      std::exit(!log.ok() && log.error().code == ErrorCode::kInUse ? 0 : 2);
    };
    EXPECT_EXIT(open_too(), testing::ExitedWithCode(0), "another process has it open; use tail, produce or status");
  }
}

TEST_F(EmbeddedLogTest, ASecondOpenInTheSameProcessIsInUse) {
  auto log = open_log(path_);
  expect_error(open_error(options_for(path_)), ErrorCode::kInUse, {path_.string()});
}

TEST_F(EmbeddedLogTest, ReadOnlyGivesWhatIsThereAndTakesNothing) {
  fill(3);
  EmbeddedLogOptions options = options_for(path_);
  options.read_only = true;
  {
    auto log = open_embedded_log(options);
    ASSERT_OK(log);
    EXPECT_EQ(read_all(**log, Topic::kPredictions).size(), 3u);
    auto store = open_task(**log);
    EXPECT_EQ(recover(*store).last_commit.value, 3u);
    auto refused = commit(*store, 4);
    ASSERT_FALSE(refused.ok());
    expect_error(refused.error(), ErrorCode::kIo, {"read-only"});
  }
  auto log = open_log(path_);
  EXPECT_EQ(recover(*open_task(*log)).attempts, Attempts{});
}

TEST_F(EmbeddedLogTest, AFullDiskFailsTheCommitAndNothingElse) {
  auto disk = std::make_shared<FaultyFileSystem>();
  EmbeddedLogOptions options = options_for(path_);
  options.file_system = disk;
  {
    auto log = open_embedded_log(options);
    ASSERT_OK(log);
    ASSERT_NO_FATAL_FAILURE(create_topics(**log));
    auto store = started_task(**log);
    ASSERT_OK(commit(*store, 1));
    disk->full = true;
    for (int i = 0; i < 3; ++i) {
      auto failed = commit(*store, 2);
      ASSERT_FALSE(failed.ok());
      EXPECT_EQ(failed.error().code, ErrorCode::kFull) << failed.error().what;
      EXPECT_EQ(read_all(**log, Topic::kPredictions).size(), 1u);
    }
    disk->full = false;
    auto again = commit(*store, 2);
    for (int tries = 0; !again.ok() && tries < 2'400; ++tries) {  // RocksDB looks every five seconds whether there is space.
      ASSERT_EQ(again.error().code, ErrorCode::kFull) << again.error().what;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      again = commit(*store, 2);
    }
    ASSERT_OK(again);
    ASSERT_OK(commit(*store, 3));
    store.reset();
    EXPECT_EQ(check_whole(**log), 3u);
  }
  auto log = open_log(path_);
  EXPECT_EQ(check_whole(*log), 3u);
}

// --- damage

// The database without the log around it.
class RawDatabase {
 public:
  explicit RawDatabase(const fs::path& path) {
    auto opened = EmbeddedDatabase::open(options_for(path));
    EXPECT_TRUE(opened.ok()) << opened.error().what;
    database_ = std::move(opened).value();
  }
  std::string get(ColumnFamily family, std::string_view key) {
    std::string value;
    EXPECT_TRUE(database_->db().Get({}, database_->family(family), slice(key), &value).ok());
    return value;
  }
  void put(ColumnFamily family, std::string_view key, std::string_view value) {
    EXPECT_TRUE(database_->db().Put({}, database_->family(family), slice(key), slice(value)).ok());
  }
  EmbeddedDatabase& database() { return *database_; }

 private:
  std::unique_ptr<EmbeddedDatabase> database_;
};

// Opens and reads everything; the first error.
std::optional<Error> first_error(const fs::path& path) {
  auto log = open_embedded_log(options_for(path));
  if (!log) return log.error();
  auto reader = (*log)->open_reader(Topic::kPredictions, PartitionId(0), Offset(0));
  if (!reader) return reader.error();
  for (;;) {
    auto batch = (*reader)->poll(Duration::zero());
    if (!batch) return batch.error();
    if (*batch == nullptr) break;
  }
  auto store = (*log)->open_task({"inference", PartitionId(0)});
  if (!store) return store.error();
  auto recovered = (*store)->recover();
  if (!recovered) return recovered.error();
  std::string value;
  if (auto found = recovered->state->get("c|n", value); !found) return found.error();
  std::vector<std::string> values;
  std::vector<char> found;
  const std::string_view key = "c|n";
  if (auto many = recovered->state->get_many({&key, 1}, values, found); !many) return many.error();
  if (auto scanned = recovered->state->scan("", [](auto, auto) { return true; }); !scanned) return scanned.error();
  if (auto order = (*store)->read_order([](auto, auto) { return true; }); !order) return order.error();
  return std::nullopt;
}

TEST_F(EmbeddedLogTest, NamesTheEntryWithAFlippedBit) {
  fill(2);
  const TaskSpec task{"inference", PartitionId(0)};
  const struct {
    ColumnFamily family;
    std::string key;
    std::vector<std::string> words;
  } entries[] = {
      {ColumnFamily::kLog, std::string(log_key(Topic::kPredictions, PartitionId(0), Offset(1)).view()),
       {"demo.predictions", "partition 0", "offset 1"}},
      {ColumnFamily::kState, task_prefix(task) + "c|n", {"state entry inference/0", "c|n"}},
      {ColumnFamily::kMeta, format_key(), {"format"}},
      {ColumnFamily::kMeta, topic_key(Topic::kPredictions), {"topic predictions"}},
      {ColumnFamily::kMeta, partition_key(Topic::kPredictions, PartitionId(0)), {"partition predictions/0"}},
      {ColumnFamily::kMeta, task_key(task), {"task inference/0"}},
      {ColumnFamily::kMeta, order_key(task, CommitId(2)), {"order of inference/0 commit 2"}},
  };
  EXPECT_FALSE(first_error(path_).has_value());
  for (const auto& entry : entries) {
    const std::string whole = RawDatabase(path_).get(entry.family, entry.key);
    for (std::size_t at = 0; at < whole.size(); at += at < 6 ? 1 : 5) {  // CRC and version, then through the body.
      std::string damaged = whole;
      damaged[at] = char(damaged[at] ^ (1 << at % 8));
      RawDatabase(path_).put(entry.family, entry.key, damaged);
      const auto error = first_error(path_);
      ASSERT_TRUE(error.has_value()) << entry.words[0] << ", byte " << at;
      expect_error(*error, ErrorCode::kCorruption, entry.words);
    }
    RawDatabase(path_).put(entry.family, entry.key, whole.substr(0, 3));  // And cut short.
    const auto error = first_error(path_);
    ASSERT_TRUE(error.has_value());
    expect_error(*error, ErrorCode::kCorruption, entry.words);
    RawDatabase(path_).put(entry.family, entry.key, whole);
  }
  EXPECT_FALSE(first_error(path_).has_value());
}

TEST_F(EmbeddedLogTest, AValueUnderAnotherKeyIsDamage) {
  fill(2);
  {
    RawDatabase raw(path_);
    const auto key = [](std::int64_t offset) { return log_key(Topic::kPredictions, PartitionId(0), Offset(offset)); };
    raw.put(ColumnFamily::kLog, key(1).view(), raw.get(ColumnFamily::kLog, key(0).view()));
  }
  expect_error(*first_error(path_), ErrorCode::kCorruption, {"offset 1"});
}

fs::path newest_file(const fs::path& folder, std::string_view extension) {
  fs::path out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension && fs::file_size(entry) > 0 && entry.path() > out) out = entry.path();
  return out;
}

void flip_bit(const fs::path& file, std::uint64_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(std::int64_t(at));
  const char c = char(stream.get() ^ 4);
  stream.seekp(std::int64_t(at));
  stream.put(c);
}

TEST_F(EmbeddedLogTest, ADamagedWriteAheadLogIsNotASilentLoss) {
  fill(20);
  const fs::path wal = newest_file(path_ / "db", ".log");
  ASSERT_FALSE(wal.empty());
  flip_bit(wal, fs::file_size(wal) / 2);
  expect_error(open_error(options_for(path_)), ErrorCode::kCorruption, {"write-ahead log", "repair"});
  expect_error(open_error(options_for(path_)), ErrorCode::kCorruption, {"write-ahead log"});  // Not only the first time.
}

// What repair takes lines from: also where files of a family are newer than the damage.
TEST_F(EmbeddedLogTest, WhatIsWholeBesideDamageCanBeRead) {
  fill(20);
  const fs::path wal = newest_file(path_ / "db", ".log");
  fs::copy_file(wal, path_ / "wal");
  {
    RawDatabase raw(path_);
    ASSERT_TRUE(raw.database().db().Flush({}, raw.database().family(ColumnFamily::kMeta)).ok());
  }
  fs::copy_file(path_ / "wal", wal, fs::copy_options::overwrite_existing);
  flip_bit(wal, fs::file_size(wal) / 2);
  EmbeddedLogOptions options = options_for(path_);
  options.read_only = true;
  expect_error(open_error(options), ErrorCode::kCorruption, {});
  options.past_damage = true;
  const auto log = open_embedded_log(options);
  ASSERT_OK(log);
  const auto seen = read_all(**log, Topic::kPredictions);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front().offset, 0);
  EXPECT_LT(seen.size(), 20u);  // Of the block that is damaged the rest is gone.
}

TEST_F(EmbeddedLogTest, ADamagedFileIsNamed) {
  fill(20);
  {
    RawDatabase raw(path_);
    for (const ColumnFamily family : {ColumnFamily::kLog, ColumnFamily::kState, ColumnFamily::kMeta})
      ASSERT_TRUE(raw.database().db().Flush({}, raw.database().family(family)).ok());
  }
  for (const auto& entry : fs::directory_iterator(path_ / "db"))
    if (entry.path().extension() == ".sst") flip_bit(entry.path(), 20);
  const auto error = first_error(path_);
  ASSERT_TRUE(error.has_value());
  expect_error(*error, ErrorCode::kCorruption, {".sst"});
}

TEST_F(EmbeddedLogTest, ABackupTakesThePlaceOfADamagedLog) {
  {
    auto log = open_log(path_);
    ASSERT_NO_FATAL_FAILURE(create_topics(*log));
    auto store = started_task(*log);
    for (std::uint64_t n = 1; n <= 6; ++n) {
      ASSERT_OK(commit(*store, n));
      auto backup = log->backup(2);
      ASSERT_OK(backup);
      EXPECT_EQ(*backup, (path_ / "backups" / std::to_string(n)).string());
    }
    ASSERT_OK(commit(*store, 7));
  }
  const auto backups = list_backups(path_.string());
  ASSERT_EQ(backups.size(), 2u);
  EXPECT_EQ(check_whole(*open_log(backups[0])), 5u);  // A backup opens like any log.
  flip_bit(newest_file(path_ / "db", ".log"), 100);
  expect_error(open_error(options_for(path_)), ErrorCode::kCorruption, {"write-ahead log"});
  ASSERT_OK(restore_backup(path_.string(), backups[1]));
  EXPECT_TRUE(fs::exists(path_ / "db.damaged-1"));
  EXPECT_EQ(check_whole(*open_log(path_)), 6u);
  EXPECT_EQ(check_whole(*open_log(backups[1])), 6u);
  expect_error(restore_backup(path_.string(), (path_ / "backups" / "9").string()).error(), ErrorCode::kNotFound, {"9"});
}

// --- versions

TEST_F(EmbeddedLogTest, RefusesANewerFormatWithBothNumbers) {
  fill(1);
  {
    RawDatabase raw(path_);
    raw.put(ColumnFamily::kMeta, format_key(), seal(format_key(), encode(FormatEntry{kFormatVersion + 1, "demo"})));
  }
  expect_error(open_error(options_for(path_)), ErrorCode::kVersion,
               {"version " + std::to_string(kFormatVersion + 1), "up to " + std::to_string(kFormatVersion)});
}

TEST_F(EmbeddedLogTest, RefusesANewerValueWithBothNumbers) {
  fill(1);
  {
    RawDatabase raw(path_);
    const std::string key = task_key({"inference", PartitionId(0)});
    std::string value = raw.get(ColumnFamily::kMeta, key);
    value[4] = char(kStoredValueVersion + 1);
    const std::uint32_t crc = seal_crc(key, std::string_view(value).substr(4));
    std::memcpy(value.data(), &crc, 4);
    raw.put(ColumnFamily::kMeta, key, value);
  }
  expect_error(*first_error(path_), ErrorCode::kVersion, {"task inference/0", "version 2", "up to 1"});
}

TEST_F(EmbeddedLogTest, MigratesStepByStep) {
  fill(1);
  static std::vector<std::uint32_t> steps;
  const Migration table[] = {
      {kFormatVersion, [](EmbeddedDatabase&) -> Result<void> { return steps.push_back(1), Result<void>(); }},
      {kFormatVersion + 1, [](EmbeddedDatabase& database) -> Result<void> {
         steps.push_back(2);
         return steps.size() == 2 ? Result<void>(Error{ErrorCode::kIo, "killed"}) : database.put_meta("m", "made", false);
       }}};
  {
    RawDatabase raw(path_);
    EXPECT_FALSE(check_format(raw.database(), table, kFormatVersion + 2).ok());
  }
  {
    RawDatabase raw(path_);
    ASSERT_OK(check_format(raw.database(), table, kFormatVersion + 2));
    EXPECT_EQ(steps, (std::vector<std::uint32_t>{1, 2, 2}));  // The finished step is not run again.
    ASSERT_OK(check_format(raw.database(), table, kFormatVersion + 2));
    EXPECT_EQ(steps.size(), 3u);
    std::string body;
    EXPECT_TRUE(*raw.database().get(ColumnFamily::kMeta, "m", body));
  }
  expect_error(open_error(options_for(path_)), ErrorCode::kVersion, {"version 3", "up to 1"});
}

// tests/storage/golden/format_1 was written by format 1 and never changes: WEIR_WRITE_GOLDEN=DIR makes one of the format
// of today.
TEST_F(EmbeddedLogTest, OpensTheGoldenDirectoryOfFormat1) {
  if (const char* target = std::getenv("WEIR_WRITE_GOLDEN")) {
    fill(3);
    {
      RawDatabase raw(path_);
      ASSERT_TRUE(raw.database().db().Flush({}, raw.database().family(ColumnFamily::kLog)).ok());
    }
    fs::copy(path_, target, fs::copy_options::recursive);
  }
  fs::copy(fs::path(WEIR_SOURCE_DIR) / "tests/storage/golden/format_1", path_, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  auto log = open_log(path_);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(read_all(*log, Topic::kPredictions),
            (std::vector<Seen>{{0, "id-1", "prediction 1"}, {1, "id-2", "prediction 2"}, {2, "id-3", "prediction 3"}}));
  EXPECT_EQ(log->describe(Topic::kModels)->spec.retention, (Retention{std::nullopt, std::nullopt, true}));
  EXPECT_EQ(check_whole(*log), 3u);
  auto store = started_task(*log);
  ASSERT_OK(commit(*store, 4));
  store.reset();
  EXPECT_EQ(check_whole(*log), 4u);
}

}  // namespace
}  // namespace weir
