#pragma once
// What a chain has done with its records: the sums behind the metrics.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/learning/hashtron_alerts.hpp"
#include "core/learning/sum_cache.hpp"
#include "core/records/codec.hpp"
#include "core/records/event.hpp"
#include "core/records/order.hpp"

namespace weir {

template <template <class> class Held>
struct TaskCountsOf {
  Held<std::uint64_t> predicted{};     // On `predictions`.
  Held<std::uint64_t> abstained{};     // Not certified: on `predictions` all the same, or under `drop` on `abstained`.
  Held<std::uint64_t> examples{};
  Held<std::uint64_t> with_set{};      // Examples whose prediction had a set,
  Held<std::uint64_t> covered{};       // and those that lay in it.
  Held<std::uint64_t> steps_undone{};  // Training steps that were not finite.
  Held<std::uint64_t> held_out{};        // Examples that nobody learns from,
  Held<std::uint64_t> held_out_right{};  // and those that the challenger answered right.
  Held<std::uint64_t> promotions{};
  Held<std::uint64_t> rollbacks{};
  std::array<Held<std::uint64_t>, kJobResults.size()> jobs{};        // By JobResult.
  std::array<Held<std::uint64_t>, kHashtronAlerts.size()> alerts{};  // Begun, by HashtronAlert.
  Held<double> loss{};                 // Over the examples: log-loss; of a regression the squared error.
  std::array<Held<std::uint64_t>, kReasonCount> dead_letters{};      // By Reason.
  std::array<Held<std::uint64_t>, kUnjoinedReasonCount> unjoined{};  // By UnjoinedReason.
  std::array<Held<std::uint64_t>, kInputCount> records{};            // Taken, by InputId.
};

// A chain's own: sums since it was made or since the first offset; only their differences mean something.
template <class T> using Plain = T;
using TaskCounts = TaskCountsOf<Plain>;

// A task's: what it has committed since the process began. Commit by commit the differences are added, so that what a restarted
// task computes again counts once. One writer; any thread reads.
struct SharedTaskCounts : TaskCountsOf<std::atomic> {
  void add(const TaskCounts& before, const TaskCounts& now) {
    grow(predicted, before.predicted, now.predicted);
    grow(abstained, before.abstained, now.abstained);
    grow(examples, before.examples, now.examples);
    grow(with_set, before.with_set, now.with_set);
    grow(covered, before.covered, now.covered);
    grow(steps_undone, before.steps_undone, now.steps_undone);
    grow(held_out, before.held_out, now.held_out);
    grow(held_out_right, before.held_out_right, now.held_out_right);
    grow(promotions, before.promotions, now.promotions);
    grow(rollbacks, before.rollbacks, now.rollbacks);
    for (std::size_t i = 0; i < jobs.size(); ++i) grow(jobs[i], before.jobs[i], now.jobs[i]);
    for (std::size_t i = 0; i < alerts.size(); ++i) grow(alerts[i], before.alerts[i], now.alerts[i]);
    grow(loss, before.loss, now.loss);
    for (std::size_t i = 0; i < dead_letters.size(); ++i) grow(dead_letters[i], before.dead_letters[i], now.dead_letters[i]);
    for (std::size_t i = 0; i < unjoined.size(); ++i) grow(unjoined[i], before.unjoined[i], now.unjoined[i]);
    for (std::size_t i = 0; i < records.size(); ++i) grow(records[i], before.records[i], now.records[i]);
  }

 private:
  template <class T>
  static void grow(std::atomic<T>& sum, T before, T now) {
    if (now != before) sum.store(sum.load(std::memory_order_relaxed) + (now - before), std::memory_order_relaxed);
  }
};

}  // namespace weir
