#pragma once
// What goes wrong when networks of hashtrons learn, noticed: an alert begins when its condition does, and ends with it. All
// conditions are whole numbers.
//
//   memorisation   more than `memorised` per cent of the samples to learn from are right at the end of a sweep, and more than
//                  `gap` points fewer of those held out (gap 0, or nothing held out: the first half alone)
//   stagnation     `sweeps` sweeps in a row in which no neuron's sum has changed by more than max(1, N / 100), and not all
//   samples
//                  are right
//   oscillation    a neuron's last four changes of capacity go up and down in turn, each by a factor of two at least
//   stuck          `sweeps` sweeps in a row without an accepted job, and not all samples are right
//   constant       a cell of the last layer gives every sample the same at the end of a sweep: what it gets right is the base
//                  rate

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/byte_buffer.hpp"
#include "core/learning/hashtron_figures.hpp"
#include "core/learning/sum_cache.hpp"

namespace weir {

enum class HashtronAlert : std::uint8_t { kMemorisation, kStagnation, kOscillation, kStuck, kConstant };
inline constexpr std::array kHashtronAlerts = {HashtronAlert::kMemorisation, HashtronAlert::kStagnation,
                                               HashtronAlert::kOscillation, HashtronAlert::kStuck, HashtronAlert::kConstant};
std::string_view name_of(HashtronAlert alert);

struct HashtronAlertSettings {
  std::uint32_t memorised = 95;  // Per cent.
  std::uint32_t gap = 10;        // Points.
  std::uint32_t sweeps = 3;      // At least 1.
};

class HashtronAlerts {
 public:
  struct Event {
    HashtronAlert alert = HashtronAlert::kMemorisation;
    bool begins = true;  // Else it ends.
    std::uint32_t job = 0, sweep = 0;
    std::string what;  // With the figures that raised it.
  };
  struct Sweep {
    std::uint32_t job = 0, sweep = 0;
    HashtronFigures train, held_out;
    std::span<const std::int64_t> sums;  // Of each neuron, over the samples to learn from.
    bool constant = false;
    bool accepted = false;  // Any job of it.
  };

  // REQUIRES: settings.sweeps > 0.
  HashtronAlerts(std::uint32_t neurons, const HashtronAlertSettings& settings);

  // Once a job is in the cache; REQUIRES: its neuron is one of them.
  void job_done(const SumCache& sums, const SumRecord& job);
  // REQUIRES: a sum for each neuron.
  void sweep_done(const Sweep& sweep);

  bool active(HashtronAlert alert) const;
  std::uint32_t begun(HashtronAlert alert) const { return begun_[static_cast<std::size_t>(alert)]; }  // How often.
  std::uint32_t oscillating() const { return oscillating_count_; }                                    // Neurons.
  std::vector<Event> take();  // What has happened since the last call.

  // Everything but events not yet taken.
  void save(ByteBuffer& out) const;
  bool load(ByteReader& in);  // False, and unchanged: no such state.

 private:
  void set(HashtronAlert alert, bool now, std::uint32_t job, std::uint32_t sweep, const std::string& what);

  HashtronAlertSettings settings_;
  std::array<bool, kHashtronAlerts.size()> active_{};
  std::array<std::uint32_t, kHashtronAlerts.size()> begun_{};
  std::vector<std::uint8_t> oscillating_;
  std::uint32_t oscillating_count_ = 0, still_ = 0, fruitless_ = 0;
  std::vector<std::int64_t> sums_;  // At the end of the sweep before; empty before the first.
  std::vector<Event> events_;
};

// Whether the accepted jobs of a neuron, oldest first, end in four changes of its capacity that go up and down in turn, each by
// a factor of two at least.
bool oscillates(std::span<const SumRecord> trend);

}  // namespace weir
