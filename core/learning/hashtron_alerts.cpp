#include "core/learning/hashtron_alerts.hpp"

#include <algorithm>
#include <cstdlib>

#include "core/base/check.hpp"

namespace weir {
namespace {

constexpr std::size_t kChanges = 4;

std::string percent(std::uint64_t part, std::uint64_t all) {
  const std::uint64_t tenths = all == 0 ? 0 : part * 1000 / all;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

}  // namespace

std::string_view name_of(HashtronAlert alert) {
  switch (alert) {
    case HashtronAlert::kMemorisation: return "memorisation";
    case HashtronAlert::kStagnation: return "stagnation";
    case HashtronAlert::kOscillation: return "oscillation";
    case HashtronAlert::kStuck: return "stuck";
    case HashtronAlert::kConstant: return "constant";
  }
  return "";
}

bool oscillates(std::span<const SumRecord> trend) {
  std::vector<std::uint64_t> last;  // Newest first.
  for (std::size_t i = trend.size(); i-- > 0 && last.size() <= kChanges;)
    if (trend[i].accepted != 0 && trend[i].capacity != 0) last.push_back(trend[i].capacity);
  if (last.size() <= kChanges) return false;
  for (std::size_t i = 0; i < kChanges; ++i) {
    const bool up = last[i] > last[i + 1];
    if (std::max(last[i], last[i + 1]) < 2 * std::min(last[i], last[i + 1])) return false;
    if (i > 0 && up == (last[i - 1] > last[i])) return false;
  }
  return true;
}

HashtronAlerts::HashtronAlerts(std::uint32_t neurons, const HashtronAlertSettings& settings)
    : settings_(settings),
      oscillating_(neurons) {
  CHECK(settings.sweeps > 0);
}

void HashtronAlerts::set(HashtronAlert alert, bool now, std::uint32_t job, std::uint32_t sweep, const std::string& what) {
  bool& before = active_[static_cast<std::size_t>(alert)];
  if (before == now) return;
  before = now;
  begun_[static_cast<std::size_t>(alert)] += now ? 1 : 0;
  events_.push_back({.alert = alert, .begins = now, .job = job, .sweep = sweep, .what = what});
}

void HashtronAlerts::job_done(const SumCache& sums, const SumRecord& job) {
  CHECK(job.neuron < oscillating_.size());
  if (job.accepted == 0) return;
  std::uint8_t& was = oscillating_[job.neuron];
  const bool now = oscillates(sums.trend(job.neuron));
  oscillating_count_ += (now ? 1U : 0U) - was;
  was = now ? 1 : 0;
  set(HashtronAlert::kOscillation, oscillating_count_ > 0, job.job, job.sweep,
      "the capacity of neuron " + std::to_string(job.neuron) + " goes up and down, now " + std::to_string(job.capacity));
}

void HashtronAlerts::sweep_done(const Sweep& sweep) {
  CHECK(sweep.sums.size() == oscillating_.size());
  const std::uint64_t n = sweep.train.count, right = sweep.train.correct;
  const std::uint64_t held = sweep.held_out.count, held_right = sweep.held_out.correct;
  const bool memorised =
      100 * right > settings_.memorised * n &&
      (settings_.gap == 0 || held == 0 || 100 * right * held > (100 * held_right + settings_.gap * held) * n);
  set(HashtronAlert::kMemorisation, memorised, sweep.job, sweep.sweep,
      percent(right, n) + " of the samples to learn from are right, of those held out " +
          (held == 0 ? std::string("there are none") : percent(held_right, held)));

  bool changed = sums_.empty();
  const auto bound = static_cast<std::int64_t>(std::max<std::uint64_t>(1, n / 100));
  for (std::size_t i = 0; i < sums_.size(); ++i) changed |= std::abs(sweep.sums[i] - sums_[i]) > bound;
  sums_.assign(sweep.sums.begin(), sweep.sums.end());
  still_ = changed ? 0 : still_ + 1;
  set(HashtronAlert::kStagnation, still_ >= settings_.sweeps && right < n, sweep.job, sweep.sweep,
      "no sum has changed by more than " + std::to_string(bound) + " in " + std::to_string(still_) + " sweeps");

  fruitless_ = sweep.accepted ? 0 : fruitless_ + 1;
  set(HashtronAlert::kStuck, fruitless_ >= settings_.sweeps && right < n, sweep.job, sweep.sweep,
      "no job was accepted in " + std::to_string(fruitless_) + " sweeps, " + percent(right, n) + " are right");

  set(HashtronAlert::kConstant, sweep.constant, sweep.job, sweep.sweep,
      "a cell of the last layer answers every sample the same: " + percent(right, n) + " is the base rate");
}

bool HashtronAlerts::active(HashtronAlert alert) const { return active_[static_cast<std::size_t>(alert)]; }

std::vector<HashtronAlerts::Event> HashtronAlerts::take() { return std::exchange(events_, {}); }

void HashtronAlerts::save(ByteBuffer& out) const {
  for (std::size_t i = 0; i < active_.size(); ++i) {
    out.append_fixed(static_cast<std::uint8_t>(active_[i] ? 1 : 0));
    out.append_fixed(begun_[i]);
  }
  for (const std::uint8_t one : oscillating_) out.append_fixed(one);
  out.append_fixed(still_);
  out.append_fixed(fruitless_);
  out.append_fixed(static_cast<std::uint8_t>(sums_.empty() ? 0 : 1));
  for (const std::int64_t sum : sums_) out.append_fixed(static_cast<std::int32_t>(sum));
}

bool HashtronAlerts::load(ByteReader& in) {
  HashtronAlerts read(static_cast<std::uint32_t>(oscillating_.size()), settings_);
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const auto active = in.fixed<std::uint8_t>();
    if (active > 1) return false;
    read.active_[i] = active != 0;
    read.begun_[i] = in.fixed<std::uint32_t>();
  }
  for (std::uint8_t& one : read.oscillating_) {
    one = in.fixed<std::uint8_t>();
    if (one > 1) return false;
    read.oscillating_count_ += one;
  }
  read.still_ = in.fixed<std::uint32_t>();
  read.fruitless_ = in.fixed<std::uint32_t>();
  const auto has_sums = in.fixed<std::uint8_t>();
  if (has_sums > 1) return false;
  if (has_sums == 1) read.sums_.resize(oscillating_.size());
  for (std::int64_t& sum : read.sums_) sum = in.fixed<std::int32_t>();
  if (!in.ok()) return false;
  *this = std::move(read);
  return true;
}

}  // namespace weir
