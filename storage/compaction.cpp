#include "storage/compaction.hpp"

namespace weir {

bool Compaction::observe(const RecordBatch& batch) {
  return batch.for_each([&](Offset offset, const Record& record) {
    if (record.has_key) newest_.insert_or_assign(std::string(record.key), offset);
  });
}

bool Compaction::stays(Offset offset, const Record& record, std::int64_t append_time_us) const {
  if (offset >= floor_ || !record.has_key) return true;
  const auto newest = newest_.find(std::string(record.key));
  if (newest != newest_.end() && newest->second > offset) return false;
  return !(record.erases && tombstone_age_ && append_time_us < now_us_ - tombstone_age_->count());
}

Compaction::Outcome Compaction::apply(const RecordBatch& batch) const {
  Outcome out;
  std::uint32_t kept = 0;
  batch.for_each([&](Offset offset, const Record& record) { kept += stays(offset, record, batch.append_time_us()); });
  if (kept == batch.count()) return out;
  out.changed = true;
  RecordBatch run;
  Offset base;
  const auto close = [&] {
    if (run.empty()) return;
    RecordBatch closed;
    closed.assign(run.bytes(), run.count(), base, batch.append_time_us());
    out.runs.push_back(std::move(closed));
    run.clear();
  };
  batch.for_each([&](Offset offset, const Record& record) {
    if (!stays(offset, record, batch.append_time_us())) return close();
    if (run.empty()) base = offset;
    run.append(record);
  });
  close();
  return out;
}

}  // namespace weir
