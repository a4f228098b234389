#pragma once
// What became of the last jobs of every neuron: sums, capacities, and whether the job was accepted. It steers the trainer
// (smoothing of sums) and is what `inspect` and the dashboard show.
//
// A ring per neuron, the oldest record goes first. Memory: kSumRecordBytes * ring * (neurons that were trained) + 32 bytes a
// neuron; 140 networks of 241 neurons with rings of 32 take at most 71 MB. A snapshot's bytes follow from the records alone.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/learning/neuron_selection.hpp"

namespace weir {

enum class SumRegime : std::uint8_t { kNoise, kGold, kModerate, kCollapsed };
SumRegime regime_of(std::uint32_t n, std::uint64_t magnitude);
std::string_view name_of(SumRegime regime);
std::string_view name_of(SelectedBy by);

// One job. Whole numbers, so that every machine has the same bytes; time is counted in jobs, work in rows of N bits.
struct SumRecord {
  std::uint32_t job = 0;  // Which job of the network, from 0.
  std::uint32_t sweep = 0;
  std::uint32_t neuron = 0;
  std::int32_t sum = 0;  // S right after the job; of a rejected one, what it would have been.
  std::uint32_t n = 0;   // Samples in the pass: |S| <= N, and both are odd or both even.
  std::int32_t sum_before = 0;
  std::uint32_t capacity = 0;  // G; 0: keys were used as they are.
  std::uint32_t salt = 0;
  std::uint32_t correct_before = 0, correct_after = 0;
  std::uint32_t keys = 0;  // Entries of the filter.
  std::uint32_t votes = 0;
  std::int64_t vote_sum = 0;             // All votes added up: not bounded by N.
  std::uint32_t rows = 0;                // Neurons run over the samples to judge the job.
  SumRegime regime = SumRegime::kNoise;  // Of sum_before: what the capacity was chosen for.
  SelectedBy selected_by = SelectedBy::kGold;
  std::uint8_t accepted = 0;
  std::uint8_t clamped = 0;  // The capacity is not the law's own.

  std::uint64_t magnitude() const { return static_cast<std::uint64_t>(sum < 0 ? -std::int64_t{sum} : std::int64_t{sum}); }
  bool operator==(const SumRecord&) const = default;
};
// What became of it.
enum class JobResult : std::uint8_t {
  kAccepted,
  kWorse,   // Undone: fewer samples would have been right.
  kNoGain,  // Undone, or not even tried: nobody voted for a change; by edge: no more is gained than chance explains.
};
inline constexpr std::array kJobResults = {JobResult::kAccepted, JobResult::kWorse, JobResult::kNoGain};
std::string_view name_of(JobResult result);
JobResult result_of(const SumRecord& job);

inline constexpr std::size_t kSumRecordBytes = 64;
static_assert(sizeof(SumRecord) == kSumRecordBytes);

class SumCache {
 public:
  // REQUIRES: ring > 0.
  explicit SumCache(std::uint32_t neurons, std::uint32_t ring = 32);

  // kInvalidInput: no such neuron, or a sum that N samples cannot have.
  Result<void> add(const SumRecord& record);

  std::uint32_t neurons() const { return static_cast<std::uint32_t>(rings_.size()); }
  std::uint32_t ring() const { return ring_; }
  std::size_t bytes() const;  // What it holds in memory.
  std::size_t records() const;  // Of all neurons.
  // The same, as far as it has room for it. REQUIRES: ring > 0.
  Result<SumCache> with_ring(std::uint32_t ring) const;

  const SumRecord* latest(std::uint32_t neuron) const;       // Null if there is none.
  std::vector<SumRecord> trend(std::uint32_t neuron) const;  // Oldest first.
  // |S| after the last accepted jobs over n samples, newest first, at most `count`.
  std::vector<std::uint64_t> accepted_magnitudes(std::uint32_t neuron, std::uint32_t n, std::size_t count) const;
  // Of the neurons from `begin` to before `end`, a layer: those whose latest sum is in the gold zone; and how many have which
  // margin |S| / N, in tenths, a margin of 1 in the last one.
  std::vector<std::uint32_t> gold(std::uint32_t begin, std::uint32_t end) const;
  std::array<std::uint32_t, 10> margins(std::uint32_t begin, std::uint32_t end) const;

  // Versioned, with a checksum; load() gives back what snapshot() was taken of. kCorruption: cut, changed, or no possible
  // cache. kVersion: of a newer format.
  std::string snapshot() const;
  static Result<SumCache> load(std::string_view bytes);
  bool operator==(const SumCache& other) const;

 private:
  struct Ring {
    std::vector<SumRecord> records;
    std::uint32_t oldest = 0;  // Where, once it is full.
  };
  const SumRecord& at(const Ring& ring, std::size_t age) const;  // 0: the newest.
  std::uint32_t ring_;
  std::vector<Ring> rings_;
};

}  // namespace weir
