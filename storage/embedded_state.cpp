#include <rocksdb/slice.h>

#include "core/records/keyed_state.hpp"
#include "storage/embedded_core.hpp"
#include "storage/embedded_errors.hpp"

namespace weir {
namespace {

class EmbeddedState final : public StateReader {
 public:
  EmbeddedState(std::shared_ptr<EmbeddedCore> core, const TaskSpec& task,
                std::shared_ptr<const std::atomic<std::uint64_t>> last_commit)
      : core_(std::move(core)),
        db_(core_->database->db()),
        family_(core_->database->family(ColumnFamily::kState)),
        prefix_(task_prefix(task)),
        last_commit_(std::move(last_commit)) {}

  Result<bool> get(std::string_view key, std::string& value) const override {
    const std::string full = prefix_ + std::string(key);
    rocksdb::PinnableSlice stored;
    const rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), family_, full, &stored);
    return take(status, full, stored, value);
  }

  Result<void> get_many(std::span<const std::string_view> keys, std::vector<std::string>& values,
                        std::vector<char>& found) const override {
    values.resize(keys.size());
    found.resize(keys.size());
    KeyList full;
    for (const std::string_view key : keys) full.add(prefix_, key);
    std::vector<rocksdb::Slice> slices(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) slices[i] = slice(full.key(i));
    std::vector<rocksdb::PinnableSlice> stored(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_.MultiGet(rocksdb::ReadOptions(), family_, keys.size(), slices.data(), stored.data(), statuses.data());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      TRY_ASSIGN(const bool is_there, take(statuses[i], full.key(i), stored[i], values[i]));
      found[i] = is_there;
    }
    return {};
  }

  Result<void> scan_from(std::string_view prefix, std::string_view from,
                         const std::function<bool(std::string_view, std::string_view)>& fn) const override {
    const std::string full = prefix_ + std::string(prefix);
    rocksdb::ReadOptions options;
    options.fill_cache = false;  // A scan of everything must not push out what lookups need.
    const std::unique_ptr<rocksdb::Iterator> it(db_.NewIterator(options, family_));
    for (it->Seek(prefix_ + std::string(std::max(prefix, from))); it->Valid() && it->key().starts_with(full); it->Next()) {
      TRY_ASSIGN(const std::string_view body, unseal(ColumnFamily::kState, view(it->key()), view(it->value())));
      if (!fn(view(it->key()).substr(prefix_.size()), body)) return {};
    }
    if (!it->status().ok()) return to_error(it->status(), describe_entry(ColumnFamily::kState, full) + " and after");
    return {};
  }

  CommitId visible() const override { return CommitId(last_commit_->load(std::memory_order_acquire)); }

 private:
  static Result<bool> take(const rocksdb::Status& status, std::string_view key, const rocksdb::PinnableSlice& stored,
                           std::string& value) {
    if (status.IsNotFound()) return false;
    if (!status.ok()) return to_error(status, describe_entry(ColumnFamily::kState, key));
    TRY_ASSIGN(const std::string_view body, unseal(ColumnFamily::kState, key, view(stored)));
    value.assign(body);
    return true;
  }

  std::shared_ptr<EmbeddedCore> core_;
  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle* family_;
  std::string prefix_;
  std::shared_ptr<const std::atomic<std::uint64_t>> last_commit_;
};

}  // namespace

std::shared_ptr<const StateReader> make_embedded_state(std::shared_ptr<EmbeddedCore> core, const TaskSpec& task,
                                                       std::shared_ptr<const std::atomic<std::uint64_t>> last_commit) {
  return std::make_shared<EmbeddedState>(std::move(core), task, std::move(last_commit));
}

}  // namespace weir
