#pragma once
// Mean and variance of a stream, one sample at a time (Welford's update: no cancellation on long streams), optionally with decay
// by count or by event time: the caller gives the factor by which all that was before counts less.
//
// Invariants: weight() == 0 implies mean() == 0; variance() >= 0. A plain value of 24 bytes; add() is O(1).

namespace weir {

class RunningMoments {
 public:
  // REQUIRES: x is finite, 0 <= keep <= 1; 2^(-1/h) is a half-life of h samples, 2^(-dt/h) one in time.
  void add(double x, double keep = 1.0) {
    weight_ = weight_ * keep + 1.0;
    m2_ *= keep;
    const double from_mean = x - mean_;
    mean_ += from_mean / weight_;
    m2_ += from_mean * (x - mean_);
  }
  double weight() const { return weight_; }  // The number of samples, where nothing decays.
  double mean() const { return mean_; }
  // Of the weighted samples, without correction for the mean; 0 before two of them.
  double variance() const { return weight_ > 1.0 ? m2_ / weight_ : 0.0; }

 private:
  double weight_ = 0.0;
  double mean_ = 0.0;
  double m2_ = 0.0;  // Weighted sum of squared distances from the running mean.
};

}  // namespace weir
