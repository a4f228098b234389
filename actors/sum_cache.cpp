#include "actors/sum_cache.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace weir {
namespace {
constexpr char kRecordTag = 'r';
}  // namespace

NeuronSum neuron_sum_of(const SumRecord& r, PartitionId partition, EventTime time) {
  return {.partition = partition,
          .job = r.job,
          .sweep = r.sweep,
          .neuron = r.neuron,
          .sum = r.sum,
          .n = r.n,
          .sum_before = r.sum_before,
          .capacity = r.capacity,
          .salt = r.salt,
          .correct_before = r.correct_before,
          .correct_after = r.correct_after,
          .keys = r.keys,
          .votes = r.votes,
          .vote_sum = r.vote_sum,
          .rows = r.rows,
          .regime = name_of(r.regime),
          .selected_by = name_of(r.selected_by),
          .accepted = r.accepted != 0,
          .clamped = r.clamped != 0,
          .event_time = time};
}

bool sum_record_of(const NeuronSum& s, SumRecord& out) {
  out = {.job = s.job,
         .sweep = s.sweep,
         .neuron = s.neuron,
         .sum = s.sum,
         .n = s.n,
         .sum_before = s.sum_before,
         .capacity = s.capacity,
         .salt = s.salt,
         .correct_before = s.correct_before,
         .correct_after = s.correct_after,
         .keys = s.keys,
         .votes = s.votes,
         .vote_sum = s.vote_sum,
         .rows = s.rows,
         .accepted = s.accepted,
         .clamped = s.clamped};
  bool regime = false, by = false;
  for (std::uint8_t i = 0; !name_of(SumRegime{i}).empty(); ++i)  // Numbered through; what has no name is none.
    if (name_of(SumRegime{i}) == s.regime) out.regime = SumRegime{i}, regime = true;
  for (std::uint8_t i = 0; !name_of(SelectedBy{i}).empty(); ++i)
    if (name_of(SelectedBy{i}) == s.selected_by) out.selected_by = SelectedBy{i}, by = true;
  return regime && by;
}

void SumCacheState::added(const SumRecord& record) {
  std::uint32_t& next = next_[record.neuron];
  unsaved_.push_back({next, record});
  next = (next + 1) % ring_;
}

// Key: the tag, the neuron and the place in its ring, both big-endian.
void SumCacheState::save(StateWriter& writer) {
  for (const Entry& entry : unsaved_) {
    std::array<char, 9> key = {kRecordTag};
    for (int i = 0; i < 4; ++i) {
      key[static_cast<std::size_t>(1 + i)] = static_cast<char>(entry.record.neuron >> (24 - 8 * i));
      key[static_cast<std::size_t>(5 + i)] = static_cast<char>(entry.slot >> (24 - 8 * i));
    }
    writer.put({key.data(), key.size()}, {reinterpret_cast<const char*>(&entry.record), sizeof entry.record});
  }
  unsaved_.clear();
}

Result<void> SumCacheState::load(const StageState& state, SumCache& cache) {
  std::vector<Entry> entries;
  bool whole = true;
  TRY(state.scan({&kRecordTag, 1}, [&](std::string_view key, std::string_view value) {
    Entry entry{};
    std::uint64_t numbers = 0;
    for (std::size_t i = 1; i < key.size(); ++i) numbers = numbers << 8 | static_cast<unsigned char>(key[i]);
    whole = key.size() == 9 && value.size() == sizeof entry.record;
    if (!whole) return false;
    std::memcpy(static_cast<void*>(&entry.record), value.data(), value.size());
    entry.slot = static_cast<std::uint32_t>(numbers);
    whole = entry.record.neuron == numbers >> 32 && entry.record.neuron < next_.size() && entry.slot < ring_;
    entries.push_back(entry);
    return whole;
  }));
  if (!whole)
    return Error{ErrorCode::kCorruption, "sums of " + state.prefix() + ": an entry of another network, or with a smaller ring than it was "
                                                                       "written with: set trainer.hashtron.ring back, or start with a new "
                                                                       "data directory"};
  std::ranges::sort(entries, {}, [](const Entry& entry) { return entry.record.job; });
  for (const Entry& entry : entries) {
    TRY(cache.add(entry.record));
    next_[entry.record.neuron] = (entry.slot + 1) % ring_;
  }
  return {};
}

void SumCacheStage::process(InputId input, RecordView& record, Output& out) {
  if (input == InputId::kSums) {
    NeuronSum sum;
    const bool read = decode_neuron_sum(record.record.value, sum) && sum_record_of(sum, record_);
    const std::string place = "sums, offset " + std::to_string(record.source.offset.value) + ": ";
    if (!read) return out.fail({ErrorCode::kCorruption, place + "does not decode"});
    if (auto added = cache_->add(record_); !added.ok()) return out.fail({ErrorCode::kCorruption, place + added.error().what});
    state_.added(record_);
    record.sum = &record_;
  }
  out.emit(record);
}

}  // namespace weir
