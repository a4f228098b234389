#include "core/solvers/conformal_gate.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/finite.hpp"
#include "core/records/state_entry.hpp"

namespace weir {
namespace {

constexpr std::string_view kStateKey = "g";
constexpr std::uint8_t kFormat = 1;

// A positive f32's exponent and first six bits of mantissa: a logarithmic scale of 64 steps to the octave.
constexpr int kDropBits = 17;
std::uint32_t log_step(double x) { return std::bit_cast<std::uint32_t>(static_cast<float>(x)) >> kDropBits; }
double lower_edge(std::uint32_t step) { return double(std::bit_cast<float>(step << kDropBits)); }
constexpr std::uint32_t step_of(float x) { return std::bit_cast<std::uint32_t>(x) >> kDropBits; }

// 1 - p in [0, 1]: log bins from 2^-24 to 1/2, then mirrored ones from 1/2 to 1, so that both ends are told apart.
constexpr std::uint32_t kFirstScore = step_of(0x1p-24f);
constexpr std::uint32_t kHalfBins = step_of(0.5f) - kFirstScore;
constexpr std::uint32_t kScoreBins = 2 * kHalfBins;

std::uint32_t half_bin(double x) {  // x in [0, 1/2]
  return std::clamp(log_step(x), kFirstScore, kFirstScore + kHalfBins - 1) - kFirstScore;
}
std::uint32_t score_bin(double p) {  // Of 1 - p, without its rounding where p is small.
  return p > 0.5 ? half_bin(1.0 - p) : kScoreBins - 1 - half_bin(p);
}

// Residuals from 2^-64 to 2^96.
constexpr std::uint32_t kFirstResidual = step_of(0x1p-64f);
constexpr std::uint32_t kResidualBins = step_of(0x1p96f) - kFirstResidual;
std::uint32_t residual_bin(double residual) {
  const double bounded = std::min(residual, 0x1p95);
  return std::clamp(log_step(bounded), kFirstResidual, kFirstResidual + kResidualBins - 1) - kFirstResidual;
}
double residual_edge(std::uint32_t bin) { return lower_edge(kFirstResidual + bin + 1); }

constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();  // Every label, any value.
constexpr std::uint32_t kNone = kAll - 1;

}  // namespace

Result<void> check(const ConformalSettings& s) {
  const auto bad = [](std::string_view name, double found, std::string_view expected) {
    return Error{ErrorCode::kConfig,
                 "gate " + std::string(name) + ": found " + std::to_string(found) + ", expected " + std::string(expected)};
  };
  if (!(s.coverage > 0.0 && s.coverage < 1.0)) return bad("coverage", s.coverage, "between 0 and 1");
  if (s.window == 0) return bad("window", 0, "at least 1");
  if (!(s.gamma >= 0.0 && s.gamma < 1.0)) return bad("gamma", s.gamma, "0 to below 1");
  if (!(s.max_width > 0.0)) return bad("max_width", s.max_width, "above 0");
  return {};
}

ConformalGate::ConformalGate(TaskKind task, const ConformalSettings& settings)
    : task_(task),
      settings_(settings),
      scores_(settings.window, task == TaskKind::kClassification ? kScoreBins : kResidualBins),
      alpha_(1.0 - settings.coverage) {
  CHECK(check(settings).ok());
}

void ConformalGate::complete(Prediction& prediction) const {
  prediction.certified = prediction.has_set = prediction.in_set[0] = prediction.in_set[1] = false;
  if (!warm() || scores_.count() == 0) return;
  const double wanted = std::ceil(double(scores_.count() + 1) * (1.0 - alpha_));
  const std::uint32_t bin = wanted > double(scores_.count()) ? kAll
                            : wanted < 1.0                   ? kNone
                                                             : scores_.rank(static_cast<std::uint32_t>(wanted));
  if (task_ == TaskKind::kClassification) {
    const double p = prediction.value;
    prediction.has_set = true;
    prediction.in_set[1] = bin == kAll || (bin != kNone && score_bin(p) <= bin);
    prediction.in_set[0] = bin == kAll || (bin != kNone && score_bin(1.0 - p) <= bin);
    prediction.certified = prediction.in_set[0] != prediction.in_set[1];
    return;
  }
  if (bin == kAll) return;  // No finite interval.
  const double q = bin == kNone ? 0.0 : residual_edge(bin);
  prediction.has_set = true;
  prediction.low = prediction.value - q;
  prediction.high = prediction.value + q;
  prediction.certified = 2.0 * q <= settings_.max_width;
}

void ConformalGate::update(const Prediction& published, double value, double label) {
  dirty_ = true;
  if (published.has_set) {
    bool covered = false;
    if (task_ == TaskKind::kClassification) {
      covered = published.in_set[label >= 0.5 ? 1 : 0];
      ++counts_.sizes[int(published.in_set[0]) + int(published.in_set[1])];
    } else {
      covered = label >= published.low && label <= published.high;
      counts_.width += published.high - published.low;
    }
    ++counts_.labelled;
    counts_.covered += covered ? 1 : 0;
    counts_.certified += published.certified ? 1 : 0;
    counts_.certified_covered += published.certified && covered ? 1 : 0;
    alpha_ += settings_.gamma * ((1.0 - settings_.coverage) - (covered ? 0.0 : 1.0));
    // Late labels let it run on past both ends, where it has no more effect: held there, it comes back at once.
    alpha_ = std::clamp(alpha_, -settings_.gamma, 1.0 + settings_.gamma);
  } else if (warm() && task_ == TaskKind::kRegression) {
    alpha_ = std::min(alpha_ + settings_.gamma * (1.0 - settings_.coverage), 1.0 + settings_.gamma);  // The whole line held it.
  }
  scores_.add(task_ == TaskKind::kClassification ? score_bin(label >= 0.5 ? value : 1.0 - value)
                                                 : residual_bin(std::abs(label - value)));
}

void ConformalGate::save(StateWriter& writer) {
  if (!dirty_) return;
  dirty_ = false;
  scores_.save(writer);
  std::array<char, 82> value;
  value[0] = kFormat;
  value[1] = static_cast<char>(task_);
  const std::uint64_t seen = scores_.seen();
  std::memcpy(&value[2], &seen, 8);
  std::memcpy(&value[10], &alpha_, 8);
  static_assert(sizeof counts_ == 64);
  std::memcpy(&value[18], &counts_, 64);
  writer.put(kStateKey, {value.data(), value.size()});
}

Result<void> ConformalGate::load(const StageState& state) {
  StateEntry entry("gate state", kFormat);
  TRY_ASSIGN(const bool found, entry.open(state, kStateKey));
  if (!found) return {};
  const auto task = static_cast<TaskKind>(entry.fixed<std::uint8_t>());
  const auto seen = entry.fixed<std::uint64_t>();
  const auto alpha = entry.fixed<double>();
  counts_ = entry.fixed<Counts>();
  TRY(entry.finish(is_finite(alpha)));
  if (task != task_)
    return Error{ErrorCode::kConfig, entry.what() + " is of the other kind of task: start with a new data directory"};
  alpha_ = alpha;
  return scores_.load(state, seen);
}

}  // namespace weir
