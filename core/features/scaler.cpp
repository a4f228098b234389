#include "core/features/scaler.hpp"

#include <algorithm>
#include <limits>

#include "core/base/math.hpp"
#include "core/features/decay.hpp"
#include "core/features/scaler_kernels.hpp"

namespace weir {
namespace {

constexpr std::uint32_t kPageVersion = 1;

}  // namespace

Scaler::Scaler(std::span<const Input> inputs, const ScalerSpec& spec)
    : count_(inputs.size()), padded_((inputs.size() + kLanes - 1) / kLanes * kLanes), include_self_(spec.include_self) {
  if (spec.half_life_events > 0) fade_per_event_ = math::pow(2.0, -1.0 / spec.half_life_events);
  if (spec.half_life_us > 0) inverse_half_life_ = 1.0 / static_cast<double>(spec.half_life_us);
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  x_.assign(padded_, kNan);
  clip_.assign(padded_, kBound);
  scaled_.assign(padded_, 0.0);
  stand_in_.assign(padded_, kNan);
  moments_.assign(4 * padded_, 0.0);
  gathered_.assign(padded_, 0.5);
  for (std::size_t i = 0; i < count_; ++i) {
    if (inputs[i].clip > 0) clip_[i] = std::min(inputs[i].clip, kBound);
    if (inputs[i].missing == Missing::kZero) stand_in_[i] = 0.0;
    if (inputs[i].missing == Missing::kLast) keep_last_.push_back(i), moments_[3 * padded_ + i] = kNan;
  }
}

void Scaler::take_logits(std::span<const std::uint32_t> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) gathered_[i] = x_[inputs[i]];
  kernels::logit_all((inputs.size() + kLanes - 1) / kLanes * kLanes, gathered_.data());
  for (std::size_t i = 0; i < inputs.size(); ++i) x_[inputs[i]] = gathered_[i];
}

void Scaler::scale(EventTime time, std::span<float> out) {
  double* weight = moments_.data();
  double* mean = weight + padded_;
  double* squares = mean + padded_;
  double* last = squares + padded_;
  double fade = fade_per_event_;
  if (inverse_half_life_ > 0.0 && started_ && time.value > time_)
    fade = half_life_decay(static_cast<double>(static_cast<std::uint64_t>(time.value) - static_cast<std::uint64_t>(time_)) *
                           inverse_half_life_);
  time_ = started_ ? std::max(time_, time.value) : time.value;
  started_ = true;
  for (const std::size_t i : keep_last_) {
    last[i] = x_[i] == x_[i] ? x_[i] : last[i];
    stand_in_[i] = last[i];
  }
  if (include_self_) kernels::add_all(padded_, fade, x_.data(), weight, mean, squares);
  kernels::scale_all(padded_, x_.data(), stand_in_.data(), weight, mean, squares, clip_.data(), scaled_.data());
  if (!include_self_) kernels::add_all(padded_, fade, x_.data(), weight, mean, squares);
  for (std::size_t i = 0; i < count_; ++i) out[i] = static_cast<float>(scaled_[i]);
}

double Scaler::weight_max() const {
  double most = 0.0;
  for (std::size_t i = 0; i < count_; ++i) most = std::max(most, moments_[i]);
  return most;
}

Scaler::Moments Scaler::moments(std::size_t i) const {
  const double w = moments_[i];
  return {w, moments_[padded_ + i], w > 0 ? moments_[2 * padded_ + i] / w : 0.0};
}

// u32 version, u32 count, i64 time, u8 started, then four f64 an input: weight, mean, squares, last.
std::string_view Scaler::page() {
  page_.clear();
  const auto put = [&](auto value) { page_.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(kPageVersion);
  put(static_cast<std::uint32_t>(count_));
  put(time_);
  put(static_cast<std::uint8_t>(started_));
  for (std::size_t i = 0; i < count_; ++i)
    for (std::size_t k = 0; k < 4; ++k) put(moments_[k * padded_ + i]);
  return page_;
}

Result<void> Scaler::load(std::string_view page) {
  ByteReader reader(page);
  const auto version = reader.fixed<std::uint32_t>();
  if (reader.ok() && version > kPageVersion)
    return Error{ErrorCode::kVersion, "scaler: format version " + std::to_string(version) + ", this program knows " +
                                          std::to_string(kPageVersion)};
  const auto count = reader.fixed<std::uint32_t>();
  if (reader.ok() && count != count_)
    return Error{ErrorCode::kConfig, "the stored scaler has " + std::to_string(count) + " inputs, the config " +
                                         std::to_string(count_) + ": go back to its `schema` and `features`, or start with a "
                                         "new data directory"};
  time_ = reader.fixed<std::int64_t>();
  started_ = reader.fixed<std::uint8_t>() != 0;
  for (std::size_t i = 0; i < count_; ++i)
    for (std::size_t k = 0; k < 4; ++k) moments_[k * padded_ + i] = reader.fixed<double>();
  if (!reader.finished()) return Error{ErrorCode::kCorruption, "scaler: the page is not of its length"};
  return {};
}

}  // namespace weir
