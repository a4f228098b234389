#include "core/learning/sum_cache.hpp"

#include <algorithm>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/snapshot_frame.hpp"

namespace weir {
namespace {

constexpr SnapshotFrame kFrame = {"weirsums", 1, "sum cache snapshot"};

// What is wrong with a record; empty if nothing is.
std::string fault(const SumRecord& r, std::uint32_t neurons) {
  if (r.neuron >= neurons) return "neuron " + std::to_string(r.neuron) + ", expected one below " + std::to_string(neurons);
  for (const std::int64_t sum : {std::int64_t{r.sum}, std::int64_t{r.sum_before}}) {
    if (sum > std::int64_t{r.n} || -sum > std::int64_t{r.n} || ((sum - std::int64_t{r.n}) & 1) != 0)
      return "neuron " + std::to_string(r.neuron) + ", job " + std::to_string(r.job) + ": a sum of " + std::to_string(sum) +
             " over " + std::to_string(r.n) + " samples, expected one within and as odd or even as their number";
  }
  if (r.accepted > 1 || r.clamped > 1 || r.regime > SumRegime::kCollapsed || r.selected_by > SelectedBy::kEdge)
    return "neuron " + std::to_string(r.neuron) + ", job " + std::to_string(r.job) + ": a flag that does not exist";
  return {};
}

}  // namespace

SumRegime regime_of(std::uint32_t n, std::uint64_t magnitude) {
  if (in_gold_zone(n, magnitude)) return SumRegime::kGold;
  if (5 * magnitude >= 4 * std::uint64_t{n}) return SumRegime::kCollapsed;
  return magnitude * magnitude <= n ? SumRegime::kNoise : SumRegime::kModerate;
}

std::string_view name_of(SumRegime regime) {
  switch (regime) {
    case SumRegime::kNoise: return "noise";
    case SumRegime::kGold: return "gold";
    case SumRegime::kModerate: return "moderate";
    case SumRegime::kCollapsed: return "collapsed";
  }
  return "";
}

std::string_view name_of(JobResult result) {
  switch (result) {
    case JobResult::kAccepted: return "accepted";
    case JobResult::kWorse: return "worse";
    case JobResult::kNoGain: break;
  }
  return "no_gain";
}

JobResult result_of(const SumRecord& job) {
  if (job.accepted != 0) return JobResult::kAccepted;
  return job.correct_after < job.correct_before ? JobResult::kWorse : JobResult::kNoGain;
}

std::string_view name_of(SelectedBy by) {
  switch (by) {
    case SelectedBy::kGold: return "gold";
    case SelectedBy::kModerate: return "moderate";
    case SelectedBy::kExplore: return "explore";
    case SelectedBy::kFinal: return "final";
    case SelectedBy::kPhase0: return "phase0";
    case SelectedBy::kPath: return "path";
    case SelectedBy::kMeasured: return "measured";
    case SelectedBy::kEdge: return "edge";
  }
  return "";
}

SumCache::SumCache(std::uint32_t neurons, std::uint32_t ring) : ring_(ring), rings_(neurons) { CHECK(ring > 0); }

Result<void> SumCache::add(const SumRecord& record) {
  if (const std::string what = fault(record, neurons()); !what.empty())
    return Error{ErrorCode::kInvalidInput, "sum cache: found " + what};
  Ring& ring = rings_[record.neuron];
  if (ring.records.size() < ring_) {
    // Doubled as it grows, but never beyond the ring: the bound on memory is exact.
    if (ring.records.size() == ring.records.capacity())
      ring.records.reserve(std::min<std::size_t>(ring_, std::max<std::size_t>(4, 2 * ring.records.size())));
    ring.records.push_back(record);
  } else {
    ring.records[ring.oldest] = record;
    ring.oldest = (ring.oldest + 1) % ring_;
  }
  return {};
}

std::size_t SumCache::records() const {
  std::size_t out = 0;
  for (const Ring& ring : rings_) out += ring.records.size();
  return out;
}

std::size_t SumCache::bytes() const {
  std::size_t bytes = rings_.capacity() * sizeof(Ring);
  for (const Ring& ring : rings_) bytes += ring.records.capacity() * sizeof(SumRecord);
  return bytes;
}

const SumRecord& SumCache::at(const Ring& ring, std::size_t age) const {
  const std::size_t size = ring.records.size();
  return ring.records[(ring.oldest + size - 1 - age) % size];
}

const SumRecord* SumCache::latest(std::uint32_t neuron) const {
  CHECK(neuron < neurons());
  return rings_[neuron].records.empty() ? nullptr : &at(rings_[neuron], 0);
}

std::vector<SumRecord> SumCache::trend(std::uint32_t neuron) const {
  CHECK(neuron < neurons());
  std::vector<SumRecord> out;
  for (std::size_t age = rings_[neuron].records.size(); age-- > 0;) out.push_back(at(rings_[neuron], age));
  return out;
}

std::vector<std::uint64_t> SumCache::accepted_magnitudes(std::uint32_t neuron, std::uint32_t n, std::size_t count) const {
  CHECK(neuron < neurons());
  std::vector<std::uint64_t> out;
  for (std::size_t age = 0; age < rings_[neuron].records.size() && out.size() < count; ++age)
    if (const SumRecord& record = at(rings_[neuron], age); record.accepted != 0 && record.n == n)
      out.push_back(record.magnitude());
  return out;
}

std::vector<std::uint32_t> SumCache::gold(std::uint32_t begin, std::uint32_t end) const {
  std::vector<std::uint32_t> out;
  for (std::uint32_t n = begin; n < end; ++n)
    if (const SumRecord* record = latest(n); record != nullptr && in_gold_zone(record->n, record->magnitude()))
      out.push_back(n);
  return out;
}

std::array<std::uint32_t, 10> SumCache::margins(std::uint32_t begin, std::uint32_t end) const {
  std::array<std::uint32_t, 10> out{};
  for (std::uint32_t n = begin; n < end; ++n)
    if (const SumRecord* record = latest(n); record != nullptr && record->n > 0)
      ++out[std::min<std::uint64_t>(9, 10 * record->magnitude() / record->n)];
  return out;
}

std::string SumCache::snapshot() const {
  ByteBuffer out = kFrame.begin();
  out.append_fixed(neurons());
  out.append_fixed(ring_);
  for (std::uint32_t n = 0; n < neurons(); ++n) {
    out.append_fixed(static_cast<std::uint32_t>(rings_[n].records.size()));
    for (const SumRecord& record : trend(n)) out.append_fixed(record);
  }
  return SnapshotFrame::end(std::move(out));
}

Result<SumCache> SumCache::load(std::string_view bytes) {
  const auto corrupt = [&](const std::string& what) { return kFrame.corrupt(bytes, what); };
  TRY_ASSIGN(ByteReader in, kFrame.open(bytes));
  const auto neurons = in.fixed<std::uint32_t>(), ring = in.fixed<std::uint32_t>();
  if (!in.ok() || ring == 0 || std::uint64_t{neurons} * 4 > in.left())
    return corrupt("found " + std::to_string(neurons) + " neurons, expected what its size has room for");
  SumCache cache(neurons, ring);
  for (std::uint32_t n = 0; n < neurons; ++n) {
    const auto count = in.fixed<std::uint32_t>();
    if (count > ring || std::uint64_t{count} * kSumRecordBytes > in.left())
      return corrupt("neuron " + std::to_string(n) + " has more records than there are");
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto record = in.fixed<SumRecord>();
      if (record.neuron != n)
        return corrupt("a record of neuron " + std::to_string(record.neuron) + " stands under neuron " + std::to_string(n));
      if (auto added = cache.add(record); !added.ok()) return corrupt(added.error().what);
    }
  }
  if (!in.finished()) return corrupt("it goes on behind its last record");
  return cache;
}

Result<SumCache> SumCache::with_ring(std::uint32_t ring) const {
  SumCache out(neurons(), ring);
  for (std::uint32_t n = 0; n < neurons(); ++n)
    for (const SumRecord& record : trend(n)) TRY(out.add(record));
  return out;
}

bool SumCache::operator==(const SumCache& other) const {
  if (ring_ != other.ring_ || neurons() != other.neurons()) return false;
  for (std::uint32_t n = 0; n < neurons(); ++n)
    if (trend(n) != other.trend(n)) return false;
  return true;
}

}  // namespace weir
