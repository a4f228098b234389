#pragma once
// Shared by the storage tests: every backend there is, and small builders.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "storage/embedded_log.hpp"
#include "storage/memory_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace weir {

// A backend and the place where it keeps its data. restart() is what a clean end and a new start of the process do to it.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual TopicLog& log() = 0;
  virtual void restart() = 0;
  bool gaps() { return log().has_gaps(); }
  virtual bool own_clock() const { return true; }   // Append times and retention follow the clock that was given.
};

// A backend as the contract suite runs over it.
struct BackendKind {
  const char* name;
  std::function<std::unique_ptr<Backend>(const Clock&)> make;
  bool own_clock = true;
  std::uint64_t model_seeds = 6;   // How long it runs beside the naive model.
  int model_operations = 250;
};
// Each executable of the contract suite links one definition of it.
std::vector<BackendKind> contract_backends();

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(const Clock& clock) : log_(make_memory_log("demo", clock)) {}
  TopicLog& log() override { return *log_; }
  void restart() override {}

 private:
  std::unique_ptr<MemoryLog> log_;
};

class EmbeddedBackend final : public Backend {
 public:
  explicit EmbeddedBackend(const Clock& clock, std::size_t batch_bytes = 256u << 10) {
    options_.path = (directory_ / "demo").string();
    options_.pipeline = "demo";
    options_.clock = &clock;
    options_.batch_bytes = batch_bytes;
    restart();
  }
  TopicLog& log() override { return *log_; }
  void restart() override {
    log_.reset();
    auto opened = open_embedded_log(options_);
    ASSERT_TRUE(opened.ok()) << opened.error().what;
    log_ = std::move(opened).value();
  }

 private:
  TemporaryDirectory directory_;
  EmbeddedLogOptions options_;
  std::unique_ptr<TopicLog> log_;
};

inline TopicSpec topic_spec(Topic topic, std::int32_t partitions = 1, Retention retention = {}) {
  return {topic, "demo." + std::string(short_name(topic)), partitions, retention};
}

inline Record record(std::string_view key, std::string_view value, std::int64_t event_time = 0) {
  Record out;
  out.key = key;
  out.has_key = true;
  out.value = value;
  out.event_time = EventTime(event_time);
  return out;
}

// A committed record as a test compares it.
struct Seen {
  std::int64_t offset;
  std::string key;
  std::string value;
  bool operator==(const Seen&) const = default;
};
inline std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << seen.offset << ":" << seen.key << "=" << seen.value.substr(0, 40);
}

// Everything from `from` on that is committed now.
inline std::vector<Seen> read_all(TopicLog& log, Topic topic, std::int32_t partition = 0, std::int64_t from = 0) {
  std::vector<Seen> out;
  auto reader = log.open_reader(topic, PartitionId(partition), Offset(from));
  EXPECT_TRUE(reader.ok()) << reader.error().what;
  for (;;) {
    auto batch = (*reader)->poll(Duration::zero());
    if (!batch.ok()) {
      ADD_FAILURE() << batch.error().what;
      return out;
    }
    if (*batch == nullptr) return out;
    EXPECT_GT((*batch)->count(), 0u);
    std::uint32_t count = 0;
    EXPECT_TRUE((*batch)->for_each([&](Offset offset, const Record& r) {
      ++count;
      out.push_back({offset.value, std::string(r.key), std::string(r.value)});
    }));
    EXPECT_EQ(count, (*batch)->count());
    EXPECT_EQ((*reader)->position(), (*batch)->base().next(count));
  }
}

inline std::unique_ptr<TaskStore> open_task(TopicLog& log, std::string name = "inference", std::int32_t partition = 0) {
  auto store = log.open_task({std::move(name), PartitionId(partition)});
  EXPECT_TRUE(store.ok()) << store.error().what;
  return std::move(store).value();
}

inline Recovered recover(TaskStore& store) {
  auto recovered = store.recover();
  EXPECT_TRUE(recovered.ok()) << recovered.error().what;
  return std::move(recovered).value();
}

// Opens a task, recovers it and commits; the store stays open.
inline std::unique_ptr<TaskStore> started_task(TopicLog& log, std::string name = "inference", std::int32_t partition = 0) {
  auto store = open_task(log, std::move(name), partition);
  recover(*store);
  return store;
}

#define ASSERT_OK(...) \
  do { \
    const auto& ok_result = (__VA_ARGS__); \
    ASSERT_TRUE(ok_result.ok()) << ok_result.error().what; \
  } while (false)

inline void expect_error(const Error& error, ErrorCode code, const std::vector<std::string>& words) {
  EXPECT_EQ(name_of(error.code), name_of(code)) << error.what;
  for (const std::string& word : words) EXPECT_NE(error.what.find(word), std::string::npos) << word << " in: " << error.what;
}

}  // namespace weir
